//! A node: a leaf whose pairs are in memory or in the store, or 16 children.

use super::digest::{EMPTY, inner_digest, leaf_digest};
use super::error::Error;
use super::hashes::{Digest, Pair};
use super::prefix::Prefix;
use super::{LEAF_KEYS_MAX, LeafSource};
use std::ops::Deref;
use std::sync::Arc;

/// 40 bytes, so that a stored leaf costs no more than that (a test holds it to it).
#[derive(Clone, Debug)]
pub(super) enum Node {
    Empty,
    Stored { digest: Digest, count: u8 },
    Loaded(Arc<Leaf>),
    Inner(Arc<Inner>),
}

/// 1 to [`LEAF_KEYS_MAX`] pairs, ascending.
#[derive(Debug)]
pub(super) struct Leaf {
    digest: Digest,
    pairs: Arc<[Pair]>,
}

/// The pairs of a leaf, wherever they are held.
pub(super) enum Pairs<'a> {
    Held(&'a Arc<[Pair]>),
    Read(Arc<[Pair]>),
    None,
}

impl Deref for Pairs<'_> {
    type Target = [Pair];

    fn deref(&self) -> &[Pair] {
        match self {
            Self::Held(pairs) => pairs,
            Self::Read(pairs) => pairs,
            Self::None => &[],
        }
    }
}

/// More than [`LEAF_KEYS_MAX`] keys.
#[derive(Debug)]
pub(super) struct Inner {
    pub(super) digest: Digest,
    /// Keys below.
    pub(super) count: u64,
    pub(super) children: [Node; 16],
}

impl Inner {
    pub(super) fn child_digests(&self) -> [Digest; 16] {
        std::array::from_fn(|nibble| self.children[nibble].digest())
    }
}

impl Node {
    pub(super) fn digest(&self) -> Digest {
        match self {
            Self::Empty => EMPTY,
            Self::Stored { digest, .. } => *digest,
            Self::Loaded(leaf) => leaf.digest,
            Self::Inner(inner) => inner.digest,
        }
    }

    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Stored { count, .. } => u64::from(*count),
            Self::Loaded(leaf) => leaf.pairs.len() as u64,
            Self::Inner(inner) => inner.count,
        }
    }

    /// A leaf in memory, or nothing; the pairs back when they are too many for a leaf.
    pub(super) fn leaf(pairs: Vec<Pair>) -> Result<Self, Vec<Pair>> {
        if pairs.is_empty() {
            return Ok(Self::Empty);
        }
        match leaf_digest(&pairs) {
            Some(digest) => Ok(Self::Loaded(Arc::new(Leaf { digest, pairs: pairs.into() }))),
            None => Err(pairs),
        }
    }

    /// The subtree at `depth` with these ascending pairs, its leaves in memory.
    pub(super) fn of(pairs: Vec<Pair>, depth: usize) -> Self {
        let pairs = match Self::leaf(pairs) {
            Ok(leaf) => return leaf,
            Err(pairs) => pairs,
        };
        let mut children = [const { Self::Empty }; 16];
        for group in pairs.chunk_by(|a, b| a.0.nibble(depth) == b.0.nibble(depth)) {
            children[group[0].0.nibble(depth)] = Self::of(group.to_vec(), depth + 1);
        }
        Self::inner(children)
    }

    /// An inner node; the children hold more than [`LEAF_KEYS_MAX`] keys.
    pub(super) fn inner(children: [Self; 16]) -> Self {
        let count = children.iter().map(Self::count).sum();
        assert!(count > LEAF_KEYS_MAX as u64, "so few keys make a leaf");
        let digest = inner_digest(&std::array::from_fn(|nibble| children[nibble].digest()));
        Self::Inner(Arc::new(Inner { digest, count, children }))
    }

    /// The pairs of a node that isn't inner; `None` if it is. A stored leaf is read and checked, unless its
    /// content is at hand by its digest.
    pub(super) fn pairs(&self, source: &dyn LeafSource, prefix: &Prefix) -> Result<Option<Pairs<'_>>, Error> {
        match self {
            Self::Empty => Ok(Some(Pairs::None)),
            Self::Loaded(leaf) => Ok(Some(Pairs::Held(&leaf.pairs))),
            Self::Stored { digest, count } => {
                if let Some(pairs) = source.known(digest) {
                    return Ok(Some(Pairs::Read(pairs)));
                }
                let pairs = source.leaf(prefix)?;
                // The digest covers order and content; the count spares hashing what is too long.
                if pairs.len() == usize::from(*count) && leaf_digest(&pairs) == Some(*digest) {
                    let pairs: Arc<[Pair]> = pairs.into();
                    source.learn(digest, &pairs);
                    Ok(Some(Pairs::Read(pairs)))
                } else {
                    Err(Error::Corrupt { prefix: *prefix })
                }
            }
            Self::Inner(_) => Ok(None),
        }
    }

    /// A leaf in memory, with its digest.
    pub(super) fn loaded(&self) -> Option<(&Digest, &Arc<[Pair]>)> {
        match self {
            Self::Loaded(leaf) => Some((&leaf.digest, &leaf.pairs)),
            _ => None,
        }
    }

    /// Appends all pairs below, ascending. For small subtrees.
    pub(super) fn collect(
        &self,
        source: &dyn LeafSource,
        prefix: &Prefix,
        into: &mut Vec<Pair>,
    ) -> Result<(), Error> {
        if let Self::Inner(inner) = self {
            return collect_children(&inner.children, source, prefix, into);
        }
        if let Some(pairs) = self.pairs(source, prefix)? {
            into.extend_from_slice(&pairs);
        }
        Ok(())
    }

    /// The same leaf with its pairs left to the store; other nodes as they are.
    pub(super) fn stored(&self) -> Self {
        match self {
            // A leaf has at most LEAF_KEYS_MAX pairs.
            Self::Loaded(leaf) => Self::Stored { digest: leaf.digest, count: leaf.pairs.len() as u8 },
            other => other.clone(),
        }
    }
}

/// Appends all pairs below the children of the node at `prefix`, ascending.
pub(super) fn collect_children(
    children: &[Node; 16],
    source: &dyn LeafSource,
    prefix: &Prefix,
    into: &mut Vec<Pair>,
) -> Result<(), Error> {
    for (child, nibble) in children.iter().zip(0..) {
        if let Some(place) = prefix.child(nibble) {
            child.collect(source, &place, into)?;
        }
    }
    Ok(())
}

const _: () = assert!(LEAF_KEYS_MAX <= u8::MAX as usize, "a stored leaf counts its keys in one byte");
const _: () = assert!(size_of::<Node>() == 40, "what a stored leaf costs in memory");
