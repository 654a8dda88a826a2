//! Asking for a view and changing to it: R12, R13, R18, R26–R29, R31–R33.

use super::fixture::*;
use crate::Evidence;
use crate::message::{AskCounter, Message};
use crate::record::{Record, ViewChangeRecord};
use crate::replica::asks::Asks;
use crate::replica::{Effect, Input, Phase};
use crate::{Outgoing, Unsigned};
use quorate_chain::{CommitCertificate, PreparedCertificate, ValidatorIndex, View};

pub(super) fn record(
    target: u64,
    committed: Option<&CommitCertificate>,
    prepared: Option<&PreparedCertificate>,
) -> Record {
    Record::ViewChange(ViewChangeRecord {
        claims: claims(target, committed, prepared),
        committed: committed.cloned(),
        prepared: prepared.cloned(),
    })
}

#[test]
fn r26_an_expired_timer_asks_and_the_replica_keeps_voting() {
    let mut rig = Rig::new(1, 1);
    assert_eq!(rig.replica.deadline(), Some(rig.now.time + STATUS_MS), "nothing to wait for");
    let block = first(0, 1);
    rig.accept(&block);
    assert_eq!(rig.replica.deadline(), Some(rig.now.time + TIMEOUT_MS / 2));
    assert_eq!(rig.wait(TIMEOUT_MS / 2), [sent(status(0, None, 0)), relayed(None)], "R33");
    assert_eq!(rig.wait(TIMEOUT_MS / 2), [sent(ask(1, 1, 0))]);
    assert_eq!(rig.say(1, ask(1, 1, 0)), [], "one ask is not f+1");
    assert_eq!(rig.replica.phase(), Phase::Normal);
    assert_eq!(rig.say(0, Unsigned::Prepare(prepare_vote(0, &block))), []);
    assert_eq!(rig.say(2, Unsigned::Prepare(prepare_vote(0, &block))).len(), 1, "it commits");
}

#[test]
fn r26_an_ask_waits_for_the_count_of_this_start() {
    let (mut rig, _) = Rig::started(4, 1, 1, genesis_tip());
    let block = first(0, 1);
    rig.say(0, proposal(0, &block));
    rig.valid(&block);
    assert_eq!(rig.wait(TIMEOUT_MS), [sent(status(0, None, 0)), relayed(None)]);
    assert_eq!(rig.persisted(1), [sent(ask(1, 1, 0))]);
}

#[test]
fn r12_r26_at_f_plus_one_asks_it_persists_then_sends_its_view_change() {
    let mut rig = Rig::new(1, 1);
    assert_eq!(rig.say(3, ask(1, 1, 0)), []);
    assert_eq!(rig.say(2, ask(1, 1, 0)), [persist(2, record(1, None, None))]);
    assert_eq!(rig.replica.phase(), Phase::Changing { target: View(1) });
    assert_eq!(rig.replica.timeout_ms(), TIMEOUT_MS, "R31: one of four primaries may be faulty");
    assert_eq!(rig.persisted(2), [sent(view_change(1, None, None))]);
    let again = rig.wait(STATUS_MS);
    assert!(again.contains(&sent(view_change(1, None, None))), "R29");
    rig.say(3, ask(0, 1, 1));
    assert_eq!(rig.say(2, ask(0, 1, 1)), []);
    assert_eq!(rig.replica.phase(), Phase::Changing { target: View(1) }, "no way back below a signed one");
}

#[test]
fn r12_a_view_change_is_not_resent_before_it_is_durable() {
    let mut rig = Rig::new(1, 1);
    for from in [2, 3] {
        rig.say(from, ask(1, 1, 0));
    }
    assert!(!rig.wait(STATUS_MS).contains(&sent(view_change(1, None, None))));
    assert_eq!(rig.persisted(2), [sent(view_change(1, None, None))]);
}

#[test]
fn r13_a_view_change_cancels_the_votes_that_wait_for_the_disk() {
    let mut rig = Rig::new(1, 1);
    let block = first(0, 1);
    rig.say(0, proposal(0, &block));
    rig.valid(&block);
    for from in [0, 2, 3] {
        rig.say(from, Unsigned::Prepare(prepare_vote(0, &block)));
    }
    let prepared = p_by(0, &block, &[0, 2, 3]);
    let commit = persist(3, Record::Commit(commit_vote(0, &block), prepared.clone()));
    assert_eq!(rig.executed(&block), [commit]);
    rig.say(3, ask(1, 1, 0));
    let changes = rig.say(2, ask(1, 1, 0));
    assert_eq!(changes, [persist(4, record(1, None, Some(&prepared)))], "with the P of the Commit (L2)");
    assert_eq!(rig.stored(&block), []);
    let sent = rig.persisted(4);
    assert_eq!(sent, [super::fixture::sent(view_change(1, None, Some(&prepared)))], "neither vote leaves");
    let own: Vec<_> = rig.wait(STATUS_MS);
    let votes = |e: &Effect| {
        matches!(e, Effect::Broadcast(Outgoing::Own(Unsigned::Prepare(_) | Unsigned::Commit(_))))
    };
    assert!(!own.iter().any(votes), "nor later: {own:?}");
}

#[test]
fn r26_an_ask_is_withdrawn_once_its_view_has_made_up() {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(2);
    rig.commit(&chain[0], &c(0, &chain[0]));
    rig.accept(&chain[1]);
    let expired = rig.wait(TIMEOUT_MS);
    assert_eq!(expired[2..], [sent(ask(1, 1, 0))]);
    let effects = rig.hear(certificate_message(&c(0, &chain[1])));
    assert_eq!(effects, [committed(&chain[1], &c(0, &chain[1])), sent(ask(0, 1, 1))]);
    let resent = rig.wait(STATUS_MS);
    assert!(resent.contains(&sent(ask(0, 1, 1))), "R29: until the view is left: {resent:?}");
}

#[test]
fn r26_a_certificate_of_another_view_withdraws_no_ask() {
    let mut rig = Rig::new(1, 1);
    let block = first(0, 1);
    rig.enter(&new_view_of(2, None, None));
    rig.accept(&first(2, 2));
    assert_eq!(rig.wait(TIMEOUT_MS)[2..], [sent(ask(3, 1, 0))]);
    let effects = rig.certified(&block, &c(1, &block));
    let effects = rig.settle(effects);
    assert_eq!(effects.last(), Some(&committed(&block, &c(1, &block))));
}

/// A replica that asks for view 2 on its way to view 1. It has committed one block, and accepted so many above it.
fn asking_beyond(accepted: usize) -> (Rig, crate::SealedBlock) {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(1 + accepted);
    rig.commit(&chain[0], &c(0, &chain[0]));
    for block in &chain[1..] {
        rig.accept(block);
    }
    for from in [0, 2, 3] {
        rig.settled(from, ask(1, 1, 0));
    }
    let expired = rig.wait(TIMEOUT_MS);
    assert!(expired.contains(&sent(ask(2, 1, 0))), "{expired:?}");
    (rig, chain[0].clone())
}

/// Found by the simulator's guided seed 5888: in an idle view the ask of one that came late stayed, and one more
/// ended the view.
#[test]
fn r26_a_view_that_has_made_up_before_it_is_entered_withdraws_the_ask() {
    let (mut rig, parent) = asking_beyond(0);
    let block = child(&parent, 1, 50);
    let effects = rig.certified(&block, &c(1, &block));
    rig.settle(effects);
    assert_eq!(rig.replica.tip().height, block.height());
    assert_eq!(rig.replica.phase(), Phase::Changing { target: View(1) });
    let entered = rig.enter(&new_view_of(1, Some(&c(0, &parent)), None));
    assert!(entered.contains(&sent(ask(1, 1, 1))), "{entered:?}");
}

#[test]
fn r26_a_block_that_the_view_dropped_is_not_waited_for() {
    let (mut rig, parent) = asking_beyond(2);
    rig.enter(&new_view_of(1, Some(&c(0, &parent)), None));
    let block = child(&parent, 1, 50);
    let effects = rig.certified(&block, &c(1, &block));
    let effects = rig.settle(effects);
    assert!(effects.contains(&sent(ask(1, 1, 1))), "{effects:?}");
}

#[test]
fn r27_the_view_asked_for_is_the_f_plus_first_highest_of_the_latest_asks() {
    let mut asks = Asks::default();
    let counter = |start, sequence| AskCounter { start, sequence };
    let mut ask = |from, target, counter| {
        let ask = crate::message::Ask { epoch: EPOCH, target: View(target), counter };
        asks.ask(ValidatorIndex(from), &ask);
        [1, 2, 3].map(|count| asks.nth_highest(count).map(|view| view.0))
    };
    assert_eq!(ask(0, 7, counter(1, 0)), [Some(7), None, None]);
    assert_eq!(ask(1, 5, counter(1, 4)), [Some(7), Some(5), None]);
    assert_eq!(ask(2, 6, counter(1, 0)), [Some(7), Some(6), Some(5)]);
    assert_eq!(ask(1, 9, counter(1, 3)), [Some(7), Some(6), Some(5)], "an older ask");
    assert_eq!(ask(1, 0, counter(2, 0)), [Some(7), Some(6), Some(0)], "a later start's");
    let Message::ViewChange(view_change) = signed(1, view_change(8, None, None)) else { panic!() };
    assert_eq!(asks.view_change(&view_change), None);
    assert_eq!(asks.nth_highest(1), Some(View(8)), "its ViewChange outranks its lower Ask");
    assert_eq!((asks.at_least(View(7)), asks.at_least(View(8)), asks.at_least(View(9))), (2, 1, 0));
    let Unsigned::Status(ninth) = status(9, None, 0) else { panic!("not a Status") };
    asks.status(ValidatorIndex(3), &ninth, crate::Time(0));
    assert_eq!((asks.at_least(View(9)), asks.nth_highest(1)), (1, Some(View(8))), "R28: for the timer only");
}

#[test]
fn r27_of_seven_it_takes_three() {
    let mut rig = Rig::of(7, 0, 1);
    assert_eq!(rig.say(1, ask(9, 1, 0)), []);
    assert_eq!(rig.say(2, ask(6, 1, 0)), []);
    assert_eq!(rig.say(3, ask(4, 1, 0)), [persist(2, record(4, None, None))]);
    assert_eq!(rig.say(4, ask(4, 1, 0)), [], "no higher target");
    assert_eq!(rig.say(5, ask(8, 1, 0)), [persist(3, record(6, None, None))]);
}

#[test]
fn r18_who_holds_a_certificate_of_a_view_does_not_ask_for_it_or_lower() {
    let mut rig = Rig::new(1, 1);
    let block = first(2, 1);
    rig.commit(&block, &c(2, &block));
    rig.now.time = rig.now.time + STATUS_MS;
    assert_eq!(rig.say(0, ask(2, 1, 0)), []);
    let instead = rig.say(3, ask(2, 1, 0));
    assert_eq!(instead, [sent(status(0, Some(&block), 1))], "it looks for the NewView");
    assert_eq!(rig.say(3, ask(2, 1, 1)), [], "not at every ask");
    assert_eq!(rig.replica.phase(), Phase::Normal);
    let next = child(&block, 0, 2);
    rig.accept(&next);
    let expired = rig.wait(TIMEOUT_MS);
    assert!(expired.contains(&sent(ask(3, 1, 0))), "{expired:?}");
}

#[test]
fn r28_while_changing_the_timer_runs_only_with_q_asks() {
    let mut rig = Rig::new(1, 1);
    for from in [1, 2] {
        rig.settled(from, ask(1, 1, 0));
    }
    let half = rig.now.time + TIMEOUT_MS / 2;
    assert_eq!(rig.replica.deadline(), Some(half), "R33: half of the time-out");
    assert_eq!(rig.replica.timers.progress, None);
    assert_eq!(rig.say(3, ask(1, 1, 0)), []);
    assert_eq!(rig.replica.timers.progress, Some(rig.now.time + TIMEOUT_MS));
    let expired = rig.wait(TIMEOUT_MS);
    let asked = [sent(status(0, None, 0)), relayed(None), sent(ask(2, 1, 0))];
    assert_eq!(expired, asked);
}

#[test]
fn r28_the_view_in_a_status_counts_for_the_timer() {
    let mut rig = Rig::new(1, 1);
    for from in [1, 2] {
        rig.settled(from, ask(1, 1, 0));
    }
    assert_eq!(rig.replica.timers.progress, None);
    rig.say(3, status(1, None, 0));
    assert_eq!(rig.replica.timers.progress, Some(rig.now.time + TIMEOUT_MS));
}

#[test]
fn r32_the_timer_runs_for_transactions_and_accepted_blocks_and_commits_restart_it() {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(2);
    rig.accept(&chain[0]);
    assert_eq!(rig.replica.timers.progress, Some(rig.now.time + TIMEOUT_MS));
    rig.wait(200);
    rig.hear(certificate_message(&c(0, &chain[0])));
    assert_eq!(rig.replica.timers.progress, None, "all accepted is committed");
    rig.step(pending());
    assert_eq!(rig.replica.timers.progress, Some(rig.now.time + TIMEOUT_MS));
    rig.accept(&chain[1]);
    rig.wait(100);
    rig.hear(certificate_message(&c(0, &chain[1])));
    assert_eq!(rig.replica.timers.progress, Some(rig.now.time + TIMEOUT_MS), "restarted");
    rig.step(Input::Pending(crate::Pending::Nothing));
    assert_eq!(rig.replica.timers.progress, None);
}

#[test]
fn r37_two_view_changes_for_one_view_are_evidence() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    let claims = |message: &Message| match message {
        Message::ViewChange(view_change) => view_change.claims.clone(),
        _ => panic!("not a ViewChange"),
    };
    let one = signed(2, view_change(1, None, None));
    let other = signed(2, view_change(1, None, Some(&p(0, &block))));
    assert_eq!(rig.hear(one.clone()), []);
    let evidence = Evidence::ViewChanges(Box::new((claims(&one), claims(&other))));
    assert_eq!(rig.hear(other), [Effect::Evidence(evidence)]);
}
