//! One simulated node: the core, its disk, its pool, an executor that chains hashes.

use super::disk::{Committed, Disk};
use super::mutation::Mutation;
use super::random::Random;
use super::settings::{TIMEOUT_BASE_MS, TIMEOUT_MAX_MS};
use super::signing::Signer;
use quorate_chain::{
    BlockHash, CommitCertificate, Height, ResultHash, TimestampMs, Transaction, TransactionId, ValidatorIndex,
};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{Config, Effect, Now, Replica, SealedBlock, Time, Tip};
use std::collections::{BTreeMap, BTreeSet};

/// How often things are sent again in the simulator.
const STATUS_MS: u64 = 100;
/// How far a block's time may be ahead in the simulator.
const MAX_AHEAD_MS: u64 = 2_000;
/// What the wall clocks show at the start.
const CLOCK_START_MS: u64 = 1_700_000_000_000;
/// Transactions of a block.
const BATCH_MAX: usize = 4;

pub(super) struct SimNode {
    pub(super) index: usize,
    config: Config,
    pub(super) signer: Signer,
    /// `None` while the process is down.
    pub(super) replica: Option<Replica>,
    /// Which start of the process; answers to an earlier one are void.
    pub(super) start: u64,
    pub(super) disk: Disk,
    /// Results of committed blocks and of tentative executions.
    results: BTreeMap<BlockHash, ResultHash>,
    pool: BTreeMap<TransactionId, Transaction>,
    committed: BTreeSet<TransactionId>,
    /// What the core was told of the pool last.
    pub(super) told_pending: bool,
    /// For when the next tick is scheduled.
    pub(super) tick_at: Option<u64>,
    /// Crash at the next persist point: whether the record becomes durable, and for how long.
    pub(super) crash_at_persist: Option<(bool, u64)>,
    /// A sync takes up to so long, until then.
    pub(super) slow_disk: (u64, u64),
    /// An execution takes up to so long, until then.
    pub(super) slow_executor: (u64, u64),
    executor_busy_until_ms: u64,
    pub(super) skew_ms: i64,
}

impl SimNode {
    pub(super) fn new(index: u16, context: EpochContext, window: u64, real_signatures: bool) -> Self {
        let signer = Signer::new(context.chain, ValidatorIndex(index), real_signatures);
        let config = Config {
            context,
            me: Some(ValidatorIndex(index)),
            window,
            timeout_base_ms: TIMEOUT_BASE_MS,
            timeout_max_ms: TIMEOUT_MAX_MS,
            status_ms: STATUS_MS,
            max_ahead_ms: MAX_AHEAD_MS,
        };
        Self {
            index: usize::from(index),
            config,
            signer,
            replica: None,
            start: 0,
            disk: Disk::default(),
            results: BTreeMap::new(),
            pool: BTreeMap::new(),
            committed: BTreeSet::new(),
            told_pending: false,
            tick_at: None,
            crash_at_persist: None,
            slow_disk: (0, 0),
            slow_executor: (0, 0),
            executor_busy_until_ms: 0,
            skew_ms: 0,
        }
    }

    pub(super) fn now(&self, time_ms: u64) -> Now {
        let clock = (CLOCK_START_MS + time_ms).saturating_add_signed(self.skew_ms);
        Now { time: Time(time_ms), clock: TimestampMs(clock) }
    }

    /// Starts from the disk.
    pub(super) fn boot(
        &mut self,
        time_ms: u64,
        mutation: Option<Mutation>,
        random: &mut Random,
    ) -> Vec<Effect> {
        self.start += 1;
        (self.told_pending, self.tick_at, self.executor_busy_until_ms) = (false, None, 0);
        let context = &self.config.context;
        self.results = BTreeMap::from([(context.start_block, context.start_result)]);
        self.committed.clear();
        let mut ancestors = Vec::new();
        for Committed { block, result, .. } in self.disk.blocks() {
            self.results.insert(block.hash(), *result);
            self.committed.extend(block.block().transactions.iter().map(Transaction::id));
            ancestors.push((block.height(), block.hash(), *result));
        }
        let tip = match self.disk.blocks().last() {
            Some(Committed { block, certificate, result }) => Tip {
                height: block.height(),
                block: block.hash(),
                result: *result,
                timestamp_ms: block.header().timestamp_ms,
                certificate: Some(certificate.clone()),
            },
            None => Tip {
                height: Height::ZERO,
                block: context.start_block,
                result: context.start_result,
                timestamp_ms: TimestampMs(0),
                certificate: None,
            },
        };
        let durable = self.disk.recall(mutation, random.chance(30));
        let bodies = self.disk.bodies().cloned().collect();
        let now = self.now(time_ms);
        let (replica, effects) = Replica::start(now, self.config.clone(), durable, tip, ancestors, bodies);
        self.replica = Some(replica);
        effects
    }

    /// The process ends and the power with it.
    pub(super) fn crash(&mut self, random: &mut Random) {
        self.replica = None;
        self.start += 1;
        self.pool.clear();
        self.disk.lose_power(random);
    }

    /// How long a sync that starts now takes.
    pub(super) fn sync_ms(&self, now_ms: u64, random: &mut Random) -> u64 {
        let (slow_ms, until_ms) = self.slow_disk;
        random.below(if now_ms < until_ms { slow_ms } else { 3 })
    }

    /// When an execution that is asked for now is done: one after the other.
    pub(super) fn executed_at(&mut self, now_ms: u64, random: &mut Random) -> u64 {
        let (slow_ms, until_ms) = self.slow_executor;
        let takes = random.below(if now_ms < until_ms { slow_ms } else { 4 });
        self.executor_busy_until_ms = now_ms.max(self.executor_busy_until_ms) + takes;
        self.executor_busy_until_ms
    }

    /// Executes a block; `None` if its parent was not executed before.
    pub(super) fn execute(&mut self, block: &SealedBlock) -> Option<ResultHash> {
        let parent = *self.results.get(&block.header().parent)?;
        let result = ResultHash(*blake3::hash(&[parent.0, block.hash().0].concat()).as_bytes());
        self.results.insert(block.hash(), result);
        Some(result)
    }

    /// Transactions of the uncommitted blocks down from `hash`.
    fn in_flight(&self, hash: BlockHash) -> BTreeSet<TransactionId> {
        let mut found = BTreeSet::new();
        let mut next = self.disk.uncommitted_body(hash);
        while let Some(block) = next.filter(|block| block.height() > self.disk.height()) {
            found.extend(block.block().transactions.iter().map(Transaction::id));
            next = self.disk.uncommitted_body(block.header().parent);
        }
        found
    }

    /// R6 as far as this executor has it: nothing twice.
    pub(super) fn is_valid(&self, block: &SealedBlock) -> bool {
        let mut seen = self.in_flight(block.header().parent);
        let mut ids = block.block().transactions.iter().map(Transaction::id);
        ids.all(|id| !self.committed.contains(&id) && seen.insert(id))
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

    pub(super) fn pool(&self) -> impl Iterator<Item = &Transaction> {
        self.pool.values()
    }

    pub(super) fn is_pending(&self) -> bool {
        !self.pool.is_empty()
    }

    /// A block is final; gives its result and how many blocks there are, `None` if it was never executed.
    pub(super) fn commit(
        &mut self,
        block: SealedBlock,
        certificate: CommitCertificate,
    ) -> Option<(ResultHash, usize)> {
        let result = *self.results.get(&block.hash())?;
        for transaction in block.block().transactions.iter() {
            self.pool.remove(&transaction.id());
            self.committed.insert(transaction.id());
        }
        Some((result, self.disk.write_block(Committed { block, certificate, result })))
    }

    pub(super) fn has_committed(&self, id: TransactionId) -> bool {
        self.committed.contains(&id)
    }

    /// Whether as many transactions are committed.
    pub(super) fn committed_count(&self) -> usize {
        self.committed.len()
    }

    pub(super) fn height(&self) -> Height {
        self.disk.height()
    }
}

impl SimNode {
    /// Where it stands, for whoever looks for the cause of a stall.
    pub(super) fn describe(&self) -> String {
        let Some(replica) = &self.replica else { return format!("{}: down", self.index) };
        format!(
            "{}: tip {} view {} {:?} time-out {} ms, {} transactions committed, {} in the pool, told {}",
            self.index,
            replica.tip().height,
            replica.view(),
            replica.phase(),
            replica.timeout_ms(),
            self.committed.len(),
            self.pool.len(),
            self.told_pending,
        )
    }
}
