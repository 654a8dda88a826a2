//! Blocks beside the tip: whose state they follow, dropping them, and how many there may be.

use super::*;
use crate::execution::BlockError;
use crate::state::Changes;

/// A block without transactions; `salt` sets it apart from others of its height.
fn empty(height: u64, parent: BlockHash, parent_result: &BlockResult, salt: u64) -> Block {
    let mut block = block(1, parent, parent_result);
    block.transactions = List::default();
    block.header.height = Height(height);
    block.header.transaction_count = 0;
    block.header.transactions_root = transactions_root(&[]);
    block.header.timestamp_ms = TimestampMs(1_000 * height + salt);
    block
}

/// `count` empty blocks, each on the one before, executed from the tip on.
fn chain(ledger: &mut Ledger, count: usize) -> Vec<(Block, BlockResult)> {
    let tip = ledger.tip().clone();
    let (mut parent, mut result) = (tip.block, tip.result);
    let heights = (tip.height.0 + 1..).take(count);
    let blocks = heights.map(|height| {
        let block = empty(height, parent, &result, 0);
        result = ledger.execute(&block).unwrap().result;
        parent = block.hash();
        (block, result)
    });
    blocks.collect()
}

#[test]
fn a_block_follows_the_parameters_of_its_parent_and_not_of_the_tip() {
    let mut opened = memory(&MemDisk::new(20), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let (first, result) = chain(ledger, 1).remove(0);
    let second = block(1, first.hash(), &result);
    let timestamp_ms = TimestampMs(5_000);
    let second = Block { header: Header { height: Height(2), timestamp_ms, ..second.header }, ..second };
    assert_eq!(ledger.validate(&second, |_| false), Ok(()));
    let closed = Parameters { open: false, block_transactions_max: 2, ..Parameters::default() };
    ledger.overlays.get_mut(&first.hash()).unwrap().context.parameters = Arc::new(closed.clone());
    assert_eq!(ledger.validate(&second, |_| false), Err(BlockError::TooLarge("transactions")));
    ledger.execute(&second).unwrap();
    let third_receipt = &ledger.overlays[&second.hash()].receipts[2];
    assert_ne!(third_receipt.status, crate::receipt::ReceiptStatus::Success, "no new accounts");
    let own = |block| ledger.parameters_at(block).cloned();
    assert_eq!([own(first.hash()), own(second.hash())], [Some(closed.clone()), Some(closed.clone())]);
    assert_eq!(own(ledger.tip().block).as_ref(), Some(ledger.parameters()));
    assert_ne!(ledger.parameters(), &closed);
    ledger.commit(first.hash(), List::default(), certify(&first, &result)).unwrap();
    assert_eq!(ledger.parameters(), &closed);
}

#[test]
fn what_a_view_drops_goes_with_all_that_builds_on_it_and_can_come_back() {
    let mut opened = memory(&MemDisk::new(21), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let blocks = chain(ledger, 4);
    let rival = empty(2, blocks[0].0.hash(), &blocks[0].1, 7);
    ledger.execute(&rival).unwrap();
    ledger.append_body(&blocks[2].0).unwrap();
    ledger.discard(blocks[1].0.hash());
    let held = |ledger: &Ledger| blocks.iter().map(|(b, _)| ledger.executed(b.hash()).is_some()).collect();
    let flags: Vec<bool> = held(ledger);
    assert_eq!(flags, [true, false, false, false]);
    assert!(ledger.executed(rival.hash()).is_some());
    assert_eq!(ledger.body(blocks[2].0.hash()).unwrap().as_ref(), Some(&blocks[2].0));
    assert!(matches!(ledger.execute(&blocks[2].0), Err(LedgerError::NotExecuted(_))));
    for (block, result) in &blocks[1..] {
        assert_eq!(ledger.execute(block).unwrap().result, *result);
    }
    ledger.discard(ledger.tip().block);
    ledger.discard(BlockHash([9; 32]));
    assert_eq!(ledger.overlays.len(), 5, "the tip and unknown blocks are left alone");
    for (block, result) in &blocks {
        ledger.commit(block.hash(), List::default(), certify(block, result)).unwrap();
    }
    let _ = summary(&opened);
}

#[test]
fn when_overlays_are_full_the_one_unused_for_longest_goes_unless_it_is_built_on() {
    let mut opened = memory(&MemDisk::new(22), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let tip = ledger.tip().clone();
    let blocks = chain(ledger, 2);
    let rivals: Vec<_> =
        (1..OVERLAYS_MAX as u64 - 1).map(|salt| empty(1, tip.block, &tip.result, salt)).collect();
    for rival in &rivals {
        ledger.execute(rival).unwrap();
    }
    assert_eq!(ledger.overlays.len(), OVERLAYS_MAX);
    ledger.execute(&rivals[0]).unwrap();
    // The second block of the chain is the oldest that nothing builds on, but it is the parent here.
    let third = empty(3, blocks[1].0.hash(), &blocks[1].1, 0);
    ledger.execute(&third).unwrap();
    assert_eq!(ledger.overlays.len(), OVERLAYS_MAX);
    let held = |block: &Block| ledger.executed(block.hash()).is_some();
    assert!(held(&blocks[0].0) && held(&blocks[1].0) && held(&third));
    assert!(held(&rivals[0]) && !held(&rivals[1]) && held(&rivals[2]), "a look-up counts as use");
}

#[test]
fn when_every_overlay_is_built_on_another_is_refused_until_a_commit() {
    let mut opened = memory(&MemDisk::new(23), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let blocks = chain(ledger, OVERLAYS_MAX);
    let (last, result) = blocks.last().unwrap();
    let next = empty(OVERLAYS_MAX as u64 + 1, last.hash(), result, 0);
    let refused = ledger.execute(&next).unwrap_err();
    assert!(matches!(refused, LedgerError::OverlaysFull(OVERLAYS_MAX)) && !refused.is_fatal());
    let (first, result) = &blocks[0];
    ledger.commit(first.hash(), List::default(), certify(first, result)).unwrap();
    ledger.execute(&next).unwrap();
    assert_eq!(ledger.overlays.len(), OVERLAYS_MAX);
}

#[test]
fn when_bodies_are_full_another_is_refused_until_a_commit_which_always_has_room() {
    let mut opened = memory(&MemDisk::new(24), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let (first, result) = chain(ledger, 1).remove(0);
    let tip = ledger.tip().clone();
    let rivals: Vec<_> = (1..=BODIES_MAX as u64).map(|salt| empty(1, tip.block, &tip.result, salt)).collect();
    for rival in &rivals {
        ledger.append_body(rival).unwrap();
    }
    let later = empty(2, first.hash(), &result, 0);
    let refused = ledger.append_body(&later).unwrap_err();
    assert!(matches!(refused, LedgerError::BodiesFull(BODIES_MAX)) && !refused.is_fatal());
    ledger.append_body(&rivals[0]).unwrap();
    assert_eq!(ledger.bodies.len(), BODIES_MAX);
    ledger.commit(first.hash(), List::default(), certify(&first, &result)).unwrap();
    ledger.append_body(&later).unwrap();
    assert_eq!(ledger.body(later.hash()).unwrap(), Some(later));
}

#[test]
fn parameters_and_validators_that_a_block_changes_are_those_of_its_children() {
    let opened = memory(&MemDisk::new(25), &MemoryStore::default()).unwrap();
    let before = &opened.ledger.context;
    let closed = Parameters { open: false, ..Parameters::default() };
    let change = (StateKey::Parameters, Some(StateValue::Parameters(closed.clone())));
    let after = before.after(&Changes::from_iter([change]));
    assert_eq!((&*after.parameters, after.epoch), (&closed, Epoch(0)));
    assert_eq!(after.validators_hash, before.validators_hash);
    let change = (StateKey::Validators, Some(StateValue::Validators(Epoch(1), validator_set(5))));
    let after = before.after(&Changes::from_iter([change]));
    assert_eq!((after.epoch, &*after.validators), (Epoch(1), &validator_set(5)));
    assert_eq!(
        (after.validators_hash, after.parameters),
        (validator_set(5).hash(), before.parameters.clone())
    );
}
