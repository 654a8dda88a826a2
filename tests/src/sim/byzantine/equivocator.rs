//! Different blocks for one slot, each to one half; and votes for both, so that each half lacks as little as
//! possible.

use super::scene::Scene;
use super::{Fate, Fixture, Letter, own};
use crate::sim::wire::Wire;
use quorate_chain::certificate::PrepareVote;
use quorate_consensus::{Message, Unsigned};

pub(super) struct Equivocator;

impl Fixture for Equivocator {
    fn fate(&mut self, scene: &mut Scene<'_>, to: usize, wire: &Wire) -> Fate {
        let Wire::Consensus(message) = wire else { return Fate::Pass };
        match message.get() {
            Message::Proposal(proposal) if scene.halves(proposal.view.0)[1].contains(&to) => Fate::Drop,
            _ => Fate::Pass,
        }
    }

    fn says(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        let Message::Proposal(proposal) = message else { return Vec::new() };
        let (view, height) = (proposal.view, proposal.block.height());
        let block = proposal.block.block();
        let mut transactions = block.transactions.to_vec();
        if scene.random.chance(50) {
            transactions.truncate(1);
        }
        let Some(sibling) = scene.sibling(&proposal.block, block.header.timestamp_ms.0 + 1, transactions)
        else {
            return Vec::new();
        };
        let [_, half] = scene.halves(view.0);
        let vote = PrepareVote { epoch: proposal.epoch, view, height, block: sibling.hash() };
        scene.lies += 1;
        vec![
            own(half.clone(), Unsigned::Proposal(proposal.epoch, view, sibling)),
            own(half, Unsigned::Prepare(vote)),
        ]
    }
}
