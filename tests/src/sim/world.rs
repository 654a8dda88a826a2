//! The clock and the queue of events; safety phase, healing, liveness phase.

use super::checker::{Checker, Violation};
use super::clients::{ALL, TRANSACTIONS, patience_ms, transactions};
use super::effects::Answer;
use super::node::SimNode;
use super::plan::{Fault, Plan};
use super::random::Random;
use super::settings::{Outcome, Settings, TIMEOUT_BASE_MS, TIMEOUT_MAX_MS};
use super::weather::Weather;
use super::wire::Wire;
use quorate_chain::validator::fixture::validator_set;
use quorate_chain::{BlockHash, ChainId, Epoch, Height, ResultHash};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{Input, Phase, Replica};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Base time-outs that a healed network has to commit everything, beside those of the views that must fail.
const LIVENESS_TIMEOUTS: u64 = 20;
/// A clock that is wrong by more than this may make primaries unfit, milliseconds.
const SKEW_MAX_MS: i64 = 1_000;
/// Events after which a run is taken to be caught in a loop.
const EVENTS_MAX: u64 = 3_000_000;

pub(super) enum Event {
    Deliver {
        from: usize,
        to: usize,
        wire: Wire,
    },
    /// Void after a restart.
    Answer {
        node: usize,
        start: u64,
        answer: Answer,
    },
    Tick {
        node: usize,
        start: u64,
    },
    Boot {
        node: usize,
    },
    Fault(Fault),
    Submit {
        transaction: usize,
    },
    Heal,
}

pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) random: Random,
    pub(super) context: EpochContext,
    pub(super) now_ms: u64,
    sequence: u64,
    /// By time, then in the order in which they were made.
    events: BTreeMap<(u64, u64), Event>,
    pub(super) nodes: Vec<SimNode>,
    silent: Vec<usize>,
    pub(super) one_disk: bool,
    pub(super) weather: Weather,
    /// When it healed, and until when everything must be committed.
    healed: Option<(u64, u64)>,
    /// The largest time-out of anybody since then in which a view could make progress.
    timeout_ms: u64,
    pub(super) checker: Checker,
    hasher: blake3::Hasher,
    pub(super) outcome: Outcome,
}

/// Runs one seed with a plan that follows from it.
#[must_use]
pub fn run(seed: u64, settings: Settings) -> Outcome {
    let mut random = Random::new(seed);
    let quorum = validator_set(u16::try_from(settings.replicas).unwrap_or(u16::MAX)).quorum();
    let plan = Plan::random(&mut random, settings.replicas, quorum.f());
    World::new(random, settings, &plan).run(&plan)
}

/// Runs one seed with a given plan.
#[must_use]
pub fn run_plan(seed: u64, settings: Settings, plan: &Plan) -> Outcome {
    World::new(Random::new(seed), settings, plan).run(plan)
}

impl World {
    fn new(random: Random, settings: Settings, plan: &Plan) -> Self {
        let n = u16::try_from(settings.replicas).unwrap_or(u16::MAX);
        let set = validator_set(n);
        let quorum = set.quorum();
        let context = EpochContext {
            chain: ChainId([1; 32]),
            epoch: Epoch::ZERO,
            set: Arc::new(set),
            start_height: Height::ZERO,
            start_block: ChainId([1; 32]).genesis_block(),
            start_result: ResultHash([2; 32]),
        };
        let mut silent = plan.silent.clone();
        silent.extend((0..settings.replicas).filter(|i| !plan.silent.contains(i)).take(settings.silent));
        let mut nodes: Vec<_> =
            (0..n).map(|i| SimNode::new(i, context.clone(), settings.window, settings.verify)).collect();
        nodes.iter_mut().zip(&plan.skew_ms).for_each(|(node, skew)| node.skew_ms = *skew);
        Self {
            settings,
            random,
            context,
            now_ms: 0,
            sequence: 0,
            events: BTreeMap::new(),
            nodes,
            silent,
            one_disk: plan.one_disk,
            weather: Weather::default(),
            healed: None,
            timeout_ms: 0,
            checker: Checker::new(quorum.q()),
            hasher: blake3::Hasher::new(),
            outcome: Outcome::default(),
        }
    }

    fn run(mut self, plan: &Plan) -> Outcome {
        self.schedule(plan);
        if let Err(violation) = self.until_all_is_committed() {
            self.note(|| violation.0.clone());
            self.outcome.violation = Some(violation);
        }
        self.outcome.time_ms = self.now_ms;
        self.outcome.trace_hash = self.hasher.finalize().to_hex().to_string();
        self.outcome
    }

    fn schedule(&mut self, plan: &Plan) {
        for node in (0..self.nodes.len()).filter(|node| !self.silent.contains(node)).collect::<Vec<_>>() {
            self.at(0, Event::Boot { node });
        }
        for (at, fault) in &plan.faults {
            self.at(*at, Event::Fault(fault.clone()));
        }
        for transaction in 0..TRANSACTIONS {
            let at = self.random.below(plan.heal_ms);
            self.at(at, Event::Submit { transaction });
        }
        self.at(plan.heal_ms, Event::Heal);
    }

    pub(super) fn at(&mut self, time_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((time_ms.max(self.now_ms), self.sequence), event);
    }

    pub(super) fn after(&mut self, delay_ms: u64, event: Event) {
        self.at(self.now_ms + delay_ms, event);
    }

    fn until_all_is_committed(&mut self) -> Result<(), Violation> {
        for _ in 0..EVENTS_MAX {
            let Some(((time, _), event)) = self.events.pop_first() else { break };
            self.now_ms = time;
            if self.healed.is_some_and(|(_, deadline)| time > deadline) {
                break;
            }
            self.handle(event)?;
            self.outcome.height = self.checker.height().0;
            if let Some((healed, deadline)) = self.healed.filter(|_| self.is_done()) {
                self.outcome.recovery_ms = self.now_ms - healed;
                self.outcome.recovery_percent = self.outcome.recovery_ms * 100 / (deadline - healed);
                return self.check_end();
            }
        }
        let states: Vec<_> = self.nodes.iter().map(SimNode::describe).collect();
        Err(Violation(format!("L: not everything is committed after healing:\n  {}", states.join("\n  "))))
    }

    fn up(&self) -> impl Iterator<Item = &SimNode> {
        self.nodes.iter().filter(|node| !self.silent.contains(&node.index))
    }

    pub(super) fn is_silent(&self, node: usize) -> bool {
        self.silent.contains(&node)
    }

    /// All of one height, with every submitted transaction.
    fn is_done(&self) -> bool {
        let height = self.checker.height();
        self.up().all(|node| node.committed_count() == ALL && node.height() == height)
    }

    /// S3: what anybody ever committed, everybody has.
    fn check_end(&self) -> Result<(), Violation> {
        for node in self.up() {
            let chain: Vec<BlockHash> = node.disk.blocks().iter().map(|c| c.block.hash()).collect();
            self.checker.all_there(node.index, &chain)?;
        }
        Ok(())
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.settings.trace {
            self.outcome.trace.push(format!("{:>7} ms  {}", self.now_ms, text()));
        }
    }

    /// Makes an event part of the trace's hash.
    pub(super) fn hash(&mut self, numbers: &[u64], content: &[u8; 32]) {
        self.hasher.update(&self.now_ms.to_le_bytes());
        for number in numbers {
            self.hasher.update(&number.to_le_bytes());
        }
        self.hasher.update(content);
    }

    fn handle(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Deliver { from, to, wire } => self.deliver(from, to, wire),
            Event::Answer { node, start, answer } => self.answer(node, start, answer),
            Event::Tick { node, start } if self.nodes[node].start == start => {
                self.nodes[node].tick_at = None;
                self.step(node, Input::Tick)
            }
            Event::Tick { .. } => Ok(()),
            Event::Boot { node } => self.boot(node),
            Event::Fault(fault) => {
                self.fault(fault);
                Ok(())
            }
            Event::Submit { transaction } => self.client(transaction),
            Event::Heal => self.heal(),
        }
    }

    /// A client asks one node, and later another, until it is told that its transaction is committed.
    fn client(&mut self, transaction: usize) -> Result<(), Violation> {
        let up: Vec<_> = self.up().map(|node| node.index).collect();
        let to = up[self.random.below(up.len() as u64) as usize];
        let asked = &transactions()[transaction];
        if self.nodes[to].replica.is_some() && self.nodes[to].has_committed(asked.id()) {
            return Ok(());
        }
        let patience = patience_ms(&mut self.random);
        self.after(patience, Event::Submit { transaction });
        self.submit(to, std::slice::from_ref(asked))
    }

    /// The present view may be as good as lost, and so may one for each unfit primary; each takes twice as
    /// long as the one before (R31). Unfit are the silent ones, and where a clock is wrong perhaps all but one:
    /// with f silent everyone is needed, so nobody's time may be ahead of the slowest clock (R6).
    fn liveness_bound_ms(&self) -> u64 {
        let skewed = self.nodes.iter().any(|n| n.skew_ms.abs() > SKEW_MAX_MS);
        let unfit = if skewed { self.nodes.len() - 1 } else { self.silent.len() };
        let lost = (0..=unfit).map(|i| (self.timeout_ms << i).min(TIMEOUT_MAX_MS));
        LIVENESS_TIMEOUTS * TIMEOUT_BASE_MS + lost.sum::<u64>()
    }

    /// What was accepted before the healing and is committed after it raises the time-out, as slow as it was
    /// (R31).
    fn watch_timeout(&mut self, timeout_ms: u64) {
        if let Some((healed, deadline)) = self.healed {
            self.timeout_ms = self.timeout_ms.max(timeout_ms);
            self.healed = Some((healed, deadline.max(healed + self.liveness_bound_ms())));
        }
    }

    fn heal(&mut self) -> Result<(), Violation> {
        let current = self.nodes.iter().filter_map(|n| n.replica.as_ref()).map(Replica::timeout_ms).max();
        self.healed = Some((self.now_ms, self.now_ms));
        self.watch_timeout(current.unwrap_or(TIMEOUT_BASE_MS));
        self.note(|| "healed".into());
        self.weather = Weather::default();
        for node in 0..self.nodes.len() {
            let one = &mut self.nodes[node];
            (one.slow_disk, one.slow_executor, one.crash_at_persist) = ((0, 0), (0, 0), None);
            if !self.silent.contains(&node) {
                self.boot(node)?;
            }
        }
        self.client(TRANSACTIONS)
    }

    fn boot(&mut self, node: usize) -> Result<(), Violation> {
        if self.nodes[node].replica.is_some() {
            return Ok(());
        }
        let effects = self.nodes[node].boot(self.now_ms, self.settings.mutation, &mut self.random);
        self.note(|| format!("{node} starts"));
        self.carry_out(node, effects)?;
        self.schedule_tick(node);
        Ok(())
    }

    pub(super) fn crash(&mut self, node: usize, down_ms: u64) {
        if self.nodes[node].replica.is_some() && self.healed.is_none() {
            self.hash(&[node as u64, down_ms], &[0xcc; 32]);
            self.note(|| format!("{node} crashes for {down_ms} ms"));
            self.nodes[node].crash(&mut self.random);
            self.after(down_ms, Event::Boot { node });
        }
    }

    fn fault(&mut self, fault: Fault) {
        *self.outcome.faults.entry(fault.kind()).or_default() += 1;
        self.note(|| format!("{fault:?}"));
        let until = |for_ms| self.now_ms + for_ms;
        let all = (1 << self.nodes.len()) - 1;
        match fault {
            Fault::Crash { node, down_ms } => self.crash(node, down_ms),
            Fault::CrashPrimary { down_ms } => {
                let views = self.nodes.iter().filter_map(|n| n.replica.as_ref());
                if let Some(replica) = views.max_by_key(|replica| replica.view()) {
                    self.crash(usize::from(replica.primary().0), down_ms);
                }
            }
            Fault::PowerLoss { down_ms } => (0..self.nodes.len()).for_each(|node| self.crash(node, down_ms)),
            Fault::Partition { side, one_way, for_ms } => {
                self.weather.cut(side, all & !side, until(for_ms));
                if !one_way {
                    self.weather.cut(all & !side, side, until(for_ms));
                }
            }
            Fault::Isolate { node, hears, heard, for_ms } => {
                let until = until(for_ms);
                if !heard {
                    self.weather.cut(1 << node, all, until);
                }
                if !hears {
                    self.weather.cut(all, 1 << node, until);
                }
            }
            Fault::Lossy { percent, for_ms } => self.weather.lossy(percent, until(for_ms)),
            Fault::Slow { delay_ms, for_ms } => self.weather.slow(delay_ms, until(for_ms)),
            Fault::SlowDisk { node, sync_ms, for_ms } => {
                self.nodes[node].slow_disk = (sync_ms, until(for_ms));
            }
            Fault::SlowExecutor { node, execute_ms, for_ms } => {
                self.nodes[node].slow_executor = (execute_ms, until(for_ms));
            }
            Fault::CrashAtPersist { node, synced, down_ms } => {
                self.nodes[node].crash_at_persist = Some((synced, down_ms));
            }
            Fault::Flaky { permille, for_ms } => self.weather.flaky(permille, until(for_ms)),
        }
    }

    pub(super) fn step(&mut self, node: usize, input: Input) -> Result<(), Violation> {
        let now = self.nodes[node].now(self.now_ms);
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        let effects = replica.step(now, input);
        self.outcome.view = self.outcome.view.max(replica.view().0);
        let (timeout_ms, normal) = (replica.timeout_ms(), replica.phase() == Phase::Normal);
        if normal && self.healed.is_some() {
            self.watch_timeout(timeout_ms);
        }
        self.carry_out(node, effects)?;
        self.schedule_tick(node);
        Ok(())
    }

    fn schedule_tick(&mut self, node: usize) {
        let one = &mut self.nodes[node];
        let Some(due) = one.replica.as_ref().and_then(Replica::deadline) else { return };
        if one.tick_at.is_none_or(|at| due.0 < at) {
            one.tick_at = Some(due.0);
            let start = one.start;
            self.at(due.0, Event::Tick { node, start });
        }
    }
}
