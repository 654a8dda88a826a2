//! Proposes to f+1 honest validators only, and gives nobody a body or a block.

use super::scene::Scene;
use super::{Fate, Fixture};
use crate::sim::wire::Wire;
use quorate_consensus::Message;

pub(super) struct BodyWithholder;

impl Fixture for BodyWithholder {
    fn fate(&mut self, scene: &mut Scene<'_>, to: usize, wire: &Wire) -> Fate {
        let drop = match wire {
            Wire::Body(_) | Wire::Blocks(_) | Wire::Transactions(_) => true,
            Wire::Consensus(message) => match message.get() {
                Message::Proposal(proposal) => {
                    let some = scene.context.set.quorum().one_honest();
                    let honest = scene.honest();
                    let shift = proposal.view.0 as usize;
                    let place = honest.iter().position(|node| *node == to);
                    place.is_some_and(|place| (place + shift) % honest.len() >= some)
                }
                _ => false,
            },
            _ => false,
        };
        if drop {
            scene.lies += 1;
            return Fate::Drop;
        }
        Fate::Pass
    }
}
