//! A new version of the tree from changes: one way down, each touched node hashed once.

use super::hashes::{Change, Pair};
use super::node::{Node, collect_children};
use super::prefix::Prefix;
use super::{Error, LEAF_KEYS_MAX, LeafSource};
use std::cmp::Ordering;

/// The node at `depth` after `changes`, which are ascending, not empty, and all below it.
pub(super) fn apply(
    node: &Node,
    source: &dyn LeafSource,
    depth: usize,
    changes: &[Change],
) -> Result<Node, Error> {
    let prefix = Prefix::of(&changes[0].0, depth);
    let Node::Inner(inner) = node else {
        let Some(old) = node.pairs(source, &prefix)? else { return Err(Error::Corrupt { prefix }) };
        let new = merged(&old, changes);
        // Unchanged content stays as it is: a stored leaf needs no memory.
        return Ok(if *new == *old { node.clone() } else { Node::of(new, depth) });
    };
    let mut children = inner.children.clone();
    for group in changes.chunk_by(|a, b| a.0.nibble(depth) == b.0.nibble(depth)) {
        let child = &mut children[group[0].0.nibble(depth)];
        *child = apply(child, source, depth + 1, group)?;
    }
    let count: u64 = children.iter().map(Node::count).sum();
    if count > LEAF_KEYS_MAX as u64 {
        return Ok(Node::inner(children));
    }
    // The shape follows from the content alone: so few keys are a leaf.
    let mut pairs = Vec::with_capacity(LEAF_KEYS_MAX);
    collect_children(&children, source, &prefix, &mut pairs)?;
    Ok(Node::of(pairs, depth))
}

/// Merges ascending changes into ascending pairs.
fn merged(old: &[Pair], changes: &[Change]) -> Vec<Pair> {
    // Most changes are of keys that are there.
    let mut new = Vec::with_capacity(old.len().max(changes.len()));
    let (mut old, mut changes) = (old.iter().peekable(), changes.iter().peekable());
    loop {
        let order = match (old.peek(), changes.peek()) {
            (None, None) => return new,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(pair), Some(change)) => pair.0.cmp(&change.0),
        };
        if order == Ordering::Less {
            new.extend(old.next());
            continue;
        }
        if order == Ordering::Equal {
            old.next();
        }
        new.extend(changes.next().and_then(|(key, value)| value.map(|value| (*key, value))));
    }
}
