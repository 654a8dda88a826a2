//! Speaks of views, heights and epochs that are far away, for blocks that nobody has.

use super::scene::Scene;
use super::{Fixture, Letter, own};
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{BlockHash, Epoch, Height, ResultHash, View};
use quorate_consensus::Unsigned;
use quorate_consensus::message::{Ask, AskCounter, Status};

/// Messages at a time.
const AT_ONCE: u64 = 6;

pub(super) struct FutureFlooder;

impl FutureFlooder {
    fn one(scene: &mut Scene<'_>) -> Unsigned {
        let random = &mut *scene.random;
        let far = |random: &mut crate::sim::random::Random| {
            if random.chance(20) { u64::MAX - random.below(3) } else { random.between(1, 40) }
        };
        let view = View(scene.view.0.saturating_add(far(random)));
        let height = Height(scene.tip.0.saturating_add(far(random)));
        let epoch = if random.chance(10) {
            Epoch(scene.context.epoch.0.saturating_add(far(random)))
        } else {
            scene.context.epoch
        };
        let block = BlockHash([random.below(256) as u8; 32]);
        match random.below(4) {
            0 => Unsigned::Prepare(PrepareVote { epoch, view, height, block }),
            1 => {
                let result = ResultHash([random.below(256) as u8; 32]);
                Unsigned::Commit(CommitVote { epoch, view, height, block, result })
            }
            2 => Unsigned::Status(Status { epoch, view, tip: height, tip_block: block, prepared: height }),
            _ => {
                let counter = AskCounter { start: far(random), sequence: far(random) };
                Unsigned::Ask(Ask { epoch, target: view, counter })
            }
        }
    }
}

impl Fixture for FutureFlooder {
    fn idles(&mut self, scene: &mut Scene<'_>) -> Vec<Letter> {
        scene.lies += AT_ONCE;
        (0..AT_ONCE).map(|_| own(scene.honest(), Self::one(scene))).collect()
    }
}
