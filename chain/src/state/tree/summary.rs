//! A node as other replicas see it.

use super::LEAF_KEYS_MAX;
use super::digest::{EMPTY, inner_digest};
use super::hashes::Digest;
use super::node::Node;
use crate::codec::invalid;
use borsh::io::{Read, Result as IoResult};
use borsh::{BorshDeserialize, BorshSerialize};

/// What lies at a place of the tree.
///
/// From a peer, only what [`Summary::digest`] covers is proven, once it equals a digest that is trusted: the
/// children of an inner node, and that a subtree is empty. Counts are hints until the pairs are here.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub enum Summary {
    /// No keys.
    Empty,
    /// 1 to [`LEAF_KEYS_MAX`] keys.
    Leaf {
        /// Over the pairs, see [`leaf_digest`](super::leaf_digest).
        digest: Digest,
        /// How many keys.
        count: u8,
    },
    /// More than [`LEAF_KEYS_MAX`] keys.
    Inner {
        /// Digests of the children, by nibble; [`EMPTY`] where there is none.
        children: Box<[Digest; 16]>,
        /// How many keys below.
        count: u64,
    },
}

impl Summary {
    pub(super) fn of(node: &Node) -> Self {
        match node {
            Node::Empty => Self::Empty,
            Node::Inner(inner) => {
                Self::Inner { children: Box::new(inner.child_digests()), count: inner.count }
            }
            // A leaf has at most LEAF_KEYS_MAX keys.
            leaf => Self::Leaf { digest: leaf.digest(), count: leaf.count() as u8 },
        }
    }

    /// Digest of the node; an inner node's is computed from its children.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::Empty => EMPTY,
            Self::Leaf { digest, .. } => *digest,
            Self::Inner { children, .. } => inner_digest(children),
        }
    }

    /// How many keys, as said.
    #[must_use]
    pub const fn count(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Leaf { count, .. } => *count as u64,
            Self::Inner { count, .. } => *count,
        }
    }
}

impl BorshDeserialize for Summary {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let summary = match u8::deserialize_reader(reader)? {
            0 => return Ok(Self::Empty),
            1 => Self::Leaf {
                digest: Digest::deserialize_reader(reader)?,
                count: u8::deserialize_reader(reader)?,
            },
            2 => Self::Inner {
                children: Box::new(<[Digest; 16]>::deserialize_reader(reader)?),
                count: u64::deserialize_reader(reader)?,
            },
            _ => return Err(invalid("unknown kind of node")),
        };
        let leaf = (1..=LEAF_KEYS_MAX as u64).contains(&summary.count());
        if leaf == matches!(summary, Self::Leaf { .. }) && summary.count() > 0 {
            Ok(summary)
        } else {
            Err(invalid("a node of that kind has another number of keys"))
        }
    }
}
