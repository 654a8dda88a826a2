//! The double-sign guard: R42, R47.

use super::fixture::*;
use crate::message::{Message, Newest, NewestSigned, Recall, Unsigned};
use crate::record::Record;
use crate::replica::{Effect, Lost};
use crate::{DurableState, Outgoing, SealedBlock};
use quorate_chain::{Height, ValidatorIndex, View};
use std::collections::BTreeMap;

/// Validator 1 of 4 that has just started from `durable` and has heard nobody yet, and what it asks.
fn asking(durable: DurableState) -> (Rig, Recall, Vec<Effect>) {
    let (rig, effects) = Rig::new(1, 1).boot_again(durable, BTreeMap::new());
    let recall = effects.iter().find_map(|effect| match effect {
        Effect::Broadcast(Outgoing::Own(Unsigned::Recall(recall))) => Some(*recall),
        _ => None,
    });
    (rig, recall.unwrap(), effects)
}

fn newest(recall: Recall, seen: NewestSigned) -> Unsigned {
    Unsigned::Newest(Box::new(Newest { asker: ValidatorIndex(1), recall, seen }))
}

/// What others have seen validator 1 sign: these messages.
fn seen(messages: &[Unsigned]) -> NewestSigned {
    let mut seen = NewestSigned::default();
    for message in messages {
        match signed(1, message.clone()) {
            Message::Proposal(p) => seen.proposal = Some(p.signed_claim(ValidatorIndex(1))),
            Message::Prepare(vote) => seen.prepare = Some(vote),
            Message::Commit(vote) => seen.commit = Some(vote),
            Message::ViewChange(v) => seen.view_change = Some(v.claims.clone()),
            Message::NewView(n) => seen.new_view = Some(n),
            other => panic!("{other:?} is not remembered"),
        }
    }
    seen
}

fn lost(view: u64, what: &'static str) -> [Effect; 2] {
    [persist(2, Record::Lost), Effect::RecordLost(Lost { view: View(view), what })]
}

#[test]
fn r47_nothing_is_signed_before_q_have_answered() {
    let (mut rig, recall, effects) = asking(DurableState::default());
    let asked = sent(Unsigned::Recall(recall));
    assert_eq!(effects, [persist(1, Record::Start(1)), asked.clone(), sent(status(0, None, 0))]);
    let block = first(0, 1);
    assert_eq!(rig.say(0, proposal(0, &block)), []);
    for from in [2, 3] {
        assert_eq!(rig.say(from, ask(1, 1, 0)), [], "no ViewChange either");
    }
    for from in [2, 3] {
        rig.say(from, ask(0, 1, 1));
    }
    assert!(rig.wait(STATUS_MS).contains(&asked), "asked again");
    assert_eq!(rig.say(0, newest(recall, NewestSigned::default())), [], "one and itself are two");
    assert_eq!(rig.say(0, newest(recall, NewestSigned::default())), [], "the same one again");
    let validates = [Effect::Validate(block)];
    assert_eq!(rig.say(3, newest(recall, NewestSigned::default())), validates, "the third is q");
}

#[test]
fn r47_an_answer_to_an_earlier_question_does_not_count() {
    let (mut rig, recall, _) = asking(DurableState::default());
    let earlier = Recall { clock: quorate_chain::TimestampMs(recall.clock.0 - 1), ..recall };
    for from in [0, 2, 3] {
        rig.say(from, newest(earlier, NewestSigned::default()));
    }
    assert_eq!(rig.say(0, proposal(0, &first(0, 1))), [], "still asking");
}

/// What a start from `durable` makes of an answer.
fn after(durable: DurableState, seen: NewestSigned) -> (Rig, Vec<Effect>) {
    let (mut rig, recall, _) = asking(durable);
    let effects = rig.say(3, newest(recall, seen));
    (rig, effects)
}

#[test]
fn r47_each_of_the_five_kinds_shows_a_lost_record() {
    let block = first(1, 1);
    let new_view = Unsigned::NewView(new_view_of(1, None, None).contents.clone());
    let kinds = [
        (proposal(1, &block), 1, "proposal"),
        (Unsigned::Prepare(prepare_vote(0, &block)), 0, "Prepare"),
        (Unsigned::Commit(commit_vote(0, &block)), 0, "Commit"),
        (view_change(2, None, None), 2, "ViewChange"),
        (new_view, 1, "NewView"),
    ];
    for (message, view, what) in kinds {
        let (_, effects) = after(DurableState::default(), seen(&[message]));
        assert_eq!(effects, lost(view, what));
    }
}

#[test]
fn r47_who_lost_its_record_follows_and_never_signs_again() {
    let block = first(0, 1);
    let prepared = seen(&[Unsigned::Prepare(prepare_vote(0, &block))]);
    let (mut rig, _) = after(DurableState::default(), prepared);
    assert_eq!((rig.replica.seat(), rig.replica.has_lost_record()), (None, true));
    assert_eq!(rig.say(0, proposal(0, &block)), []);
    let effects = rig.certified(&block, &c(0, &block));
    let effects = rig.settle(effects);
    assert_eq!(effects.last(), Some(&committed(&block, &c(0, &block))));
    rig.persisted(2);
    assert!(rig.durable.lost);
    let (durable, tip) = (rig.durable.clone(), rig.replica.tip().height);
    let (rig, effects) = rig.boot_again(durable, BTreeMap::new());
    assert_eq!(effects, [persist(1, Record::Start(2))], "nor after the next start; it asks nobody");
    assert_eq!((rig.replica.seat(), tip), (None, Height(1)));
}

#[test]
fn r47_what_the_record_knows_shows_no_loss() {
    let (block, higher) = (first(0, 1), child(&first(0, 1), 0, 2));
    let record = |block: &SealedBlock| {
        let mut durable = DurableState::default();
        durable.apply(Record::Start(1));
        durable.apply(Record::Prepare(prepare_vote(0, block)));
        durable.apply(Record::Commit(commit_vote(0, block), p(0, block)));
        durable
    };
    let votes = |block: &SealedBlock| {
        seen(&[Unsigned::Prepare(prepare_vote(0, block)), Unsigned::Commit(commit_vote(0, block))])
    };
    assert_eq!(after(record(&block), votes(&block)).1, []);
    assert_eq!(after(record(&higher), votes(&block)).1, [], "forgotten below the highest");
    assert_eq!(after(record(&block), votes(&higher)).1, lost(0, "Prepare"), "a higher one");
    assert_eq!(after(record(&block), votes(&first(0, 9))).1, lost(0, "Prepare"), "another block");
}

#[test]
fn r42_the_newest_that_others_signed_is_kept_and_shown() {
    let mut rig = Rig::new(1, 1);
    let chain = blocks(2);
    let vote = |block| Unsigned::Prepare(prepare_vote(0, block));
    rig.say(2, vote(&chain[0]));
    rig.say(2, vote(&chain[1]));
    rig.say(2, vote(&chain[0]));
    rig.commit(&chain[0], &c(0, &chain[0]));
    rig.hear(certificate_message(&c(0, &chain[1])));
    let recall = Recall { epoch: EPOCH, start: 7, clock: quorate_chain::TimestampMs(1) };
    let effects = rig.say(2, Unsigned::Recall(recall));
    let [Effect::Send(ValidatorIndex(2), Outgoing::Own(Unsigned::Newest(newest)))] = &effects[..] else {
        panic!("{effects:?}")
    };
    assert_eq!((newest.asker, newest.recall), (ValidatorIndex(2), recall));
    assert_eq!(newest.seen.prepare.as_ref().unwrap().payload, prepare_vote(0, &chain[1]));
    assert_eq!(newest.seen.commit.as_ref().unwrap().payload, commit_vote(0, &chain[1]), "from a certificate");
    assert_eq!((&newest.seen.proposal, &newest.seen.view_change), (&None, &None));
    assert_eq!(rig.say(2, Unsigned::Recall(recall)), [], "once every status_ms");
}
