//! The two hashes that the tree is made of.

use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;

/// A hash of 32 bytes: a key's, a value's or a subtree's.
pub type Digest = [u8; 32];

/// BLAKE3 of a state key: its place in the tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct KeyHash(pub Digest);

/// BLAKE3 of a state value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct ValueHash(pub Digest);

/// What a leaf holds for each of its keys.
pub type Pair = (KeyHash, ValueHash);

/// A key and its new value hash; `None` deletes the key.
pub(super) type Change = (KeyHash, Option<ValueHash>);

impl KeyHash {
    /// The hash of a key's bytes.
    #[must_use]
    pub fn of(key: &[u8]) -> Self {
        Self(*blake3::hash(key).as_bytes())
    }

    /// The next hash; `None` after the last one.
    #[must_use]
    pub fn successor(&self) -> Option<Self> {
        let mut next = *self;
        for byte in next.0.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                return Some(next);
            }
        }
        None
    }

    /// Nibble `depth` (0..64), most significant first, so that byte order is path order.
    pub(super) const fn nibble(&self, depth: usize) -> usize {
        let byte = self.0[depth / 2];
        (if depth.is_multiple_of(2) { byte >> 4 } else { byte & 15 }) as usize
    }
}

impl ValueHash {
    /// The hash of a value's bytes.
    #[must_use]
    pub fn of(value: &[u8]) -> Self {
        Self(*blake3::hash(value).as_bytes())
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyHash({})", hex::encode(self.0))
    }
}

impl fmt::Debug for ValueHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValueHash({})", hex::encode(self.0))
    }
}
