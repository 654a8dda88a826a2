//! Speaks of views, heights and epochs that are far away, mostly for blocks that nobody has.

use super::scene::Scene;
use super::{Fixture, Letter, own};
use crate::forge;
use crate::sim::random::Random;
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{BlockHash, Epoch, Height, ResultHash, TransactionId, View};
use quorate_consensus::Unsigned;
use quorate_consensus::message::{Ask, AskCounter, Status, Suspect};

/// Messages at a time.
const AT_ONCE: u64 = 6;

pub(super) struct FutureFlooder;

/// How far away: mostly so near that it may be kept, sometimes at the end of all numbers.
fn far(random: &mut Random) -> u64 {
    if random.chance(20) { u64::MAX - random.below(3) } else { random.between(1, 40) }
}

/// A proposal in the next view from there that it leads, of a block that was proposed before.
fn proposal(scene: &Scene<'_>, from: View) -> Option<Unsigned> {
    let epoch = scene.context.epoch;
    let block = scene.library.blocks.back().filter(|block| block.header().epoch == epoch)?;
    let turn = scene.context.set.validators().len() as u64;
    let view = (0..turn).map(|i| View(from.0.saturating_add(i))).find(|view| scene.leads(*view))?;
    Some(Unsigned::Proposal(epoch, view, block.clone()))
}

fn one(scene: &mut Scene<'_>) -> Option<Unsigned> {
    let random = &mut *scene.random;
    let view = View(scene.view.0.saturating_add(far(random)));
    let height = Height(scene.tip.0.saturating_add(far(random)));
    let own_epoch = scene.context.epoch;
    let epoch = if random.chance(10) { Epoch(own_epoch.0.saturating_add(far(random))) } else { own_epoch };
    let block = BlockHash([random.below(256) as u8; 32]);
    Some(match random.below(7) {
        0 => Unsigned::Prepare(PrepareVote { epoch, view, height, block }),
        1 => {
            let result = ResultHash([random.below(256) as u8; 32]);
            Unsigned::Commit(CommitVote { epoch, view, height, block, result })
        }
        2 => Unsigned::Status(Status { epoch, view, tip: height, tip_block: block, prepared: height }),
        3 => {
            let counter = AskCounter { start: far(random), sequence: far(random) };
            Unsigned::Ask(Ask { epoch, target: view, counter })
        }
        4 => Unsigned::Suspect(Suspect { epoch, view, transaction: TransactionId(block.0) }),
        5 => forge::view_change(scene.context, view, None, None),
        _ => return proposal(scene, view),
    })
}

impl Fixture for FutureFlooder {
    fn idles(&mut self, scene: &mut Scene<'_>) -> Vec<Letter> {
        scene.lies += AT_ONCE;
        let all = scene.honest();
        (0..AT_ONCE).filter_map(|_| one(scene)).map(|far| own(all.clone(), far)).collect()
    }
}
