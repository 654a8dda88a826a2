//! The last states that can be read: for each height the tree, and what its block overwrote.
//!
//! Values at the tip are in cache, tail and store. The value at an older height is what the first later block
//! that changed it found there.

use super::Tip;
use crate::ids::{AccountId, AssetId, Height};
use crate::state::tree::{KeyHash, Tree};
use crate::state::{Entry, StateError};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes above which fewer states are kept than asked for. Two always are.
pub(super) const HISTORY_BYTES_MAX: usize = 64 * 1024 * 1024;
/// States that are kept whatever they take.
const KEPT_MIN: usize = 2;
/// Memory of an inner node of the tree.
const INNER_NODE_BYTES: usize = 720;
/// Memory of an overwritten entry beside its value's own.
const ENTRY_BYTES: usize = 32;

/// An entry as it was before a block changed it.
pub(super) type Before = (KeyHash, Entry);

/// The state after one block.
pub(super) struct Past {
    pub(super) tip: Arc<Tip>,
    pub(super) tree: Tree,
    /// What the block overwrote, ascending by hash.
    before: Vec<Before>,
    /// Balances that the block removed, ascending.
    removed: Vec<(AccountId, AssetId)>,
    bytes: usize,
}

impl Past {
    /// `before` ascends by hash.
    pub(super) fn new(tip: Arc<Tip>, tree: Tree, before: Vec<Before>, value_bytes: usize) -> Self {
        let bytes = value_bytes + before.len() * ENTRY_BYTES + tree_bytes(tree.len(), before.len());
        Self { tip, tree, before, removed: Vec::new(), bytes }
    }

    pub(super) fn removing(mut self, mut removed: Vec<(AccountId, AssetId)>) -> Self {
        removed.sort_unstable();
        self.removed = removed;
        self
    }

    fn range(&self, first: &KeyHash, last: &KeyHash) -> &[Before] {
        let from = self.before.partition_point(|(hash, _)| hash < first);
        let to = self.before.partition_point(|(hash, _)| hash <= last);
        self.before.get(from..to).unwrap_or_default()
    }
}

/// What a version of a tree of so many keys has for itself after so many changes: the inner nodes on the ways
/// to them.
fn tree_bytes(keys: u64, changes: usize) -> usize {
    let mut nodes = 0;
    let mut width = 1u64;
    while width * 16 < keys && width < 1 << 40 {
        nodes += changes.min(usize::try_from(width).unwrap_or(usize::MAX));
        width *= 16;
    }
    nodes * INNER_NODE_BYTES
}

/// Consecutive heights, the tip's last.
pub(super) struct History {
    past: VecDeque<Past>,
    states_max: usize,
    bytes: usize,
}

impl History {
    pub(super) fn new(tip: Arc<Tip>, tree: Tree, states_max: usize) -> Self {
        let past = VecDeque::from([Past::new(tip, tree, Vec::new(), 0)]);
        Self { past, states_max, bytes: 0 }
    }

    /// The lowest height that can be read.
    pub(super) fn first(&self) -> Height {
        self.past.front().map_or(Height::ZERO, |past| past.tip.height)
    }

    /// The tip's.
    pub(super) fn last(&self) -> Height {
        self.past.back().map_or(Height::ZERO, |past| past.tip.height)
    }

    pub(super) fn pruned(&self) -> StateError {
        StateError::Pruned { first: self.first(), last: self.last() }
    }

    /// The state after the block at a height.
    pub(super) fn at(&self, height: Height) -> Result<&Past, StateError> {
        let place = height.0.checked_sub(self.first().0).and_then(|place| usize::try_from(place).ok());
        place.and_then(|place| self.past.get(place)).ok_or_else(|| self.pruned())
    }

    /// Adds the next height and lets go of the oldest ones that are too many.
    pub(super) fn push(&mut self, past: Past) {
        self.bytes += past.bytes;
        self.past.push_back(past);
        while self.past.len() > self.states_max
            || self.bytes > HISTORY_BYTES_MAX && self.past.len() > KEPT_MIN
        {
            let oldest = self.past.pop_front();
            self.bytes -= oldest.map_or(0, |past| past.bytes);
        }
    }

    /// The heights above one, ascending.
    fn above(&self, height: Height) -> impl DoubleEndedIterator<Item = &Past> {
        let skipped = height.0.saturating_add(1).saturating_sub(self.first().0);
        self.past.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX))
    }

    /// What an entry was at a height, if it was changed since.
    pub(super) fn before(&self, height: Height, hash: &KeyHash) -> Option<&Entry> {
        self.above(height).find_map(|past| {
            let at = past.before.binary_search_by_key(hash, |(hash, _)| *hash).ok()?;
            past.before.get(at).map(|(_, entry)| entry)
        })
    }

    /// The same for a height that may have been given up meanwhile.
    pub(super) fn since(&self, height: Height, hash: &KeyHash) -> Result<Option<&Entry>, StateError> {
        if height < self.first() { Err(self.pruned()) } else { Ok(self.before(height, hash)) }
    }

    /// The entries in a range of hashes that were changed since a height, the latest change first: what comes
    /// later goes before.
    pub(super) fn before_range(
        &self,
        height: Height,
        first: &KeyHash,
        last: &KeyHash,
    ) -> impl Iterator<Item = &Before> {
        let (first, last) = (*first, *last);
        self.above(height).rev().flat_map(move |past| past.range(&first, &last))
    }

    /// Assets of which an account's balance was removed since a height.
    pub(super) fn removed(&self, height: Height, account: AccountId) -> Vec<AssetId> {
        let of = |past: &'_ Past| {
            let from = past.removed.partition_point(|(owner, _)| *owner < account);
            past.removed[from..]
                .iter()
                .take_while(|(owner, _)| *owner == account)
                .map(|(_, asset)| *asset)
                .collect::<Vec<_>>()
        };
        self.above(height).flat_map(of).collect()
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
