//! Batching and heartbeats of the primary.

use super::fixture::*;
use crate::replica::{Effect, Input, Pending, Replica};
use crate::{DurableState, Outgoing, Unsigned};
use quorate_chain::{Height, View};

/// The primary of view 0 with W = 4, its lease durable, one block committed and one in flight.
fn in_flight() -> (Rig, [crate::SealedBlock; 2]) {
    let mut rig = Rig::new(0, 4);
    let chain = blocks(2);
    let effects = rig.step(pending());
    rig.settle(effects);
    rig.step(Input::Batch { parent: CHAIN.genesis_block(), transactions: Vec::new() });
    rig.step(Input::Pending(Pending::Nothing));
    rig.commit(&chain[0], &c(0, &chain[0]));
    rig.accept(&chain[1]);
    (rig, [chain[0].clone(), chain[1].clone()])
}

fn full() -> Input {
    Input::Pending(Pending::Some { oldest: Some(WAITING), full: true })
}

#[test]
fn with_a_block_in_flight_a_batch_waits_until_it_is_full_or_late() {
    let (mut rig, [_, two]) = in_flight();
    rig.replica.proposed_at = rig.now.time;
    let batch = Effect::RequestBatch { parent: two.hash(), height: Height(3) };
    assert_eq!(rig.step(pending()), []);
    assert_eq!(rig.replica.deadline(), Some(rig.now.time + BATCH_WAIT_MS));
    assert_eq!(rig.wait(BATCH_WAIT_MS), [batch]);
    let (mut rig, [_, two]) = in_flight();
    rig.replica.proposed_at = rig.now.time;
    assert_eq!(rig.step(full()), [Effect::RequestBatch { parent: two.hash(), height: Height(3) }]);
}

/// More blocks in flight than two or three would only wait for each other.
#[test]
fn with_a_block_in_flight_a_batch_waits_half_of_what_a_commit_takes() {
    let (mut rig, [_, two]) = in_flight();
    let bound = rig.replica.config.timeout_base_ms / 4;
    for (took_ms, waits_ms) in
        [(10 * BATCH_WAIT_MS, 5 * BATCH_WAIT_MS), (8 * bound, bound), (0, BATCH_WAIT_MS)]
    {
        rig.replica.timeout.committed(Some(took_ms));
        rig.replica.proposed_at = rig.now.time;
        assert_eq!(rig.step(pending()), []);
        assert_eq!(rig.replica.deadline(), Some(rig.now.time + waits_ms));
    }
    assert_eq!(rig.step(full()), [Effect::RequestBatch { parent: two.hash(), height: Height(3) }]);
}

#[test]
fn a_primary_that_leaves_its_view_waits_for_no_batch() {
    let (mut rig, _) = in_flight();
    rig.replica.proposed_at = rig.now.time;
    rig.step(pending());
    for from in [2, 3] {
        rig.say(from, ask(1, 1, 0));
    }
    rig.wait(BATCH_WAIT_MS);
    assert!(rig.replica.deadline() > Some(rig.now.time), "or the driver would tick for ever");
}

#[test]
fn with_nothing_in_flight_whatever_waits_is_proposed_at_once() {
    let (mut rig, [_, two]) = in_flight();
    rig.commit(&two, &c(0, &two));
    rig.replica.proposed_at = rig.now.time;
    assert_eq!(rig.step(pending()), [Effect::RequestBatch { parent: two.hash(), height: Height(3) }]);
}

fn is_empty_proposal(effect: &Effect) -> bool {
    match effect {
        Effect::Broadcast(Outgoing::Own(Unsigned::Proposal(_, _, block))) => {
            block.block().transactions.is_empty()
        }
        _ => false,
    }
}

#[test]
fn an_idle_chain_has_heartbeats_only_if_it_asks_for_them() {
    let count = |max_idle_ms| {
        let rig = Rig::new(0, 1);
        let config = crate::Config { max_idle_ms, ..rig.config.clone() };
        let (replica, _) =
            Replica::start(rig.now, config, DurableState::default(), genesis_tip(), [], Vec::new());
        let mut rig = rig.with(replica);
        rig.settle_recall();
        let mut proposed = 0;
        for _ in 0..10 {
            let effects = rig.wait(STATUS_MS);
            let all = rig.settle(effects);
            proposed += all.iter().filter(|e| is_empty_proposal(e)).count();
        }
        proposed
    };
    assert_eq!(count(0), 0);
    assert_eq!(count(2 * STATUS_MS), 1, "one, which is then in flight");
}

#[test]
fn a_view_without_a_certificate_gets_one_by_a_heartbeat_then_no_more() {
    let mut rig = Rig::new(1, 1);
    let all = rig.enter(&new_view_of(1, None, None));
    assert!(!all.iter().any(is_empty_proposal));
    let mut proposed = Vec::new();
    for _ in 0..6 {
        let effects = rig.wait(STATUS_MS);
        proposed.extend(rig.settle(effects).into_iter().filter(is_empty_proposal));
    }
    assert_eq!(proposed.len(), 1);
    let Effect::Broadcast(Outgoing::Own(Unsigned::Proposal(_, View(1), block))) = &proposed[0] else {
        panic!("{proposed:?}")
    };
    rig.commit(block, &c(1, block));
    for _ in 0..12 {
        let effects = rig.wait(STATUS_MS);
        assert!(!rig.settle(effects).iter().any(is_empty_proposal), "the view has its certificate");
    }
}
