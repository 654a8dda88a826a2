//! Hears everything and says nothing.

use super::scene::Scene;
use super::{Fate, Fixture};
use crate::sim::wire::Wire;

pub(super) struct Silent;

impl Fixture for Silent {
    fn fate(&mut self, scene: &mut Scene<'_>, _: usize, _: &Wire) -> Fate {
        scene.lies += 1;
        Fate::Drop
    }
}
