//! Leaf after leaf, in the order of their keys.

use super::hashes::KeyHash;
use super::node::Node;
use super::prefix::Prefix;

/// The prefix of the first leaf below `prefix` that does not end below `from`.
pub(super) fn leaf_from(node: &Node, prefix: &Prefix, from: &KeyHash) -> Option<Prefix> {
    if prefix.range().1 < *from {
        return None;
    }
    match node {
        Node::Empty => None,
        Node::Inner(inner) => inner
            .children
            .iter()
            .zip(0..)
            .find_map(|(child, nibble)| leaf_from(child, &prefix.child(nibble)?, from)),
        _ => Some(*prefix),
    }
}
