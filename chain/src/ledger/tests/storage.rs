//! Writing behind, past states, opening by the kept tree, damage while running, index levels.

use super::*;
use crate::ids::TransactionId;
use crate::state::Changes;
use crate::state::StateReader;
use crate::state::tree::KeyHash;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Every entry that the tests' blocks change, as a ledger reads it.
fn entries(read: impl Fn(&StateKey) -> Option<StateValue>) -> Vec<Option<StateValue>> {
    (1..=250).map(|i| read(&StateKey::Account(id(i)))).collect()
}

pub(super) fn committed_to(ledger: &mut Ledger, height: u64) {
    while ledger.tip().height.0 < height {
        commit_next(ledger).unwrap();
    }
}

#[test]
fn every_kept_height_reads_as_it_was_wherever_the_writer_is() {
    for cache_bytes in [0, 20_000, 1 << 24] {
        let (disk, store) = (MemDisk::new(50), MemoryStore::default());
        let options = LedgerOptions { cache_bytes, retain_states: 8, lag_heights: 12, ..manual() };
        let mut opened = with(&disk, &store, options).unwrap();
        let reader = opened.reader.clone();
        let mut was = vec![entries(|key| reader.get(key).unwrap())];
        for height in 1..=40u64 {
            commit_next(&mut opened.ledger).unwrap();
            was.push(entries(|key| reader.get(key).unwrap()));
            for _ in 0..height % 4 {
                opened.ledger.write_behind(height as usize % 7).unwrap();
            }
            let first = height.saturating_sub(7);
            for past in first..=height {
                let state = reader.at(Height(past)).unwrap();
                assert_eq!(state.height(), Height(past));
                assert_eq!(entries(|key| state.get(key).unwrap()), was[past as usize], "{past} at {height}");
                let root = state.tip().result.state_root.0;
                for account in [1, 2, 3, 100 + (past % 100) as u8, 101 + (past % 100) as u8] {
                    let key = StateKey::Account(id(account));
                    let proven = state.prove(&key).unwrap();
                    let hash = proven.proof.verify(&root, &key.hash()).unwrap();
                    assert_eq!(hash, proven.value.as_ref().map(|value| value_hash(&key, value)));
                    assert_eq!(proven.tip.height, Height(past));
                    let listed = state.account(id(account)).unwrap().map(|record| record.balances.len());
                    assert_eq!(listed, proven.value.map(|_| 1));
                }
            }
            if first > 0 {
                let refused = reader.at(Height(first - 1)).unwrap_err();
                assert!(
                    matches!(refused, LedgerError::Pruned { first: f, last } if (f.0, last.0) == (first, height))
                );
                assert!(!refused.is_fatal());
            }
            assert!(reader.at(Height(height + 1)).is_err());
        }
    }
}

#[test]
fn a_committed_transaction_is_found_before_the_store_has_it() {
    let (disk, store) = (MemDisk::new(51), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    let sets = store.sets();
    committed_to(&mut opened.ledger, 5);
    assert_eq!(store.sets(), sets, "nothing is written but by the writer");
    let found = opened.reader.transaction(transfer(1, 4, 2).id()).unwrap().unwrap();
    assert_eq!((found.height, found.index), (Height(5), 0));
    assert!(opened.reader.block(Height(5)).unwrap().is_some());
    while opened.ledger.write_behind(3).unwrap() {
        assert!(opened.reader.transaction(transfer(1, 4, 2).id()).unwrap().is_some());
    }
    assert!(store.sets() > sets);
    assert!(opened.reader.transaction(transfer(1, 4, 2).id()).unwrap().is_some());
}

#[test]
fn what_several_blocks_change_is_written_once() {
    let written = |blocks: u64, slices: bool| {
        let (disk, store) = (MemDisk::new(52), MemoryStore::default());
        let mut opened = with(&disk, &store, LedgerOptions { index: IndexLevel::None, ..manual() }).unwrap();
        let sets = store.sets();
        for height in 1..=blocks {
            committed_to(&mut opened.ledger, height);
            while slices && opened.ledger.write_behind(100).unwrap() {}
        }
        while opened.ledger.write_behind(100).unwrap() {}
        store.sets() - sets
    };
    // The accounts 1, 2 and 3 are in every block.
    assert!(written(30, false) + 29 * 3 <= written(30, true));
}

#[test]
fn the_store_lags_by_a_bounded_number_of_heights_and_bytes() {
    let heights = LedgerOptions { lag_heights: 10, ..manual() };
    let bytes = LedgerOptions { lag_bytes: 40_000, ..manual() };
    let defaults = LedgerOptions::default();
    assert_eq!((defaults.lag_heights, defaults.lag_bytes), (LAG_HEIGHTS_MAX, LAG_BYTES_MAX));
    for options in [heights, bytes] {
        let (disk, store) = (MemDisk::new(53), MemoryStore::default());
        let mut opened = with(&disk, &store, options.clone()).unwrap();
        for height in 1..=60 {
            committed_to(&mut opened.ledger, height);
            let inner = opened.ledger.shared.inner();
            let (heights, bytes) =
                inner.batches().fold((0, 0), |sum, batch| (sum.0 + batch.heights, sum.1 + batch.bytes));
            assert!(heights <= options.lag_heights, "{heights} at {height}");
            // A batch is full with the block that fills it.
            assert!(bytes as u64 <= options.lag_bytes + 20_000, "{bytes} at {height}");
        }
        assert_eq!(opened.reader.block(Height(1)).unwrap().unwrap().block.header.height, Height(1));
    }
}

#[test]
fn the_history_is_bounded_in_bytes() {
    let mut opened = memory(&MemDisk::new(54), &MemoryStore::default()).unwrap();
    committed_to(&mut opened.ledger, 1);
    let tip = Arc::new(opened.ledger.tip().clone());
    let tree = opened.ledger.version.tree().clone();
    let mut history = history::History::new(Arc::clone(&tip), tree.clone(), 1_000);
    for height in 2..200 {
        let tip = Arc::new(Tip { height: Height(height), ..(*tip).clone() });
        history.push(history::Past::new(tip, tree.clone(), Vec::new(), history::HISTORY_BYTES_MAX / 20));
        assert!(history.bytes() <= history::HISTORY_BYTES_MAX);
    }
    assert_eq!((history.first(), history.last()), (Height(180), Height(199)));
    let large = Tip { height: Height(200), ..(*tip).clone() };
    history.push(history::Past::new(Arc::new(large), tree, Vec::new(), 2 * history::HISTORY_BYTES_MAX));
    assert_eq!(
        (history.first(), history.last()),
        (Height(199), Height(200)),
        "two are kept whatever they take"
    );
}

#[test]
fn states_are_kept_up_to_a_number() {
    let options = |retain_states| LedgerOptions { retain_states, ..manual() };
    assert_eq!(options(RETAIN_STATES_MAX).states(), RETAIN_STATES_MAX as usize);
    assert_eq!(options(RETAIN_STATES_MAX + 1).states(), RETAIN_STATES_MAX as usize);
    assert_eq!(options(0).states(), 2);
}

#[test]
fn a_state_far_larger_than_the_cache_works() {
    let mut genesis = genesis();
    for i in 0..20_000u32 {
        let mut account = [9; 32];
        account[..4].copy_from_slice(&i.to_le_bytes());
        let key = StateKey::Balance(AccountId(account), AssetId::NATIVE);
        genesis
            .entries
            .insert(key, StateValue::Balance(Holding { amount: Amount(u128::from(i)), frozen: false }));
    }
    let options = LedgerOptions { cache_bytes: 256 * 1024, lag_heights: 4, ..manual() };
    let (disk, store) = (Arc::new(MemDisk::new(55)), MemoryStore::default());
    let mut opened = options.open_with(disk, Path::new("/journal"), Box::new(store), &genesis).unwrap();
    for height in 1..=20u64 {
        committed_to(&mut opened.ledger, height);
        for i in (0..20_000u32).step_by(37) {
            let mut account = [9; 32];
            account[..4].copy_from_slice(&i.to_le_bytes());
            let key = StateKey::Balance(AccountId(account), AssetId::NATIVE);
            assert_eq!(
                opened.reader.get(&key).unwrap(),
                Some(StateValue::Balance(Holding { amount: Amount(u128::from(i)), frozen: false }))
            );
        }
    }
    opened.ledger.checkpoint().unwrap();
}

#[test]
fn a_crash_between_any_two_slices_loses_nothing() {
    for cut in 0..60u64 {
        let (disk, store) = (MemDisk::new(cut), MemoryStore::default());
        let options = LedgerOptions { lag_heights: 6, ..manual() };
        let mut opened = with(&disk, &store, options.clone()).unwrap();
        for step in 0..cut {
            match (step * 7 + cut) % 5 {
                0 | 1 => drop(commit_next(&mut opened.ledger).unwrap()),
                2 | 3 => drop(opened.ledger.write_behind(1 + (cut % 9) as usize).unwrap()),
                _ if step % 3 == 0 => opened.ledger.checkpoint().unwrap(),
                _ => {}
            }
        }
        let whole = summary(&opened);
        drop(opened);
        disk.power_loss(PowerLoss::Drop);
        store.tear(cut);
        let mut again = with(&disk, &store, options).unwrap();
        assert_eq!(again.report.rebuilt, None, "a power loss is no damage");
        assert_eq!(summary(&again), whole, "cut {cut}");
        commit_next(&mut again.ledger).unwrap();
    }
}

#[test]
fn the_level_decides_what_is_indexed_and_can_be_changed() {
    let (disk, store) = (MemDisk::new(59), MemoryStore::default());
    let open = |index| with(&disk, &store, LedgerOptions { index, ..manual() }).unwrap();
    let known = transfer(1, 3, 2).id();
    let unknown = TransactionId([9; 32]);
    let mut opened = open(IndexLevel::None);
    committed_to(&mut opened.ledger, 6);
    for refused in
        [opened.reader.transaction(known).map(|_| ()), opened.reader.history(id(1), None, 9).map(|_| ())]
    {
        let error = refused.unwrap_err();
        assert!(matches!(error, LedgerError::NotIndexed { .. }) && !error.is_fatal());
    }
    drop(opened);
    let mut opened = open(IndexLevel::Tx);
    committed_to(&mut opened.ledger, 9);
    assert_eq!(opened.reader.transaction(known).unwrap().unwrap().height, Height(4));
    assert!(opened.reader.transaction(unknown).unwrap().is_none());
    assert!(matches!(opened.reader.history(id(1), None, 9), Err(LedgerError::NotIndexed { .. })));
    drop(opened);
    let mut opened = open(IndexLevel::Full);
    committed_to(&mut opened.ledger, 12);
    let places = |from: u64, to: u64| (from..=to).rev().map(|h| (Height(h), 0)).collect::<Vec<_>>();
    let reader = &opened.reader;
    assert_eq!(reader.history(id(1), None, 5).unwrap(), places(8, 12));
    assert_eq!(reader.history(id(1), Some((Height(8), 0)), 100).unwrap(), places(1, 7));
    assert_eq!(
        reader.history(id(2), None, 3).unwrap(),
        [(12, 1), (12, 0), (11, 1)].map(|(h, i)| (Height(h), i))
    );
    assert_eq!(reader.history(id(200), None, 3).unwrap(), []);
    drop(opened);
    let indexes = |level| {
        let opened = open(level);
        while opened.ledger.write_behind(100).unwrap() {}
        Index::ALL.map(|index| !pages(&store, index).is_empty())
    };
    assert_eq!(indexes(IndexLevel::Tx), [true, true, false]);
    assert_eq!(indexes(IndexLevel::None), [true, false, false]);
    assert_eq!(open(IndexLevel::Full).reader.history(id(1), None, 50).unwrap(), places(1, 12));
}

#[test]
fn a_page_of_history_has_an_end() {
    let (disk, store) = (MemDisk::new(60), MemoryStore::default());
    let opened = memory(&disk, &store).unwrap();
    let last = Height(HISTORY_PAGE_MAX as u64 + 1);
    let applied = Applied { height: last, ..opened.ledger.applied() };
    let mut batch = tail::Batch::new(applied, opened.ledger.version.tree().clone(), 0);
    for height in 1..=last.0 {
        let key = apply::history_key(id(1), Height(height), 0);
        batch.enter([((Index::History, key), Vec::new())]);
    }
    opened.ledger.shared.inner().active = Some(batch);
    for _ in ["in the tail", "in a run"] {
        assert_eq!(opened.reader.history(id(1), None, usize::MAX).unwrap().len(), HISTORY_PAGE_MAX);
        while opened.ledger.write_behind(100).unwrap() {}
    }
}

/// A reader looks by the runs of a moment, and what they were merged into has taken their place.
#[test]
fn who_reads_while_runs_are_merged_finds_everything() {
    let (disk, store) = (MemDisk::new(67), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    let written = |opened: &mut Opened, height| {
        committed_to(&mut opened.ledger, height);
        while opened.ledger.write_behind(100).unwrap() {}
    };
    (1..8).for_each(|height| written(&mut opened, height));
    opened.ledger.checkpoint().unwrap();
    let shared = Arc::clone(&opened.ledger.shared);
    let (key, mut reads) = (transfer(1, 3, 2).id().0, 0);
    let old = pages(&store, Index::Transactions);
    let opened = std::cell::RefCell::new(opened);
    let reads = std::cell::RefCell::new(&mut reads);
    let found = shared.read_runs(|runs| {
        **reads.borrow_mut() += 1;
        let mut opened = opened.borrow_mut();
        if opened.ledger.tip().height < Height(9) {
            (8..10).for_each(|height| written(&mut opened, height));
            opened.ledger.checkpoint().unwrap();
            while opened.ledger.write_behind(100).unwrap() {}
            let new = pages(&store, Index::Transactions);
            assert!(old.iter().all(|page| !new.contains(page)), "all of it was merged and removed");
        }
        runs.get(&store, Index::Transactions, &key)
    });
    assert!(found.unwrap().is_some());
    assert_eq!(**reads.borrow(), 2);
    assert_eq!(shared.failure(), None);
}

#[test]
fn runs_are_read_again_a_bounded_number_of_times() {
    let opened = memory(&MemDisk::new(68), &MemoryStore::default()).unwrap();
    let (shared, reads) = (&opened.ledger.shared, std::cell::Cell::new(0));
    let gone = |_: &Manifest| {
        reads.set(reads.get() + 1);
        shared.show_runs(&Arc::new(Manifest::default()));
        Err::<(), _>(StoreError::Failed("gone".into()))
    };
    let error = shared.read_runs(gone).unwrap_err();
    assert!(error.to_string().contains("faster"), "{error}");
    assert_eq!((reads.get(), shared.failure()), (indexes::RUN_READS_MAX, None));
    let lost = |_: &Manifest| Err::<(), _>(StoreError::Failed("lost".into()));
    assert!(shared.read_runs(lost).is_err() && shared.failure().is_some());
}

/// The real threads over a real folder: readers at the tip and below see one height each, whatever the writer
/// is at; what they saw is there after reopening.
#[test]
fn readers_beside_writer_and_commits_see_one_height() {
    let folder = tempfile::tempdir().unwrap();
    let options =
        LedgerOptions { lag_heights: 6, cache_bytes: 0, retain_states: 6, ..LedgerOptions::default() };
    let mut opened = options.open(folder.path(), &genesis()).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let reader = opened.reader.clone();
    std::thread::scope(|scope| {
        let mut readers = Vec::new();
        for offset in 0..2u64 {
            let (reader, stop) = (&reader, &stop);
            readers.push(scope.spawn(move || {
                let mut seen = 0u32;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let height = Height(reader.tip().height.0.saturating_sub(offset));
                    let Ok(state) = reader.at(height) else { continue };
                    let total = (1..=250).try_fold(0, |sum, i| {
                        let held = state.get(&StateKey::Account(id(i)))?;
                        let Some(StateValue::Account(account)) = held else { return Ok(sum) };
                        Ok::<_, LedgerError>(sum + account.balance.0)
                    });
                    match total {
                        Ok(total) => assert_eq!(total, 1_000 * u128::from(ACCOUNTS), "at {height}"),
                        Err(error) => assert!(matches!(error, LedgerError::Pruned { .. }), "{error}"),
                    }
                    let key = StateKey::Account(id(2));
                    match state.prove(&key) {
                        Ok(proof) => {
                            let root = proof.tip.result.state_root.0;
                            assert!(proof.proof.verify(&root, &key.hash()).unwrap().is_some());
                            seen += 1;
                        }
                        Err(error) => assert!(matches!(error, LedgerError::Pruned { .. }), "{error}"),
                    }
                }
                seen
            }));
        }
        let ended = catch_unwind(AssertUnwindSafe(|| committed_to(&mut opened.ledger, 150)));
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        ended.unwrap_or_else(|panic| resume_unwind(panic));
        assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
    });
    let whole = summary(&opened);
    drop((opened, reader));
    let again = options.open(folder.path(), &genesis()).unwrap();
    assert_eq!(again.report.rebuilt, None);
    assert_eq!(summary(&again), whole);
    assert!(again.reader.latest().is_ok_and(|state| StateReader::get(&state, &StateKey::Parameters).is_ok()));
}

fn held_of(height: u64) -> Holding {
    Holding { amount: Amount(height.into()), frozen: false }
}

/// Blocks that touch one leaf over and over, with deletions: the tree of every kept height stays provable.
#[test]
fn a_past_height_is_proven_though_its_leaf_was_split_and_joined() {
    let (disk, store) = (MemDisk::new(61), MemoryStore::default());
    let mut opened = with(&disk, &store, LedgerOptions { retain_states: 50, ..manual() }).unwrap();
    let mut roots = Vec::new();
    for height in 1..=30u64 {
        let tip = opened.ledger.tip().clone();
        let mut block = block(height, tip.block, &tip.result);
        block.transactions = List::default();
        block.header.transaction_count = 0;
        block.header.transactions_root = transactions_root(&[]);
        opened.ledger.execute(&block).unwrap();
        // What no instruction does yet: entries appear and go.
        let mut changes: Changes = (0..40u8)
            .filter(|i| (u64::from(*i) + height).is_multiple_of(3))
            .map(|i| {
                let held = (height / 3).is_multiple_of(2).then_some(StateValue::Balance(held_of(height)));
                (StateKey::Balance(AccountId([7; 32]), AssetId([i; 32])), held)
            })
            .collect();
        let owner = StateKey::Account(AccountId([7; 32]));
        changes.set(owner, Some(StateValue::Account(Account::default())));
        let leaves = leaves::Leaves { shared: &opened.ledger.shared, height: None };
        let version = opened.ledger.version.child(&leaves, changes).unwrap();
        let overlay = opened.ledger.overlays.get_mut(&block.hash()).unwrap();
        overlay.executed.result.state_root = version.root();
        overlay.version = version;
        let result = overlay.executed.result;
        opened.ledger.commit(block.hash(), List::default(), certify(&block, &result)).unwrap();
        roots.push(result.state_root.0);
        opened.ledger.write_behind(11).unwrap();
    }
    for (root, height) in roots.iter().zip(1..) {
        let state = opened.reader.at(Height(height)).unwrap();
        let mut held = 0;
        for i in 0..40u8 {
            let key = StateKey::Balance(AccountId([7; 32]), AssetId([i; 32]));
            let proven = state.prove(&key).unwrap();
            let hash: KeyHash = key.hash();
            assert_eq!(proven.proof.verify(root, &hash).unwrap().is_some(), proven.value.is_some());
            held += usize::from(proven.value.is_some());
        }
        assert_eq!(state.account(AccountId([7; 32])).unwrap().unwrap().balances.len(), held);
    }
}
