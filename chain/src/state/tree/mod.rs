//! The partition tree: one digest for the whole state, with proofs, cheap versions and a walk for diffs.
//!
//! A 16-ary tree over the nibbles of key hashes (PBFT §6.3: hierarchical state partitions, copy-on-write).
//! A subtree with at most [`LEAF_KEYS_MAX`] keys is a leaf, one with more an inner node, so the shape follows
//! from the content alone, whatever the order of changes that led to it.
//!
//! ```text
//!                      root  = inner
//!            0 ┌────── 1 ─┬─── … ──┬─ f          16 children, hashed as a binary tree of 4 levels:
//!              │          │        │             a proof carries 4 siblings a level
//!            leaf       inner    empty
//!         ≤ 32 pairs   0 … f
//!      (key, value hash) └── leaf: its pairs loaded, or digest and count with the pairs in the store
//! ```
//!
//! - [`Tree`] is one immutable version; a clone is one counted reference. [`Tree::update`] copies the
//!   touched nodes only. The version of a block that is not committed is simply dropped.
//! - Changed leaves stay loaded until the store holds them and [`Tree::evict`] gives them back. A stored leaf
//!   is read through [`LeafSource`] and checked against its digest each time.
//! - `digest.rs` what is hashed · `prefix.rs` places · `node.rs` nodes and stored leaves · `update.rs`,
//!   `build.rs`, `evict.rs` making versions · `saved.rs`, `refresh.rs` what a checkpoint keeps of one, and
//!   bringing it up to date · `walk.rs` leaf after leaf · `proof.rs` proofs · `summary.rs` nodes shown to other replicas.
//!
//! Keys ground into one subtree cost what the depth costs: at most 63 levels, as at most 16 different keys
//! share 63 nibbles.

mod build;
mod digest;
mod error;
mod evict;
mod hashes;
mod node;
mod prefix;
mod proof;
mod refresh;
mod saved;
mod summary;
#[cfg(test)]
mod tests;
mod update;
mod walk;

pub use digest::{EMPTY, inner_digest, leaf_digest};
pub use error::Error;
pub use hashes::{Digest, KeyHash, Pair, ValueHash};
pub use prefix::Prefix;
pub use proof::{PROOF_BYTES_MAX, Proof};
pub use summary::Summary;

use hashes::Change;
use node::Node;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Keys of the largest leaf.
pub const LEAF_KEYS_MAX: usize = 32;

/// Nibbles of a key hash: no path is longer.
pub const DEPTH_MAX: usize = 64;

/// The stored state, as far as the tree reads it.
pub trait LeafSource {
    /// All (key hash, value hash) pairs below `prefix`, ascending, as they were at the version whose stored
    /// leaf is read (see [`Tree::evict`]). The tree checks them; a source need not.
    ///
    /// # Errors
    /// [`Error::Source`] when the store cannot be read.
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<Pair>, Error>;

    /// The content that has this leaf digest, if the source kept it: a digest names one content, whatever the
    /// version. A source that must really read says nothing.
    fn known(&self, digest: &Digest) -> Option<Arc<[Pair]>> {
        let _ = digest;
        None
    }

    /// Told of a leaf that was read and fits its digest, so that it may be kept.
    fn learn(&self, digest: &Digest, pairs: &Arc<[Pair]>) {
        let _ = (digest, pairs);
    }
}

/// A store that gives all pairs below a prefix, however many there are.
pub trait RangeSource: LeafSource {
    /// All pairs below `prefix`, ascending.
    ///
    /// # Errors
    /// [`Error::Source`] when the store cannot be read.
    fn pairs_below(&self, prefix: &Prefix) -> Result<Vec<Pair>, Error>;
}

/// One version of the state's partition tree. Cheap to clone; never changes.
#[derive(Clone, Debug)]
pub struct Tree {
    root: Node,
}

impl Default for Tree {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl Tree {
    /// The tree of a state without keys.
    pub const EMPTY: Self = Self { root: Node::Empty };

    /// Builds from all pairs of the store in strictly ascending order; keeps digests, no pairs.
    ///
    /// # Errors
    /// [`Error::Unsorted`] when a key is not above the one before it, and the iterator's own errors.
    pub fn try_build(pairs: impl IntoIterator<Item = Result<Pair, Error>>) -> Result<Self, Error> {
        let root = build::Builder::new(pairs.into_iter()).subtree(&Prefix::ROOT)?;
        Ok(Self { root })
    }

    /// [`Tree::try_build`] from a source that does not fail.
    ///
    /// # Errors
    /// [`Error::Unsorted`] when a key is not above the one before it.
    pub fn build(pairs: impl IntoIterator<Item = Pair>) -> Result<Self, Error> {
        Self::try_build(pairs.into_iter().map(Ok))
    }

    /// The state root; [`EMPTY`] without keys.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.root.digest()
    }

    /// Number of keys.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.root.count()
    }

    /// Whether there are no keys.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The version after `changes`, `None` for a deletion; this one stays as it is. Deleting a key that isn't
    /// there is no change.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Source`] when a stored leaf that is changed, or merged after deletions,
    /// cannot be had.
    pub fn update(
        &self,
        source: &dyn LeafSource,
        changes: &BTreeMap<KeyHash, Option<ValueHash>>,
    ) -> Result<Self, Error> {
        self.update_all(source, changes.iter().map(|(key, value)| (*key, *value)).collect())
    }

    /// [`Tree::update`] with changes in any order, of a key the last one.
    pub(super) fn update_all(
        &self,
        source: &dyn LeafSource,
        mut changes: Vec<Change>,
    ) -> Result<Self, Error> {
        if !changes.is_sorted_by(|(one, _), (other, _)| one < other) {
            changes.reverse();
            changes.sort_by_key(|(key, _)| *key);
            changes.dedup_by_key(|(key, _)| *key);
        }
        if changes.is_empty() {
            return Ok(self.clone());
        }
        Ok(Self { root: update::apply(&self.root, source, 0, &changes)? })
    }

    /// This version with those loaded leaves given back to the store that it shares with `flushed`, looked
    /// for on the ways to `keys`: all keys changed since the flush before, in any order. Root and content
    /// stay.
    ///
    /// When it is legal: the store holds exactly the content of `flushed`, completely written, and this
    /// version is `flushed` itself or made from it by updates. Call it on the later versions that are to live
    /// on (the tip; tentative ones may simply keep their leaves until they are dropped) with `flushed` as it
    /// was before its own eviction: what that gave back is no longer shared, and would stay in memory.
    ///
    /// Versions *before* `flushed` must from then on be read through a source that undoes what was flushed
    /// since (reverse deltas), or not at all: their stored leaves are of older content. A mistake is found,
    /// not served: such a leaf answers [`Error::Corrupt`]. While a flush is under way, this version and
    /// those after it may be used freely: what the flush overwrites is loaded in all of them.
    #[must_use]
    pub fn evict(&self, flushed: &Self, keys: impl IntoIterator<Item = KeyHash>) -> Self {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        Self { root: evict::evict(&self.root, &flushed.root, 0, &keys) }
    }

    /// This version with every loaded leaf given back. Legal only when the store holds exactly this version's
    /// content (after genesis or a state transfer was written); walks the whole tree.
    #[must_use]
    pub fn evict_all(&self) -> Self {
        Self { root: evict::evict_all(&self.root) }
    }

    /// The key's value hash.
    ///
    /// # Errors
    /// As [`Tree::prove`].
    pub fn get(&self, source: &dyn LeafSource, key: &KeyHash) -> Result<Option<ValueHash>, Error> {
        let (depth, node) = self.descend(key, DEPTH_MAX);
        let Some(pairs) = node.pairs(source, &Prefix::of(key, depth))? else { return Ok(None) };
        Ok(pairs.iter().find(|pair| pair.0 == *key).map(|pair| pair.1))
    }

    /// Proof of the key's value hash, or that it isn't there.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Source`] when the key's leaf is stored and cannot be had.
    pub fn prove(&self, source: &dyn LeafSource, key: &KeyHash) -> Result<Proof, Error> {
        let mut levels = Vec::new();
        let mut node = &self.root;
        while let Node::Inner(inner) = node {
            let nibble = key.nibble(levels.len());
            levels.push(digest::siblings(&inner.child_digests(), nibble));
            node = &inner.children[nibble];
        }
        let prefix = Prefix::of(key, levels.len());
        let pairs = node.pairs(source, &prefix)?.map(|pairs| pairs.to_vec()).unwrap_or_default();
        // Leaves hold at most LEAF_KEYS_MAX pairs, and different keys part above DEPTH_MAX.
        Proof::new(levels, pairs).ok_or(Error::Corrupt { prefix })
    }

    /// What other replicas need to know of the node at `prefix`: a state transfer or repair walks down where
    /// digests differ. `None` when the tree has no node there, as a leaf or nothing lies above.
    #[must_use]
    pub fn node(&self, prefix: &Prefix) -> Option<Summary> {
        let (depth, node) = self.descend(&prefix.path(), prefix.depth());
        (depth == prefix.depth()).then(|| Summary::of(node))
    }

    /// The pairs of the leaf at `prefix`, ascending and checked; `None` when there is an inner node or no
    /// node. A scrub reads every leaf this way.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Source`] when the leaf is stored and cannot be had.
    pub fn leaf(&self, source: &dyn LeafSource, prefix: &Prefix) -> Result<Option<Vec<Pair>>, Error> {
        let (depth, node) = self.descend(&prefix.path(), prefix.depth());
        if depth != prefix.depth() {
            return Ok(None);
        }
        Ok(node.pairs(source, prefix)?.map(|pairs| pairs.to_vec()))
    }

    /// The leaf of `key`, if its pairs are in memory, with its digest: what a source may [`learn`]
    /// before the leaf is given back to the store.
    ///
    /// [`learn`]: LeafSource::learn
    #[must_use]
    pub fn loaded_leaf(&self, key: &KeyHash) -> Option<(&Digest, &Arc<[Pair]>)> {
        self.descend(key, DEPTH_MAX).1.loaded()
    }

    /// The digest of the leaf in which a key is, or would be; `None` where there is none.
    #[must_use]
    pub fn leaf_digest(&self, key: &KeyHash) -> Option<Digest> {
        match self.descend(key, DEPTH_MAX).1 {
            Node::Stored { digest, .. } => Some(*digest),
            node => node.loaded().map(|(digest, _)| *digest),
        }
    }

    /// This version with the leaves of `keys` read again from the store, whatever their digests were: for a
    /// tree of an older version over a store that holds a later one, when `keys` are all that changed between.
    /// The caller compares the root with one that it trusts.
    ///
    /// # Errors
    /// [`Error::Corrupt`] or [`Error::Source`] when the store cannot be read, or a leaf beside does not fit.
    pub fn refreshed(
        &self,
        source: &dyn RangeSource,
        keys: impl IntoIterator<Item = KeyHash>,
    ) -> Result<Self, Error> {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable();
        keys.dedup();
        if keys.is_empty() {
            return Ok(self.clone());
        }
        Ok(Self { root: refresh::refresh(&self.root, source, 0, &keys)? })
    }

    /// Writes shape, counts and leaf digests, 33 bytes a leaf; the pairs stay with the store.
    ///
    /// # Errors
    /// The writer's.
    pub fn save(&self, into: &mut dyn Write) -> io::Result<()> {
        saved::save(&self.root, into)
    }

    /// Reads what [`Tree::save`] wrote. Whether it is the tree it is said to be shows its root.
    ///
    /// # Errors
    /// The reader's, and `InvalidData` for bytes that are no tree.
    pub fn load(from: &mut dyn Read) -> io::Result<Self> {
        Ok(Self { root: saved::load(from, 0)? })
    }

    /// The first leaf whose keys are at or above `from`, for a walk over all of them: its prefix.
    #[must_use]
    pub fn leaf_from(&self, from: &KeyHash) -> Option<Prefix> {
        walk::leaf_from(&self.root, &Prefix::ROOT, from)
    }

    /// The node on the key's way at `depth`, or the leaf where the way ends before, and its depth.
    fn descend(&self, key: &KeyHash, depth: usize) -> (usize, &Node) {
        let (mut node, mut level) = (&self.root, 0);
        while let Node::Inner(inner) = node
            && level < depth
        {
            node = &inner.children[key.nibble(level)];
            level += 1;
        }
        (level, node)
    }
}
