//! What an old record must not hide, and what must not be taken for one: R12, R42, R47.

use super::fixture::*;
use crate::message::{Message, Newest, NewestSigned, Recall, Unsigned};
use crate::record::Record;
use crate::replica::{Effect, Input};
use crate::{DurableState, Outgoing};
use quorate_chain::{Epoch, TimestampMs, ValidatorIndex};
use std::collections::BTreeMap;

fn recall_of(effects: &[Effect]) -> Option<Recall> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Broadcast(Outgoing::Own(Unsigned::Recall(recall))) => Some(*recall),
        _ => None,
    })
}

fn asking(durable: DurableState) -> (Rig, Recall) {
    let (rig, effects) = Rig::new(1, 4).boot_again(durable, BTreeMap::new());
    (rig, recall_of(&effects).unwrap())
}

fn newest(recall: Recall, seen: NewestSigned) -> Unsigned {
    Unsigned::Newest(Box::new(Newest { asker: ValidatorIndex(1), recall, seen }))
}

fn is_lost(effects: &[Effect]) -> bool {
    effects.iter().any(|e| matches!(e, Effect::RecordLost(_)))
}

/// the record of view 0 is an old backup; the replica had signed ViewChange(3). A NewView(3) without its
/// ViewChange reaches it before the answers.
#[test]
fn r47_a_new_view_heard_while_asking_hides_no_lost_view_change() {
    let (mut rig, recall) = asking(DurableState::default());
    let view_changes = [0, 2, 3].map(|from| (from, view_change(3, None, None)));
    rig.hear(Message::NewView(new_view(3, view_changes.into())));
    let block = first(0, 1);
    let Message::ViewChange(own) = signed(1, view_change(3, None, Some(&p(0, &block)))) else { panic!() };
    let seen = NewestSigned { view_change: Some(own.claims.clone()), ..NewestSigned::default() };
    let mut effects = rig.say(0, newest(recall, seen.clone()));
    effects.extend(rig.say(2, newest(recall, seen)));
    assert!(is_lost(&effects), "{effects:?}");
}

/// it was the primary of view 1, and hears its own NewView first.
#[test]
fn r47_the_own_new_view_heard_while_asking_shows_that_it_was_lost() {
    let (mut rig, recall) = asking(DurableState::default());
    let own = new_view_of(1, None, None);
    let mut effects = rig.hear(Message::NewView(own.clone()));
    let seen = NewestSigned { new_view: Some(own), ..NewestSigned::default() };
    effects.extend(rig.say(0, newest(recall, seen.clone())));
    effects.extend(rig.say(2, newest(recall, seen)));
    assert!(is_lost(&effects), "{effects:?}");
}

/// a Prepare of the view entered meanwhile is measured against the heights of the view before.
#[test]
fn r47_a_prepare_of_a_view_entered_while_asking_is_measured_by_the_recorded_view() {
    let chain = blocks(3);
    let mut durable = DurableState::default();
    durable.apply(Record::Start(1));
    // A snapshot keeps only the highest of heights long settled.
    durable.apply(Record::Prepare(prepare_vote(0, &chain[2])));
    let (mut rig, recall) = asking(durable);
    let view_changes = [0, 2, 3].map(|from| (from, view_change(3, None, None)));
    rig.hear(Message::NewView(new_view(3, view_changes.into())));
    let Message::Prepare(vote) = signed(1, Unsigned::Prepare(prepare_vote(3, &first(3, 9)))) else {
        panic!()
    };
    let seen = NewestSigned { prepare: Some(vote), ..NewestSigned::default() };
    let effects = rig.say(0, newest(recall, seen));
    assert!(is_lost(&effects), "{effects:?}");
}

/// only the vote journal is old: a proposal at or below the ledger's tip is newer than the record too.
#[test]
fn r47_a_proposal_below_the_tip_that_no_lease_covers_shows_a_loss() {
    let mut rig = Rig::new(0, 4);
    let chain = blocks(2);
    rig.commit(&chain[0], &c(0, &chain[0]));
    let (mut rig, effects) = rig.boot_again(DurableState::default(), BTreeMap::new());
    let recall = recall_of(&effects).unwrap();
    let Message::Proposal(own) = signed(0, proposal(0, &chain[0])) else { panic!() };
    let seen =
        NewestSigned { proposal: Some(own.signed_claim(ValidatorIndex(0))), ..NewestSigned::default() };
    let answer = Unsigned::Newest(Box::new(Newest { asker: ValidatorIndex(0), recall, seen }));
    let effects = rig.say(2, answer);
    assert!(is_lost(&effects), "{effects:?}");
}

/// answers about epoch 0 say nothing of epoch 1, which the lost record had reached.
#[test]
fn r47_what_was_signed_in_the_next_epoch_is_asked_for_too() {
    let (mut rig, recall) = asking(DurableState::default());
    for from in [0, 2] {
        rig.say(from, newest(recall, NewestSigned::default()));
    }
    rig.persisted(1);
    let last = first(0, 1);
    rig.certified(&last, &c(0, &last));
    rig.step(Input::Executed { block: last.hash(), result: result(1), ends_epoch: true });
    let effects = rig.step(Input::EpochStarted { context: next_context(&last), me: Some(ValidatorIndex(1)) });
    assert_eq!(recall_of(&effects).map(|r| r.epoch), Some(Epoch(1)), "{effects:?}");
}

/// the epoch's last block is committed while the ViewChange's record is on its way to the disk.
#[test]
fn r12_no_view_change_leaves_before_it_is_durable_when_the_epoch_has_ended() {
    let (mut rig, last) = (Rig::new(1, 4), first(0, 1));
    rig.say(2, ask(1, 1, 0));
    let effects = rig.say(3, ask(1, 1, 0));
    let Some(Effect::Persist(_, Record::ViewChange(_))) = effects.first() else { panic!("{effects:?}") };
    rig.certified(&last, &c(0, &last));
    rig.step(Input::Executed { block: last.hash(), result: result(1), ends_epoch: true });
    let resent = rig.wait(STATUS_MS);
    assert!(!resent.contains(&sent(view_change(1, None, None))), "not durable: {resent:?}");
}

/// After a crash that also lost the commit, an honest replica is told that its record is lost.
#[test]
fn r47_an_honest_replica_is_not_convicted_by_that() {
    let (mut rig, last) = (Rig::new(1, 4), first(0, 1));
    rig.say(2, ask(1, 1, 0));
    rig.say(3, ask(1, 1, 0));
    rig.certified(&last, &c(0, &last));
    rig.step(Input::Executed { block: last.hash(), result: result(1), ends_epoch: true });
    let resent = rig.wait(STATUS_MS);
    let shown = resent.into_iter().find_map(|effect| match effect {
        Effect::Broadcast(Outgoing::Own(m @ Unsigned::ViewChange(..))) => Some(signed(1, m)),
        _ => None,
    });
    // Neither the record nor the ledger's commit had been synced.
    let durable = rig.durable.clone();
    assert_eq!(durable.view_change, None);
    let (mut rig, recall) = asking(durable);
    let view_change = shown.map(|m| match m {
        Message::ViewChange(v) => v.claims.clone(),
        _ => panic!(),
    });
    let effects = rig.say(0, newest(recall, NewestSigned { view_change, ..NewestSigned::default() }));
    assert!(!is_lost(&effects), "{effects:?}");
}

/// a certificate of sync shows signatures too (R42).
#[test]
fn r42_what_a_certificate_from_sync_proves_is_remembered() {
    let mut rig = Rig::new(3, 4);
    let block = first(0, 1);
    rig.commit(&block, &c(0, &block));
    let recall = Recall { epoch: EPOCH, start: 7, clock: TimestampMs(1) };
    let effects = rig.say(1, Unsigned::Recall(recall));
    let [Effect::Send(_, Outgoing::Own(Unsigned::Newest(newest)))] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!(newest.seen.commit.as_ref().map(|v| v.payload), Some(commit_vote(0, &block)));
}

/// Z repeats a Recall of D's earlier start, just before D's own comes.
#[test]
fn r30_a_repeated_question_takes_no_place_from_the_genuine_one() {
    let mut rig = Rig::new(1, 1);
    let old = Recall { epoch: EPOCH, start: 1, clock: TimestampMs(1) };
    let genuine = Recall { epoch: EPOCH, start: 2, clock: TimestampMs(2) };
    let mut answered = false;
    for _ in 0..20 {
        rig.say(2, Unsigned::Recall(old));
        answered |= rig
            .say(2, Unsigned::Recall(genuine))
            .iter()
            .any(|e| matches!(e, Effect::Send(_, Outgoing::Own(Unsigned::Newest(n))) if n.recall == genuine));
        rig.now.time = rig.now.time + STATUS_MS;
    }
    assert!(answered);
}

#[test]
fn r47_an_own_signature_in_a_certificate_shows_a_loss_by_itself() {
    let (mut rig, _) = asking(DurableState::default());
    let block = first(0, 1);
    let effects = rig.hear(certificate_message(&c(0, &block)));
    assert!(is_lost(&effects), "{effects:?}");
    let (mut rig, _) = asking(DurableState::default());
    let by_others = certificate(commit_vote(0, &block), &[0, 2, 3]);
    assert!(!is_lost(&rig.hear(certificate_message(&by_others))));
}
