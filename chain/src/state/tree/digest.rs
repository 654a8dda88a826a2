//! What is hashed, and why a proof cannot be read in two ways.
//!
//! | subtree | digest |
//! | --- | --- |
//! | empty | `EMPTY`, 32 bytes of text that nobody knows a preimage of |
//! | leaf | BLAKE3 keyed with `LEAF_KEY` over its pairs, 64 bytes each; the length binds how many |
//! | inner | binary tree over 16 digests: BLAKE3 keyed with `PAIR_KEY` over two digests, 15 times |
//!
//! A leaf, an empty subtree and a pair of digests are told apart by their keys. Neither depth nor prefix is
//! hashed, for the place follows from the way: a verifier goes down from the root by the nibbles of the
//! asked key, four pairs a level, so each place has one digest, and a leaf carries its keys in full. A leaf
//! put at another place fails there, as its keys don't begin with that place's prefix.

use super::LEAF_KEYS_MAX;
use super::hashes::{Digest, Pair};
use crate::crypto::compress::{key_words, keyed_hashes};

/// Bytes of one (key hash, value hash) pair.
pub(super) const PAIR_BYTES: usize = 64;

/// Digest of a subtree without keys, and so the root of an empty state.
pub const EMPTY: Digest = *b"quorate/state-tree/v1/empty-node";
const LEAF_KEY: Digest = *b"quorate/state-tree/v1/leaf-pairs";
const PAIR_KEY: Digest = *b"quorate/state-tree/v1/inner-pair";

/// Siblings on the way through one inner node: levels of a binary tree over 16.
pub(super) const SIBLINGS: usize = 4;

const PAIR_WORDS: [u32; 8] = key_words(&PAIR_KEY);

fn pair(left: &Digest, right: &Digest) -> Digest {
    let [digest] = pairs(&[*left, *right]);
    digest
}

/// One level up in the binary tree: twice as many digests below as above.
fn pairs<const BELOW: usize, const ABOVE: usize>(digests: &[Digest; BELOW]) -> [Digest; ABOVE] {
    const { assert!(BELOW == 2 * ABOVE) };
    let mut blocks = [[0; 64]; ABOVE];
    blocks.as_flattened_mut().copy_from_slice(digests.as_flattened());
    keyed_hashes(&PAIR_WORDS, &blocks)
}

/// The levels of the binary tree over 16 digests, the widest first; its root is the pair of the last.
fn levels(children: &[Digest; 16]) -> ([Digest; 8], [Digest; 4], [Digest; 2]) {
    let eight = pairs(children);
    let four = pairs(&eight);
    let two = pairs(&four);
    (eight, four, two)
}

/// Digest of an inner node from its children's, in the order of their nibbles.
#[must_use]
pub fn inner_digest(children: &[Digest; 16]) -> Digest {
    let (_, _, [left, right]) = levels(children);
    pair(&left, &right)
}

/// Digest of the subtree that these pairs make if they are at most [`LEAF_KEYS_MAX`]: a leaf, or empty.
/// `None` when they are more. The caller has seen to their order.
#[must_use]
pub fn leaf_digest(pairs: &[Pair]) -> Option<Digest> {
    if pairs.is_empty() {
        return Some(EMPTY);
    }
    if pairs.len() > LEAF_KEYS_MAX {
        return None;
    }
    let mut message = [0; LEAF_KEYS_MAX * PAIR_BYTES];
    for (slot, (key, value)) in message.chunks_exact_mut(PAIR_BYTES).zip(pairs) {
        slot[..32].copy_from_slice(&key.0);
        slot[32..].copy_from_slice(&value.0);
    }
    Some(*blake3::keyed_hash(&LEAF_KEY, &message[..pairs.len() * PAIR_BYTES]).as_bytes())
}

/// The siblings of child `nibble`, the highest in the binary tree first.
pub(super) fn siblings(children: &[Digest; 16], nibble: usize) -> [Digest; SIBLINGS] {
    let (eight, four, two) = levels(children);
    [two[(nibble >> 3) ^ 1], four[(nibble >> 2) ^ 1], eight[(nibble >> 1) ^ 1], children[nibble ^ 1]]
}

/// Digest of the inner node whose child `nibble` has this digest and these siblings.
pub(super) fn climb(child: Digest, siblings: &[Digest; SIBLINGS], nibble: usize) -> Digest {
    siblings.iter().rev().enumerate().fold(child, |digest, (level, sibling)| {
        if (nibble >> level) & 1 == 1 { pair(sibling, &digest) } else { pair(&digest, sibling) }
    })
}
