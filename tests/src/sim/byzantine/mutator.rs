//! Says everything once more, off by one: another view, height, counter, time or parent, or a broken signature.

use super::scene::Scene;
use super::{Content, Fixture, Letter, own};
use crate::forge;
use crate::sim::random::Random;
use quorate_chain::{Block, BlockHash, ResultHash};
use quorate_consensus::message::{Proposal, ViewChange};
use quorate_consensus::{Message, SealedBlock, Unsigned};

/// Percent of what it says that it says wrongly as well.
const PERCENT: u64 = 30;
/// Percent of that where it is a proposal: each may cost it its view.
const PROPOSALS_PERCENT: u64 = 30;
/// Percent of what it says wrongly that has a broken signature too.
const BROKEN_PERCENT: u64 = 20;

pub(super) struct Mutator;

/// One less, one more, or as it was.
fn shift(random: &mut Random, number: &mut u64) {
    *number = match random.below(3) {
        0 => number.saturating_sub(1),
        1 => number.saturating_add(1),
        _ => *number,
    };
}

fn proposal(random: &mut Random, proposal: &Proposal) -> Option<Unsigned> {
    if !random.chance(PROPOSALS_PERCENT) {
        return None;
    }
    let (mut view, block) = (proposal.view, proposal.block.block());
    let mut header = block.header.clone();
    match random.below(6) {
        0 => shift(random, &mut view.0),
        1 => shift(random, &mut header.height.0),
        2 => shift(random, &mut header.timestamp_ms.0),
        3 => header.proposer.0 = header.proposer.0.wrapping_add(1),
        4 => header.parent = BlockHash([header.parent.0[0].wrapping_add(1); 32]),
        _ => header.parent_result = ResultHash([header.parent_result.0[0].wrapping_add(1); 32]),
    }
    let block = SealedBlock::new(Block { header, transactions: block.transactions.clone() })?;
    Some(Unsigned::Proposal(proposal.epoch, view, block))
}

/// For another view, with the certificates that may go with it (R18).
fn view_change(scene: &mut Scene<'_>, change: &ViewChange) -> Unsigned {
    let mut target = change.claims.payload.target;
    shift(scene.random, &mut target.0);
    let committed = change.committed.clone().filter(|c| c.view < target);
    let prepared = change.prepared.clone().filter(|p| p.vote.view < target);
    forge::view_change(scene.context, target, committed, prepared)
}

/// The same with wrong numbers; `None` for what it says only rightly.
fn wrong(scene: &mut Scene<'_>, message: &Message) -> Option<Unsigned> {
    let random = &mut *scene.random;
    Some(match message {
        Message::Proposal(right) => return proposal(random, right),
        Message::ViewChange(change) => view_change(scene, change),
        Message::Prepare(vote) => {
            let mut vote = vote.payload;
            shift(random, &mut vote.view.0);
            shift(random, &mut vote.height.0);
            Unsigned::Prepare(vote)
        }
        Message::Commit(vote) => {
            let mut vote = vote.payload;
            shift(random, &mut vote.view.0);
            shift(random, &mut vote.height.0);
            Unsigned::Commit(vote)
        }
        Message::Ask(ask) => {
            let mut ask = ask.payload;
            shift(random, &mut ask.target.0);
            shift(random, &mut ask.counter.sequence);
            Unsigned::Ask(ask)
        }
        Message::Status(status) => {
            let mut status = status.payload;
            shift(random, &mut status.view.0);
            shift(random, &mut status.tip.0);
            shift(random, &mut status.prepared.0);
            Unsigned::Status(status)
        }
        Message::Suspect(suspect) => {
            let mut suspect = suspect.payload;
            shift(random, &mut suspect.view.0);
            Unsigned::Suspect(suspect)
        }
        Message::Recall(recall) => {
            let mut recall = recall.payload;
            shift(random, &mut recall.start);
            shift(random, &mut recall.clock.0);
            Unsigned::Recall(recall)
        }
        Message::Newest(newest) => {
            let mut newest = newest.payload.clone();
            shift(random, &mut newest.recall.start);
            Unsigned::Newest(Box::new(newest))
        }
        Message::NewView(_) | Message::Certificate(_) => return None,
    })
}

impl Fixture for Mutator {
    fn says(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        if !scene.random.chance(PERCENT) {
            return Vec::new();
        }
        let Some(wrong) = wrong(scene, message) else { return Vec::new() };
        scene.lies += 1;
        let to = scene.honest();
        let broken = scene.random.chance(BROKEN_PERCENT);
        vec![if broken { Letter { to, what: Content::Broken(wrong) } } else { own(to, wrong) }]
    }
}
