//! What can go wrong between the tree, its store and a peer's proof.

use super::hashes::KeyHash;
use super::prefix::Prefix;

/// An error of the partition tree.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What the store holds under this prefix is not what the tree's digest covers: the store is damaged
    /// there, or it is of another version than the tree.
    #[error("stored leaf {prefix} does not match its digest")]
    Corrupt {
        /// Where; everything outside of it is unaffected.
        prefix: Prefix,
    },
    /// The store could not be read.
    #[error("cannot read stored leaf: {0}")]
    Source(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A full build was given keys out of strictly ascending order.
    #[error("key {key:?} is not above the one before it")]
    Unsorted {
        /// The first key that is out of order.
        key: KeyHash,
    },
    /// The proof's leaf holds keys that don't belong where the asked key leads.
    #[error("the proof is about another key")]
    ForeignLeaf,
    /// The proof is of another root.
    #[error("the proof does not lead to the root")]
    WrongRoot,
}

impl Error {
    /// Wraps what the store said.
    pub fn source(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Source(Box::new(error))
    }

    /// Whether whoever sent the proof is to blame.
    #[must_use]
    pub const fn is_peer_fault(&self) -> bool {
        matches!(self, Self::ForeignLeaf | Self::WrongRoot)
    }

    /// Whether the same call may succeed later with nothing repaired.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Source(_))
    }
}
