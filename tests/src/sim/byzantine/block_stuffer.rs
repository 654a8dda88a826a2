//! Proposes transactions that were committed long ago, the same one twice, and nonces out of order.

use super::scene::Scene;
use super::{Fate, Fixture, Letter, own};
use crate::sim::wire::Wire;
use quorate_chain::View;
use quorate_consensus::{Message, SealedBlock, Unsigned};

/// Percent of its views in which it does so: were it always, it would lead for one time-out only.
const VIEWS_PERCENT: u64 = 50;
/// Percent of the moments of such a view at which it tries another block.
const AGAIN_PERCENT: u64 = 30;
/// Old transactions of a block.
const OLD_MAX: u64 = 3;

#[derive(Default)]
pub(super) struct BlockStuffer {
    /// What its core proposed last.
    last: Option<(View, SealedBlock)>,
}

fn stuffs(view: View) -> bool {
    view.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 0xff < VIEWS_PERCENT * 256 / 100
}

/// The block with old transactions among its own.
fn stuffed(scene: &mut Scene<'_>, view: View, block: &SealedBlock) -> Vec<Letter> {
    let known: Vec<_> = scene.library.transactions().cloned().collect();
    let mut transactions = block.block().transactions.to_vec();
    for _ in 0..scene.random.between(1, OLD_MAX).min(known.len() as u64) {
        let old = known[scene.random.below(known.len() as u64) as usize].clone();
        let place = scene.random.below(transactions.len() as u64 + 1) as usize;
        transactions.insert(place, old);
    }
    let (epoch, time) = (block.header().epoch, block.header().timestamp_ms.0);
    let Some(block) = scene.sibling(block, time, transactions) else { return Vec::new() };
    scene.lies += 1;
    vec![own(scene.honest(), Unsigned::Proposal(epoch, view, block))]
}

impl Fixture for BlockStuffer {
    fn fate(&mut self, _: &mut Scene<'_>, _: usize, wire: &Wire) -> Fate {
        let Wire::Consensus(message) = wire else { return Fate::Pass };
        match message.get() {
            Message::Proposal(proposal) if stuffs(proposal.view) => Fate::Drop,
            _ => Fate::Pass,
        }
    }

    fn says(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        let Message::Proposal(proposal) = message else { return Vec::new() };
        self.last = Some((proposal.view, proposal.block.clone()));
        if !stuffs(proposal.view) {
            return Vec::new();
        }
        stuffed(scene, proposal.view, &proposal.block)
    }

    fn idles(&mut self, scene: &mut Scene<'_>) -> Vec<Letter> {
        let Some((view, block)) = &self.last else { return Vec::new() };
        if *view != scene.view || !stuffs(*view) || !scene.random.chance(AGAIN_PERCENT) {
            return Vec::new();
        }
        stuffed(scene, *view, block)
    }
}
