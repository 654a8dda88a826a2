//! BLAKE3 of several pairs of digests at once: inner nodes of the state's tree, and of lists.
//!
//! A pair is one block of BLAKE3, so what the hash of it costs is mostly what surrounds the compression. The
//! crate can compress up to 16 blocks side by side, but offers that only in a module that it calls unstable;
//! its version is pinned, and tests hold the result to `blake3::keyed_hash`. A node of 16 children costs a
//! third of what it costs pair by pair.

use blake3::IncrementCounter;
use blake3::platform::Platform;

/// 32 bytes of a hash, or of its key.
type Digest = [u8; 32];
/// Two digests in a row: one block.
pub(crate) type Block = [u8; 64];

/// BLAKE3's flags (its paper, §2.3, table 3).
const CHUNK_START: u8 = 1 << 0;
const CHUNK_END: u8 = 1 << 1;
const ROOT: u8 = 1 << 3;
const KEYED_HASH: u8 = 1 << 4;

/// A key as the words that the compression starts from.
pub(crate) const fn key_words(key: &Digest) -> [u32; 8] {
    let mut words = [0; 8];
    let mut i = 0;
    while i < 8 {
        words[i] = u32::from_le_bytes([key[4 * i], key[4 * i + 1], key[4 * i + 2], key[4 * i + 3]]);
        i += 1;
    }
    words
}

/// The keyed hash of each block: each is a message that is one chunk of one block, and its own root.
pub(crate) fn keyed_hashes<const N: usize>(key: &[u32; 8], blocks: &[Block; N]) -> [Digest; N] {
    let mut digests = [[0; 32]; N];
    let inputs = blocks.each_ref();
    let (start, end) = (CHUNK_START, CHUNK_END | ROOT);
    let out = digests.as_flattened_mut();
    Platform::detect().hash_many(&inputs, key, 0, IncrementCounter::No, KEYED_HASH, start, end, out);
    digests
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::array::from_fn;

    fn agree<const N: usize>(key: Digest) {
        let blocks: [Block; N] = from_fn(|n| from_fn(|i| (i * 7 + n * 31 + usize::from(key[0])) as u8));
        let singly = blocks.map(|block| *blake3::keyed_hash(&key, &block).as_bytes());
        assert_eq!(keyed_hashes(&key_words(&key), &blocks), singly);
    }

    #[test]
    fn side_by_side_is_the_keyed_hash_of_each() {
        for seed in 0..64 {
            let key = from_fn(|i| (i as u8).wrapping_mul(29) ^ seed);
            agree::<1>(key);
            agree::<2>(key);
            agree::<3>(key);
            agree::<4>(key);
            agree::<8>(key);
            agree::<16>(key);
        }
    }
}
