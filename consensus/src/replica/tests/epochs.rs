//! From one validator set to the next: R45, R46.

use super::fixture::*;
use crate::message::{EpochContext, Message};
use crate::record::Record;
use crate::replica::{Effect, Input, OldEpoch, Peer, Phase};
use crate::{DurableState, SealedBlock, Unsigned};
use quorate_chain::{Epoch, Height, ValidatorIndex, View};
use std::collections::BTreeMap;

fn ending(block: &SealedBlock) -> Input {
    Input::Executed { block: block.hash(), result: result(block.height().0), ends_epoch: true }
}

/// Validator 1 with W = 4 whose block 1 ended epoch 0 and is committed.
fn at_the_end() -> (Rig, SealedBlock) {
    let (mut rig, last) = (Rig::new(1, 4), first(0, 1));
    let effects = rig.certified(&last, &c(0, &last));
    assert_eq!(effects.last(), Some(&Effect::Execute(last.clone())));
    assert_eq!(rig.step(ending(&last)), [committed(&last, &c(0, &last))]);
    (rig, last)
}

fn started(context: EpochContext) -> Input {
    Input::EpochStarted { context, me: Some(ValidatorIndex(1)) }
}

#[test]
fn r45_no_child_of_the_last_block_is_accepted_in_its_epoch() {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(3);
    rig.commit(&chain[0], &c(0, &chain[0]));
    rig.say(0, proposal(0, &chain[1]));
    rig.valid(&chain[1]);
    rig.step(ending(&chain[1]));
    assert_eq!(rig.say(0, proposal(0, &chain[2])), [], "the last block is accepted, its child is not");
    rig.hear(certificate_message(&c(0, &chain[1])));
    assert_eq!(rig.replica.tip().height, Height(2));
    assert_eq!(rig.say(0, proposal(0, &chain[2])), [], "nor once it is committed");
    assert_eq!(rig.step(pending()), []);
    assert_eq!(rig.replica.timers.progress, None, "nothing can be waited for");
}

#[test]
fn r45_in_the_next_epoch_view_asks_p_and_timers_start_anew() {
    let mut rig = Rig::new(1, 4);
    let (block, last) = (first(0, 1), child(&first(0, 1), 0, 2));
    rig.accept(&block);
    for from in [0, 2] {
        rig.settled(from, Unsigned::Prepare(prepare_vote(0, &block)));
    }
    assert!(rig.replica.highest_prepared.is_some());
    for from in [2, 3] {
        rig.settled(from, ask(5, 1, 0));
    }
    assert_eq!(rig.replica.phase(), Phase::Changing { target: View(5) });
    rig.commit(&block, &c(0, &block));
    rig.certified(&last, &c(0, &last));
    rig.step(ending(&last));
    let tip = rig.replica.tip().clone();
    assert_eq!(tip.block, last.hash());
    let effects = rig.step(started(next_context(&last)));
    assert!(matches!(effects[0], Effect::Persist(_, Record::Epoch(Epoch(1)))), "{effects:?}");
    let replica = &rig.replica;
    assert_eq!((replica.epoch(), replica.view(), replica.phase()), (Epoch(1), View(0), Phase::Normal));
    assert_eq!((&replica.highest_prepared, &replica.highest_commit), (&None, &None), "R18, R19");
    assert_eq!(replica.primary(), ValidatorIndex(1), "set[(e + v) mod n]");
    assert_eq!(replica.anchor().height, Height(2));
    assert_eq!(replica.timeout_ms(), TIMEOUT_MS);
}

#[test]
fn r45_it_votes_in_the_next_epoch_only_after_it_has_begun() {
    let (mut rig, last) = at_the_end();
    let vote = crate::message::SealedBlock::clone(&last);
    assert_eq!(rig.say(2, Unsigned::Prepare(prepare_vote(0, &vote))), []);
    let other = EpochContext { start_block: CHAIN.genesis_block(), ..next_context(&last) };
    assert_eq!(rig.step(started(other)), [], "not from another block");
    let skipped = EpochContext { epoch: Epoch(2), ..next_context(&last) };
    assert_eq!(rig.step(started(skipped)), [], "not over one");
    rig.step(started(next_context(&last)));
    assert_eq!(rig.replica.epoch(), Epoch(1));
}

#[test]
fn r45_messages_of_the_old_epoch_do_nothing_any_more() {
    let (mut rig, last) = at_the_end();
    rig.step(started(next_context(&last)));
    for from in [0, 2, 3] {
        let old = crate::Verified::vouched(signed(from, ask(3, 1, 0)));
        assert_eq!(rig.step(Input::Message(old)), []);
    }
    let certificate = crate::Verified::vouched(certificate_message(&c(5, &last)));
    assert_eq!(rig.step(Input::Message(certificate)), []);
    assert_eq!(rig.replica.highest_commit, None, "schedule 8");
}

#[test]
fn r45_a_restart_after_the_end_begins_the_epoch_it_finds() {
    let (mut rig, last) = at_the_end();
    rig.config.context = next_context(&last);
    let old =
        DurableState { starts: 1, view: View(0), highest_prepared: Some(p(0, &last)), ..rig.durable.clone() };
    let (rig, effects) = rig.boot_again(old, BTreeMap::new());
    assert_eq!(effects[..2], [persist(1, Record::Epoch(Epoch(1))), persist(2, Record::Start(2))]);
    assert_eq!(rig.replica.highest_prepared, None);
}

#[test]
fn r14_r45_a_record_ahead_of_the_ledger_waits_for_its_epoch() {
    let last = first(0, 1);
    let vote =
        quorate_chain::certificate::PrepareVote { epoch: Epoch(1), ..prepare_vote(0, &child(&last, 1, 5)) };
    let mut ahead = DurableState { epoch: Epoch(1), starts: 4, ..DurableState::default() };
    ahead.apply(Record::Prepare(vote));
    let (mut rig, effects) = Rig::new(1, 4).boot_again(ahead, BTreeMap::new());
    assert_eq!(effects, [persist(1, Record::Start(5))], "it says nothing in an epoch that it has left");
    assert_eq!(rig.replica.seat(), None);
    rig.certified(&last, &c(0, &last));
    rig.step(ending(&last));
    let (mut rig, certificate) = (rig, c(0, &last));
    rig.hear(Message::NewView(new_view_of(1, None, None)));
    rig.hear(certificate_message(&certificate));
    rig.step(started(next_context(&last)));
    rig.persisted(100);
    assert_eq!(rig.replica.seat(), Some(ValidatorIndex(1)));
    assert_eq!(rig.replica.own_prepares[&Height(2)].vote, vote);
    let recorded = rig.durable.prepares.get(&Height(2));
    assert_eq!((rig.durable.epoch, rig.durable.view, recorded), (Epoch(1), View(0), Some(&vote)));
}

#[test]
fn r46_in_the_epoch_before_its_record_it_goes_on_by_what_it_kept() {
    let last = first(0, 1);
    let mut durable = DurableState { starts: 4, ..DurableState::default() };
    durable.apply(Record::Prepare(prepare_vote(0, &last)));
    durable.apply(Record::Epoch(Epoch(1)));
    let vote =
        quorate_chain::certificate::PrepareVote { epoch: Epoch(1), ..prepare_vote(0, &child(&last, 1, 5)) };
    durable.apply(Record::Prepare(vote));
    let (mut rig, _) = Rig::new(1, 4).boot_again(durable, BTreeMap::new());
    rig.settle_recall();
    assert_eq!(rig.replica.seat(), Some(ValidatorIndex(1)), "the old key is needed until q have left");
    rig.say(0, proposal(0, &first(0, 9)));
    assert_eq!(rig.valid(&first(0, 9)), [], "it has voted for another block");
    rig.certified(&last, &c(0, &last));
    rig.step(ending(&last));
    rig.step(started(next_context(&last)));
    rig.settle_recall_of(Epoch(1));
    rig.persisted(100);
    assert_eq!(rig.replica.own_prepares[&Height(2)].vote, vote, "and what it signed here it knows");
    assert_eq!((rig.durable.epoch, rig.durable.prepares.get(&Height(2))), (Epoch(1), Some(&vote)));
}

#[test]
fn r46_who_is_behind_is_shown_the_end_of_its_epoch_and_who_is_ahead_is_asked() {
    let (mut rig, last) = at_the_end();
    rig.step(started(next_context(&last)));
    let from = |peer, epoch| Input::OtherEpoch { peer: Peer(peer), epoch: Epoch(epoch) };
    let shown = Effect::ShowEpochEnd { peer: Peer(7), epoch: Epoch(0) };
    assert_eq!(rig.step(from(7, 0)), std::slice::from_ref(&shown));
    assert_eq!(rig.step(from(7, 0)), [], "R30: once every status_ms");
    assert_eq!(rig.step(from(8, 3)), [Effect::SyncWithPeer { peer: Peer(8) }]);
    rig.now.time = rig.now.time + STATUS_MS;
    assert_eq!(rig.step(from(7, 0)).first(), Some(&shown));
}

#[test]
fn r46_what_was_kept_goes_when_enough_others_are_in_the_epoch() {
    let (mut rig, last) = at_the_end();
    rig.step(started(next_context(&last)));
    let mut shows = |from: u16| {
        let Unsigned::Status(mut status) = status(0, Some(&last), 1) else { panic!("not a Status") };
        status.epoch = Epoch(1);
        let message = crate::Verified::vouched(signed(from, Unsigned::Status(status)));
        rig.step(Input::Message(message))
    };
    assert_eq!(shows(0), []);
    assert_eq!(shows(0), [], "the same one");
    let [data, key] = [OldEpoch::Data, OldEpoch::Key].map(Effect::ReleaseOldEpoch);
    let effects = shows(2);
    assert!(matches!(effects[1], Effect::Persist(_, Record::Released)), "{effects:?}");
    assert_eq!([&effects[0], &effects[2]], [&data, &key], "f + 1 others, which are q with itself");
    assert_eq!(shows(3), []);
}

#[test]
fn r46_a_leaver_counts_others_only() {
    let (mut rig, last) = at_the_end();
    rig.step(Input::EpochStarted { context: next_context(&last), me: None });
    let mut released = Vec::new();
    for from in [0, 2, 3] {
        let Unsigned::Status(mut status) = status(0, Some(&last), 1) else { panic!("not a Status") };
        status.epoch = Epoch(1);
        let message: Message = signed(from, Unsigned::Status(status));
        released.push(rig.step(Input::Message(crate::Verified::vouched(message))));
    }
    let what = |effects: &[Effect]| {
        effects.iter().filter(|e| matches!(e, Effect::ReleaseOldEpoch(_))).cloned().collect::<Vec<_>>()
    };
    let [data, key] = [OldEpoch::Data, OldEpoch::Key].map(|what| vec![Effect::ReleaseOldEpoch(what)]);
    assert_eq!([0, 1, 2].map(|i| what(&released[i])), [vec![], data, key]);
}

/// Going through epoch 1 again, the record of epoch 2 is told that epoch 1 can be forgotten.
#[test]
fn r46_what_is_kept_of_the_epoch_it_goes_through_again_is_not_released() {
    let of = |epoch| DurableState { epoch: Epoch(epoch), starts: 1, ..DurableState::default() };
    let durable = DurableState { previous: Some(Box::new(of(1))), ..of(2) };
    let mut rig = Rig::new(1, 4);
    rig.config.context = EpochContext { epoch: Epoch(1), ..context(4) };
    let (mut rig, effects) = rig.boot_again(durable, BTreeMap::new());
    let mut all = effects;
    for from in [0, 2, 3] {
        let Unsigned::Status(mut status) = status(0, None, 0) else { panic!() };
        status.epoch = Epoch(1);
        all.extend(rig.say(from, Unsigned::Status(status)));
    }
    assert_eq!(rig.replica.seat(), Some(ValidatorIndex(1)), "it votes in epoch 1");
    assert!(!all.iter().any(|e| matches!(e, Effect::Persist(_, Record::Released))), "{all:?}");
}

/// A loss found in the epoch gone through again is forgotten by the next start.
#[test]
fn r47_a_loss_found_in_the_epoch_before_the_records_is_kept() {
    let of = |epoch| DurableState { epoch: Epoch(epoch), starts: 1, ..DurableState::default() };
    let mut durable = DurableState { previous: Some(Box::new(of(0))), ..of(1) };
    durable.apply(Record::Lost);
    let (rig, _) = Rig::new(1, 4).boot_again(durable, BTreeMap::new());
    assert_eq!((rig.replica.seat(), rig.replica.has_lost_record()), (None, true));
}
