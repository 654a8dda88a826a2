//! Says everything once more, off by one: another view, height, counter, or a broken signature.

use super::scene::Scene;
use super::{Content, Fixture, Letter, own};
use crate::sim::random::Random;
use quorate_chain::{Height, View};
use quorate_consensus::{Message, Unsigned};

/// Percent of what it says that it says wrongly as well.
const PERCENT: u64 = 30;

pub(super) struct Mutator;

fn off_by_one(random: &mut Random, number: u64) -> u64 {
    match random.below(3) {
        0 => number.saturating_sub(1),
        1 => number.saturating_add(1),
        _ => number,
    }
}

impl Fixture for Mutator {
    fn says(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        if !scene.random.chance(PERCENT) {
            return Vec::new();
        }
        let random = &mut *scene.random;
        let wrong = match message {
            Message::Prepare(vote) => {
                let mut vote = vote.payload;
                vote.view = View(off_by_one(random, vote.view.0));
                vote.height = Height(off_by_one(random, vote.height.0));
                Unsigned::Prepare(vote)
            }
            Message::Commit(vote) => {
                let mut vote = vote.payload;
                vote.view = View(off_by_one(random, vote.view.0));
                vote.height = Height(off_by_one(random, vote.height.0));
                Unsigned::Commit(vote)
            }
            Message::Ask(ask) => {
                let mut ask = ask.payload;
                ask.target = View(off_by_one(random, ask.target.0));
                ask.counter.sequence = off_by_one(random, ask.counter.sequence);
                Unsigned::Ask(ask)
            }
            Message::Status(status) => {
                let mut status = status.payload;
                status.view = View(off_by_one(random, status.view.0));
                status.tip = Height(off_by_one(random, status.tip.0));
                status.prepared = Height(off_by_one(random, status.prepared.0));
                Unsigned::Status(status)
            }
            _ => return Vec::new(),
        };
        let broken = random.chance(20);
        scene.lies += 1;
        let to = scene.honest();
        vec![if broken { Letter { to, what: Content::Broken(wrong) } } else { own(to, wrong) }]
    }
}
