//! Changes of the validators: where an epoch ends, who may join, and reading it back (R45, R46, R46b).

use super::*;
use crate::execution::BlockError;
use crate::validator::fixture::consensus_key;
use crate::validator::{READY_HEIGHTS_MAX, Ready, SetChange, SignedReady};

/// To the first `n` validators of the fixture, whose seat `joiner` is ready by the result of `height`.
fn joining(n: u16, joiner: u16, height: u64, result: &BlockResult) -> SetChange {
    let set = validator_set(n);
    let seat = set.validators()[usize::from(joiner)].identity;
    let ready = Ready { seat, height: Height(height), result: result.hash() };
    let signed = SignedReady::sign(ready, CHAIN, &consensus_key(joiner));
    SetChange { set, ready: List::new(vec![signed]).unwrap() }
}

/// The same `n` validators, the first one's mark set or not: a change that nobody joins by.
fn marked(n: u16, recovering: bool) -> SetChange {
    let mut seats = validator_set(n).validators().to_vec();
    seats[0].recovering = recovering;
    SetChange { set: ValidatorSet::new(seats).unwrap(), ready: List::default() }
}

fn in_epoch(epoch: u64, mut block: Block) -> Block {
    block.header.epoch = Epoch(epoch);
    block
}

#[test]
fn r45_the_block_that_changes_the_set_is_the_last_of_its_epoch() {
    let mut opened = memory(&MemDisk::new(40), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let tip = ledger.tip().clone();
    let first = block(1, tip.block, &tip.result);
    let first_result = ledger.execute(&first).unwrap();
    assert!(!first_result.ends_epoch);
    // The joiner knows the result of a block that is not committed yet.
    ledger.schedule_set_change(Height(2), joining(5, 4, 1, &first_result.result));
    let second = block(2, first.hash(), &first_result.result);
    let ending = ledger.execute(&second).unwrap();
    assert!(ending.ends_epoch);
    assert_eq!(ending.result.next_set_hash, validator_set(5).hash());
    assert_eq!(ledger.execute(&second).unwrap(), ending, "a look-up says the same");
    assert_eq!(ledger.executed(second.hash()), Some(ending));

    let old = block(3, second.hash(), &ending.result);
    let new = in_epoch(1, old.clone());
    let early = BlockError::EpochEnd(second.hash());
    assert!(!early.is_peer_fault());
    assert_eq!(ledger.validate(&old, |_| false), Err(BlockError::Header("epoch")));
    assert_eq!(ledger.validate(&new, |_| false), Err(early.clone()));
    for child in [&old, &new] {
        let refused = ledger.execute(child).unwrap_err();
        assert!(matches!(refused, LedgerError::EpochEnd(parent) if parent == second.hash()));
        assert!(!refused.is_fatal());
    }

    ledger.commit(first.hash(), List::default(), certify(&first, &first_result.result)).unwrap();
    assert_eq!(ledger.validate(&new, |_| false), Err(early), "its parent is not committed");
    let path = List::new(vec![old.header.clone()]).unwrap();
    let by_child = ledger.commit(second.hash(), path, certify(&old, &ending.result));
    assert!(matches!(by_child, Err(LedgerError::Certificate(_))), "no child is accepted in its epoch");
    ledger.commit(second.hash(), List::default(), certify(&second, &ending.result)).unwrap();
    let tip = ledger.tip().clone();
    assert_eq!((tip.epoch, &*tip.validators, tip.ends_epoch), (Epoch(1), &validator_set(5), true));
    assert_eq!(ledger.executed(second.hash()), Some(ending));
    assert_eq!(ledger.validate(&old, |_| false), Err(BlockError::Header("epoch")));
    assert_eq!(ledger.validate(&new, |_| false), Ok(()));
    let next = ledger.execute(&new).unwrap();
    assert!(!next.ends_epoch);
    assert_eq!(next.result.next_set_hash, validator_set(5).hash(), "it stays until the next change");
    ledger.commit(new.hash(), List::default(), certify(&new, &next.result)).unwrap();
    assert!(!ledger.tip().ends_epoch);
    let seated = StateKey::Seated(consensus_key(4).public());
    assert_eq!(opened.reader.get(&seated).unwrap(), Some(StateValue::Seated(Epoch(1))));
}

#[test]
fn r46b_a_change_that_fails_its_check_changes_nothing() {
    let mut opened = memory(&MemDisk::new(41), &MemoryStore::default()).unwrap();
    let mut plain = memory(&MemDisk::new(41), &MemoryStore::default()).unwrap();
    let genesis_result = opened.ledger.tip().result;
    let unready = SetChange { set: validator_set(5), ready: List::default() };
    let early = joining(5, 4, 3, &genesis_result);
    let wrong = joining(5, 4, 1, &genesis_result);
    for (height, change) in [(1, unready), (2, early), (3, wrong)] {
        opened.ledger.schedule_set_change(Height(height), change);
    }
    for _ in 0..3 {
        commit_next(&mut opened.ledger).unwrap();
        commit_next(&mut plain.ledger).unwrap();
        assert_eq!(opened.ledger.tip(), plain.ledger.tip());
    }
    assert_eq!(opened.ledger.tip().epoch, Epoch(0));
}

#[test]
fn r46b_who_left_never_comes_back_with_its_old_key() {
    let (disk, store) = (MemDisk::new(42), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    let genesis_result = opened.ledger.tip().result;
    let join = joining(5, 4, 0, &genesis_result);
    let leave = SetChange { set: validator_set(4), ready: List::default() };
    opened.ledger.schedule_set_change(Height(1), join.clone());
    opened.ledger.schedule_set_change(Height(2), leave);
    commit_next(&mut opened.ledger).unwrap();
    assert_eq!(*opened.ledger.tip().validators, validator_set(5));
    commit_next(&mut opened.ledger).unwrap();
    assert_eq!((opened.ledger.tip().epoch, &*opened.ledger.tip().validators), (Epoch(2), &validator_set(4)));
    drop(opened);
    let mut opened = memory(&disk, &store).unwrap();
    opened.ledger.schedule_set_change(Height(3), join);
    commit_next(&mut opened.ledger).unwrap();
    assert_eq!((opened.ledger.tip().epoch, &*opened.ledger.tip().validators), (Epoch(2), &validator_set(4)));
    // Nor does one of genesis.
    let leave = SetChange { set: validator_set(3), ready: List::default() };
    opened.ledger.schedule_set_change(Height(4), leave);
    opened.ledger.schedule_set_change(Height(5), joining(4, 3, 0, &genesis_result));
    commit_next(&mut opened.ledger).unwrap();
    commit_next(&mut opened.ledger).unwrap();
    assert_eq!((opened.ledger.tip().epoch, &*opened.ledger.tip().validators), (Epoch(3), &validator_set(3)));
}

#[test]
fn r46b_a_ready_is_known_by_committed_results_of_the_last_hundred_heights() {
    let mut opened = memory(&MemDisk::new(43), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let results: Vec<_> = std::iter::once(ledger.tip().result)
        .chain((1..=READY_HEIGHTS_MAX).map(|_| commit_next(ledger).unwrap().result))
        .collect();
    let tip = ledger.tip().clone();
    let executing = READY_HEIGHTS_MAX + 1;
    assert_eq!(tip.height.next(), Height(executing));
    let next = block(executing, tip.block, &tip.result);
    for (height, ends_epoch) in [(0, false), (1, true), (57, true), (100, true), (101, false)] {
        let result = results.get(height).unwrap_or(&tip.result);
        ledger.schedule_set_change(Height(executing), joining(5, 4, height as u64, result));
        assert_eq!(ledger.execute(&next).unwrap().ends_epoch, ends_epoch, "ready at {height}");
        ledger.discard(next.hash());
    }
}

/// What anyone can ask about epochs, of every height that there is and the ones around.
fn epochs(reader: &Reader) -> Vec<String> {
    let heights = (0..=reader.tip().height.0 + 2).map(|h| format!("{:?}", reader.validators_at(Height(h))));
    let ends = (0..=reader.tip().epoch.0 + 1)
        .map(|e| format!("{:?} {:?}", reader.validators_of(Epoch(e)), reader.epoch_end(Epoch(e))));
    heights.chain(ends).collect()
}

#[test]
fn epochs_are_read_back_after_any_loss_of_the_store() {
    let (disk, store) = (MemDisk::new(44), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    let genesis_result = opened.ledger.tip().result;
    let ends = [3, 4, 9, 12];
    opened.ledger.schedule_set_change(Height(3), joining(5, 4, 0, &genesis_result));
    opened.ledger.schedule_set_change(Height(4), marked(5, true));
    opened.ledger.schedule_set_change(Height(9), marked(5, false));
    opened.ledger.schedule_set_change(Height(12), marked(4, false));
    for height in 1..=14 {
        commit_next(&mut opened.ledger).unwrap();
        if height == 6 {
            opened.ledger.checkpoint().unwrap();
        }
    }
    let reader = &opened.reader;
    for height in 1..=15 {
        let epoch = Epoch(ends.iter().filter(|end| **end < height).count() as u64);
        let (found, validators) = reader.validators_at(Height(height)).unwrap().unwrap();
        assert_eq!(found, epoch, "height {height}");
        assert_eq!(reader.validators_of(epoch).unwrap(), Some(validators.clone()));
        if let Some(committed) = reader.block(Height(height)).unwrap() {
            assert_eq!(committed.block.header.epoch, epoch);
            assert_eq!(committed.certificate.verify(&validators, CHAIN), Ok(()));
        }
    }
    assert_eq!(
        [reader.validators_at(Height(0)).unwrap(), reader.validators_at(Height(16)).unwrap()],
        [None, None]
    );
    for (epoch, end) in (0..).zip(ends) {
        let committed = reader.epoch_end(Epoch(epoch)).unwrap().unwrap();
        assert_eq!(committed.block.header.height, Height(end));
        assert_eq!(committed.certificate.height, Height(end));
    }
    assert_eq!(reader.epoch_end(Epoch(4)).unwrap(), None, "it goes on");
    assert_eq!(reader.validators_of(Epoch(5)).unwrap(), None);

    let before = (summary(&opened), epochs(&opened.reader));
    drop(opened);
    let check = |store: &MemoryStore, replayed| {
        let again = memory(&disk, store).unwrap();
        assert_eq!((again.report.replayed, &again.report.rebuilt), (replayed, &None));
        assert_eq!((summary(&again), epochs(&again.reader)), before);
        assert_eq!(again.ledger.executed(again.ledger.tip().block).unwrap().result, before.0.0.result);
    };
    // The store holds more than its checkpoint says, as sled may; then no more; then nothing at all.
    check(&store, 8);
    check(&store, 0);
    check(&MemoryStore::default(), 14);
}

#[test]
fn a_tip_that_ended_its_epoch_is_found_again() {
    let (disk, store) = (MemDisk::new(45), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    opened.ledger.schedule_set_change(Height(2), marked(4, true));
    commit_next(&mut opened.ledger).unwrap();
    commit_next(&mut opened.ledger).unwrap();
    opened.ledger.checkpoint().unwrap();
    let tip = opened.ledger.tip().clone();
    assert!(tip.ends_epoch);
    drop(opened);
    store.lose_power();
    let mut again = memory(&disk, &store).unwrap();
    assert_eq!(again.ledger.tip(), &tip);
    assert_eq!(again.ledger.executed(tip.block), Some(Executed { result: tip.result, ends_epoch: true }));
    commit_next(&mut again.ledger).unwrap();
    assert_eq!(again.ledger.tip().epoch, Epoch(1));
}

#[test]
fn a_recorded_block_of_another_epoch_is_damage() {
    let (disk, store) = (MemDisk::new(46), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    let ledger = &mut opened.ledger;
    let tip = ledger.tip().clone();
    let odd = in_epoch(1, block(1, tip.block, &tip.result));
    let executed = ledger.execute(&odd).unwrap();
    let overlay = &ledger.overlays[&odd.hash()];
    let (receipts, changes) =
        (overlay.receipts.clone(), crate::state::Changes::clone(overlay.version.changes()));
    let record = record::CommitRecord {
        height: Height(1),
        block: odd.hash(),
        body: ledger.write_body(odd.hash(), &odd).unwrap(),
        certificate: certify(&odd, &executed.result),
        path: List::default(),
        result: executed.result,
        receipts,
        changes,
    };
    ledger.journal.append(record::COMMIT, &encode(&record)).unwrap();
    ledger.sync().unwrap();
    drop(opened);
    assert!(matches!(memory(&disk, &store), Err(LedgerError::Damaged { height: Height(1), .. })));
}
