//! A place in the tree: the first nibbles of the key hashes below it.

use super::DEPTH_MAX;
use super::hashes::KeyHash;
use crate::codec::invalid;
use borsh::io::{Read, Result as IoResult};
use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;

/// 0 to 64 nibbles of a key hash. Ordered by path: a prefix sorts before what lies below it.
///
/// Text form: its hex digits and `*`. Encoding: the 32 bytes, nibbles behind the prefix zero, then the
/// length as one byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize)]
pub struct Prefix {
    bytes: [u8; 32],
    length: u8,
}

impl Prefix {
    /// The whole tree.
    pub const ROOT: Self = Self { bytes: [0; 32], length: 0 };

    /// The first `length` nibbles of a key hash; all 64 when `length` is above that.
    #[must_use]
    pub fn of(key: &KeyHash, length: usize) -> Self {
        let length = length.min(DEPTH_MAX);
        let mut bytes = [0; 32];
        bytes[..length / 2].copy_from_slice(&key.0[..length / 2]);
        if length % 2 == 1 {
            bytes[length / 2] = key.0[length / 2] & 0xf0;
        }
        Self { bytes, length: length as u8 }
    }

    /// How many nibbles: the depth of the node at this prefix.
    #[must_use]
    pub const fn depth(&self) -> usize {
        self.length as usize
    }

    /// The place one level down; `None` for a nibble above 15 or below a prefix of 64 nibbles.
    #[must_use]
    pub fn child(&self, nibble: u8) -> Option<Self> {
        if nibble > 15 || self.depth() >= DEPTH_MAX {
            return None;
        }
        let mut child = Self { length: self.length + 1, ..*self };
        child.bytes[self.depth() / 2] |= if self.depth().is_multiple_of(2) { nibble << 4 } else { nibble };
        Some(child)
    }

    /// Whether the key lies below this prefix.
    #[must_use]
    pub fn contains(&self, key: &KeyHash) -> bool {
        Self::of(key, self.depth()) == *self
    }

    /// The lowest and the highest key hash below this prefix, both inclusive: what a store scans.
    #[must_use]
    pub fn range(&self) -> (KeyHash, KeyHash) {
        let mut last = self.bytes;
        last[self.depth().div_ceil(2)..].fill(0xff);
        if self.depth() % 2 == 1 {
            last[self.depth() / 2] |= 0x0f;
        }
        (KeyHash(self.bytes), KeyHash(last))
    }

    /// The lowest key hash below: its nibbles spell the path.
    pub(super) const fn path(&self) -> KeyHash {
        KeyHash(self.bytes)
    }
}

impl BorshDeserialize for Prefix {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let bytes = <[u8; 32]>::deserialize_reader(reader)?;
        let length = u8::deserialize_reader(reader)?;
        let prefix = Self { bytes, length };
        if usize::from(length) > DEPTH_MAX || Self::of(&KeyHash(bytes), usize::from(length)) != prefix {
            return Err(invalid("not a prefix in canonical form"));
        }
        Ok(prefix)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for depth in 0..self.depth() {
            write!(f, "{:x}", self.path().nibble(depth))?;
        }
        f.write_str("*")
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({self})")
    }
}
