//! The state at a height as the tree reads it: leaves, from store, tail and history.

use super::apply::state_value_hash;
use super::shared::{Shared, lock};
use super::store::{StoreError, Table};
use crate::ids::Height;
use crate::state::tree::{self, Digest, KeyHash, LEAF_KEYS_MAX, LeafSource, Pair, Prefix};
use crate::state::{Entry, StateError, value_hash};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a leaf is read again because blocks changed it meanwhile.
const LEAF_READS_MAX: usize = 64;

impl Shared {
    /// The pairs below a prefix at a height, or at the tip. What the store has of an entry is shown on the way.
    fn pairs(
        &self,
        height: Option<Height>,
        prefix: &Prefix,
        mut show: impl FnMut(KeyHash, Vec<u8>),
    ) -> Result<Vec<Pair>, StateError> {
        let (first, last) = prefix.range();
        for _ in 0..LEAF_READS_MAX {
            let (mut entries, seen) = {
                let inner = self.inner();
                let tip = inner.history.last();
                let height = height.unwrap_or(tip);
                inner.history.at(height)?;
                let mut entries = BTreeMap::new();
                for batch in inner.batches() {
                    let changed = batch.state_range(&first, &last);
                    entries.extend(changed.map(|(hash, entry)| (*hash, digest(entry))));
                }
                let before = inner.history.before_range(height, &first, &last);
                entries.extend(before.map(|(hash, entry)| (*hash, digest(entry))));
                (entries, tip)
            };
            // One more than a leaf holds shows that the store does not fit the tree.
            let max = LEAF_KEYS_MAX + 1 + entries.len();
            let stored = self.store.range(Table::State, &first.0, &last.0, max);
            for (key, entry) in stored.map_err(|error| self.failed(error))? {
                let (hash, value) = pair(&key, &entry).map_err(|error| self.failed(error))?;
                show(hash, entry);
                entries.entry(hash).or_insert(Some(value));
            }
            let inner = self.inner();
            if seen < inner.history.first() {
                return Err(inner.history.pruned());
            }
            if inner.history.before_range(seen, &first, &last).next().is_none() {
                return Ok(entries.into_iter().filter_map(|(hash, value)| Some((hash, value?))).collect());
            }
        }
        Err(StateError::Store(format!("the leaf {prefix} changes faster than it can be read")))
    }
}

fn digest(entry: &Entry) -> Option<tree::ValueHash> {
    entry.value.as_ref().map(|value| value_hash(&entry.key, value))
}

/// A stored state entry as the tree sees it.
pub(super) fn pair(key: &[u8], entry: &[u8]) -> Result<Pair, StoreError> {
    let hash = key.try_into().map_err(|_| StoreError::Failed("a key that is no hash".into()))?;
    Ok((KeyHash(hash), state_value_hash(entry)))
}

/// The state at a height, or at the tip, as the tree reads it.
pub(super) struct Leaves<'a> {
    pub(super) shared: &'a Shared,
    pub(super) height: Option<Height>,
}

impl LeafSource for Leaves<'_> {
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<Pair>, tree::Error> {
        self.shared.pairs(self.height, prefix, |_, _| ()).map_err(tree::Error::source)
    }

    fn known(&self, digest: &Digest) -> Option<Arc<[Pair]>> {
        lock(&self.shared.leaves).get(digest).map(|(_, pairs)| Arc::clone(pairs))
    }

    fn learn(&self, digest: &Digest, pairs: &Arc<[Pair]>) {
        let bytes = size_of_val::<[Pair]>(pairs);
        lock(&self.shared.leaves).insert((*digest, Arc::clone(pairs)), bytes);
    }
}

/// The same, remembering what the store has of one entry when it is asked for its leaf.
pub(super) struct Seeing<'a> {
    leaves: Leaves<'a>,
    wanted: KeyHash,
    /// `None` while no leaf was read.
    seen: RefCell<Option<Option<Vec<u8>>>>,
}

impl<'a> Seeing<'a> {
    pub(super) fn new(shared: &'a Shared, height: Height, wanted: KeyHash) -> Self {
        let leaves = Leaves { shared, height: Some(height) };
        Self { leaves, wanted, seen: RefCell::default() }
    }

    /// The entry in the store.
    pub(super) fn entry(self) -> Result<Option<Vec<u8>>, StateError> {
        let Leaves { shared, .. } = self.leaves;
        match self.seen.into_inner() {
            Some(entry) => Ok(entry),
            None => shared.store.get(Table::State, &self.wanted.0).map_err(|error| shared.failed(error)),
        }
    }
}

impl LeafSource for Seeing<'_> {
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<Pair>, tree::Error> {
        let Leaves { shared, height } = self.leaves;
        let mut seen = None;
        let pairs = shared.pairs(height, prefix, |hash, entry| {
            if hash == self.wanted {
                seen = Some(entry);
            }
        });
        *self.seen.borrow_mut() = Some(seen);
        pairs.map_err(tree::Error::source)
    }

    fn known(&self, digest: &Digest) -> Option<Arc<[Pair]>> {
        self.leaves.known(digest)
    }

    fn learn(&self, digest: &Digest, pairs: &Arc<[Pair]>) {
        self.leaves.learn(digest, pairs);
    }
}
