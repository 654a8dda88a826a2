//! Shape and leaf digests as bytes: a node after the other, depth first.
//!
//! An empty subtree is a 0, a leaf its count (1 to 32) and its digest, an inner node 255 and its 16 children.
//! Inner digests are computed again when it is read, so nothing in it is believed but the leaves' digests.

use super::hashes::Digest;
use super::node::Node;
use super::{DEPTH_MAX, LEAF_KEYS_MAX};
use std::io::{self, ErrorKind, Read, Write};

const INNER: u8 = u8::MAX;

pub(super) fn save(node: &Node, into: &mut dyn Write) -> io::Result<()> {
    match node {
        Node::Inner(inner) => {
            into.write_all(&[INNER])?;
            inner.children.iter().try_for_each(|child| save(child, into))
        }
        Node::Empty => into.write_all(&[0]),
        // A leaf has at most LEAF_KEYS_MAX keys.
        leaf => {
            into.write_all(&[leaf.count() as u8])?;
            into.write_all(&leaf.digest())
        }
    }
}

pub(super) fn load(from: &mut dyn Read, depth: usize) -> io::Result<Node> {
    let mut kind = [0];
    from.read_exact(&mut kind)?;
    match kind[0] {
        0 => Ok(Node::Empty),
        count if usize::from(count) <= LEAF_KEYS_MAX => {
            let mut digest = Digest::default();
            from.read_exact(&mut digest)?;
            Ok(Node::Stored { digest, count })
        }
        INNER if depth < DEPTH_MAX => {
            let mut children = [const { Node::Empty }; 16];
            for child in &mut children {
                *child = load(from, depth + 1)?;
            }
            let count = children.iter().map(Node::count).fold(0, u64::saturating_add);
            if count > LEAF_KEYS_MAX as u64 { Ok(Node::inner(children)) } else { Err(no_tree()) }
        }
        _ => Err(no_tree()),
    }
}

fn no_tree() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "these bytes are no tree")
}
