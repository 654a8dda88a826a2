//! Proposes times before the parent's, just after it, at the edge of what is allowed, and an hour ahead.

use super::scene::Scene;
use super::{Fate, Fixture, Letter, own};
use crate::sim::node::MAX_AHEAD_MS;
use crate::sim::wire::Wire;
use quorate_consensus::{Message, Unsigned};

const HOUR_MS: u64 = 3_600_000;

pub(super) struct TimestampCheat;

impl Fixture for TimestampCheat {
    fn fate(&mut self, _: &mut Scene<'_>, _: usize, wire: &Wire) -> Fate {
        let Wire::Consensus(message) = wire else { return Fate::Pass };
        if matches!(message.get(), Message::Proposal(_)) { Fate::Drop } else { Fate::Pass }
    }

    fn says(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        let Message::Proposal(proposal) = message else { return Vec::new() };
        let header = proposal.block.header();
        let parent = scene.library.block(header.parent);
        let parent_ms = parent.map_or(header.timestamp_ms.0 - 1, |block| block.header().timestamp_ms.0);
        let time = match scene.random.below(7) {
            0 => parent_ms.saturating_sub(HOUR_MS),
            1 => parent_ms,
            2 => parent_ms + 1,
            3 => scene.clock_ms + MAX_AHEAD_MS,
            4 => scene.clock_ms + HOUR_MS,
            _ => header.timestamp_ms.0,
        };
        scene.lies += u64::from(time != header.timestamp_ms.0);
        let transactions = proposal.block.block().transactions.to_vec();
        let Some(block) = scene.sibling(&proposal.block, time, transactions) else { return Vec::new() };
        vec![own(scene.honest(), Unsigned::Proposal(proposal.epoch, proposal.view, block))]
    }
}
