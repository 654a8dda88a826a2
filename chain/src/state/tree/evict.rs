//! Leaves given back to the store once it holds what they hold.

use super::hashes::KeyHash;
use super::node::{Inner, Node};
use std::sync::Arc;

/// All loaded leaves become stored.
pub(super) fn evict_all(node: &Node) -> Node {
    match node {
        Node::Inner(inner) => with_children(node, inner.children.each_ref().map(evict_all)),
        other => other.stored(),
    }
}

/// Leaves on and beside the ways to `keys` (ascending, all below) become stored where `flushed` has the
/// same leaf.
///
/// Beside them, because a split leaves one key's way and fifteen siblings, all of them loaded.
pub(super) fn evict(node: &Node, flushed: &Node, depth: usize, keys: &[KeyHash]) -> Node {
    let (Node::Inner(inner), Node::Inner(base)) = (node, flushed) else {
        return evict_leaf(node, flushed);
    };
    let mut children: [Node; 16] =
        std::array::from_fn(|nibble| evict_leaf(&inner.children[nibble], &base.children[nibble]));
    for group in keys.chunk_by(|a, b| a.nibble(depth) == b.nibble(depth)) {
        let nibble = group[0].nibble(depth);
        if matches!(children[nibble], Node::Inner(_)) {
            children[nibble] = evict(&inner.children[nibble], &base.children[nibble], depth + 1, group);
        }
    }
    with_children(node, children)
}

/// The very leaf of `flushed`, so unchanged since then. Equal content would not do: a leaf that was changed
/// and changed back differs from the store while the change between is flushed.
fn evict_leaf(node: &Node, flushed: &Node) -> Node {
    match (node, flushed) {
        (Node::Loaded(leaf), Node::Loaded(base)) if Arc::ptr_eq(leaf, base) => node.stored(),
        (node, _) => node.clone(),
    }
}

/// An inner node with children of the same content; no new node when none became another.
fn with_children(node: &Node, children: [Node; 16]) -> Node {
    let Node::Inner(inner) = node else { return node.clone() };
    if children.iter().zip(&inner.children).all(|(new, old)| same(new, old)) {
        return node.clone();
    }
    Node::Inner(Arc::new(Inner { digest: inner.digest, count: inner.count, children }))
}

/// Whether nodes of equal content also take the same memory.
fn same(new: &Node, old: &Node) -> bool {
    match (new, old) {
        (Node::Inner(new), Node::Inner(old)) => Arc::ptr_eq(new, old),
        (new, old) => std::mem::discriminant(new) == std::mem::discriminant(old),
    }
}
