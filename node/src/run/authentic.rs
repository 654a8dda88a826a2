//! Which transactions' signatures were found to hold lately: none is verified twice on a node, by whatever way it
//! comes again.

use quorate_chain::TransactionId;
use std::collections::HashSet;

/// Ids of a generation. Two are kept.
const GENERATION_MAX: usize = 65_536;

/// The last ones, at least [`GENERATION_MAX`] of them. An id is the hash of all bytes, signatures included.
#[derive(Debug, Default)]
pub(super) struct Authentic {
    new: HashSet<TransactionId>,
    old: HashSet<TransactionId>,
}

impl Authentic {
    pub(super) fn has(&self, id: TransactionId) -> bool {
        self.new.contains(&id) || self.old.contains(&id)
    }

    pub(super) fn add(&mut self, id: TransactionId) {
        if self.new.len() >= GENERATION_MAX {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(i: usize) -> TransactionId {
        TransactionId(std::array::from_fn(|at| (i >> (8 * (at % 4))) as u8))
    }

    #[test]
    fn the_last_ones_are_known_and_no_more_than_two_generations() {
        let mut authentic = Authentic::default();
        for i in 0..3 * GENERATION_MAX {
            authentic.add(id(i));
            assert!(authentic.has(id(i)) && authentic.has(id(i.saturating_sub(GENERATION_MAX - 1))));
        }
        assert!(!authentic.has(id(0)));
        assert_eq!((authentic.new.len(), authentic.old.len()), (GENERATION_MAX, GENERATION_MAX));
    }
}
