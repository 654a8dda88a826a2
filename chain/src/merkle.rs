//! Binary Merkle tree over a list of hashes (transaction ids, receipt hashes), of the shape of RFC 6962 §2.1.
//!
//! A leaf is BLAKE3 keyed with `LEAF_KEY` over its item and 32 zero bytes, an inner node BLAKE3 keyed with
//! `NODE_KEY` over its two digests: each is one block, so many are hashed side by side. A list of n > 1 splits at
//! the largest power of two below n. The root binds the list's length through the tree's shape and the count in
//! the header.

use crate::crypto::compress::{Block, key_words, keyed_hashes};
use crate::ids::MerkleRoot;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::codec::List;

/// Levels of the largest tree that a proof may come from: 2^32 leaves.
pub const DEPTH_MAX: usize = 32;

type Hash = [u8; 32];

const LEAF_KEY: Hash = *b"quorate/list/v1/leaf-of-one-item";
const NODE_KEY: Hash = *b"quorate/list/v1/node-of-2-digest";
const LEAF_WORDS: [u32; 8] = key_words(&LEAF_KEY);
const NODE_WORDS: [u32; 8] = key_words(&NODE_KEY);

/// How many are hashed side by side.
const LANES: usize = 16;

fn block(left: &Hash, right: &Hash) -> Block {
    let mut block = [0; 64];
    block[..32].copy_from_slice(left);
    block[32..].copy_from_slice(right);
    block
}

/// The keyed hash of each block.
fn hashes(key: &[u32; 8], blocks: impl ExactSizeIterator<Item = Block>) -> Vec<Hash> {
    let mut hashes = Vec::with_capacity(blocks.len());
    let mut lanes = [[0; 64]; LANES];
    let mut filled = 0;
    for block in blocks {
        lanes[filled] = block;
        filled += 1;
        if filled == LANES {
            hashes.extend(keyed_hashes(key, &lanes));
            filled = 0;
        }
    }
    hashes.extend(lanes[..filled].iter().flat_map(|block| keyed_hashes(key, &[*block])));
    hashes
}

fn leaf(item: &Hash) -> Hash {
    let [leaf] = keyed_hashes(&LEAF_WORDS, &[block(item, &[0; 32])]);
    leaf
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let [node] = keyed_hashes(&NODE_WORDS, &[block(left, right)]);
    node
}

/// Largest power of two below `n` ≥ 2.
const fn split(n: usize) -> usize {
    1 << (usize::BITS - 1 - (n - 1).leading_zeros())
}

/// Root of the list; of the empty list, BLAKE3 of nothing.
#[must_use]
pub fn root(items: &[Hash]) -> MerkleRoot {
    MerkleRoot(subtree(items))
}

/// Level by level: neighbours become a node, one that is left over stays for the next level, which comes to the same
/// as splitting at powers of two.
fn subtree(items: &[Hash]) -> Hash {
    let mut level = hashes(&LEAF_WORDS, items.iter().map(|item| block(item, &[0; 32])));
    while level.len() > 1 {
        let (pairs, rest) = level.as_chunks::<2>();
        let mut above = hashes(&NODE_WORDS, pairs.iter().map(|[left, right]| block(left, right)));
        above.extend(rest);
        level = above;
    }
    level.pop().unwrap_or_else(|| *blake3::hash(&[]).as_bytes())
}

/// The siblings on the way from a leaf up to the root.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct MerkleProof {
    /// Position in the list.
    pub index: u32,
    /// Length of the list.
    pub count: u32,
    /// Sibling digests, leaf's level first.
    pub siblings: List<crate::ids::MerkleRoot, 0, DEPTH_MAX>,
}

/// Proof that `items[index]` is at its place; `None` when the index is outside of the list.
#[must_use]
pub fn prove(items: &[Hash], index: usize) -> Option<MerkleProof> {
    if index >= items.len() {
        return None;
    }
    let mut siblings = Vec::new();
    let (mut rest, mut position) = (items, index);
    while rest.len() > 1 {
        let (left, right) = rest.split_at(split(rest.len()));
        if position < left.len() {
            siblings.push(MerkleRoot(subtree(right)));
            rest = left;
        } else {
            siblings.push(MerkleRoot(subtree(left)));
            position -= left.len();
            rest = right;
        }
    }
    siblings.reverse();
    Some(MerkleProof {
        index: u32::try_from(index).ok()?,
        count: u32::try_from(items.len()).ok()?,
        siblings: List::new(siblings).ok()?,
    })
}

impl MerkleProof {
    /// Whether `item` is at `index` in the list of `count` with this root.
    #[must_use]
    pub fn verify(&self, root: MerkleRoot, item: &Hash) -> bool {
        let (mut position, mut count) = (self.index as usize, self.count as usize);
        if position >= count {
            return false;
        }
        // The way down, root first: whether the leaf is in the right half at each level.
        let mut turns = Vec::with_capacity(DEPTH_MAX);
        while count > 1 {
            let left = split(count);
            turns.push(position >= left);
            if position >= left {
                position -= left;
                count -= left;
            } else {
                count = left;
            }
        }
        if turns.len() != self.siblings.len() {
            return false;
        }
        let mut digest = leaf(item);
        for (right, sibling) in turns.iter().rev().zip(self.siblings.iter()) {
            digest = if *right { node(&sibling.0, &digest) } else { node(&digest, &sibling.0) };
        }
        digest == root.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(n: usize) -> Vec<Hash> {
        (0..n).map(|i| *blake3::hash(&i.to_le_bytes()).as_bytes()).collect()
    }

    #[test]
    fn every_leaf_of_every_small_list_is_proven_and_nothing_else() {
        for n in 1..40 {
            let list = items(n);
            let root = root(&list);
            for i in 0..n {
                let proof = prove(&list, i).unwrap();
                assert!(proof.verify(root, &list[i]));
                assert!(!proof.verify(root, &[9; 32]));
                let moved = MerkleProof { index: (proof.index + 1) % proof.count, ..proof.clone() };
                assert!(n == 1 || !moved.verify(root, &list[i]));
                let mut cut = proof.siblings.to_vec();
                if cut.pop().is_some() {
                    assert!(
                        !MerkleProof { siblings: List::new(cut).unwrap(), ..proof }.verify(root, &list[i])
                    );
                }
            }
            assert!(prove(&list, n).is_none());
        }
    }

    /// As RFC 6962 says it.
    fn recursive(items: &[Hash]) -> Hash {
        if let [item] = items {
            return *blake3::keyed_hash(&LEAF_KEY, &block(item, &[0; 32])).as_bytes();
        }
        let (left, right) = items.split_at(split(items.len()));
        *blake3::keyed_hash(&NODE_KEY, &block(&recursive(left), &recursive(right))).as_bytes()
    }

    #[test]
    fn a_root_level_by_level_is_the_root_by_splitting() {
        for n in (1..=70).chain([127, 128, 129, 255, 1_000, 2_000]) {
            let list = items(n);
            assert_eq!(root(&list).0, recursive(&list), "{n} items");
        }
    }

    #[test]
    fn golden_roots() {
        let text = |n| hex::encode(root(&items(n)).0);
        assert_eq!(text(0), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
        assert_ne!(text(1), text(2));
        assert_ne!(text(2), text(3));
    }

    #[test]
    fn the_longest_proof_is_that_of_the_largest_list() {
        let longest = vec![crate::ids::MerkleRoot::default(); DEPTH_MAX];
        let proof = MerkleProof { index: 0, count: u32::MAX, siblings: List::new(longest.clone()).unwrap() };
        let bytes = crate::codec::encode(&proof);
        assert_eq!(crate::codec::decode::<MerkleProof>(&bytes), Ok(proof));
        assert!(List::<_, 0, DEPTH_MAX>::new([longest, vec![Default::default()]].concat()).is_err());
    }
}
