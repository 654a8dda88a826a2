//! Proof of a key's value hash, or of its absence: the whole leaf where the key falls, and the way to it.
//!
//! Encoding: a list of levels, root first, each four sibling digests; a list of the leaf's pairs, ascending,
//! empty for an empty subtree. So 8 + 128 bytes a level + 64 bytes a pair: at most 2,824 bytes with 6 levels
//! (a state of 10 million keys), and [`PROOF_BYTES_MAX`] for keys ground to share all their nibbles.

use super::digest::{PAIR_BYTES, SIBLINGS, climb, leaf_digest};
use super::error::Error;
use super::hashes::{Digest, KeyHash, Pair, ValueHash};
use super::prefix::Prefix;
use super::{DEPTH_MAX, LEAF_KEYS_MAX};
use crate::codec::{List, invalid};
use borsh::io::{Read, Result as IoResult};
use borsh::{BorshDeserialize, BorshSerialize};

/// No encoded proof is longer, in bytes.
pub const PROOF_BYTES_MAX: usize = 8 + DEPTH_MAX * SIBLINGS * 32 + LEAF_KEYS_MAX * PAIR_BYTES;

/// What leads from a root to one key's leaf.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize)]
pub struct Proof {
    /// The siblings in each inner node on the way, root first; in a node the highest pair first.
    levels: List<[Digest; SIBLINGS], 0, DEPTH_MAX>,
    /// All pairs of the leaf, strictly ascending.
    leaf: List<Pair, 0, LEAF_KEYS_MAX>,
}

impl Proof {
    /// `None` when a list is too long, which no tree's is.
    pub(super) fn new(levels: Vec<[Digest; SIBLINGS]>, leaf: Vec<Pair>) -> Option<Self> {
        Some(Self { levels: List::new(levels).ok()?, leaf: List::new(leaf).ok()? })
    }

    /// The key's value hash in the state with this root; `None` when the state does not have the key.
    ///
    /// # Errors
    /// [`Error::ForeignLeaf`] or [`Error::WrongRoot`] when the proof shows neither.
    pub fn verify(&self, root: &Digest, key: &KeyHash) -> Result<Option<ValueHash>, Error> {
        let place = Prefix::of(key, self.levels.len());
        if !self.leaf.iter().all(|(key, _)| place.contains(key)) {
            return Err(Error::ForeignLeaf);
        }
        let leaf = leaf_digest(&self.leaf).ok_or(Error::ForeignLeaf)?;
        let top = self
            .levels
            .iter()
            .enumerate()
            .rev()
            .fold(leaf, |digest, (depth, siblings)| climb(digest, siblings, key.nibble(depth)));
        if top != *root {
            return Err(Error::WrongRoot);
        }
        Ok(self.leaf.iter().find(|pair| pair.0 == *key).map(|pair| pair.1))
    }

    /// Inner nodes between the root and the leaf.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.levels.len()
    }
}

impl BorshDeserialize for Proof {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let levels = List::deserialize_reader(reader)?;
        let leaf = List::<Pair, 0, LEAF_KEYS_MAX>::deserialize_reader(reader)?;
        if !leaf.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(invalid("pairs of a leaf out of order"));
        }
        Ok(Self { levels, leaf })
    }
}
