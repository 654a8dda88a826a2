//! What survives a power loss: the vote journal, bodies, and the committed chain.

use super::setup::Slip;
use quorate_chain::{BlockHash, CommitCertificate, Epoch, Height, ResultHash};
use quorate_consensus::{DurableState, PersistId, Record, SealedBlock};
use std::collections::BTreeMap;

/// A block of the committed chain.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    pub(super) block: SealedBlock,
    /// Its certificate, or that of a descendant.
    pub(super) certificate: CommitCertificate,
    pub(super) result: ResultHash,
}

#[derive(Default)]
pub(super) struct Disk {
    /// The journal, each record with the epoch in which it was written.
    records: Vec<(Epoch, Record)>,
    records_synced: usize,
    bodies: BTreeMap<BlockHash, (SealedBlock, bool)>,
    /// Height h is at h − 1.
    blocks: Vec<Committed>,
    /// Whether syncs wait until the script lets them happen.
    pub(super) held: bool,
    /// Records and bodies to be answered when they are durable.
    unanswered: Option<PersistId>,
    unanswered_bodies: Vec<BlockHash>,
}

impl Disk {
    pub(super) fn write_record(&mut self, epoch: Epoch, id: PersistId, record: Option<Record>) {
        self.records.extend(record.map(|record| (epoch, record)));
        self.unanswered = Some(id);
    }

    pub(super) fn write_body(&mut self, block: &SealedBlock) {
        self.bodies.entry(block.hash()).or_insert_with(|| (block.clone(), false));
        self.unanswered_bodies.push(block.hash());
    }

    /// Everything written is durable now; gives what is to be answered.
    pub(super) fn sync(&mut self) -> (Option<PersistId>, Vec<BlockHash>) {
        self.records_synced = self.records.len();
        self.bodies.values_mut().for_each(|(_, synced)| *synced = true);
        (self.unanswered.take(), std::mem::take(&mut self.unanswered_bodies))
    }

    /// A committed block with its certificate is durable at once: the ledger's commit returns only then.
    pub(super) fn commit(&mut self, committed: Committed) {
        self.bodies.retain(|_, (body, _)| body.height() > committed.block.height());
        self.blocks.push(committed);
    }

    /// Of what was not synced nothing survives.
    pub(super) fn lose_power(&mut self) {
        self.records.truncate(self.records_synced);
        self.bodies.retain(|_, (_, synced)| *synced);
        (self.unanswered, self.unanswered_bodies) = (None, Vec::new());
        self.held = false;
    }

    /// The disk with the ledger is gone; the journal of votes is beside the key, on another one.
    pub(super) fn lose_ledger(&mut self) {
        self.bodies.clear();
        self.blocks.clear();
    }

    /// What the records add up to, as far as they are remembered in this epoch.
    pub(super) fn recall(&self, epoch: Epoch, slips: &[Slip]) -> DurableState {
        let mut state = DurableState::default();
        let forgets = slips.contains(&Slip::ForgetsLaterRecord);
        for (_, record) in self.records.iter().filter(|(of, _)| !forgets || *of <= epoch) {
            state.apply(record.clone());
        }
        if slips.contains(&Slip::KeepsNewViewHashOnly) {
            state.new_view = None;
        }
        state
    }

    pub(super) fn bodies(&self) -> impl Iterator<Item = &SealedBlock> {
        self.bodies.values().map(|(block, _)| block)
    }

    pub(super) fn body(&self, hash: BlockHash) -> Option<SealedBlock> {
        let committed = || self.blocks.iter().rev().map(|c| &c.block).find(|block| block.hash() == hash);
        self.bodies.get(&hash).map(|(block, _)| block).or_else(committed).cloned()
    }

    pub(super) fn blocks(&self) -> &[Committed] {
        &self.blocks
    }

    pub(super) fn height(&self) -> Height {
        Height(self.blocks.len() as u64)
    }
}
