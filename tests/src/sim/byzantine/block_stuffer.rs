//! Proposes transactions that were committed long ago, the same one twice, and nonces out of order.

use super::scene::Scene;
use super::{Fate, Fixture, Letter, own};
use crate::sim::wire::Wire;
use quorate_consensus::{Message, Unsigned};

/// Percent of its views in which it does so: were it always, it would lead for one time-out only.
const VIEWS_PERCENT: u64 = 50;
/// Old transactions of a block.
const OLD_MAX: u64 = 3;

pub(super) struct BlockStuffer;

fn stuffs(view: u64) -> bool {
    view.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 0xff < VIEWS_PERCENT * 256 / 100
}

impl Fixture for BlockStuffer {
    fn fate(&mut self, _: &mut Scene<'_>, _: usize, wire: &Wire) -> Fate {
        let Wire::Consensus(message) = wire else { return Fate::Pass };
        match message.get() {
            Message::Proposal(proposal) if stuffs(proposal.view.0) => Fate::Drop,
            _ => Fate::Pass,
        }
    }

    fn says(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        let Message::Proposal(proposal) = message else { return Vec::new() };
        if !stuffs(proposal.view.0) {
            return Vec::new();
        }
        let known: Vec<_> = scene.library.transactions().cloned().collect();
        let mut transactions = proposal.block.block().transactions.to_vec();
        for _ in 0..scene.random.between(1, OLD_MAX).min(known.len() as u64) {
            let old = known[scene.random.below(known.len() as u64) as usize].clone();
            let place = scene.random.below(transactions.len() as u64 + 1) as usize;
            transactions.insert(place, old);
        }
        let time = proposal.block.header().timestamp_ms.0;
        let Some(stuffed) = scene.sibling(&proposal.block, time, transactions) else { return Vec::new() };
        scene.lies += 1;
        vec![own(scene.honest(), Unsigned::Proposal(proposal.epoch, proposal.view, stuffed))]
    }
}
