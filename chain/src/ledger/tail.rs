//! Commits that the store lacks: durable in the journal, visible to readers, written behind in slices.
//!
//! ```text
//!   commit ──► active ──seal──► sealed ──slices──► store
//!               grows            never changes
//! ```
//!
//! A key that several blocks change is written once a batch. At most one batch is sealed: what comes
//! meanwhile goes into the active one, and commits wait when that is full.

use super::apply::{Commit, index_entries, run_entries, state_entry};
use super::options::IndexLevel;
use super::runs::{Index, Writer};
use super::shared::weight;
use super::store::{Applied, Store, StoreError, Table};
use crate::state::tree::{KeyHash, Tree};
use crate::state::{Changes, Entry};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

/// Memory of a state entry's place in a batch.
const STATE_BYTES: usize = 64;
/// Memory of an index entry.
const INDEX_BYTES: usize = 160;

/// A key of the index tables.
pub(super) type IndexKey = (Table, Vec<u8>);
/// A key of the indexes whose entries are set once.
pub(super) type RunKey = (Index, Vec<u8>);

/// A [`RunKey`] that is compared without looking it up: most differ in the first bytes, which lie in the map itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    index: Index,
    /// The first bytes of the key, zeros where it ends; ascending as the keys are.
    head: u64,
    key: Vec<u8>,
}

impl Row {
    fn new(index: Index, key: Vec<u8>) -> Self {
        let mut head = [0; 8];
        head.iter_mut().zip(&key).for_each(|(byte, first)| *byte = *first);
        Self { index, head: u64::from_be_bytes(head), key }
    }
}

/// A block's changes, and the place of one among them.
struct Changed(Arc<Changes>, u32);

impl Changed {
    fn entry(&self) -> &Entry {
        &self.0[self.1 as usize]
    }
}

/// What consecutive commits write, by absolute value.
pub(super) struct Batch {
    /// The last commit in it, and where the journal is to be read from once all of it is in the store.
    pub(super) applied: Applied,
    /// The tree after that commit.
    pub(super) tree: Tree,
    /// Journal bytes committed since the ledger was opened, up to that commit.
    pub(super) journal_bytes: u64,
    /// Commits in it.
    pub(super) heights: u32,
    pub(super) bytes: usize,
    state: BTreeMap<KeyHash, Changed>,
    index: BTreeMap<IndexKey, Option<Vec<u8>>>,
    runs: BTreeMap<Row, Vec<u8>>,
}

/// Where the writing of a batch has come to.
#[derive(Clone, Debug, Default)]
pub(super) enum Cursor {
    #[default]
    Start,
    State(KeyHash),
    Index(IndexKey),
    Run(Row),
}

impl Batch {
    pub(super) fn new(applied: Applied, tree: Tree, journal_bytes: u64) -> Self {
        let (state, index, runs) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { applied, tree, journal_bytes, heights: 0, bytes: 0, state, index, runs }
    }

    /// Adds what a block changed: the hash of each key, best ascending, and its place among the changes.
    pub(super) fn set(&mut self, changes: &Arc<Changes>, places: impl IntoIterator<Item = (KeyHash, u32)>) {
        // All of them are in memory while one is wanted.
        self.bytes += changes.iter().map(|entry| STATE_BYTES + weight(entry)).sum::<usize>();
        let changed = places.into_iter().map(|(hash, place)| (hash, Changed(Arc::clone(changes), place)));
        self.state.extend(changed);
    }

    /// Adds what a commit's indexes say.
    pub(super) fn index(&mut self, commit: &Commit<'_>, level: IndexLevel) {
        for (key, value) in index_entries(commit) {
            let bytes = key.1.len() + value.as_ref().map_or(0, Vec::len);
            if self.index.insert(key, value).is_none() {
                self.bytes += INDEX_BYTES + bytes;
            }
        }
        self.enter(run_entries(commit, level));
    }

    /// Adds what the block of one height is entered as.
    pub(super) fn enter(&mut self, entries: impl IntoIterator<Item = (RunKey, Vec<u8>)>) {
        for (key, value) in entries {
            self.bytes += INDEX_BYTES + key.1.len() + value.len();
            self.runs.insert(Row::new(key.0, key.1), value);
        }
        self.heights += 1;
    }

    pub(super) fn state(&self, hash: &KeyHash) -> Option<&Entry> {
        self.state.get(hash).map(Changed::entry)
    }

    pub(super) fn state_range(
        &self,
        first: &KeyHash,
        last: &KeyHash,
    ) -> impl Iterator<Item = (&KeyHash, &Entry)> {
        self.entries((Bound::Included(*first), Bound::Included(*last)))
    }

    pub(super) fn indexed(&self, key: &IndexKey) -> Option<&Option<Vec<u8>>> {
        self.index.get(key)
    }

    pub(super) fn index_range(
        &self,
        first: &IndexKey,
        last: &IndexKey,
    ) -> impl DoubleEndedIterator<Item = (&IndexKey, &Option<Vec<u8>>)> {
        self.index.range(first.clone()..=last.clone())
    }

    pub(super) fn entered(&self, key: &RunKey) -> Option<&Vec<u8>> {
        self.runs.get(&Row::new(key.0, key.1.clone()))
    }

    /// The keys of an index from `first` to `last`, both included.
    pub(super) fn entered_range(
        &self,
        index: Index,
        first: &[u8],
        last: &[u8],
    ) -> impl DoubleEndedIterator<Item = &[u8]> {
        let range = Row::new(index, first.to_vec())..=Row::new(index, last.to_vec());
        self.runs.range(range).map(|(row, _)| row.key.as_slice())
    }

    fn entries(&self, range: (Bound<KeyHash>, Bound<KeyHash>)) -> impl Iterator<Item = (&KeyHash, &Entry)> {
        self.state.range(range).map(|(hash, changed)| (hash, changed.entry()))
    }

    /// Writes the next entries, at most `max`; whether that was the last one, and the batch's runs are complete.
    pub(super) fn write(
        &self,
        store: &dyn Store,
        runs: &mut Writer,
        at: &mut Cursor,
        max: usize,
    ) -> Result<bool, StoreError> {
        let mut left = max;
        if matches!(at, Cursor::Start | Cursor::State(_)) {
            let from = match at {
                Cursor::State(hash) => Bound::Excluded(*hash),
                _ => Bound::Unbounded,
            };
            for (hash, Entry { key, value }) in self.entries((from, Bound::Unbounded)).take(left) {
                let entry = value.as_ref().map(|value| state_entry(key, value));
                store.set(Table::State, &hash.0, entry.as_deref())?;
                *at = Cursor::State(*hash);
                left -= 1;
            }
        }
        if !matches!(at, Cursor::Run(_)) {
            let from = match at {
                Cursor::Index(key) => Bound::Excluded(key.clone()),
                _ => Bound::Unbounded,
            };
            for (key, value) in self.index.range((from, Bound::Unbounded)).take(left) {
                store.set(key.0, &key.1, value.as_deref())?;
                *at = Cursor::Index(key.clone());
                left -= 1;
            }
        }
        self.write_runs(store, runs, at, left)
    }

    fn write_runs(
        &self,
        store: &dyn Store,
        runs: &mut Writer,
        at: &mut Cursor,
        max: usize,
    ) -> Result<bool, StoreError> {
        let from = match at {
            Cursor::Run(row) => Bound::Excluded(row.clone()),
            _ => Bound::Unbounded,
        };
        let mut rest = self.runs.range((from, Bound::Unbounded));
        let mut last = None;
        for _ in 0..max {
            let Some((row, value)) = rest.next() else {
                runs.seal(store, self.applied.index, self.applied.height)?;
                return Ok(true);
            };
            runs.push(store, self.applied.height, row.index, &row.key, value)?;
            last = Some(row);
        }
        if let Some(row) = last {
            *at = Cursor::Run(row.clone());
        }
        Ok(false)
    }
}
