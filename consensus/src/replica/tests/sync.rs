//! Keeping up: R33, R34, R48.

use super::fixture::*;
use crate::Unsigned;
use crate::record::Record;
use crate::replica::{Effect, Input};
use crate::{Outgoing, message::Message};
use quorate_chain::{Height, ValidatorIndex};

#[test]
fn r33_a_replica_says_where_it_is_when_it_starts() {
    let (_, effects) = Rig::started(4, 1, 1, genesis_tip());
    assert_eq!(effects, [persist(1, Record::Start(1)), sent(status(0, None, 0))]);
}

#[test]
fn r34_who_has_more_is_asked_for_it_and_who_has_less_is_told() {
    let mut rig = Rig::new(1, 1);
    let chain = blocks(2);
    rig.commit(&chain[0], &c(0, &chain[0]));
    let sync = Effect::Sync { peer: ValidatorIndex(2), to: Height(2) };
    assert_eq!(rig.say(2, status(0, Some(&chain[1]), 2)), [sync]);
    assert_eq!(rig.say(2, status(0, Some(&chain[1]), 2)), [], "not again at once");
    let own = Outgoing::Own(status(0, Some(&chain[0]), 1));
    assert_eq!(rig.say(3, status(0, None, 0)), [Effect::Send(ValidatorIndex(3), own)]);
    assert_eq!(rig.say(3, status(0, None, 0)), [], "not again at once");
}

#[test]
fn r34_a_liar_about_its_tip_does_not_stand_in_the_way() {
    let mut rig = Rig::new(1, 1);
    let chain = blocks(1);
    let Unsigned::Status(mut lie) = status(0, None, 0) else { panic!("not a Status") };
    lie.tip = Height(u64::MAX);
    let effects = rig.say(3, Unsigned::Status(lie));
    assert_eq!(effects, [Effect::Sync { peer: ValidatorIndex(3), to: Height(u64::MAX) }]);
    let effects = rig.say(2, status(0, Some(&chain[0]), 1));
    assert_eq!(effects, [Effect::Sync { peer: ValidatorIndex(2), to: Height(1) }]);
}

#[test]
fn r33_a_message_from_a_higher_view_makes_it_say_where_it_is() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    let own = Effect::Send(ValidatorIndex(2), Outgoing::Own(status(0, None, 0)));
    assert_eq!(rig.say(2, Unsigned::Commit(commit_vote(5, &block))), [own]);
    assert_eq!(rig.say(2, Unsigned::Prepare(prepare_vote(5, &block))), [], "once every status_ms");
}

#[test]
fn r33_at_half_time_the_primary_sends_its_proposals_again() {
    let (mut rig, block) = (Rig::new(0, 1), first(0, 1));
    rig.accept(&block);
    let again = Effect::Broadcast(Outgoing::Signed(signed(0, proposal(0, &block))));
    let effects = rig.wait(TIMEOUT_MS / 2);
    assert_eq!(effects, [sent(status(0, None, 0)), relayed(None), again]);
}

#[test]
fn r34_who_stands_still_below_is_sent_the_proposals_it_may_lack() {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(3);
    rig.commit(&chain[0], &c(0, &chain[0]));
    for block in &chain[1..] {
        rig.accept(block);
    }
    let stands = status(0, Some(&chain[0]), 1);
    assert_eq!(rig.say(2, stands.clone()), [], "it may be on its way");
    let relayed = |block| Effect::Send(ValidatorIndex(2), Outgoing::Signed(signed(0, proposal(0, block))));
    assert_eq!(rig.say(2, stands.clone()), [relayed(&chain[1]), relayed(&chain[2])]);
    assert_eq!(rig.say(2, stands), [], "R30: once every status_ms");
    let ahead = status(0, Some(&chain[0]), 3);
    rig.now.time = rig.now.time + STATUS_MS;
    rig.say(2, ahead.clone());
    assert!(!rig.say(2, ahead).iter().any(|e| *e == relayed(&chain[2])), "it has prepared them");
}

#[test]
fn r33_both_ends_of_a_new_wire_say_where_they_are() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    rig.accept(&block);
    let own = Effect::Send(ValidatorIndex(2), Outgoing::Own(status(0, None, 0)));
    assert_eq!(rig.step(Input::Connected(ValidatorIndex(2))), [own]);
    assert_eq!(rig.step(Input::Connected(ValidatorIndex(2))), [], "once every status_ms");
    let relayed = Effect::Send(ValidatorIndex(2), Outgoing::Signed(signed(0, proposal(0, &block))));
    assert_eq!(rig.say(2, status(0, None, 0)), [relayed], "nothing is on its way that was sent before");
    assert_eq!(rig.say(3, status(0, None, 0)), [], "this wire is an old one");
}

#[test]
fn r33_without_the_primary_what_it_proposed_last_is_relayed_at_once() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    rig.accept(&block);
    assert_eq!(rig.step(Input::Disconnected(ValidatorIndex(3))), [], "not the primary");
    assert_eq!(rig.say(3, status(0, None, 0)), [], "it may be on its way");
    rig.now.time = rig.now.time + 100;
    assert_eq!(
        rig.say(2, status(0, None, 0)),
        [],
        "sent because the primary is gone, which is not known here"
    );
    let relayed = |to| Effect::Send(ValidatorIndex(to), Outgoing::Signed(signed(0, proposal(0, &block))));
    let gone = rig.step(Input::Disconnected(ValidatorIndex(0)));
    assert_eq!(gone, [sent(status(0, None, 0)), relayed(2)], "3 has said nothing since");
    assert_eq!(rig.say(3, status(0, None, 0)), [relayed(3)]);
    assert_eq!(rig.step(Input::Disconnected(ValidatorIndex(0))), [], "once every status_ms");
}

#[test]
fn r48_votes_are_resent_until_their_block_is_committed() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    rig.accept(&block);
    let prepare = sent(Unsigned::Prepare(prepare_vote(0, &block)));
    assert!(rig.wait(STATUS_MS).contains(&prepare));
    rig.hear(certificate_message(&c(0, &block)));
    assert!(!rig.wait(STATUS_MS).contains(&prepare));
}

#[test]
fn an_idle_replica_sends_its_status_now_and_then() {
    let mut rig = Rig::new(1, 1);
    let sent_in = |rig: &mut Rig| rig.wait(STATUS_MS).len();
    let sums: Vec<_> = (0..8).map(|_| sent_in(&mut rig)).collect();
    assert_eq!(sums, [0, 0, 0, 1, 0, 0, 0, 1]);
}

#[test]
fn an_observer_follows_without_a_word() {
    let (rig, block) = (Rig::new(1, 1), first(0, 1));
    let mut config = rig.config.clone();
    config.me = None;
    let tip = genesis_tip();
    let (mut replica, effects) =
        crate::Replica::start(rig.now, config, crate::DurableState::default(), tip, [], Vec::new());
    assert_eq!(effects, [persist(1, Record::Start(1))]);
    assert_eq!(replica.step(rig.now, Input::Connected(ValidatorIndex(2))), []);
    assert_eq!(replica.step(rig.now, Input::Disconnected(ValidatorIndex(0))), []);
    let certificate = crate::Verified::vouched(c(0, &block));
    replica.step(rig.now, Input::Certified { block: block.clone(), certificate });
    let effects =
        replica.step(rig.now, Input::Executed { block: block.hash(), result: result(1), ends_epoch: false });
    assert_eq!(effects, [committed(&block, &c(0, &block))]);
    let other = child(&block, 0, 2);
    let message = crate::Verified::vouched(signed(0, proposal(0, &other)));
    assert_eq!(replica.step(rig.now, Input::Message(message)), []);
    let message = crate::Verified::vouched(Message::NewView(new_view_of(1, None, None)));
    assert!(matches!(replica.step(rig.now, Input::Message(message))[0], Effect::Persist(..)));
}
