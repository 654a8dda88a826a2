//! Proposes times before the parent's, just after it, at the edge of what is allowed, and an hour ahead. Its core
//! believes that it wanted these, so that it goes on from them.

use super::Fixture;
use super::scene::Scene;
use crate::sim::node::MAX_AHEAD_MS;
use quorate_consensus::Unsigned;

const HOUR_MS: u64 = 3_600_000;

pub(super) struct TimestampCheat;

impl Fixture for TimestampCheat {
    fn signs(&mut self, scene: &mut Scene<'_>, unsigned: Unsigned) -> Unsigned {
        let Unsigned::Proposal(epoch, view, block) = unsigned else { return unsigned };
        let right_ms = block.header().timestamp_ms.0;
        let parent = scene.library.block(block.header().parent);
        let parent_ms = parent.map_or(right_ms - 1, |block| block.header().timestamp_ms.0);
        // Mostly what is valid: else it would lead for one time-out only.
        let time = match scene.random.below(24) {
            0 => parent_ms.saturating_sub(HOUR_MS),
            1 => parent_ms,
            2 => scene.clock_ms + HOUR_MS,
            3..=11 => parent_ms + 1,
            12..=20 => scene.clock_ms + MAX_AHEAD_MS,
            _ => right_ms,
        };
        let transactions = block.block().transactions.to_vec();
        match scene.sibling(&block, time, transactions).filter(|_| time != right_ms) {
            Some(other) => {
                scene.lies += 1;
                Unsigned::Proposal(epoch, view, other)
            }
            None => Unsigned::Proposal(epoch, view, block),
        }
    }
}
