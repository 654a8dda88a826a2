//! Asks for ever higher views, suspects every primary, leaves views by ViewChanges, and withdraws it all.

use super::scene::Scene;
use super::{Fixture, Letter, own};
use crate::forge;
use quorate_chain::{TransactionId, View};
use quorate_consensus::Unsigned;
use quorate_consensus::message::{Ask, AskCounter, Suspect};

#[derive(Default)]
pub(super) struct AskStorm {
    sequence: u64,
}

impl Fixture for AskStorm {
    fn idles(&mut self, scene: &mut Scene<'_>) -> Vec<Letter> {
        self.sequence += 1;
        scene.lies += 1;
        let (epoch, view) = (scene.context.epoch, scene.view);
        let higher = View(view.0 + scene.random.between(1, 5));
        let target = if scene.random.chance(25) { View::ZERO } else { higher };
        let counter = AskCounter { start: 1_000, sequence: self.sequence };
        let mut letters = vec![own(scene.honest(), Unsigned::Ask(Ask { epoch, target, counter }))];
        let transaction = TransactionId([self.sequence as u8; 32]);
        letters.push(own(scene.honest(), Unsigned::Suspect(Suspect { epoch, view, transaction })));
        if scene.random.chance(20) {
            letters.push(own(scene.honest(), forge::view_change(scene.context, higher, None, None)));
        }
        letters
    }
}
