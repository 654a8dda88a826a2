//! One simulated node: what it is while it runs, what is left when it does not, and what is wrong with it.

use super::byzantine::Liar;
use super::clients;
use super::executor::Executor;
use super::random::Random;
use super::roster::Roster;
use super::settings::{Settings, TIMEOUT_BASE_MS, TIMEOUT_MAX_MS};
use super::signing::Signer;
use super::slip::Slip;
use super::storage::Storage;
use super::votes::VoteJournal;
use quorate_chain::ledger::journal::PowerLoss;
use quorate_chain::ledger::{GenesisState, LedgerError};
use quorate_chain::validator::SetChange;
use quorate_chain::{Epoch, Height, ResultHash, TimestampMs};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{Config, Effect, Now, PersistId, Record, Replica, SealedBlock, Time, Tip};

/// How often things are sent again in the simulator.
const STATUS_MS: u64 = 150;
/// How far a block's time may be ahead in the simulator.
pub(super) const MAX_AHEAD_MS: u64 = 2_000;
/// How long a primary waits for more transactions in the simulator.
const BATCH_WAIT_MS: u64 = 5;
/// What the wall clocks show at the start.
const CLOCK_START_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;
/// A clock's rate is in millionths.
const MILLION: u64 = 1_000_000;
/// Committed heights below the tip that the core is told at start (R17).
const ANCESTORS: u64 = 64;

/// Records on their way to the disk: those of the running sync have been written, the others wait for it.
pub(super) struct VoteWriter {
    pub(super) journal: VoteJournal,
    pub(super) waiting: Vec<(PersistId, Record)>,
    pub(super) syncing: Option<PersistId>,
}

/// What is gone when the process ends.
pub(super) struct Process {
    pub(super) replica: Replica,
    pub(super) executor: Executor,
    pub(super) votes: VoteWriter,
    /// For when the next tick is scheduled.
    pub(super) tick_at: Option<u64>,
    /// Blocks that it fetches, answer by answer.
    pub(super) fetch: Option<Fetch>,
}

/// Up to which height a node fetches blocks of whom, and the last that the present answer brought.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch {
    pub(super) peer: usize,
    pub(super) to: Height,
    pub(super) brought: Height,
}

/// What is ordered to go wrong with a node's disk; the error that follows is the plan's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiskFault {
    /// Full until then.
    Full(u64),
    /// Its next sync fails; the node is down for so long.
    Sync(u64),
    /// The power goes in the middle of an operation, for so long.
    PowerCut(u64),
}

/// What takes up to so long until then, instead of what it usually takes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slowness {
    pub(super) max_ms: u64,
    pub(super) until_ms: u64,
    /// Whether anything has felt it.
    pub(super) felt: bool,
}

impl Slowness {
    /// How long something takes that begins now, and whether it is the first to be slow.
    pub(super) fn draw(&mut self, now_ms: u64, usual_ms: u64, random: &mut Random) -> (u64, bool) {
        let slow = now_ms < self.until_ms;
        let takes_ms = random.below(if slow { self.max_ms } else { usual_ms });
        (takes_ms, slow && !std::mem::replace(&mut self.felt, true))
    }
}

/// Whether a node counts among the faulty ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Honest,
    /// It lies.
    Byzantine,
    /// Its disk is an old one: it may sign again what it does not know of.
    OldDisk,
    /// Its disk was wiped: it never votes again with its key.
    Wiped,
    /// A bit of its disk has turned: nothing is known until it starts.
    BitFlip {
        /// Whether it is wiped then.
        wiped: bool,
    },
    /// Its disk is damaged: it stays down.
    Damaged,
}

pub(super) struct SimNode {
    pub(super) index: usize,
    pub(super) signer: Signer,
    /// `None` while the process is down.
    pub(super) process: Option<Process>,
    /// Which start of the process; answers to an earlier one are void.
    pub(super) start: u64,
    pub(super) storage: Storage,
    pub(super) backup: Option<(Storage, Height)>,
    pub(super) standing: Standing,
    /// How it lies, if it does.
    pub(super) liar: Option<Liar>,
    /// What must be there after any crash: the last height and vote record that were said to be durable.
    pub(super) durable: (Height, u64),
    /// R46: the key of an epoch below this one is erased, if it is another than that of this one.
    pub(super) keys_erased_below: Epoch,
    /// Crash at the next persist point: whether the record becomes durable, and for how long.
    pub(super) crash_at_persist: Option<(bool, u64)>,
    pub(super) disk_fault: Option<DiskFault>,
    pub(super) slow_disk: Slowness,
    pub(super) slow_executor: Slowness,
    /// Until when the one disk is busy.
    pub(super) disk_busy_until_ms: u64,
    pub(super) skew_ms: i64,
    /// How much faster its clocks run, millionths.
    pub(super) drift: i64,
    /// When the clock of its timers stands still.
    pub(super) stalled_ms: std::ops::Range<u64>,
}

impl SimNode {
    pub(super) fn new(index: usize, settings: &Settings, random: &mut Random) -> Self {
        Self {
            index,
            signer: Signer::new(settings.verify),
            process: None,
            start: 0,
            storage: Storage::new(random.next(), settings.replicas),
            backup: None,
            standing: Standing::Honest,
            liar: None,
            durable: (Height::ZERO, 0),
            keys_erased_below: Epoch::ZERO,
            crash_at_persist: None,
            disk_fault: None,
            slow_disk: Slowness::default(),
            slow_executor: Slowness::default(),
            disk_busy_until_ms: 0,
            skew_ms: 0,
            drift: 0,
            stalled_ms: 0..0,
        }
    }

    pub(super) const fn replica(&self) -> Option<&Replica> {
        match &self.process {
            Some(process) => Some(&process.replica),
            None => None,
        }
    }

    pub(super) fn executor(&self) -> Option<&Executor> {
        self.process.as_ref().map(|process| &process.executor)
    }

    const fn rate(&self) -> u64 {
        MILLION.saturating_add_signed(self.drift)
    }

    pub(super) fn now(&self, time_ms: u64) -> Now {
        let own = |time_ms: u64| time_ms * self.rate() / MILLION;
        let stood_ms = time_ms.clamp(self.stalled_ms.start, self.stalled_ms.end) - self.stalled_ms.start;
        let clock = (CLOCK_START_MS + own(time_ms)).saturating_add_signed(self.skew_ms);
        Now { time: Time(own(time_ms - stood_ms)), clock: TimestampMs(clock) }
    }

    /// When this node's clock shows a time.
    pub(super) const fn when(&self, own: Time) -> u64 {
        let time_ms = (own.0 * MILLION).div_ceil(self.rate());
        // As far as it is known now: it may yet come to a stand.
        let stands =
            if time_ms > self.stalled_ms.start { self.stalled_ms.end - self.stalled_ms.start } else { 0 };
        time_ms + stands
    }

    /// Whether this node may vote with this key in that epoch (R46, R47).
    pub(super) fn holds_key(&self, epoch: Epoch) -> bool {
        self.standing != Standing::Wiped && epoch >= self.keys_erased_below
    }

    /// Starts from the disk, as a node does; `contexts` are those of the epochs so far.
    pub(super) fn open(
        &self,
        time_ms: u64,
        settings: &Settings,
        start: &Start,
        config: impl FnOnce(Epoch) -> Option<Config>,
    ) -> Result<Option<(Process, Vec<Effect>)>, LedgerError> {
        let (mut opened, journal) = self.storage.open(&start.genesis)?;
        let tip = opened.ledger.tip().clone();
        for (height, change) in start.changes.iter().filter(|(height, _)| *height > tip.height) {
            opened.ledger.schedule_set_change(*height, change.clone());
        }
        let Some(config) = config(tip.epoch) else { return Ok(None) };
        let start_tip = Tip {
            height: tip.height,
            block: tip.block,
            result: tip.result.hash(),
            timestamp_ms: tip.timestamp_ms,
            certificate: tip.certificate.clone(),
        };
        let mut ancestors = Vec::new();
        for height in (tip.height.0.saturating_sub(ANCESTORS)..tip.height.0).map(Height) {
            if let Some(committed) = opened.reader.block(height)? {
                ancestors.push((height, committed.block.hash(), committed.result.hash()));
            }
        }
        let uncommitted = std::mem::take(&mut opened.uncommitted);
        let bodies = uncommitted.into_iter().filter_map(SealedBlock::new).collect();
        let durable = journal.recall(settings.slip());
        let now = self.now(time_ms);
        let (mut replica, effects) = Replica::start(now, config, durable, start_tip, ancestors, bodies);
        if settings.slip().is_some_and(Slip::votes_unasked) {
            replica.make(quorate_consensus::Mistake::VotesUnasked);
        }
        settings.mistakes().for_each(|mistake| replica.make(mistake));
        let votes = VoteWriter { journal, waiting: Vec::new(), syncing: None };
        let mut executor = Executor::new(opened);
        if settings.slip() == Some(Slip::SkipsBucket) {
            executor.skip_bucket();
        }
        Ok(Some((Process { replica, executor, votes, tick_at: None, fetch: None }, effects)))
    }

    /// The process ends, and maybe the power with it.
    pub(super) fn end(&mut self, loss: PowerLoss) {
        self.process = None;
        self.start += 1;
        self.storage.lose_power(loss);
        self.disk_busy_until_ms = 0;
    }

    /// Transactions committed here; none while it is down.
    pub(super) fn committed(&self) -> usize {
        self.executor().map_or(0, Executor::committed)
    }

    pub(super) fn height(&self) -> Height {
        self.executor().map_or(Height::ZERO, |executor| executor.tip().height)
    }

    /// Where it stands, for whoever looks for the cause of a stall.
    pub(super) fn describe(&self) -> String {
        let (index, standing) = (self.index, self.standing);
        let Some(Process { replica, executor, .. }) = &self.process else {
            return format!("{index}: down, {standing:?}");
        };
        format!(
            "{index}: {standing:?} epoch {} seat {:?} tip {} view {} {:?} time-out {} ms, {} transactions \
             committed, {} in the pool, told {:?}",
            replica.epoch(),
            replica.seat(),
            replica.tip().height,
            replica.view(),
            replica.phase(),
            replica.timeout_ms(),
            executor.committed(),
            executor.waiting(),
            executor.told,
        )
    }
}

/// The core's configuration in one epoch.
pub(super) fn config(
    context: EpochContext,
    me: Option<quorate_chain::ValidatorIndex>,
    settings: &Settings,
) -> Config {
    Config {
        context,
        me,
        window: settings.window,
        timeout_base_ms: TIMEOUT_BASE_MS,
        timeout_max_ms: TIMEOUT_MAX_MS,
        status_ms: STATUS_MS,
        max_ahead_ms: MAX_AHEAD_MS,
        batch_wait_ms: BATCH_WAIT_MS,
        max_idle_ms: settings.max_idle_ms,
    }
}

/// What every node of a run starts from, and the changes of the validators that all have agreed on.
pub(super) struct Start {
    pub(super) genesis: GenesisState,
    pub(super) result: ResultHash,
    changes: Vec<(Height, SetChange)>,
}

impl Start {
    pub(super) fn new(settings: &Settings, roster: &Roster) -> Self {
        let parameters = clients::parameters(settings.window);
        let time = TimestampMs(CLOCK_START_MS - 2 * HOUR_MS);
        let set = (**roster.set(Epoch::ZERO)).clone();
        let genesis = GenesisState::new(clients::CHAIN, time, set, parameters, clients::entries());
        let result = genesis.result().map(|result| result.hash());
        let result = result.unwrap_or(ResultHash([0; 32]));
        let changes = roster.changes(result);
        Self { genesis, result, changes }
    }
}
