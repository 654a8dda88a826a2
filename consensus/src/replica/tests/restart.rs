//! After a crash: R10, R12, R14, R18, R26, and that no second vote is ever cast.

use super::fixture::*;
use super::view_change::record;
use crate::Evidence;
use crate::message::{Message, Unsigned};
use crate::record::Record;
use crate::replica::{Effect, Input, Phase};
use quorate_chain::{Height, ValidatorIndex, View};
use std::sync::Arc;

/// Replica 1 that has sent a Prepare and a Commit for a first block.
fn committed_to(block: &crate::SealedBlock) -> Rig {
    let mut rig = Rig::new(1, 1);
    rig.accept(block);
    for from in [0, 2] {
        rig.settled(from, Unsigned::Prepare(prepare_vote(0, block)));
    }
    assert!(rig.replica.own_commits[&Height(1)].released);
    rig
}

#[test]
fn r14_a_restarted_replica_resends_its_votes_and_casts_no_others() {
    let (block, other) = (first(0, 1), first(0, 2));
    let (mut rig, effects) = committed_to(&block).restart();
    let start = [Effect::Execute(block.clone()), persist(1, Record::Start(2)), sent(status(0, None, 0))];
    assert_eq!(effects, start);
    assert_eq!(rig.say(0, proposal(0, &other)), []);
    assert_eq!(rig.valid(&other), [], "R8");
    rig.persisted(1);
    rig.executed(&block);
    let votes =
        [sent(Unsigned::Prepare(prepare_vote(0, &block))), sent(Unsigned::Commit(commit_vote(0, &block)))];
    let resent = rig.wait(STATUS_MS);
    let again: Vec<_> = resent
        .into_iter()
        .filter(|e| {
            matches!(
                e,
                Effect::Broadcast(crate::Outgoing::Own(Unsigned::Prepare(_) | Unsigned::Commit(_)))
                    | Effect::Persist(..)
            )
        })
        .collect();
    assert_eq!(again, votes);
    for from in [0, 2, 3] {
        rig.say(from, Unsigned::Commit(commit_vote(0, &block)));
    }
    assert_eq!(rig.replica.tip().block, block.hash());
}

#[test]
fn r09_a_vote_whose_body_was_lost_waits_for_it_again() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    rig.say(0, proposal(0, &block));
    rig.valid(&block);
    assert_eq!(rig.persisted(2), [], "the record is durable, the body is not");
    let (mut rig, effects) = rig.restart();
    assert_eq!(effects, [persist(1, Record::Start(2)), sent(status(0, None, 0))]);
    rig.persisted(1);
    let resent = rig.wait(STATUS_MS);
    assert!(!resent.contains(&sent(Unsigned::Prepare(prepare_vote(0, &block)))), "{resent:?}");
    assert_eq!(rig.say(0, proposal(0, &block)), [Effect::Validate(block.clone())]);
    assert_eq!(rig.valid(&block), [Effect::StoreBody(block.clone()), Effect::Execute(block.clone())]);
    assert_eq!(rig.stored(&block), [sent(Unsigned::Prepare(prepare_vote(0, &block)))], "the same, once");
}

#[test]
fn r09_a_vote_whose_ancestors_body_was_lost_waits_for_that() {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(3);
    rig.commit(&chain[0], &c(0, &chain[0]));
    for block in &chain[1..] {
        rig.say(0, proposal(0, block));
        rig.valid(block);
        rig.executed(block);
    }
    rig.stored(&chain[2]);
    rig.persisted(3);
    let (mut rig, _) = rig.restart();
    rig.persisted(1);
    let resent = rig.wait(STATUS_MS);
    assert!(!resent.contains(&sent(Unsigned::Prepare(prepare_vote(0, &chain[2])))), "{resent:?}");
}

#[test]
fn r10_after_a_restart_nothing_under_the_lease_is_proposed_in_its_view() {
    let mut rig = Rig::new(0, 1);
    let effects = rig.step(pending());
    rig.settle(effects);
    let (mut rig, _) = rig.restart();
    rig.persisted(1);
    assert_eq!(rig.step(pending()), []);
    let fourth = new_view_of(4, None, None);
    let effects = rig.enter(&fourth);
    let batch = Effect::RequestBatch { parent: CHAIN.genesis_block(), height: Height(1) };
    assert!(effects.contains(&persist(3, Record::Lease(EPOCH, View(4), Height(65)))), "{effects:?}");
    assert_eq!(effects.last(), Some(&batch));
}

#[test]
fn r12_r14_the_view_asked_for_is_kept_and_its_view_change_is_the_same() {
    let (mut rig, block) = (committed_to(&first(0, 1)), first(0, 1));
    let prepared = p(0, &block);
    rig.say(3, ask(1, 1, 0));
    assert_eq!(rig.say(2, ask(1, 1, 0)), [persist(4, record(1, None, Some(&prepared)))]);
    rig.persisted(4);
    let (mut rig, _) = rig.restart();
    assert_eq!(rig.replica.phase(), Phase::Changing { target: View(1) });
    rig.persisted(1);
    // A C that arrives now changes nothing in what was signed.
    rig.hear(certificate_message(&c(0, &block)));
    let resent = rig.wait(STATUS_MS);
    assert!(resent.contains(&sent(view_change(1, None, Some(&prepared)))), "{resent:?}");
    assert!(!resent.contains(&sent(Unsigned::Prepare(prepare_vote(0, &block)))), "R13: {resent:?}");
}

#[test]
fn r13_a_view_change_that_was_not_durable_was_never_asked_for() {
    let mut rig = committed_to(&first(0, 1));
    for from in [2, 3] {
        rig.say(from, ask(1, 1, 0));
    }
    assert_eq!(rig.replica.phase(), Phase::Changing { target: View(1) });
    let (rig, _) = rig.restart();
    assert_eq!(rig.replica.phase(), Phase::Normal);
}

#[test]
fn r12_a_second_new_view_for_the_view_is_not_entered_after_a_restart() {
    // Schedule 2: Z signs two NewViews with different anchors.
    let mut rig = Rig::new(3, 1);
    let block = first(0, 1);
    let one = new_view_of(1, None, Some(&p(0, &block)));
    let other = new_view_of(1, None, None);
    rig.enter(&one);
    let effects = rig.step(Input::Block(block.clone()));
    rig.settle(effects);
    let (mut rig, effects) = rig.restart();
    assert_eq!((rig.replica.view(), rig.replica.anchor.block), (View(1), block.hash()));
    let goes_on = [persist(1, Record::Start(2)), sent(status(1, None, 0)), Effect::Execute(block.clone())];
    assert_eq!(effects, goes_on, "the body and the Prepare are there");
    let evidence = Evidence::NewViews(ValidatorIndex(1), Arc::clone(&one), Arc::clone(&other));
    assert_eq!(rig.hear(Message::NewView(other)), [Effect::Evidence(evidence)]);
    assert_eq!(rig.replica.own_prepares[&Height(1)].vote, prepare_vote(1, &block));
}

#[test]
fn r14_votes_above_a_prepared_anchor_are_taken_up_again() {
    let mut rig = Rig::new(3, 4);
    let block = first(0, 1);
    let above = child(&block, 1, 9);
    rig.enter(&new_view_of(1, None, Some(&p(0, &block))));
    let effects = rig.step(Input::Block(block.clone()));
    rig.settle(effects);
    rig.accept(&above);
    let (rig, effects) = rig.restart();
    assert_eq!(effects[2..], [Effect::Execute(block), Effect::Execute(above.clone())]);
    assert_eq!(rig.replica.chain.last_key_value(), Some((&Height(2), &above.hash())));
}

#[test]
fn r19_the_highest_p_survives() {
    let block = first(0, 1);
    let (mut rig, _) = committed_to(&block).restart();
    rig.say(3, ask(1, 1, 0));
    let effects = rig.say(2, ask(1, 1, 0));
    assert_eq!(effects, [persist(2, record(1, None, Some(&p(0, &block))))]);
}

#[test]
fn r26_an_ask_of_an_earlier_start_is_withdrawn() {
    let mut rig = Rig::new(1, 1);
    rig.step(pending());
    let asked = rig.wait(TIMEOUT_MS);
    rig.settle(asked);
    let (mut rig, _) = rig.restart();
    rig.persisted(1);
    let block = first(0, 1);
    let effects = rig.certified(&block, &c(0, &block));
    let effects = rig.settle(effects);
    let counted_from_this_start = ask(0, 2, 0);
    assert!(effects.contains(&sent(counted_from_this_start)), "{effects:?}");
}

#[test]
fn r30_no_new_view_is_shown_that_a_crash_could_undo() {
    let mut rig = Rig::new(1, 1);
    let new_view = new_view_of(1, None, None);
    rig.hear(Message::NewView(new_view));
    assert_eq!(rig.say(3, status(0, None, 0)), []);
    assert_eq!(rig.restart().0.replica.view(), View(0));
}
