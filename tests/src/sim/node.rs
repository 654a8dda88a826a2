//! One simulated node: the core, a disk that loses what was not synced, an executor that chains hashes.

use super::random::Random;
use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{
    BlockHash, CommitCertificate, Height, ResultHash, TimestampMs, Transaction, TransactionId, ValidatorIndex,
};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{
    Config, DurableState, Effect, Message, Now, PersistId, Record, Replica, SealedBlock, Tip, Unsigned,
};
use std::collections::{BTreeMap, BTreeSet};

/// What survives a crash.
#[derive(Default)]
pub(super) struct Disk {
    records: Vec<(PersistId, Record)>,
    records_synced: usize,
    bodies: BTreeMap<BlockHash, (SealedBlock, bool)>,
    pub(super) blocks: Vec<(SealedBlock, CommitCertificate)>,
    blocks_synced: usize,
}

pub(super) struct SimNode {
    pub(super) index: usize,
    context: EpochContext,
    window: u64,
    pub(super) replica: Option<Replica>,
    /// Which start of the process; answers to an earlier one are void.
    pub(super) start: u64,
    pub(super) disk: Disk,
    results: BTreeMap<BlockHash, ResultHash>,
    pub(super) pool: BTreeMap<TransactionId, Transaction>,
    committed: BTreeSet<TransactionId>,
    /// Virtual time up to which the disk is busy.
    pub(super) disk_free_at: u64,
    pub(super) sync_ms: u64,
    pub(super) skew_ms: i64,
}

/// First time-out of a view in the simulator.
pub(super) const TIMEOUT_BASE_MS: u64 = 300;
/// Largest time-out in the simulator.
pub(super) const TIMEOUT_MAX_MS: u64 = 10_000;
/// How often things are sent again in the simulator.
const STATUS_MS: u64 = 100;
/// What the wall clocks show at the start.
const EPOCH_START_MS: u64 = 1_700_000_000_000;
/// Transactions of a block.
const BATCH_MAX: usize = 4;

impl SimNode {
    pub(super) fn new(index: usize, context: EpochContext, window: u64, skew_ms: i64) -> Self {
        Self {
            index,
            context,
            window,
            replica: None,
            start: 0,
            disk: Disk::default(),
            results: BTreeMap::new(),
            pool: BTreeMap::new(),
            committed: BTreeSet::new(),
            disk_free_at: 0,
            sync_ms: 0,
            skew_ms,
        }
    }

    pub(super) fn now(&self, time_ms: u64) -> Now {
        let clock = (EPOCH_START_MS + time_ms).saturating_add_signed(self.skew_ms);
        Now { time: quorate_consensus::Time(time_ms), clock: TimestampMs(clock) }
    }

    /// Starts from the disk.
    pub(super) fn boot(&mut self, time_ms: u64) -> Vec<Effect> {
        self.start += 1;
        self.results.clear();
        self.committed.clear();
        let mut result = self.context.start_result;
        self.results.insert(self.context.start_block, result);
        let mut recent = Vec::new();
        for (block, _) in &self.disk.blocks {
            result = chain_hash(result, block.hash());
            self.results.insert(block.hash(), result);
            self.committed.extend(block.block().transactions.iter().map(Transaction::id));
            recent.push((block.height(), block.hash(), result));
        }
        let tip = match self.disk.blocks.last() {
            Some((block, certificate)) => Tip {
                height: block.height(),
                block: block.hash(),
                result,
                timestamp_ms: block.header().timestamp_ms,
                certificate: Some(certificate.clone()),
            },
            None => Tip {
                height: Height::ZERO,
                block: self.context.start_block,
                result,
                timestamp_ms: TimestampMs(0),
                certificate: None,
            },
        };
        let mut durable = DurableState::default();
        self.disk.records.iter().for_each(|(_, record)| durable.apply(record.clone()));
        let bodies = self.disk.bodies.values().map(|(block, _)| block.clone()).collect();
        let config = Config {
            context: self.context.clone(),
            me: Some(ValidatorIndex(u16::try_from(self.index).unwrap_or(u16::MAX))),
            window: self.window,
            timeout_base_ms: TIMEOUT_BASE_MS,
            timeout_max_ms: TIMEOUT_MAX_MS,
            status_ms: STATUS_MS,
            max_ahead_ms: 2_000,
        };
        let (replica, effects) = Replica::start(self.now(time_ms), config, durable, tip, recent, bodies);
        self.replica = Some(replica);
        effects
    }

    /// The process ends. Of what was not synced a prefix survives, by chance.
    pub(super) fn crash(&mut self, random: &mut Random) {
        self.replica = None;
        self.start += 1;
        self.pool.clear();
        let disk = &mut self.disk;
        let spare = (disk.records.len() - disk.records_synced) as u64;
        disk.records.truncate(disk.records_synced + random.below(spare + 1) as usize);
        disk.records_synced = disk.records.len();
        disk.bodies.retain(|_, (_, synced)| *synced || random.chance(50));
        disk.bodies.values_mut().for_each(|(_, synced)| *synced = true);
        let spare = (disk.blocks.len() - disk.blocks_synced) as u64;
        disk.blocks.truncate(disk.blocks_synced + random.below(spare + 1) as usize);
        disk.blocks_synced = disk.blocks.len();
    }

    pub(super) fn sign(&self, unsigned: Unsigned) -> Message {
        let index = u16::try_from(self.index).unwrap_or(u16::MAX);
        unsigned.sign(self.context.chain, ValidatorIndex(index), &consensus_key(index))
    }

    pub(super) fn write_record(&mut self, id: PersistId, record: Record) {
        self.disk.records.push((id, record));
    }

    pub(super) fn sync_records(&mut self, id: PersistId, start_records: usize) {
        let synced = start_records.min(self.disk.records.len());
        self.disk.records_synced = self.disk.records_synced.max(synced);
        debug_assert!(self.disk.records.get(synced.wrapping_sub(1)).is_none_or(|(last, _)| *last <= id));
    }

    pub(super) fn record_count(&self) -> usize {
        self.disk.records.len()
    }

    pub(super) fn write_body(&mut self, block: &SealedBlock) {
        self.disk.bodies.entry(block.hash()).or_insert_with(|| (block.clone(), false));
    }

    pub(super) fn sync_body(&mut self, hash: BlockHash) {
        if let Some((_, synced)) = self.disk.bodies.get_mut(&hash) {
            *synced = true;
        }
    }

    pub(super) fn body(&self, hash: BlockHash) -> Option<SealedBlock> {
        let stored = self.disk.bodies.get(&hash).map(|(block, _)| block.clone());
        stored.or_else(|| self.disk.blocks.iter().find(|(b, _)| b.hash() == hash).map(|(b, _)| b.clone()))
    }

    pub(super) fn sync_blocks(&mut self, count: usize) {
        self.disk.blocks_synced = self.disk.blocks_synced.max(count.min(self.disk.blocks.len()));
        // A body is needed until the certificate of its height is durable.
        let height = self.disk.blocks_synced as u64;
        self.disk.bodies.retain(|_, (body, _)| body.height().0 > height);
    }

    /// Executes a block whose parent's result is known.
    pub(super) fn execute(&mut self, block: &SealedBlock) -> Option<ResultHash> {
        let parent = *self.results.get(&block.header().parent)?;
        let result = chain_hash(parent, block.hash());
        self.results.insert(block.hash(), result);
        Some(result)
    }

    /// Transactions of the uncommitted blocks down from `hash`.
    fn in_flight(&self, mut hash: BlockHash) -> BTreeSet<TransactionId> {
        let mut found = BTreeSet::new();
        while let Some((block, _)) = self.disk.bodies.get(&hash) {
            found.extend(block.block().transactions.iter().map(Transaction::id));
            hash = block.header().parent;
        }
        found
    }

    /// R6 as far as this executor has it: nothing twice.
    pub(super) fn valid(&self, block: &SealedBlock) -> bool {
        let flight = self.in_flight(block.header().parent);
        let mut seen = BTreeSet::new();
        block
            .block()
            .transactions
            .iter()
            .all(|t| !self.committed.contains(&t.id()) && !flight.contains(&t.id()) && seen.insert(t.id()))
    }

    pub(super) fn batch(&self, parent: BlockHash) -> Vec<Transaction> {
        let flight = self.in_flight(parent);
        let fresh = self.pool.values().filter(|t| !flight.contains(&t.id()));
        fresh.take(BATCH_MAX).cloned().collect()
    }

    /// Takes a transaction into the pool; false if it is there or committed.
    pub(super) fn submit(&mut self, transaction: &Transaction) -> bool {
        let id = transaction.id();
        !self.committed.contains(&id) && self.pool.insert(id, transaction.clone()).is_none()
    }

    /// A block is final.
    pub(super) fn commit(&mut self, block: SealedBlock, certificate: CommitCertificate) {
        for transaction in block.block().transactions.iter() {
            self.pool.remove(&transaction.id());
            self.committed.insert(transaction.id());
        }
        self.disk.blocks.push((block, certificate));
    }

    pub(super) fn has_committed(&self, id: TransactionId) -> bool {
        self.committed.contains(&id)
    }

    pub(super) fn height(&self) -> usize {
        self.disk.blocks.len()
    }
}

fn chain_hash(parent: ResultHash, block: BlockHash) -> ResultHash {
    ResultHash(*blake3::hash(&[parent.0, block.0].concat()).as_bytes())
}
