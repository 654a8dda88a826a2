//! What one faulty validator must not bring about: R22, R23, R32, R47.

use super::fixture::*;
use crate::Unsigned;
use crate::message::Message;
use crate::replica::Effect;
use quorate_chain::certificate::CommitVote;
use quorate_chain::{BlockHash, Height, ResultHash, ValidatorIndex, View};

/// 256 valid certificates of heights far ahead.
fn hear_far_certificates(rig: &mut Rig) {
    for far in 0..256u64 {
        let vote = CommitVote {
            epoch: EPOCH,
            view: View(0),
            height: Height(1000 + far),
            block: BlockHash([9; 32]),
            result: ResultHash([9; 32]),
        };
        rig.hear(certificate_message(&certificate(vote, &[0, 2, 3])));
    }
}

/// 256 valid certificates of far heights keep out those of the blocks that sync brings.
#[test]
fn r22_far_certificates_do_not_keep_out_near_ones() {
    let mut rig = Rig::new(1, 1);
    let chain = blocks(6);
    hear_far_certificates(&mut rig);
    // As sync hands them over: some blocks ahead of what is executed.
    let mut all = Vec::new();
    for block in &chain {
        all.extend(rig.certified(block, &c(0, block)));
    }
    rig.settle(all);
    assert_eq!(rig.replica.tip().height, Height(6), "decided: {}", rig.replica.decided.len());
}

/// The same with a block that only its descendant's certificate proves (R22): for ever.
#[test]
fn r22_nor_the_certificate_that_proves_an_ancestor() {
    let mut rig = Rig::new(1, 1);
    let chain = blocks(2);
    hear_far_certificates(&mut rig);
    for _round in 0..10 {
        let mut all = Vec::new();
        for block in &chain {
            all.extend(rig.certified(block, &c(0, &chain[1])));
        }
        rig.settle(all);
        rig.wait(STATUS_MS);
    }
    assert_eq!(rig.replica.tip().height, Height(2));
}

/// Somebody repeats an old vote of the dead primary.
#[test]
fn old_messages_of_a_dead_primary_do_not_keep_it_alive() {
    let mut rig = Rig::new(1, 1);
    let old: Message = signed(0, Unsigned::Prepare(prepare_vote(0, &first(0, 1))));
    let mut asked = false;
    for _ in 0..60 {
        asked |= rig.wait(STATUS_MS).contains(&sent(ask(1, 1, 0)));
        rig.hear(old.clone());
    }
    assert!(asked);
}

/// The disk is lost after votes in view 1; while others are asked a NewView for view 2 comes; the process
/// restarts; now the record says view 2, and what was signed in view 1 looks old.
#[test]
fn r47_a_new_view_heard_while_asking_does_not_hide_the_loss_from_the_next_start() {
    use crate::DurableState;
    use crate::message::{Newest, NewestSigned};
    use std::collections::BTreeMap;
    let (mut rig, _) = Rig::new(1, 1).boot_again(DurableState::default(), BTreeMap::new());
    let by_others = [0, 2, 3].map(|from| (from, view_change(2, None, None)));
    rig.hear(Message::NewView(new_view(2, by_others.into())));
    for id in 1..=3 {
        rig.persisted(id);
    }
    let durable = rig.durable.clone();
    let (mut rig, effects) = rig.boot_again(durable, BTreeMap::new());
    let recall = effects
        .iter()
        .find_map(|e| match e {
            Effect::Broadcast(crate::Outgoing::Own(Unsigned::Recall(r))) => Some(*r),
            _ => None,
        })
        .unwrap();
    let block = first(1, 1);
    let Message::Prepare(prepare) = signed(1, Unsigned::Prepare(prepare_vote(1, &block))) else { panic!() };
    let Message::Commit(commit) = signed(1, Unsigned::Commit(commit_vote(1, &block))) else { panic!() };
    let Message::ViewChange(v) = signed(1, view_change(2, None, Some(&p(1, &block)))) else { panic!() };
    let seen = NewestSigned {
        prepare: Some(prepare),
        commit: Some(commit),
        view_change: Some(v.claims.clone()),
        ..NewestSigned::default()
    };
    let mut all = Vec::new();
    for from in [0, 2, 3] {
        let newest = Newest { asker: ValidatorIndex(1), recall, seen: seen.clone() };
        all.extend(rig.say(from, Unsigned::Newest(Box::new(newest))));
    }
    assert!(rig.replica.has_lost_record(), "{all:?}");
}

/// An empty batch above a block in flight says nothing of what waits once a view has dropped that block.
#[test]
fn r23_r32_what_a_dropped_block_held_waits_again() {
    use crate::message::Suspect;
    use crate::replica::Input;
    let mut rig = Rig::new(3, 4);
    // Primary of view 3 after a first certificate there, so that the window is open.
    let chain = [first(3, CLOCK + 1)];
    rig.enter(&new_view_of(3, None, None));
    rig.commit(&chain[0], &c(3, &chain[0]));
    let own = child(&chain[0], 3, CLOCK + 2);
    rig.step(pending());
    rig.replica.proposed_up_to = Height(1);
    rig.settled(3, proposal(3, &own));
    assert_eq!(rig.replica.chain.len(), 1, "its own block is in flight");
    rig.replica.batch_requested = None;
    let asked = rig.wait(BATCH_WAIT_MS);
    rig.settle(asked);
    rig.step(Input::Batch { parent: own.hash(), transactions: vec![] });
    // The next view starts from block 1: the block in flight is dropped, its transactions wait again.
    rig.enter(&new_view_of(4, Some(&c(3, &chain[0])), None));
    assert!(rig.replica.chain.is_empty());
    let mut suspected = false;
    for _ in 0..8 {
        let effects = rig.wait(TIMEOUT_MS);
        suspected |= effects.contains(&sent(Unsigned::Suspect(Suspect {
            epoch: EPOCH,
            view: View(4),
            transaction: WAITING,
        })));
    }
    assert!(suspected, "pending: {:?}", rig.replica.pending);
}
