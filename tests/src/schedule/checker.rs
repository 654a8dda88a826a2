//! What must never happen, checked over all signatures that exist, whether they arrived anywhere or not.

use crate::slot::Slot;
use quorate_chain::certificate::{CommitVote, PrepareVote, ValidatorSignature};
use quorate_chain::codec::{List, encode};
use quorate_chain::{BlockHash, CommitCertificate, Epoch, Height, PreparedCertificate, View};
use quorate_consensus::message::{Recall, ViewChange};
use quorate_consensus::{Message, SealedBlock};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Something that must never happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// S1: two blocks of one height are certified, by themselves or by a descendant.
    Fork(Height, BlockHash, BlockHash),
    /// S2: a block is certified with two results.
    Results(Height, BlockHash),
    /// S4: an honest validator signed two payloads for one slot.
    DoubleSign(usize, Epoch, Slot),
    /// R13: an honest validator voted in a view that it was leaving, or had left by a ViewChange.
    LateVote(usize, Epoch, Slot),
}

type Signers = BTreeMap<usize, ValidatorSignature>;

#[derive(Default)]
pub(super) struct Checker {
    quorum: usize,
    pub(super) violations: Vec<Violation>,
    signed: BTreeMap<(usize, Epoch, Slot), [u8; 32]>,
    /// Below which view each seat is silent.
    left: BTreeMap<(usize, Epoch), View>,
    prepares: BTreeMap<PrepareVote, Signers>,
    commits: BTreeMap<CommitVote, Signers>,
    view_changes: BTreeMap<(usize, Epoch, View), Arc<ViewChange>>,
    /// What each seat asked last, after a start.
    recalls: BTreeMap<usize, Recall>,
    /// Every block that anybody made.
    blocks: BTreeMap<BlockHash, SealedBlock>,
    proposed: BTreeMap<(View, Height), BlockHash>,
    /// What is certified, by itself or by a descendant.
    certified: BTreeMap<Height, BlockHash>,
}

impl Checker {
    pub(super) fn new(quorum: usize) -> Self {
        Self { quorum, ..Self::default() }
    }

    /// An honest validator falls silent in all views below this one.
    pub(super) fn leaves(&mut self, seat: usize, epoch: Epoch, target: View) {
        let left = self.left.entry((seat, epoch)).or_default();
        *left = target.max(*left);
    }

    /// A seat has signed this.
    pub(super) fn signed(&mut self, seat: usize, honest: bool, message: &Message) {
        if let Message::Recall(recall) = message {
            self.recalls.insert(seat, recall.payload);
        }
        let Some(slot) = Slot::of(message) else { return };
        if let Message::Proposal(p) = message {
            self.proposed.entry((p.view, p.block.height())).or_insert(p.block.hash());
            self.made(&p.block);
        }
        if honest {
            self.check_slot(seat, slot, message);
        }
        let signature = |signature| ValidatorSignature {
            validator: quorate_chain::ValidatorIndex(u16::try_from(seat).unwrap_or(u16::MAX)),
            signature,
        };
        match message {
            Message::ViewChange(v) => {
                self.leaves(seat, v.claims.payload.epoch, v.claims.payload.target);
                self.view_changes
                    .insert((seat, v.claims.payload.epoch, v.claims.payload.target), Arc::clone(v));
            }
            Message::Prepare(v) => {
                self.prepares.entry(v.payload).or_default().insert(seat, signature(v.signature));
            }
            Message::Commit(v) => {
                self.commits.entry(v.payload).or_default().insert(seat, signature(v.signature));
                self.check_commit(&v.payload);
            }
            _ => {}
        }
    }

    fn check_slot(&mut self, seat: usize, slot: Slot, message: &Message) {
        let bytes = *blake3::hash(&encode(message)).as_bytes();
        let epoch = message.epoch();
        match self.signed.insert((seat, epoch, slot), bytes) {
            Some(known) if known == bytes => return,
            Some(_) => self.violations.push(Violation::DoubleSign(seat, epoch, slot)),
            None => {}
        }
        if let Slot::Prepare(view, _) | Slot::Commit(view, _) = slot
            && self.left.get(&(seat, epoch)).is_some_and(|left| *left > view)
        {
            self.violations.push(Violation::LateVote(seat, epoch, slot));
        }
    }

    /// A block exists.
    pub(super) fn made(&mut self, block: &SealedBlock) {
        self.blocks.entry(block.hash()).or_insert_with(|| block.clone());
    }

    pub(super) fn block(&self, hash: BlockHash) -> Option<SealedBlock> {
        self.blocks.get(&hash).cloned()
    }

    pub(super) fn proposed(&self, view: u64, height: u64) -> Option<SealedBlock> {
        self.block(*self.proposed.get(&(View(view), Height(height)))?)
    }

    fn check_commit(&mut self, vote: &CommitVote) {
        if self.commits.get(vote).map_or(0, BTreeMap::len) < self.quorum {
            return;
        }
        let other = |v: &CommitVote| v.block == vote.block && v.result != vote.result;
        if self.commits.iter().any(|(v, signers)| other(v) && signers.len() >= self.quorum) {
            self.violations.push(Violation::Results(vote.height, vote.block));
        }
        self.certify(vote.height, vote.block);
    }

    /// A certified block certifies its ancestors (R22).
    fn certify(&mut self, height: Height, block: BlockHash) {
        let (mut height, mut block) = (height, block);
        while height > Height::ZERO {
            let known = *self.certified.entry(height).or_insert(block);
            let fork = Violation::Fork(height, known, block);
            if known != block && !self.violations.contains(&fork) {
                self.violations.push(fork);
            }
            let Some(parent) = self.blocks.get(&block).map(|block| block.header().parent) else { return };
            (height, block) = (height.previous(), parent);
        }
    }

    /// An honest validator has committed this.
    pub(super) fn committed(&mut self, height: Height, block: BlockHash) {
        self.certify(height, block);
    }

    /// The heights at which a C could be formed by whoever does not compare results.
    pub(super) fn certified_whatever_the_result(&self) -> Vec<Height> {
        let mut signers: BTreeMap<(Epoch, View, Height, BlockHash), BTreeSet<usize>> = BTreeMap::new();
        for (vote, by) in &self.commits {
            signers.entry((vote.epoch, vote.view, vote.height, vote.block)).or_default().extend(by.keys());
        }
        signers.iter().filter(|(_, by)| by.len() >= self.quorum).map(|((.., height, _), _)| *height).collect()
    }

    /// Whether a C could be formed for this height.
    pub(super) fn is_certified(&self, height: Height) -> bool {
        self.certified.contains_key(&height)
    }

    /// P of this view for a block, of all signatures that exist.
    pub(super) fn prepared(&self, view: u64, block: BlockHash) -> Option<PreparedCertificate> {
        let meant = |v: &PrepareVote| v.view == View(view) && v.block == block;
        let (vote, signers) = self.prepares.iter().find(|(v, by)| meant(v) && by.len() >= self.quorum)?;
        let signatures = List::new(signers.values().copied().collect()).ok()?;
        Some(PreparedCertificate { vote: *vote, signatures })
    }

    /// C of this view for a block, of all signatures that exist.
    pub(super) fn certificate(&self, view: u64, block: BlockHash) -> Option<CommitCertificate> {
        let meant = |v: &CommitVote| v.view == View(view) && v.block == block;
        let (vote, signers) = self.commits.iter().find(|(v, by)| meant(v) && by.len() >= self.quorum)?;
        let signatures = List::new(signers.values().copied().collect()).ok()?;
        Some(CommitCertificate::new(*vote, signatures))
    }

    pub(super) fn recall(&self, seat: usize) -> Option<Recall> {
        self.recalls.get(&seat).copied()
    }

    pub(super) fn view_change(&self, seat: usize, epoch: Epoch, target: u64) -> Option<Arc<ViewChange>> {
        self.view_changes.get(&(seat, epoch, View(target))).cloned()
    }
}
