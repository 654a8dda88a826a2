//! NewView and the anchor: R12, R16, R17, R19–R21, R23–R25, R29, R30, R36, R37.

use super::fixture::*;
use super::view_change::record;
use crate::Evidence;
use crate::message::{Highest, KeyCertificate, Message, NewView, verify};
use crate::record::Record;
use crate::replica::{Effect, Halt, Input, Phase};
use crate::{Outgoing, SealedBlock, Unsigned, Verified};
use quorate_chain::{Height, ValidatorIndex, View};
use std::sync::Arc;

fn entered(new_view: &Arc<NewView>) -> Record {
    Record::Entered(Arc::clone(new_view))
}

fn hear_new_view(rig: &mut Rig, new_view: &Arc<NewView>) -> Vec<Effect> {
    rig.hear(Message::NewView(Arc::clone(new_view)))
}

fn offered(certificate: &quorate_chain::CommitCertificate) -> Effect {
    Effect::Broadcast(Outgoing::Signed(certificate_message(certificate)))
}

#[test]
fn r12_r24_the_new_primary_signs_one_new_view_and_sends_it_when_durable() {
    let mut rig = Rig::new(1, 1);
    let block = first(0, 1);
    for from in [2, 3] {
        rig.say(from, ask(1, 1, 0));
    }
    let own = rig.persisted(2);
    assert_eq!(own, [sent(view_change(1, None, None))]);
    assert_eq!(rig.say(1, view_change(1, None, None)), []);
    assert_eq!(rig.say(2, view_change(1, None, Some(&p(0, &block)))), []);
    let expected = new_view(
        1,
        vec![
            (1, view_change(1, None, None)),
            (2, view_change(1, None, Some(&p(0, &block)))),
            (3, view_change(1, None, None)),
        ],
    );
    let signs = rig.say(3, view_change(1, None, None));
    assert_eq!(signs, [Effect::Sign(Unsigned::NewView(expected.contents.clone()))]);
    assert_eq!(rig.say(0, view_change(1, None, None)), [], "once");
    let effects = hear_new_view(&mut rig, &expected);
    assert_eq!(effects, [persist(3, entered(&expected)), Effect::FetchBlock(block.hash())]);
    assert_eq!(rig.say(0, status(0, None, 0)), [], "R10: shown to nobody before it is durable");
    let out = Effect::Broadcast(Outgoing::Signed(Message::NewView(Arc::clone(&expected))));
    assert_eq!(rig.persisted(3), [out]);
}

#[test]
fn r25_a_new_view_without_the_certificate_of_its_highest_key_is_refused() {
    let (block, other) = (first(0, 1), first(0, 2));
    let good = new_view_of(1, None, Some(&p(0, &block)));
    let check = |key| {
        let mut contents = good.contents.clone();
        contents.key = key;
        verify(signed(1, Unsigned::NewView(contents)), &context(4))
    };
    let key = |p| KeyCertificate::Prepared(p);
    assert!(check(key(p(0, &block))).is_ok());
    assert!(check(KeyCertificate::EpochStart).is_err());
    assert!(check(key(p(0, &other))).is_err(), "of another block");
    assert!(check(key(p_by(0, &block, &[0, 1]))).is_err(), "of too few");
    assert!(check(KeyCertificate::Committed(c(0, &block))).is_err(), "of another kind");
}

#[test]
fn r24_a_new_view_of_fewer_repeated_or_other_view_changes_is_refused() {
    let one = |from, target| (from, view_change(target, None, None));
    let check = |of| verify(Message::NewView(new_view(1, of)), &context(4)).is_ok();
    assert!(check(vec![one(0, 1), one(2, 1), one(3, 1)]));
    assert!(!check(vec![one(0, 1), one(2, 1)]));
    assert!(!check(vec![one(0, 1), one(2, 1), one(2, 1)]));
    assert!(!check(vec![one(0, 1), one(3, 1), one(2, 1)]));
    assert!(!check(vec![one(0, 1), one(2, 1), one(3, 2)]));
    let by_another = new_view(1, vec![one(0, 1), one(2, 1), one(3, 1)]).contents.clone();
    assert!(verify(signed(2, Unsigned::NewView(by_another)), &context(4)).is_err(), "not its primary");
}

#[test]
fn r18_a_view_change_with_a_certificate_of_its_target_or_without_proof_is_refused() {
    let block = first(0, 1);
    let check = |message| verify(signed(2, message), &context(4)).is_ok();
    assert!(check(view_change(2, Some(&c(1, &block)), Some(&p(1, &block)))));
    for view in [2, 3] {
        assert!(!check(view_change(2, Some(&c(view, &block)), None)), "C of view {view}");
        assert!(!check(view_change(2, None, Some(&p(view, &block)))), "P of view {view}");
    }
    let good = claims(2, Some(&c(1, &block)), Some(&p(1, &block)));
    let proof = (Some(c(1, &block)), Some(p(1, &block)));
    assert!(check(Unsigned::ViewChange(good, proof.0.clone(), proof.1.clone())));
    assert!(!check(Unsigned::ViewChange(good, None, proof.1.clone())));
    assert!(!check(Unsigned::ViewChange(good, proof.0.clone(), None)));
    assert!(!check(Unsigned::ViewChange(good, Some(c(0, &block)), proof.1)));
    let mut other_start = claims(2, None, None);
    other_start.committed.block.0[0] ^= 1;
    assert!(!check(Unsigned::ViewChange(other_start, None, None)));
}

#[test]
fn r19_the_anchor_is_the_highest_key_with_the_highest_certificate_as_floor() {
    let chain = blocks(5);
    let block = |height: u64| &chain[usize::try_from(height).unwrap() - 1];
    type Key = Option<(u64, u64)>;
    type Row<'a> = (&'a [(Key, Key)], (bool, Key, u64));
    // (C, P) of each ViewChange as (view, height); then the anchor: is it a P, view, height.
    let table: [Row<'_>; 8] = [
        (&[(None, None), (None, None)], (false, None, 0)),
        (&[(None, Some((0, 1))), (None, None)], (true, Some((0, 1)), 1)),
        (&[(None, Some((0, 4))), (None, Some((1, 2)))], (true, Some((1, 2)), 2)),
        (&[(None, Some((1, 2))), (None, Some((1, 3)))], (true, Some((1, 3)), 3)),
        // C wins a tie, in either order.
        (&[(Some((1, 3)), None), (None, Some((1, 3)))], (false, Some((1, 3)), 3)),
        (&[(None, Some((1, 3))), (Some((1, 3)), None)], (false, Some((1, 3)), 3)),
        // Schedule 1: a late C of a low view, and the P of a higher one.
        (&[(Some((0, 4)), Some((1, 4))), (Some((1, 2)), None)], (true, Some((1, 4)), 4)),
        // The floor: the highest key lies below the highest C.
        (&[(Some((0, 4)), None), (Some((1, 2)), None)], (false, Some((0, 4)), 4)),
    ];
    for (claimed, expected) in table {
        let claims: Vec<_> = claimed
            .iter()
            .map(|(committed, prepared)| {
                let committed = committed.map(|(view, height)| c(view, block(height)));
                let prepared = prepared.map(|(view, height)| p(view, block(height)));
                claims(2, committed.as_ref(), prepared.as_ref())
            })
            .collect();
        let anchor = Highest::of(&claims).unwrap().anchor();
        let prepared = anchor.kind == crate::message::AnchorKind::Prepared;
        let key = anchor.view.map(|view| (view.0, anchor.height.0));
        assert_eq!((prepared, key, anchor.height.0), expected, "{claimed:?}");
    }
    assert_eq!(Highest::of([]), None);
}

/// Replica 2 with tip 1 and a NewView for view 1 that stands on P(0, 3).
fn before_prepared_anchor() -> (Rig, Vec<SealedBlock>, Arc<NewView>) {
    let chain = blocks(4);
    let mut rig = Rig::new(2, 4);
    rig.commit(&chain[0], &c(0, &chain[0]));
    let new_view = new_view_of(1, Some(&c(0, &chain[0])), Some(&p(0, &chain[2])));
    (rig, chain, new_view)
}

#[test]
fn r16_r20_a_prepared_anchor_is_fetched_prepared_and_committed_with_its_ancestors() {
    let (mut rig, chain, new_view) = before_prepared_anchor();
    let [_, two, three, _] = &chain[..] else { panic!() };
    let effects = hear_new_view(&mut rig, &new_view);
    assert_eq!(effects, [persist(2, entered(&new_view)), Effect::FetchBlock(three.hash())]);
    assert_eq!(rig.step(Input::Block(three.clone())), [Effect::FetchBlock(two.hash())]);
    let stores = [Effect::StoreBody(two.clone()), Effect::Execute(two.clone())];
    assert_eq!(rig.step(Input::Block(two.clone())), stores);
    let vote = prepare_vote(1, three);
    let adopts =
        [Effect::StoreBody(three.clone()), Effect::Execute(three.clone()), persist(3, Record::Prepare(vote))];
    assert_eq!(rig.executed(two), adopts);
    assert_eq!(rig.persisted(3), []);
    assert_eq!(rig.stored(three), []);
    assert_eq!(rig.stored(two), [sent(Unsigned::Prepare(vote))]);
    for from in [0, 1, 2] {
        assert_eq!(rig.say(from, Unsigned::Prepare(vote)), []);
    }
    let commits = [
        persist(4, Record::Commit(commit_vote(1, two), p(1, three))),
        persist(5, Record::Commit(commit_vote(1, three), p(1, three))),
    ];
    assert_eq!(rig.executed(three), commits);
    let sends = [sent(Unsigned::Commit(commit_vote(1, two))), sent(Unsigned::Commit(commit_vote(1, three)))];
    assert_eq!(rig.persisted(5), sends);
}

/// Replica 2 is 15 heights behind the NewView's C when it enters the view: blocks come with their certificates, up to
/// that C, and not one by one from the anchor down.
#[test]
fn r21_r34_who_is_far_below_a_prepared_anchor_syncs_first() {
    let chain = blocks(18);
    let mut rig = Rig::new(2, 4);
    let new_view = new_view_of(1, Some(&c(0, &chain[14])), Some(&p(0, &chain[17])));
    let sync = |peer| Effect::Sync { peer: ValidatorIndex(peer), to: Height(15) };
    let effects = hear_new_view(&mut rig, &new_view);
    assert_eq!(effects, [persist(2, entered(&new_view)), sync(0), sync(1)]);
    for block in &chain[..13] {
        rig.commit(block, &c(0, block));
    }
    // Within the window the anchor's ancestors may come before its C is executed.
    let effects = rig.wait(STATUS_MS);
    assert!(!effects.contains(&Effect::FetchBlock(chain[17].hash())), "{effects:?}");
    rig.step(Input::Certified { block: chain[13].clone(), certificate: Verified::vouched(c(0, &chain[13])) });
    let effects = rig.executed(&chain[13]);
    assert!(effects.contains(&Effect::FetchBlock(chain[17].hash())), "{effects:?}");
}

#[test]
fn r07_the_anchor_is_exempt_from_the_window() {
    let chain = blocks(3);
    let mut rig = Rig::new(2, 1);
    let new_view = new_view_of(1, None, Some(&p(0, &chain[2])));
    rig.enter(&new_view);
    for block in chain.iter().rev() {
        let effects = rig.step(Input::Block(block.clone()));
        rig.settle(effects);
    }
    assert_eq!(rig.replica.own_prepares[&Height(3)].vote, prepare_vote(1, &chain[2]));
}

#[test]
fn r21_nothing_is_prepared_below_the_anchor_and_only_the_anchor_at_it() {
    let (mut rig, chain, new_view) = before_prepared_anchor();
    hear_new_view(&mut rig, &new_view);
    let two = child(&chain[0], 1, 50);
    assert_eq!(rig.say(1, proposal(1, &two)), []);
    assert_eq!(rig.say(1, proposal(1, &child(&two, 1, 51))), []);
    assert!(rig.replica.own_prepares.is_empty());
}

#[test]
fn r17_a_tip_at_the_anchor_prepares_and_commits_it_again_and_offers_its_certificate() {
    let mut rig = Rig::new(2, 1);
    let block = first(0, 1);
    rig.commit(&block, &c(0, &block));
    let new_view = new_view_of(1, None, Some(&p(0, &block)));
    let vote = prepare_vote(1, &block);
    let effects = hear_new_view(&mut rig, &new_view);
    let votes = [persist(2, entered(&new_view)), offered(&c(0, &block)), persist(3, Record::Prepare(vote))];
    assert_eq!(effects, votes);
    assert_eq!(rig.persisted(3), [sent(Unsigned::Prepare(vote))]);
    for from in [0, 1] {
        assert_eq!(rig.say(from, Unsigned::Prepare(vote)), []);
    }
    let commit = Record::Commit(commit_vote(1, &block), p(1, &block));
    assert_eq!(rig.say(2, Unsigned::Prepare(vote)), [persist(4, commit)]);
    assert_eq!(rig.persisted(4), [sent(Unsigned::Commit(commit_vote(1, &block)))]);
    let resent = rig.wait(STATUS_MS);
    assert!(resent.contains(&sent(Unsigned::Commit(commit_vote(1, &block)))), "R48: {resent:?}");
    for from in [0, 1, 2] {
        assert_eq!(rig.say(from, Unsigned::Commit(commit_vote(1, &block))), []);
    }
    let resent = rig.wait(STATUS_MS);
    assert!(!resent.contains(&sent(Unsigned::Commit(commit_vote(1, &block)))), "covered: {resent:?}");
}

#[test]
fn r17_without_the_anchors_result_it_only_offers_its_certificate() {
    let chain = blocks(5);
    let tip = crate::replica::Tip {
        height: Height(5),
        block: chain[4].hash(),
        result: result(5),
        timestamp_ms: chain[4].header().timestamp_ms,
        certificate: Some(c(0, &chain[4])),
    };
    let (mut rig, _) = Rig::started(4, 3, 1, tip);
    let new_view = new_view_of(1, None, Some(&p(0, &chain[2])));
    let effects = hear_new_view(&mut rig, &new_view);
    assert_eq!(effects, [persist(2, entered(&new_view)), offered(&c(0, &chain[4]))]);
}

#[test]
fn r19_a_committed_p_stays_the_highest_in_the_view_change() {
    let mut rig = Rig::new(2, 1);
    let block = first(0, 1);
    rig.accept(&block);
    for from in [0, 1] {
        rig.settled(from, Unsigned::Prepare(prepare_vote(0, &block)));
    }
    for from in [0, 1] {
        rig.settled(from, Unsigned::Commit(commit_vote(0, &block)));
    }
    assert_eq!(rig.replica.tip().height, Height(1));
    rig.say(0, ask(1, 1, 0));
    let effects = rig.say(3, ask(1, 1, 0));
    assert_eq!(effects, [persist(4, record(1, Some(&c(0, &block)), Some(&p(0, &block))))]);
}

#[test]
fn r29_a_new_view_is_entered_unasked_but_never_below_the_own_target() {
    let mut rig = Rig::new(2, 1);
    for from in [1, 3] {
        rig.settled(from, ask(3, 1, 0));
    }
    assert_eq!(hear_new_view(&mut rig, &new_view_of(2, None, None)), []);
    assert_eq!((rig.replica.view(), rig.replica.phase()), (View(0), Phase::Changing { target: View(3) }));
    let above = new_view_of(4, None, None);
    assert_eq!(hear_new_view(&mut rig, &above), [persist(3, entered(&above))]);
    assert_eq!((rig.replica.view(), rig.replica.phase()), (View(4), Phase::Normal));
    assert_eq!(hear_new_view(&mut rig, &new_view_of(3, None, None)), [], "nor below the own view");
}

#[test]
fn r12_the_first_vote_in_a_view_is_recorded_after_its_new_view() {
    let mut rig = Rig::new(2, 1);
    let (new_view, block) = (new_view_of(1, None, None), first(1, 1));
    assert_eq!(hear_new_view(&mut rig, &new_view), [persist(2, entered(&new_view))]);
    rig.say(1, proposal(1, &block));
    assert_eq!(rig.valid(&block)[2], persist(3, Record::Prepare(prepare_vote(1, &block))));
    rig.stored(&block);
    assert_eq!(rig.persisted(2), [], "the view alone is durable");
    assert_eq!(rig.persisted(3), [sent(Unsigned::Prepare(prepare_vote(1, &block)))]);
}

#[test]
fn r13_entering_a_view_cancels_the_votes_of_the_old_one() {
    let mut rig = Rig::new(2, 1);
    let block = first(0, 1);
    rig.say(0, proposal(0, &block));
    rig.valid(&block);
    rig.stored(&block);
    hear_new_view(&mut rig, &new_view_of(1, None, None));
    assert_eq!(rig.persisted(3), []);
}

#[test]
fn r30_a_lagging_replica_gets_the_new_view_once_every_status_ms() {
    let mut rig = Rig::new(2, 1);
    let new_view = new_view_of(1, None, None);
    rig.enter(&new_view);
    let help = Effect::Send(ValidatorIndex(3), Outgoing::Signed(Message::NewView(new_view)));
    assert_eq!(rig.say(3, status(0, None, 0)), std::slice::from_ref(&help));
    assert_eq!(rig.say(3, status(0, None, 0)), []);
    assert_eq!(rig.say(3, view_change(1, None, None)), [], "by whichever message it shows");
    rig.now.time = rig.now.time + STATUS_MS;
    assert_eq!(rig.say(3, view_change(1, None, None)), [help]);
}

#[test]
fn r37_two_new_views_for_one_view_are_evidence_and_the_first_counts() {
    let mut rig = Rig::new(2, 1);
    let one = new_view_of(1, None, None);
    let other = new_view_of(1, None, Some(&p(0, &first(0, 1))));
    rig.enter(&one);
    let evidence = Evidence::NewViews(ValidatorIndex(1), Arc::clone(&one), Arc::clone(&other));
    assert_eq!(hear_new_view(&mut rig, &other), [Effect::Evidence(evidence)]);
    assert_eq!(hear_new_view(&mut rig, &one), []);
}

#[test]
fn r36_an_anchor_off_the_own_chain_halts() {
    let (mut rig, block, other) = (Rig::new(2, 1), first(0, 1), first(0, 2));
    rig.commit(&block, &c(0, &block));
    let new_view = new_view_of(1, None, Some(&p(0, &other)));
    let halt = Halt::Chain { height: Height(1), view: View(1), own: block.hash(), other: other.hash() };
    let effects = hear_new_view(&mut rig, &new_view);
    assert_eq!(effects, [persist(2, entered(&new_view)), Effect::Halted(halt)]);
}

#[test]
fn r36_an_old_views_prepared_anchor_that_a_later_view_dropped_is_no_fault() {
    // A laggard commits a block of view 2 by sync, and only then somebody shows it the NewView of view 1,
    // whose prepared anchor view 2 never saw.
    let (mut rig, block, other) = (Rig::new(3, 4), first(2, 1), first(0, 2));
    rig.commit(&block, &c(2, &block));
    let new_view = new_view_of(1, None, Some(&p(0, &other)));
    let effects = hear_new_view(&mut rig, &new_view);
    assert_eq!(effects, [persist(2, entered(&new_view)), offered(&c(2, &block))]);
    assert_eq!(rig.say(1, proposal(1, &child(&block, 1, 9))), [], "it does not vote off its anchor");
    // The same where the anchor lies above the tip.
    let (mut rig, above) = (Rig::new(3, 4), child(&other, 0, 3));
    rig.commit(&block, &c(2, &block));
    let new_view = new_view_of(1, None, Some(&p(0, &above)));
    rig.enter(&new_view);
    assert_eq!(rig.step(Input::Block(above)), []);
    assert_eq!(rig.replica.halted(), None);
}

#[test]
fn r23_a_view_drops_what_was_never_prepared_and_keeps_what_was() {
    let mut rig = Rig::new(2, 4);
    let chain = blocks(3);
    rig.commit(&chain[0], &c(0, &chain[0]));
    rig.accept(&chain[1]);
    rig.say(0, proposal(0, &chain[2]));
    rig.enter(&new_view_of(1, Some(&c(0, &chain[0])), None));
    assert!(rig.replica.blocks.get(chain[1].hash()).is_some(), "R43");
    assert!(rig.replica.blocks.get(chain[2].hash()).is_none());
}

#[test]
fn r23_what_a_view_drops_is_discarded_and_executed_again_if_it_comes_back() {
    let mut rig = Rig::new(1, 4);
    let block = first(0, 1);
    rig.accept(&block);
    let effects = rig.hear(Message::NewView(new_view_of(1, None, None)));
    assert!(effects.contains(&Effect::Discard(block.hash())), "{effects:?}");
    let effects = rig.hear(Message::NewView(new_view_of(2, None, Some(&p(0, &block)))));
    assert!(effects.contains(&Effect::Execute(block.clone())), "{effects:?}");
    assert!(!effects.contains(&Effect::StoreBody(block)), "R43: its body is there: {effects:?}");
}

#[test]
fn r23_an_answer_of_a_discarded_execution_does_not_count() {
    let mut rig = Rig::new(1, 4);
    let block = first(0, 1);
    rig.say(0, proposal(0, &block));
    rig.valid(&block);
    rig.hear(Message::NewView(new_view_of(1, None, None)));
    rig.executed(&block);
    let effects = rig.certified(&block, &c(0, &block));
    assert!(effects.contains(&Effect::Execute(block.clone())), "asked again: {effects:?}");
    assert_eq!(rig.executed(&block), [committed(&block, &c(0, &block))]);
}
