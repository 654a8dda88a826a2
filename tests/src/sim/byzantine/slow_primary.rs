//! Proposes just before the others' time is up.

use super::scene::Scene;
use super::{Fate, Fixture};
use crate::sim::settings::TIMEOUT_BASE_MS;
use crate::sim::wire::Wire;
use quorate_consensus::Message;

pub(super) struct SlowPrimary;

impl Fixture for SlowPrimary {
    fn fate(&mut self, scene: &mut Scene<'_>, _: usize, wire: &Wire) -> Fate {
        let Wire::Consensus(message) = wire else { return Fate::Pass };
        if !matches!(message.get(), Message::Proposal(_)) {
            return Fate::Pass;
        }
        scene.lies += 1;
        Fate::Delay(TIMEOUT_BASE_MS * 9 / 10)
    }
}
