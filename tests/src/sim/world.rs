//! The network, the clock, and what becomes of effects.

use super::checker::{Checker, Violation};
use super::driver::Answer;
use super::network::{Weather, Wire};
use super::node::{SimNode, TIMEOUT_BASE_MS, TIMEOUT_MAX_MS};
use super::plan::{Fault, Plan};
use super::random::Random;
use super::transactions::{TRANSACTIONS, transactions};
use quorate_chain::validator::fixture::validator_set;
use quorate_chain::{ChainId, Epoch, Height, ResultHash};
use quorate_consensus::Input;
use quorate_consensus::message::EpochContext;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

/// Time that the network has after healing, milliseconds: the largest time-out and twenty base time-outs.
const LIVENESS_MS: u64 = 3 * TIMEOUT_MAX_MS + 20 * TIMEOUT_BASE_MS;
/// Events after which a run is taken to be caught in a loop.
const EVENTS_MAX: u64 = 3_000_000;

/// What a run is made of, beside its seed.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Validators, 4 to 10.
    pub replicas: usize,
    /// W.
    pub window: u64,
    /// Every message is verified as a node would; slower.
    pub verify: bool,
    /// The driver says that records are durable before they are: a mistake that the checker must find.
    pub send_before_persist: bool,
    /// Nodes that are off for the whole run, beside those of the plan.
    pub silent: usize,
    /// Whether the events are kept as text.
    pub trace: bool,
}

impl Settings {
    /// The usual ones.
    #[must_use]
    pub const fn new(replicas: usize, window: u64) -> Self {
        Self { replicas, window, verify: false, send_before_persist: false, silent: 0, trace: false }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What must never happen and did.
    pub violation: Option<Violation>,
    /// Hash over everything that happened.
    pub trace_hash: String,
    /// The events as text, if asked for.
    pub trace: Vec<String>,
    /// The highest committed height.
    pub height: u64,
    /// The highest view.
    pub view: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

/// What happens at a moment.
pub(super) enum Event {
    Deliver {
        from: usize,
        to: usize,
        wire: Wire,
    },
    /// An answer of a node's own driver; void after a restart.
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
        to: usize,
    },
    Heal,
}

/// A run.
pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) random: Random,
    pub(super) context: EpochContext,
    pub(super) now_ms: u64,
    pub(super) sequence: u64,
    pub(super) queue: BinaryHeap<Reverse<(u64, u64)>>,
    pub(super) events: BTreeMap<u64, Event>,
    pub(super) nodes: Vec<SimNode>,
    pub(super) silent: Vec<usize>,
    pub(super) crash_at_persist: Vec<Option<(bool, u64)>>,
    pub(super) weather: Weather,
    pub(super) healed: bool,
    pub(super) checker: Checker,
    pub(super) hasher: blake3::Hasher,
    pub(super) outcome: Outcome,
    pub(super) ticks: Vec<Option<u64>>,
    pub(super) pending: Vec<bool>,
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, settings: Settings) -> Outcome {
    let mut random = Random::new(seed);
    let set = validator_set(u16::try_from(settings.replicas).unwrap_or(u16::MAX));
    let quorum = set.quorum();
    let plan = Plan::random(&mut random, settings.replicas, quorum.f());
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
    let nodes = plan.skew_ms.iter().enumerate();
    let nodes = nodes.map(|(i, skew)| SimNode::new(i, context.clone(), settings.window, *skew)).collect();
    let mut world = World {
        settings,
        random,
        context,
        now_ms: 0,
        sequence: 0,
        queue: BinaryHeap::new(),
        events: BTreeMap::new(),
        nodes,
        silent,
        crash_at_persist: vec![None; settings.replicas],
        weather: Weather::default(),
        healed: false,
        checker: Checker::new(quorum.q()),
        hasher: blake3::Hasher::new(),
        outcome: Outcome::default(),
        ticks: vec![None; settings.replicas],
        pending: vec![false; settings.replicas],
    };
    world.schedule_plan(&plan);
    if let Err(violation) = world.run(&plan) {
        world.outcome.violation = Some(violation);
    }
    world.outcome.trace_hash = world.hasher.finalize().to_hex().to_string();
    world.outcome
}

impl World {
    fn schedule_plan(&mut self, plan: &Plan) {
        for node in 0..self.nodes.len() {
            if !self.silent.contains(&node) {
                self.at(0, Event::Boot { node });
            }
        }
        for (at, fault) in &plan.faults {
            self.at(*at, Event::Fault(fault.clone()));
        }
        for transaction in 0..TRANSACTIONS {
            let at = self.random.below(plan.heal_ms);
            let to = self.random.below(self.nodes.len() as u64) as usize;
            self.at(at, Event::Submit { transaction, to });
        }
        self.at(plan.heal_ms, Event::Heal);
    }

    pub(super) fn at(&mut self, time_ms: u64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((time_ms.max(self.now_ms), self.sequence)));
        self.events.insert(self.sequence, event);
    }

    pub(super) fn after(&mut self, delay_ms: u64, event: Event) {
        self.at(self.now_ms + delay_ms, event);
    }

    /// Safety phase, healing, liveness phase: the transaction submitted at healing is committed everywhere.
    fn run(&mut self, plan: &Plan) -> Result<(), Violation> {
        let goal = transactions()[TRANSACTIONS].id();
        for _ in 0..EVENTS_MAX {
            let Some(Reverse((time, sequence))) = self.queue.pop() else { break };
            let Some(event) = self.events.remove(&sequence) else { continue };
            self.now_ms = time;
            if time > plan.heal_ms + LIVENESS_MS {
                break;
            }
            self.handle(event)?;
            self.outcome.height = self.checker.height().0;
            if self.healed && self.up().all(|node| node.has_committed(goal)) && self.all_equal() {
                return self.check_end();
            }
        }
        let heights: Vec<_> = self.nodes.iter().map(SimNode::height).collect();
        let views: Vec<_> = self.nodes.iter().map(|n| n.replica.as_ref().map(|r| r.view().0)).collect();
        Err(Violation(format!(
            "L: after healing the network does not commit: heights {heights:?}, views {views:?}"
        )))
    }

    fn up(&self) -> impl Iterator<Item = &SimNode> {
        self.nodes.iter().filter(|node| !self.silent.contains(&node.index))
    }

    fn all_equal(&self) -> bool {
        let mut heights = self.up().map(SimNode::height);
        let first = heights.next();
        heights.all(|height| Some(height) == first)
    }

    /// S3: what anybody committed, everybody has.
    fn check_end(&self) -> Result<(), Violation> {
        let shortest = self.up().map(SimNode::height).min().unwrap_or(0) as u64;
        if shortest < self.checker.height().0 {
            return Err(Violation(format!("S3: a committed block is lost at height {}", shortest + 1)));
        }
        Ok(())
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        if self.settings.trace {
            self.outcome.trace.push(format!("{:>7} ms  {}", self.now_ms, text()));
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Deliver { from, to, wire } => self.deliver(from, to, wire),
            Event::Answer { node, start, answer } => self.answer(node, start, answer),
            Event::Tick { node, start } => {
                self.ticks[node] = None;
                if self.nodes[node].start == start { self.step(node, Input::Tick) } else { Ok(()) }
            }
            Event::Boot { node } => self.boot(node),
            Event::Fault(fault) => {
                self.fault(fault);
                Ok(())
            }
            Event::Submit { transaction, to } => {
                let transaction = transactions()[transaction].clone();
                self.submit(to, &[transaction])
            }
            Event::Heal => self.heal(),
        }
    }

    fn heal(&mut self) -> Result<(), Violation> {
        self.note(|| "healed".into());
        self.healed = true;
        self.weather = Weather::default();
        self.crash_at_persist.fill(None);
        for node in 0..self.nodes.len() {
            self.nodes[node].sync_ms = 0;
            self.nodes[node].skew_ms = 0;
            if !self.silent.contains(&node) && self.nodes[node].replica.is_none() {
                self.boot(node)?;
            }
            self.submit(node, &[transactions()[TRANSACTIONS].clone()])?;
        }
        Ok(())
    }

    fn boot(&mut self, node: usize) -> Result<(), Violation> {
        if self.nodes[node].replica.is_some() {
            return Ok(());
        }
        self.note(|| format!("node {node} starts"));
        self.pending[node] = false;
        self.ticks[node] = None;
        let effects = self.nodes[node].boot(self.now_ms);
        self.carry_out(node, effects)?;
        self.schedule_tick(node);
        Ok(())
    }

    pub(super) fn crash(&mut self, node: usize, down_ms: u64) {
        if self.nodes[node].replica.is_some() && !self.healed {
            self.note(|| format!("node {node} crashes for {down_ms} ms"));
            self.nodes[node].crash(&mut self.random);
            self.after(down_ms, Event::Boot { node });
        }
    }

    fn fault(&mut self, fault: Fault) {
        *self.outcome.faults.entry(fault.kind()).or_default() += 1;
        self.note(|| format!("{fault:?}"));
        let until = |for_ms| self.now_ms + for_ms;
        match fault {
            Fault::Crash { node, down_ms } => self.crash(node, down_ms),
            Fault::PowerLoss { down_ms } => (0..self.nodes.len()).for_each(|node| self.crash(node, down_ms)),
            Fault::Partition { side, one_way, for_ms } => {
                self.weather.partition = Some((side, one_way, until(for_ms)));
            }
            Fault::Lossy { percent, for_ms } => self.weather.lossy = Some((percent, until(for_ms))),
            Fault::Slow { delay_ms, for_ms } => self.weather.slow = Some((delay_ms, until(for_ms))),
            Fault::SlowDisk { node, sync_ms, .. } => self.nodes[node].sync_ms = sync_ms,
            Fault::CrashAtPersist { node, synced, down_ms } => {
                self.crash_at_persist[node] = Some((synced, down_ms));
            }
        }
    }
}
