//! Answers whoever lacks something with something else: other bodies, blocks whose proof is forged, for another
//! block or not enough, and messages of others that it has changed. It claims a higher tip than it has, so that
//! it is asked.

use super::scene::Scene;
use super::{Fate, Fixture, Letter, own};
use crate::sim::wire::{Answer, Wire};
use quorate_chain::certificate::Signatures;
use quorate_chain::codec::List;
use quorate_chain::ledger::CommittedBlock;
use quorate_chain::{Block, BlockHash, CommitCertificate, Height, ResultHash};
use quorate_consensus::message::{KeyCertificate, NewView, Proposal};
use quorate_consensus::{Message, Unsigned, Verified};
use std::sync::Arc;

/// Percent of the answers that are lies: whoever never tells the truth is asked less.
const LIES_PERCENT: u64 = 85;
/// Percent of its Statuses that claim more than it has.
const CLAIMS_PERCENT: u64 = 40;
/// How much more, at most.
const CLAIMED_MAX: u64 = 20;

pub(super) struct SyncLiar;

/// Fewer than a quorum, or one of them twice, or one that is wrong.
fn forged(scene: &mut Scene<'_>, signatures: &mut Signatures) {
    let mut all = signatures.to_vec();
    match scene.random.below(3) {
        0 => all.truncate(scene.quorum() - 1),
        1 => all[1] = all[0],
        _ => all[0].signature.0[3] ^= 1,
    }
    *signatures = List::new(all).unwrap_or_else(|_| signatures.clone());
}

/// For another block, height, result or epoch, or by others than it says.
fn certificate(scene: &mut Scene<'_>, right: &CommitCertificate) -> CommitCertificate {
    let mut wrong = right.clone();
    match scene.random.below(6) {
        0 => wrong.height = wrong.height.next(),
        1 => wrong.result_hash = ResultHash([0xee; 32]),
        2 => wrong.block_hash = BlockHash([0xee; 32]),
        3 => wrong.view = wrong.view.next(),
        4 => wrong.epoch = wrong.epoch.next(),
        _ => forged(scene, &mut wrong.signatures),
    }
    wrong
}

/// Without a transaction, or at another time.
fn other_block(scene: &mut Scene<'_>, right: &Block) -> Block {
    let mut wrong = right.clone();
    let mut transactions = right.transactions.to_vec();
    if transactions.pop().is_some() && scene.random.chance(50) {
        wrong.transactions = List::new(transactions).unwrap_or_default();
    } else {
        wrong.header.timestamp_ms.0 += 1;
    }
    wrong
}

fn body(scene: &mut Scene<'_>, answer: &Answer<BlockHash, Arc<Block>>) -> Arc<Block> {
    let count = scene.library.blocks.len() as u64;
    let other = (count > 0).then(|| scene.random.below(count) as usize).map(|i| &scene.library.blocks[i]);
    match other.filter(|other| other.hash() != answer.asked && scene.random.chance(50)) {
        Some(other) => Arc::clone(other.block()),
        None => Arc::new(other_block(scene, &answer.found)),
    }
}

fn blocks(scene: &mut Scene<'_>, right: &[Arc<CommittedBlock>]) -> Vec<Arc<CommittedBlock>> {
    let mut wrong = right.to_vec();
    let place = scene.random.below(wrong.len() as u64) as usize;
    let one = Arc::make_mut(&mut wrong[place]);
    match scene.random.below(7) {
        0 => one.certificate = certificate(scene, &one.certificate),
        // The proof of another one.
        1 => one.certificate = right[(place + 1) % right.len()].certificate.clone(),
        2 => one.block = other_block(scene, &one.block),
        // A certificate that names the block, of signatures for another one.
        3 => {
            one.block.header.timestamp_ms.0 += 1;
            one.certificate.block_hash = one.block.hash();
        }
        4 => {
            let mut path = one.path.to_vec();
            path.push(one.block.header.clone());
            one.path = List::new(path).unwrap_or_default();
        }
        // Not from where it was asked.
        5 => drop(wrong.remove(0)),
        _ => wrong.truncate(place),
    }
    wrong
}

fn new_view(scene: &mut Scene<'_>, right: &NewView) -> NewView {
    let mut wrong = right.clone();
    let changes = &mut wrong.contents.view_changes;
    match scene.random.below(3) {
        0 => wrong.contents.key = KeyCertificate::EpochStart,
        1 => wrong.contents.committed = None,
        _ => {
            let fewer = List::new(changes.iter().skip(1).cloned().collect());
            *changes = fewer.unwrap_or_else(|_| changes.clone());
        }
    }
    wrong
}

/// What somebody else signed, changed.
fn relayed(scene: &mut Scene<'_>, right: &Message) -> Option<Message> {
    Some(match right {
        Message::Certificate(right) => Message::Certificate(Arc::new(certificate(scene, right))),
        Message::NewView(right) => Message::NewView(Arc::new(new_view(scene, right))),
        Message::Proposal(right) => {
            let time = right.block.header().timestamp_ms.0 + 1;
            let transactions = right.block.block().transactions.to_vec();
            let block = scene.sibling(&right.block, time, transactions)?;
            Message::Proposal(Arc::new(Proposal { block, ..Proposal::clone(right) }))
        }
        _ => return None,
    })
}

impl Fixture for SyncLiar {
    fn fate(&mut self, scene: &mut Scene<'_>, to: usize, wire: &Wire) -> Fate {
        if scene.coalition.contains(&to) || !scene.random.chance(LIES_PERCENT) {
            return Fate::Pass;
        }
        let wrong = match wire {
            Wire::Body(answer) => Some(Wire::Body(Answer { found: body(scene, answer), ..answer.clone() })),
            Wire::Blocks(answer) => {
                let found = blocks(scene, &answer.found);
                Some(Wire::Blocks(Answer { asked: answer.asked, found }))
            }
            Wire::Consensus(message) if message.get().signer(scene.context) != Some(scene.seat) => {
                let wrong = relayed(scene, message.get());
                wrong.map(|wrong| Wire::Consensus(Arc::new(Verified::vouched(wrong))))
            }
            _ => None,
        };
        scene.lies += u64::from(wrong.is_some());
        wrong.map_or(Fate::Pass, Fate::Instead)
    }

    fn says(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        let Message::Status(status) = message else { return Vec::new() };
        if !scene.random.chance(CLAIMS_PERCENT) {
            return Vec::new();
        }
        let mut status = status.payload;
        status.tip = Height(status.tip.0 + scene.random.between(1, CLAIMED_MAX));
        status.prepared = status.tip;
        scene.lies += 1;
        vec![own(scene.honest(), Unsigned::Status(status))]
    }
}
