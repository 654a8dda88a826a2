//! An honest replica with its driver: disk, executor, and answers that wait to be given.

use super::disk::{Committed, Disk};
use super::signing::{CHAIN, SET};
use crate::fuzz::script::Script;
use quorate_chain::{BlockHash, CommitCertificate, Epoch, Height, ResultHash, TimestampMs, ValidatorIndex};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{Config, Effect, Input, Now, Pending, PersistId, Replica, SealedBlock, Time, Tip};
use std::collections::{BTreeSet, VecDeque};

/// First time-out of a view, milliseconds.
const TIMEOUT_BASE_MS: u64 = 300;
/// Largest time-out, milliseconds.
const TIMEOUT_MAX_MS: u64 = 10_000;
/// How often things are sent again, milliseconds.
const STATUS_MS: u64 = 100;
/// How far a block's time may be ahead, milliseconds.
const MAX_AHEAD_MS: u64 = 2_000;
/// What the wall clocks show at the start.
pub(super) const CLOCK_START_MS: u64 = 1_700_000_000_000;

/// An answer of the node's own driver, to be given at some time.
#[derive(Debug)]
pub(super) enum Answer {
    Input(Box<Input>),
    /// So many records are durable.
    Synced(usize, PersistId),
    BodySynced(BlockHash),
    /// Which transactions wait now.
    Pending,
    /// So many committed blocks are durable.
    ChainSynced(usize),
    /// The tip, which ended its epoch, is durable.
    EpochStarts(EpochContext),
}

/// Something that another node sent.
#[derive(Clone, Debug)]
pub(super) enum Wire {
    /// A message, by its place in the history.
    Message(usize),
    Block(SealedBlock),
    Certified(SealedBlock, CommitCertificate),
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) seat: usize,
    config: Config,
    pub(super) replica: Replica,
    pub(super) disk: Disk,
    pub(super) answers: VecDeque<Answer>,
    pub(super) inbox: VecDeque<Wire>,
    /// Blocks whose state is at hand: the tip, and what was executed above it.
    pub(super) executed: BTreeSet<BlockHash>,
    pub(super) pending: Pending,
    /// Blocks with transactions until nothing waits any more.
    pub(super) batches_waiting: u8,
    /// The verdict on the next block asked for is no.
    pub(super) refuses: bool,
    skew_ms: i64,
}

/// The first epoch.
fn first_epoch() -> EpochContext {
    EpochContext {
        chain: CHAIN,
        epoch: Epoch::ZERO,
        set: SET.clone(),
        start_height: Height::ZERO,
        start_block: CHAIN.genesis_block(),
        start_result: ResultHash::default(),
    }
}

/// The epoch of the next height of a committed chain.
fn epoch_after(chain: &[Committed]) -> EpochContext {
    let last = chain.iter().rfind(|c| c.ends_epoch);
    last.map_or_else(first_epoch, |last| EpochContext {
        epoch: last.block.header().epoch.next(),
        start_height: last.block.height(),
        start_block: last.block.hash(),
        start_result: last.result,
        ..first_epoch()
    })
}

impl Node {
    /// Starts for the first time.
    pub(super) fn new(seat: usize, window: u64, skew_ms: i64) -> (Self, Vec<Effect>) {
        let mut config = Config {
            context: first_epoch(),
            me: Some(ValidatorIndex(seat as u16)),
            window,
            timeout_base_ms: TIMEOUT_BASE_MS,
            timeout_max_ms: TIMEOUT_MAX_MS,
            status_ms: STATUS_MS,
            max_ahead_ms: MAX_AHEAD_MS,
            batch_wait_ms: 5,
            max_idle_ms: 0,
        };
        let mut disk = Disk::default();
        let (replica, effects) = boot(at(0, skew_ms), &mut config, &mut disk, &mut Script::new(&[]));
        let node = Self {
            seat,
            config,
            replica,
            disk,
            answers: VecDeque::new(),
            inbox: VecDeque::new(),
            executed: BTreeSet::from([CHAIN.genesis_block()]),
            pending: Pending::Nothing,
            batches_waiting: 0,
            refuses: false,
            skew_ms,
        };
        (node, effects)
    }

    pub(super) fn now(&self, time_ms: u64) -> Now {
        at(time_ms, self.skew_ms)
    }

    /// The process ends, and starts again from what the disk kept.
    pub(super) fn restart(&mut self, time_ms: u64, script: &mut Script<'_>) -> Vec<Effect> {
        let now = self.now(time_ms);
        let (replica, effects) = boot(now, &mut self.config, &mut self.disk, script);
        self.replica = replica;
        self.answers.clear();
        self.inbox.clear();
        self.executed = BTreeSet::from([self.replica.tip().block]);
        (self.pending, self.refuses) = (Pending::Nothing, false);
        effects
    }

    /// The epoch that it is in.
    pub(super) const fn context(&self) -> &EpochContext {
        &self.config.context
    }

    /// The epoch that the committed tip begins.
    pub(super) fn next_context(&self) -> EpochContext {
        epoch_after(self.disk.chain())
    }

    /// The next epoch starts: the block that ended the last one is durable.
    pub(super) fn start_epoch(&mut self, context: EpochContext) -> Input {
        self.disk.sync_chain(self.disk.chain().len());
        self.config.context = context.clone();
        Input::EpochStarted { context, me: self.config.me }
    }

    /// A block with transactions is committed: fewer wait.
    pub(super) fn batch_committed(&mut self) {
        self.batches_waiting = self.batches_waiting.saturating_sub(1);
        if self.batches_waiting == 0 {
            self.pending = Pending::Nothing;
        }
    }

    /// The tip's state is the committed one now: what does not build on it is dropped.
    pub(super) fn drop_other_executions(&mut self, tip: &SealedBlock) {
        let builds_on_tip = |hash: &BlockHash| {
            let mut next = *hash;
            while next != tip.hash() {
                let Some(block) = self.disk.body(next).filter(|b| b.height() > tip.height()) else {
                    return false;
                };
                next = block.header().parent;
            }
            true
        };
        self.executed = self.executed.iter().filter(|hash| builds_on_tip(hash)).copied().collect();
    }
}

fn at(time_ms: u64, skew_ms: i64) -> Now {
    let clock = (CLOCK_START_MS + time_ms).saturating_add_signed(skew_ms);
    Now { time: Time(time_ms), clock: TimestampMs(clock) }
}

/// Starts a replica from its disk.
fn boot(now: Now, config: &mut Config, disk: &mut Disk, script: &mut Script<'_>) -> (Replica, Vec<Effect>) {
    let make_short = script.byte() & 1 == 1;
    let durable = disk.restart(|most| script.below(most + 1), make_short);
    let ancestors = disk.chain().iter().map(|c| (c.block.height(), c.block.hash(), c.result));
    let tip = disk.chain().last().map_or_else(genesis, |last| Tip {
        height: last.block.height(),
        block: last.block.hash(),
        result: last.result,
        timestamp_ms: last.block.header().timestamp_ms,
        certificate: Some(last.certificate.clone()),
    });
    config.context = epoch_after(disk.chain());
    let bodies = disk.bodies().filter(|body| body.height() > tip.height).cloned().collect();
    Replica::start(now, config.clone(), durable, tip, ancestors.collect::<Vec<_>>(), bodies)
}

fn genesis() -> Tip {
    Tip {
        height: Height::ZERO,
        block: CHAIN.genesis_block(),
        result: ResultHash::default(),
        timestamp_ms: TimestampMs(0),
        certificate: None,
    }
}
