//! Runs against what went into them: batches, merges, crashes, lost pages.

use super::page::{Page, encode};
use super::*;
use crate::codec::encode as borsh;
use crate::ids::Height;
use crate::ledger::store::{Applied, MemoryStore, Store, Table};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Accounts of the tests' histories.
const ACCOUNTS: u8 = 3;

/// What the block of a height enters into the indexes: ascending, and the same whenever it is asked for.
fn entered(seed: u64, height: u64) -> BTreeMap<(Index, Vec<u8>), Vec<u8>> {
    let hash = |part: u64| *blake3::hash(&borsh(&(seed, height, part))).as_bytes();
    let mut entries = BTreeMap::new();
    entries.insert((Index::Hashes, hash(u64::MAX).to_vec()), height.to_le_bytes().to_vec());
    // Some blocks are empty, some fill pages.
    let count = u64::from(hash(u64::MAX)[0]) % 60 * u64::from(hash(u64::MAX)[1] % 3);
    for at in 0..count {
        let place = [&height.to_le_bytes()[..], &(at as u32).to_le_bytes()].concat();
        entries.insert((Index::Transactions, hash(at).to_vec()), place);
        entries.insert((Index::History, history_key(hash(at)[0] % ACCOUNTS, height, at)), Vec::new());
    }
    entries
}

fn history_key(account: u8, height: u64, at: u64) -> Vec<u8> {
    [&[account; 32][..], &height.to_be_bytes(), &(at as u32).to_be_bytes()].concat()
}

/// A writer over a store, and the height that it has come to.
struct Rig {
    store: MemoryStore,
    noted: Manifest,
    writer: Writer,
    /// What readers look by.
    shown: Arc<Manifest>,
    seed: u64,
    tip: u64,
    checkpoint: u64,
}

impl Rig {
    fn new(seed: u64) -> Self {
        let store = MemoryStore::default();
        let (noted, writer, shown) = Default::default();
        Self { store, noted, writer, shown, seed, tip: 0, checkpoint: 0 }
    }

    /// Goes on with merges and removals; what readers look by is there until they see something else.
    fn work(&mut self, max: usize) {
        let Self { store, writer, shown, .. } = self;
        let show = |runs: &Arc<Manifest>| {
            for run in shown.runs() {
                let pages = read::pages(store, run, usize::MAX).unwrap();
                let entries =
                    pages.iter().map(|(key, bytes)| shown.entries_of(key, bytes).unwrap().unwrap().1);
                assert_eq!(entries.sum::<u64>(), run.entries, "{run}");
            }
            *shown = Arc::clone(runs);
        };
        writer.work(store, max, show).unwrap();
    }

    /// The next heights as one batch.
    fn batch(&mut self, heights: u64) {
        let last = self.tip + heights;
        let entries: BTreeMap<_, _> = (self.tip + 1..=last).flat_map(|h| entered(self.seed, h)).collect();
        for ((index, key), value) in &entries {
            self.writer.push(&self.store, Height(last), *index, key, value).unwrap();
        }
        self.writer.seal(&self.store, IndexLevel::Full, Height(last)).unwrap();
        self.tip = last;
    }

    fn note(&mut self) {
        let position = crate::ledger::journal::Position::default();
        let (height, index) = (Height(self.tip), IndexLevel::Full);
        self.noted = Manifest::clone(self.writer.manifest());
        self.noted.check(index, height).unwrap();
        self.store.checkpoint(Applied { height, scan_from: position, index }, &Default::default()).unwrap();
        self.writer.noted();
        self.checkpoint = self.tip;
    }

    /// What a crash leaves, opened again; then the lost heights in one batch.
    fn crash(&mut self, kind: u8, seed: u64) {
        match kind {
            0 => self.store.lose_power(),
            1 => self.store.tear(seed),
            _ => {}
        }
        self.writer = Writer::new(&self.store, self.noted.clone(), IndexLevel::Full).unwrap();
        self.shown = Arc::clone(self.writer.manifest());
        assert!(named(&self.store).iter().all(|run| self.noted.has(run)), "nothing else is left");
        let lost = self.tip - self.checkpoint;
        self.tip = self.checkpoint;
        self.check();
        if lost > 0 {
            self.batch(lost);
        }
    }

    /// Every key that must be there is, none else.
    fn check(&self) {
        let manifest = self.writer.manifest();
        manifest.check(IndexLevel::Full, Height(self.tip)).unwrap();
        let mut histories: BTreeMap<u8, Vec<Vec<u8>>> = BTreeMap::new();
        for height in 1..=self.tip + 2 {
            for (place, ((index, key), value)) in entered(self.seed, height).into_iter().enumerate() {
                let expected = (height <= self.tip).then_some(value);
                // Some of them: each is a page that is read.
                if place % 17 == 0 {
                    let found = manifest.get(&self.store, index, &key).unwrap();
                    assert_eq!(found, expected, "{index:?} of {height}");
                }
                if index == Index::History && expected.is_some() {
                    histories.entry(key[0]).or_default().push(key);
                }
            }
        }
        for (account, mut keys) in histories {
            keys.reverse();
            let latest = |last: &[u8], max| {
                manifest.latest(&self.store, &history_key(account, 0, 0), last, max).unwrap()
            };
            let newest = latest(&history_key(account, u64::MAX, 0), usize::MAX);
            assert_eq!(newest, keys);
            assert_eq!(latest(&history_key(account, u64::MAX, 0), 5), keys[..keys.len().min(5)]);
            let middle = keys.len() / 2;
            assert_eq!(latest(&keys[middle], 100), keys[middle..keys.len().min(middle + 100)]);
        }
    }
}

/// The runs of which the store has pages.
fn named(store: &MemoryStore) -> Vec<Run> {
    let mut runs: Vec<_> = store.keys(Table::Runs).iter().map(|key| Run::named(key).unwrap().0).collect();
    runs.dedup();
    runs
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Batch(u64),
    Work(usize),
    Note,
    Crash(u8, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (1..6u64).prop_map(Step::Batch),
        4 => (1..600usize).prop_map(Step::Work),
        2 => Just(Step::Note),
        1 => (0..3u8, any::<u64>()).prop_map(|(kind, seed)| Step::Crash(kind, seed)),
    ];
    proptest::collection::vec(step, 1..50)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn runs_hold_what_went_into_them_whatever_comes_between(seed: u64, steps in steps()) {
        let mut rig = Rig::new(seed);
        for step in steps {
            match step {
                Step::Batch(heights) => rig.batch(heights),
                Step::Work(entries) => rig.work(entries),
                Step::Note => rig.note(),
                Step::Crash(kind, seed) => rig.crash(kind, seed),
            }
        }
        rig.check();
        rig.note();
        while rig.writer.is_busy() {
            rig.work(50);
            rig.note();
        }
        rig.check();
        prop_assert!(named(&rig.store).iter().all(|run| rig.noted.has(run)), "what was merged is gone");
    }
}

/// Runs with a few pages each, some of them merged.
fn several() -> Rig {
    let mut rig = Rig::new(1);
    for _ in 0..12 {
        rig.batch(4);
        rig.work(usize::MAX);
    }
    rig.note();
    while rig.writer.is_busy() {
        rig.work(usize::MAX);
    }
    rig
}

#[test]
fn a_page_that_the_store_lost_is_noticed_by_who_needs_it() {
    let rig = several();
    let manifest = rig.writer.manifest();
    assert!(manifest.runs().iter().any(|run| run.level == 1));
    let (mut firsts, mut later) = (0, 0);
    for lost in rig.store.keys(Table::Runs) {
        let (run, first_key) = Run::named(&lost).unwrap();
        if first_key.is_empty() {
            firsts += 1
        } else {
            later += 1
        }
        let bytes = rig.store.get(Table::Runs, &lost).unwrap().unwrap();
        let page = Page::decode(run.index, first_key, bytes.clone()).unwrap();
        rig.store.set(Table::Runs, &lost, None).unwrap();
        for at in 0..page.len() {
            let (key, _) = page.entry(at);
            assert!(manifest.get(&rig.store, run.index, key).is_err(), "{run} {}", hex::encode(key));
        }
        if run.index == Index::History {
            let key = page.entry(0).0;
            let first = history_key(key[0], 0, 0);
            let last = history_key(key[0], u64::MAX, 0);
            assert!(manifest.latest(&rig.store, &first, &last, usize::MAX).is_err());
        }
        assert!(walked(&rig, &run).is_err());
        rig.store.set(Table::Runs, &lost, Some(&bytes)).unwrap();
    }
    assert!(firsts > 5 && later > 5, "{firsts} {later}");
    rig.check();
}

/// The entries of the run with a name.
fn walked(rig: &Rig, named: &Run) -> Result<u64, crate::ledger::StoreError> {
    let run = rig.noted.runs().iter().find(|run| run.name() == named.name()).unwrap();
    let mut cursor = Cursor::new(&rig.store, *run)?;
    let mut count = 0;
    while cursor.peek().is_some() {
        count += 1;
        cursor.advance(&rig.store)?;
    }
    Ok(count)
}

#[test]
fn a_run_with_other_pages_than_it_was_made_of_is_noticed_by_a_walk() {
    let rig = several();
    for run in rig.noted.runs() {
        assert_eq!(walked(&rig, run).unwrap(), run.entries);
    }
    // One that ends too early: its last page says so, but the manifest knows better.
    let run = rig.noted.runs().iter().find(|run| run.entries > 200).unwrap();
    let bytes = rig.store.get(Table::Runs, &run.name()).unwrap().unwrap();
    let first = Page::decode(run.index, &[], bytes).unwrap();
    let entries: Vec<u8> =
        (0..first.len()).flat_map(|at| [first.entry(at).0, first.entry(at).1].concat()).collect();
    rig.store.set(Table::Runs, &run.name(), Some(&encode(&entries, None))).unwrap();
    assert!(walked(&rig, run).is_err());
}

#[test]
fn who_reads_by_an_old_manifest_gets_an_answer_or_an_error() {
    let mut rig = several();
    let (old, tip) = (rig.writer.manifest().clone(), rig.tip);
    for _ in 0..40 {
        rig.batch(2);
        rig.work(usize::MAX);
        rig.note();
    }
    let mut errors = 0;
    for height in 1..=tip {
        for ((index, key), value) in entered(rig.seed, height) {
            match old.get(&rig.store, index, &key) {
                Ok(found) => assert_eq!(found, Some(value)),
                Err(_) => errors += 1,
            }
        }
    }
    assert!(errors > 0, "what the old one names is gone");
    rig.check();
}

#[test]
fn what_was_merged_stays_until_a_checkpoint_is_noted_without_it() {
    let mut rig = several();
    let before = rig.noted.clone();
    for _ in 0..8 {
        rig.batch(1);
    }
    while rig.writer.is_busy() {
        rig.work(usize::MAX);
    }
    assert!(before.runs().iter().any(|run| !rig.writer.manifest().has(run)), "something was merged");
    assert!(
        before
            .runs()
            .iter()
            .filter(|run| run.entries > 0)
            .all(|run| named(&rig.store).iter().any(|one| one.name() == run.name()))
    );
    rig.crash(2, 0);
    rig.check();
}

#[test]
fn a_run_has_the_same_pages_however_it_came_about() {
    let mut rig = Rig::new(9);
    for _ in 0..MERGED_RUNS {
        rig.batch(3);
    }
    while rig.writer.is_busy() {
        rig.work(7);
    }
    let mut direct = Rig::new(9);
    direct.batch(3 * MERGED_RUNS as u64);
    for run in direct.writer.manifest().runs() {
        let merged = rig.writer.manifest().of(run.index).next().unwrap();
        assert_eq!((merged.name(), merged.entries, merged.level), (run.name(), run.entries, 1));
        let pages = |store| read::pages(store, run, usize::MAX).unwrap();
        assert_eq!(pages(&rig.store), pages(&direct.store));
        assert!(!pages(&rig.store).is_empty());
    }
}

#[test]
fn a_level_has_a_bounded_number_of_runs_though_nobody_merges() {
    let mut rig = Rig::new(3);
    for _ in 0..200 {
        rig.batch(1);
        for index in Index::ALL {
            for level in 0..4 {
                let runs = rig.writer.manifest().of(index).filter(|run| run.level == level).count();
                assert!(runs <= RUNS_A_LEVEL_MAX, "{runs} of level {level}");
            }
        }
    }
    rig.check();
}

/// With each batch as many entries are merged as were written: merges are done before others are due.
#[test]
fn merges_keep_pace_with_batches() {
    let mut rig = Rig::new(4);
    for _ in 0..100 {
        let written = (rig.tip + 1..=rig.tip + 5).map(|height| entered(rig.seed, height).len()).sum();
        rig.batch(5);
        rig.work(written);
        for index in Index::ALL {
            for level in 0..4 {
                let runs = rig.writer.manifest().of(index).filter(|run| run.level == level).count();
                assert!(runs < RUNS_A_LEVEL_MAX, "{runs} of level {level}");
            }
        }
    }
    assert!(rig.writer.manifest().runs().iter().any(|run| run.level == 2));
}

#[test]
fn a_manifest_with_a_gap_is_refused() {
    let rig = several();
    let (height, whole) = (Height(rig.tip), rig.noted.clone());
    whole.check(IndexLevel::Full, height).unwrap();
    assert!(whole.check(IndexLevel::Tx, height).is_err(), "an index too much");
    assert!(whole.check(IndexLevel::Full, height.next()).is_err());
    for at in 0..whole.runs().len() {
        let mut runs = whole.runs().to_vec();
        runs.remove(at);
        let bytes = borsh(&runs);
        let less: Manifest = crate::codec::decode(&bytes).unwrap();
        assert!(less.check(IndexLevel::Full, height).is_err(), "without {at}");
    }
}
