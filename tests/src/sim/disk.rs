//! What survives a crash: the vote journal, bodies, and the committed chain.

use super::mutation::Mutation;
use super::random::Random;
use quorate_chain::codec::{decode, encode};
use quorate_chain::{BlockHash, CommitCertificate, Height, ResultHash};
use quorate_consensus::{DurableState, Record, SealedBlock};
use std::collections::BTreeMap;

/// A block of the committed chain.
#[derive(Clone)]
pub(super) struct Committed {
    pub(super) block: SealedBlock,
    /// Its certificate, or that of a descendant.
    pub(super) certificate: CommitCertificate,
    pub(super) result: ResultHash,
}

/// Things that are made durable one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    Votes,
    Bodies,
    Blocks,
}

#[derive(Default)]
pub(super) struct Disk {
    records: Vec<Record>,
    records_synced: usize,
    bodies: BTreeMap<BlockHash, (SealedBlock, bool)>,
    /// Height h is at h − 1.
    blocks: Vec<Committed>,
    blocks_synced: usize,
    /// Until when each queue is busy, milliseconds of virtual time.
    busy_until_ms: [u64; 3],
}

impl Disk {
    /// When a sync that is asked for now and takes `sync_ms` is done: one after the other.
    pub(super) fn done_at(&mut self, queue: Queue, now_ms: u64, sync_ms: u64) -> u64 {
        let busy = &mut self.busy_until_ms[queue as usize];
        *busy = now_ms.max(*busy) + sync_ms;
        *busy
    }

    /// Appends a record; gives how many there are.
    pub(super) fn write_record(&mut self, record: Record) -> usize {
        self.records.push(record);
        self.records.len()
    }

    pub(super) fn sync_records(&mut self, count: usize) {
        self.records_synced = self.records_synced.max(count);
    }

    pub(super) fn write_body(&mut self, block: &SealedBlock) {
        self.bodies.entry(block.hash()).or_insert_with(|| (block.clone(), false));
    }

    pub(super) fn sync_body(&mut self, hash: BlockHash) {
        if let Some((_, synced)) = self.bodies.get_mut(&hash) {
            *synced = true;
        }
    }

    /// Appends a committed block; gives how many there are.
    pub(super) fn write_block(&mut self, committed: Committed) -> usize {
        self.blocks.push(committed);
        self.blocks.len()
    }

    pub(super) fn sync_blocks(&mut self, count: usize) {
        self.blocks_synced = self.blocks_synced.max(count);
        // A body is needed until the certificate of its height is durable (R43).
        let height = self.blocks_synced as u64;
        self.bodies.retain(|_, (body, _)| body.height().0 > height);
    }

    /// Of what was not synced nothing survives, or by chance a prefix; of bodies, any.
    pub(super) fn lose_power(&mut self, random: &mut Random) {
        let nothing = random.chance(50);
        let mut keep = |synced: usize, all: usize| {
            let more = if nothing { 0 } else { random.below((all - synced) as u64 + 1) as usize };
            synced + more
        };
        self.records.truncate(keep(self.records_synced, self.records.len()));
        self.blocks.truncate(keep(self.blocks_synced, self.blocks.len()));
        (self.records_synced, self.blocks_synced) = (self.records.len(), self.blocks.len());
        self.bodies.retain(|_, (_, synced)| *synced || !nothing && random.chance(50));
        self.bodies.values_mut().for_each(|(_, synced)| *synced = true);
        self.busy_until_ms = [0; 3];
    }

    /// What the records add up to; the journal is made short by the way, as a node does.
    pub(super) fn recall(&mut self, mutation: Option<Mutation>, compact: bool) -> DurableState {
        let mut state = Mutation::recall(mutation, self.records.iter().cloned());
        if compact {
            state.forget(self.height());
            let snapshot = decode::<Record>(&encode(&Record::Snapshot(Box::new(state.clone()))));
            assert!(snapshot.is_ok(), "a snapshot decodes to what was encoded");
            self.records = snapshot.into_iter().collect();
            self.records_synced = self.records.len();
        }
        state
    }

    pub(super) fn bodies(&self) -> impl Iterator<Item = &SealedBlock> {
        self.bodies.values().map(|(block, _)| block)
    }

    pub(super) fn uncommitted_body(&self, hash: BlockHash) -> Option<&SealedBlock> {
        self.bodies.get(&hash).map(|(block, _)| block)
    }

    pub(super) fn body(&self, hash: BlockHash) -> Option<SealedBlock> {
        let committed = || self.blocks.iter().rev().map(|c| &c.block).find(|block| block.hash() == hash);
        self.uncommitted_body(hash).or_else(committed).cloned()
    }

    pub(super) fn blocks(&self) -> &[Committed] {
        &self.blocks
    }

    pub(super) fn height(&self) -> Height {
        Height(self.blocks.len() as u64)
    }
}
