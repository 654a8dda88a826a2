//! One honest validator's machine: the core, its disk, its executor, its keys.

use super::disk::{Committed, Disk};
use super::executor::Executor;
use super::setup::Setup;
use quorate_chain::crypto::SecretKey;
use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{BlockHash, Epoch, Height, TimestampMs, Transaction, TransactionId};
use quorate_consensus::{Config, Effect, EpochContext, Input, Now, Pending, Replica, SealedBlock, Time, Tip};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Transactions in the pool that count as more than a block of them.
const FULL: usize = 8;
/// What the wall clocks show at the start.
pub(super) const CLOCK_START_MS: u64 = 1_700_000_000_000;

pub(super) struct Actor {
    pub(super) seat: usize,
    /// `None` while the process is down.
    pub(super) replica: Option<Replica>,
    pub(super) disk: Disk,
    pub(super) executor: Executor,
    /// Consensus keys by the epoch in which they count.
    pub(super) keys: BTreeMap<Epoch, SecretKey>,
    /// The epoch that it is in.
    pub(super) context: EpochContext,
    pub(super) pool: Vec<Transaction>,
    /// R40.
    pub(super) excused: BTreeSet<TransactionId>,
    /// Transactions that it holds and puts into no block.
    pub(super) unwanted: BTreeSet<TransactionId>,
    /// How much later its own proposals leave, milliseconds.
    pub(super) late_ms: u64,
    /// The own monotonic clock, milliseconds.
    pub(super) time_ms: u64,
    pub(super) skew_ms: i64,
    /// What the driver has still to tell the core.
    pub(super) inputs: VecDeque<Input>,
    /// Blocks whose execution takes until the script ends it.
    pub(super) slow_blocks: BTreeSet<BlockHash>,
    pub(super) executing: Vec<SealedBlock>,
    /// Effects that an operator would hear of.
    pub(super) alarms: Vec<Effect>,
}

impl Actor {
    pub(super) fn new(seat: usize, setup: &Setup) -> Self {
        let index = u16::try_from(seat).expect("a small set");
        let skew_ms = setup.skew_ms.get(seat).copied().unwrap_or(0);
        let mut keys = BTreeMap::from([(Epoch::ZERO, consensus_key(index))]);
        if let Some(end) = &setup.epoch_end {
            // A seat of the next epoch with the key of this one, or a new key.
            let own = end.next.validators().get(seat).map(|validator| validator.consensus);
            let candidates = (0..u16::try_from(3 * setup.n()).unwrap_or(u16::MAX)).map(consensus_key);
            keys.extend(candidates.filter(|key| Some(key.public()) == own).map(|key| (Epoch(1), key)));
        }
        Self {
            seat,
            replica: None,
            disk: Disk::default(),
            executor: Executor::new(setup, &[]),
            keys,
            context: setup.context.clone(),
            pool: Vec::new(),
            excused: BTreeSet::new(),
            unwanted: BTreeSet::new(),
            late_ms: 0,
            time_ms: 0,
            skew_ms,
            inputs: VecDeque::new(),
            slow_blocks: BTreeSet::new(),
            executing: Vec::new(),
            alarms: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Now {
        let clock = (CLOCK_START_MS + self.time_ms).saturating_add_signed(self.skew_ms);
        Now { time: Time(self.time_ms), clock: TimestampMs(clock) }
    }

    /// Its seat in its epoch, if it has the key for it.
    pub(super) fn me(&self) -> Option<u16> {
        self.keys.contains_key(&self.context.epoch).then(|| u16::try_from(self.seat).unwrap_or(u16::MAX))
    }

    /// The epoch that starts after a block, if that ended one.
    pub(super) fn epoch_after(&self, setup: &Setup, last: &Committed) -> Option<EpochContext> {
        let end = setup.epoch_end.as_ref().filter(|end| end.height == last.block.height())?;
        Some(EpochContext {
            epoch: Epoch(1),
            set: Arc::new(end.next.clone()),
            start_height: last.block.height(),
            start_block: last.block.hash(),
            start_result: last.result,
            ..setup.context.clone()
        })
    }

    /// Starts from the disk.
    pub(super) fn boot(&mut self, setup: &Setup) -> Vec<Effect> {
        let committed = self.disk.blocks().to_vec();
        let ended = committed.iter().find_map(|block| self.epoch_after(setup, block));
        self.context = ended.unwrap_or_else(|| setup.context.clone());
        self.executor = Executor::new(setup, &committed);
        self.inputs.clear();
        self.executing.clear();
        let ancestors = committed.iter().map(|c| (c.block.height(), c.block.hash(), c.result));
        let tip = match committed.last() {
            Some(Committed { block, certificate, result }) => Tip {
                height: block.height(),
                block: block.hash(),
                result: *result,
                timestamp_ms: block.header().timestamp_ms,
                certificate: Some(certificate.clone()),
            },
            None => Tip {
                height: Height::ZERO,
                block: setup.context.start_block,
                result: setup.context.start_result,
                timestamp_ms: TimestampMs(1),
                certificate: None,
            },
        };
        let config: Config = setup.config(self.context.clone(), self.me());
        let durable = self.disk.recall(self.context.epoch, &setup.slips);
        let bodies = self.disk.bodies().cloned().collect();
        let (mut replica, effects) = Replica::start(self.now(), config, durable, tip, ancestors, bodies);
        for mistake in &setup.mistakes {
            replica.make(*mistake);
        }
        self.replica = Some(replica);
        self.inputs.push_back(Input::Pending(self.pending()));
        effects
    }

    /// The process ends and the power with it.
    pub(super) fn lose_power(&mut self) {
        self.replica = None;
        self.pool.clear();
        self.inputs.clear();
        self.disk.lose_power();
    }

    pub(super) fn pending(&self) -> Pending {
        if self.pool.is_empty() {
            return Pending::Nothing;
        }
        let oldest = self.pool.iter().map(Transaction::id).find(|id| !self.excused.contains(id));
        Pending::Some { oldest, full: self.pool.len() >= FULL }
    }

    /// The oldest transaction that is in no block between the tip and `parent`.
    pub(super) fn batch(
        &self,
        parent: BlockHash,
        known: impl Fn(BlockHash) -> Option<SealedBlock>,
    ) -> Vec<Transaction> {
        let mut in_flight = BTreeSet::new();
        let mut next = known(parent);
        while let Some(block) = next.filter(|block| block.height() > self.disk.height()) {
            in_flight.extend(block.block().transactions.iter().map(Transaction::id));
            next = known(block.header().parent);
        }
        let wanted = |t: &&Transaction| !in_flight.contains(&t.id()) && !self.unwanted.contains(&t.id());
        self.pool.iter().find(wanted).cloned().into_iter().collect()
    }
}
