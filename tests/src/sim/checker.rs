//! What must never happen, checked over everything that anybody signed (FAULTS: S1–S4).

use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{BlockHash, Height, ResultHash, View};
use quorate_consensus::Message;
use std::collections::{BTreeMap, BTreeSet};

/// Something that must never happen has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// A slot in which a validator signs at most one payload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Proposal(View, Height),
    Prepare(View, Height),
    Commit(View, Height),
    ViewChange(View),
    NewView(View),
}

/// Watches every signature and every commit of a run in which all signers are honest.
#[derive(Debug)]
pub(super) struct Checker {
    quorum: usize,
    signed: BTreeMap<(usize, Slot), Vec<u8>>,
    votes: BTreeMap<(View, Height, BlockHash, ResultHash), BTreeSet<usize>>,
    /// Certificates that could be formed by anyone.
    certified: BTreeMap<Height, (BlockHash, ResultHash)>,
    committed: BTreeMap<Height, BlockHash>,
}

impl Checker {
    pub(super) const fn new(quorum: usize) -> Self {
        Self {
            quorum,
            signed: BTreeMap::new(),
            votes: BTreeMap::new(),
            certified: BTreeMap::new(),
            committed: BTreeMap::new(),
        }
    }

    pub(super) fn height(&self) -> Height {
        self.committed.last_key_value().map_or(Height::ZERO, |(height, _)| *height)
    }

    /// A node has signed a message and sends it.
    pub(super) fn signed(&mut self, node: usize, message: &Message) -> Result<(), Violation> {
        let slot = match message {
            Message::Proposal(p) => Slot::Proposal(p.view, p.block.height()),
            Message::Prepare(vote) => {
                let PrepareVote { view, height, .. } = vote.payload;
                Slot::Prepare(view, height)
            }
            Message::Commit(vote) => {
                self.count(node, &vote.payload)?;
                Slot::Commit(vote.payload.view, vote.payload.height)
            }
            Message::ViewChange(v) => Slot::ViewChange(v.claims.payload.target),
            Message::NewView(n) => Slot::NewView(n.contents.view),
            Message::Ask(_) | Message::Status(_) | Message::Certificate(_) => return Ok(()),
        };
        let bytes = quorate_chain::codec::encode(message);
        match self.signed.get(&(node, slot.clone())) {
            Some(known) if *known != bytes => {
                Err(Violation(format!("S4: node {node} signed two payloads for {slot:?}")))
            }
            Some(_) => Ok(()),
            None => {
                self.signed.insert((node, slot), bytes);
                Ok(())
            }
        }
    }

    fn count(&mut self, node: usize, vote: &CommitVote) -> Result<(), Violation> {
        let CommitVote { view, height, block, result, .. } = *vote;
        let voters = self.votes.entry((view, height, block, result)).or_default();
        voters.insert(node);
        if voters.len() < self.quorum {
            return Ok(());
        }
        match self.certified.insert(height, (block, result)) {
            Some((other, _)) if other != block => {
                Err(Violation(format!("S1: two blocks can be certified at height {height}")))
            }
            Some((_, other)) if other != result => {
                Err(Violation(format!("S2: two results can be certified at height {height}")))
            }
            _ => Ok(()),
        }
    }

    /// A node has committed a block.
    pub(super) fn committed(
        &mut self,
        node: usize,
        height: Height,
        block: BlockHash,
    ) -> Result<(), Violation> {
        match self.committed.insert(height, block) {
            Some(other) if other != block => {
                Err(Violation(format!("S1: node {node} committed another block at height {height}")))
            }
            _ => Ok(()),
        }
    }
}
