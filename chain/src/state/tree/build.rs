//! A full build from all pairs in ascending order, in one pass, keeping digests only.

use super::hashes::Pair;
use super::node::Node;
use super::prefix::Prefix;
use super::{Error, LEAF_KEYS_MAX};
use std::collections::VecDeque;

/// Pairs looked at ahead: one more than a leaf holds tells whether the next subtree is a leaf.
const LOOKAHEAD: usize = LEAF_KEYS_MAX + 1;

pub(super) struct Builder<I> {
    pairs: I,
    ahead: VecDeque<Pair>,
    /// The last pair that was read.
    last: Option<Pair>,
}

impl<I: Iterator<Item = Result<Pair, Error>>> Builder<I> {
    pub(super) fn new(pairs: I) -> Self {
        Self { pairs, ahead: VecDeque::with_capacity(LOOKAHEAD), last: None }
    }

    fn fill(&mut self) -> Result<(), Error> {
        while self.ahead.len() < LOOKAHEAD {
            let Some(pair) = self.pairs.next().transpose()? else { break };
            if self.last.is_some_and(|last| last.0 >= pair.0) {
                return Err(Error::Unsorted { key: pair.0 });
            }
            self.last = Some(pair);
            self.ahead.push_back(pair);
        }
        Ok(())
    }

    /// Takes all pairs below `prefix`, which are next.
    pub(super) fn subtree(&mut self, prefix: &Prefix) -> Result<Node, Error> {
        self.fill()?;
        let below = self.ahead.partition_point(|pair| prefix.contains(&pair.0));
        if below <= LEAF_KEYS_MAX
            && let Ok(leaf) = Node::leaf(self.ahead.drain(..below).collect())
        {
            return Ok(leaf.stored());
        }
        let mut children = [const { Node::Empty }; 16];
        for (child, nibble) in children.iter_mut().zip(0..) {
            if let Some(place) = prefix.child(nibble) {
                *child = self.subtree(&place)?;
            }
        }
        Ok(Node::inner(children))
    }
}
