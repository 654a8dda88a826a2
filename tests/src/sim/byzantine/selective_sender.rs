//! Talks to as few as it can while its view goes on: a quorum, itself included, another one in each view.

use super::scene::Scene;
use super::{Fate, Fixture};
use crate::sim::wire::Wire;

pub(super) struct SelectiveSender;

impl Fixture for SelectiveSender {
    fn fate(&mut self, scene: &mut Scene<'_>, to: usize, _: &Wire) -> Fate {
        let honest = scene.honest();
        let place = honest.iter().position(|node| *node == to);
        let shift = (scene.view.0 as usize).wrapping_mul(7);
        let count = honest.len().max(1);
        // The coalition hears everything anyway.
        let heard = place.is_none_or(|place| (place + shift) % count < scene.quorum() - 1);
        if heard {
            return Fate::Pass;
        }
        scene.lies += 1;
        Fate::Drop
    }
}
