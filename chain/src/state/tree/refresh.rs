//! A tree of an older version brought to what the store holds now.

use super::evict::evict_all;
use super::hashes::KeyHash;
use super::node::{Node, collect_children};
use super::prefix::Prefix;
use super::{Error, LEAF_KEYS_MAX, RangeSource};

/// The node at `depth` with the leaves of `keys` (ascending, not empty, all below it) read again.
pub(super) fn refresh(
    node: &Node,
    source: &dyn RangeSource,
    depth: usize,
    keys: &[KeyHash],
) -> Result<Node, Error> {
    let prefix = Prefix::of(&keys[0], depth);
    let Node::Inner(inner) = node else {
        return Ok(evict_all(&Node::of(source.pairs_below(&prefix)?, depth)));
    };
    let mut children = inner.children.clone();
    for group in keys.chunk_by(|a, b| a.nibble(depth) == b.nibble(depth)) {
        let child = &mut children[group[0].nibble(depth)];
        *child = refresh(child, source, depth + 1, group)?;
    }
    let count: u64 = children.iter().map(Node::count).sum();
    if count > LEAF_KEYS_MAX as u64 {
        return Ok(Node::inner(children));
    }
    let mut pairs = Vec::with_capacity(LEAF_KEYS_MAX);
    collect_children(&children, source, &prefix, &mut pairs)?;
    Ok(Node::of(pairs, depth).stored())
}
