//! The clock and the queue of events; safety phase, healing, liveness phase.

use super::byzantine::Library;
use super::chart::{Chart, Mark};
use super::checker::{Checker, Violation};
use super::clients::{patience_ms, transactions};
use super::effects::Answer;
use super::fault::{Fault, SILENT};
use super::gap::Gaps;
use super::jobs::Done;
use super::node::{SimNode, Standing, Start};
use super::plan::Plan;
use super::random::Random;
use super::roster::Roster;
use super::scenario::Scenario;
use super::settings::{Outcome, Settings};
use super::weather::Weather;
use super::wire::Wire;
use quorate_chain::Height;
use quorate_chain::quorum::Quorum;
use quorate_consensus::message::EpochContext;
use quorate_consensus::{Input, Phase};
use std::collections::BTreeMap;

/// Events after which a run is taken to be caught in a loop, for each pair of nodes.
const EVENTS_MAX: u64 = 150_000;

pub(super) enum Event {
    Deliver {
        from: usize,
        to: usize,
        wire: Wire,
    },
    /// Void after a restart, like all that have a start.
    Answer {
        node: usize,
        start: u64,
        answer: Answer,
    },
    Done {
        node: usize,
        start: u64,
        done: Done,
    },
    Tick {
        node: usize,
        start: u64,
    },
    /// A node without a seat asks for blocks.
    Follow {
        node: usize,
        start: u64,
    },
    Boot {
        node: usize,
    },
    FreeDisk {
        node: usize,
    },
    Fault(Box<Fault>),
    Submit {
        transaction: usize,
        /// Who was asked last.
        asked: Option<usize>,
    },
    Heal,
    /// A Byzantine node speaks up.
    Lie {
        node: usize,
    },
}

pub(super) struct World {
    pub(super) settings: Settings,
    pub(super) random: Random,
    pub(super) roster: Roster,
    pub(super) start: Start,
    /// Where each epoch that somebody is in started.
    pub(super) contexts: Vec<EpochContext>,
    pub(super) now_ms: u64,
    pub(super) sequence: u64,
    /// By time, then in the order in which they were made.
    pub(super) events: BTreeMap<(u64, u64), Event>,
    pub(super) nodes: Vec<SimNode>,
    pub(super) silent: Vec<usize>,
    /// The Byzantine nodes, and what they know.
    pub(super) coalition: Vec<usize>,
    /// Whether one of them proposes each block just before the others' time is up.
    pub(super) slow_primary: bool,
    pub(super) library: Library,
    /// Nodes that run with one key.
    pub(super) twins: Vec<(usize, usize)>,
    /// Whether both of them are in touch with all.
    pub(super) whole_twins: bool,
    /// Who turns faulty when everything is well again.
    pub(super) leaving: Vec<usize>,
    pub(super) one_disk: bool,
    pub(super) weather: Weather,
    pub(super) gaps: Gaps,
    /// Whose NewViews lie.
    pub(super) liar: Option<usize>,
    /// Whether a client goes on asking the same node.
    pub(super) loyal: bool,
    /// What a message takes longer than usual, healed or not.
    pub(super) latency_ms: u64,
    /// What a view takes at least, milliseconds.
    pub(super) base_ms: u64,
    /// Whether some clock is wrong.
    pub(super) skewed: bool,
    /// Transactions submitted while there are faults.
    pub(super) transactions: usize,
    /// When it healed, and until when everything must be committed.
    pub(super) healed: Option<(u64, u64)>,
    /// Up to which height the balances have been added up.
    pub(super) balanced: Height,
    /// The largest time-out of anybody since then in which a view could make progress.
    pub(super) timeout_ms: u64,
    /// The largest time-out in force when it healed.
    pub(super) healed_timeout_ms: u64,
    pub(super) checker: Checker,
    pub(super) chart: Chart,
    pub(super) hasher: blake3::Hasher,
    pub(super) outcome: Outcome,
}

/// Runs one seed with a plan that follows from it.
#[must_use]
pub fn run(seed: u64, settings: Settings) -> Outcome {
    run_scenario(seed, settings, Scenario::RANDOM)
}

/// Runs one seed with the plan of a scenario.
#[must_use]
pub fn run_scenario(seed: u64, settings: Settings, scenario: Scenario) -> Outcome {
    let (random, plan) = draw(seed, settings, scenario);
    World::new(random, settings, &plan).run(&plan)
}

/// The plan of a scenario for one seed.
#[must_use]
pub fn plan_of(seed: u64, settings: Settings, scenario: Scenario) -> Plan {
    draw(seed, settings, scenario).1
}

/// Runs one seed of a scenario with another plan than its own; all that the plan leaves open is drawn as with
/// its own.
#[must_use]
pub fn run_variant(seed: u64, settings: Settings, scenario: Scenario, plan: &Plan) -> Outcome {
    let (random, _) = draw(seed, settings, scenario);
    World::new(random, settings, plan).run(plan)
}

fn draw(seed: u64, settings: Settings, scenario: Scenario) -> (Random, Plan) {
    let mut random = Random::new(seed);
    let plan = (scenario.plan)(&mut random, settings.replicas, Quorum::of(settings.replicas).f());
    (random, plan)
}

/// Runs one seed with a given plan.
#[must_use]
pub fn run_plan(seed: u64, settings: Settings, plan: &Plan) -> Outcome {
    World::new(Random::new(seed), settings, plan).run(plan)
}

impl World {
    fn run(mut self, plan: &Plan) -> Outcome {
        if self.settings.trace {
            self.outcome.trace = self.chart.header();
        }
        self.schedule(plan);
        if let Err(violation) = self.until_all_is_committed().and_then(|()| self.aftermath()) {
            self.note(Mark::All, || violation.0.clone());
            self.outcome.violation = Some(violation);
        }
        self.watch_resumption();
        self.outcome.time_ms = self.now_ms;
        self.outcome.epoch = self.contexts.len() as u64 - 1;
        self.outcome.trace_hash = self.hasher.finalize().to_hex().to_string();
        self.outcome
    }

    pub(super) fn at(&mut self, time_ms: u64, event: Event) {
        self.sequence += 1;
        self.events.insert((time_ms.max(self.now_ms), self.sequence), event);
    }

    pub(super) fn after(&mut self, delay_ms: u64, event: Event) {
        self.at(self.now_ms + delay_ms, event);
    }

    /// A fault has shown.
    pub(super) fn fired(&mut self, kind: &'static str) {
        *self.outcome.faults.entry(kind).or_default() += 1;
    }

    fn until_all_is_committed(&mut self) -> Result<(), Violation> {
        let events_max = EVENTS_MAX * (self.nodes.len() * self.nodes.len()) as u64;
        for _ in 0..events_max {
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

    /// Nodes that can be up, and do not lie.
    fn up(&self) -> impl Iterator<Item = &SimNode> {
        let faulty = [Standing::Damaged, Standing::Byzantine];
        self.nodes.iter().filter(move |n| !faulty.contains(&n.standing) && !self.silent.contains(&n.index))
    }

    /// From now on a node is off, after healing too.
    pub(super) fn silence(&mut self, node: usize) {
        self.silent.push(node);
        self.fired(SILENT);
    }

    pub(super) fn is_silent(&self, node: usize) -> bool {
        self.silent.contains(&node)
    }

    /// All of one height, with every submitted transaction.
    pub(super) fn is_done(&self) -> bool {
        let height = self.checker.height();
        self.up().all(|node| node.committed() == self.transactions + 1 && node.height() == height)
    }

    /// S3: what anybody ever committed, everybody has; and all came to the last epoch.
    fn check_end(&self) -> Result<(), Violation> {
        self.checker.certified_is_committed()?;
        for node in self.up() {
            let Some(executor) = node.executor() else { continue };
            let tip = executor.tip();
            self.checker.is_tip(node.index, tip.height, tip.block)?;
            if tip.epoch != self.roster.last() {
                return Err(Violation(format!("L: node {} ends in epoch {}", node.index, tip.epoch)));
            }
        }
        Ok(())
    }

    pub(super) fn note(&mut self, mark: Mark, text: impl FnOnce() -> String) {
        if self.settings.trace {
            let up = |node: usize| self.nodes[node].process.is_some();
            let line = self.chart.line(self.now_ms, mark, &text(), up);
            self.outcome.trace.push(line);
        }
    }

    /// Makes an event part of the trace's hash.
    pub(super) fn hash(&mut self, numbers: &[u64], content: &[u8; 32]) {
        let mut bytes = [0; 64];
        let all = numbers.iter().chain([&self.now_ms]);
        all.zip(bytes.chunks_exact_mut(8)).for_each(|(number, at)| at.copy_from_slice(&number.to_le_bytes()));
        bytes[32..].copy_from_slice(content);
        self.hasher.update(&bytes);
    }

    pub(super) fn handle(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Deliver { from, to, wire } => self.deliver(from, to, wire),
            Event::Answer { node, start, answer } => self.answer(node, start, answer),
            Event::Done { node, start, done } => self.done(node, start, done),
            Event::Tick { node, start } => {
                let one = &mut self.nodes[node];
                match &mut one.process {
                    Some(process) if start == one.start => process.tick_at = None,
                    _ => return Ok(()),
                }
                self.step(node, Input::Tick)
            }
            Event::Follow { node, start } => {
                self.follow(node, start);
                Ok(())
            }
            Event::Boot { node } => self.boot(node),
            Event::FreeDisk { node } => {
                self.free_disk(node);
                Ok(())
            }
            Event::Fault(fault) => self.fault(*fault),
            Event::Submit { transaction, asked } => self.client(transaction, asked),
            Event::Heal => self.heal(),
            Event::Lie { node } => self.liar_idles(node),
        }
    }

    /// A client asks some node, and later the next one, until it is told that its transaction is committed. A
    /// node does not send on again what it holds already, and may be none that proposes.
    pub(super) fn client(&mut self, transaction: usize, asked: Option<usize>) -> Result<(), Violation> {
        let up: Vec<_> = self.up().map(|node| node.index).collect();
        if up.is_empty() {
            return Ok(());
        }
        let to = match asked {
            _ if self.loyal => up[transaction % up.len()],
            None => up[self.random.below(up.len() as u64) as usize],
            Some(last) => up.iter().copied().find(|node| *node > last).unwrap_or(up[0]),
        };
        let wanted = &transactions()[transaction];
        if self.nodes[to].executor().is_some_and(|executor| executor.has_committed(wanted)) {
            return Ok(());
        }
        // Nobody answers there: the next one is asked soon.
        let refused = self.nodes[to].process.is_none();
        let patience = patience_ms(&mut self.random, refused);
        self.after(patience, Event::Submit { transaction, asked: Some(to) });
        self.submit(to, std::slice::from_ref(wanted))
    }

    pub(super) fn step(&mut self, node: usize, input: Input) -> Result<(), Violation> {
        let now = self.nodes[node].now(self.now_ms);
        let Some(process) = self.nodes[node].process.as_mut() else { return Ok(()) };
        let replica = &mut process.replica;
        let stand = |replica: &quorate_consensus::Replica| {
            ((replica.epoch(), replica.view()), replica.phase(), replica.timeout_ms())
        };
        let (before, tip) = (stand(replica), replica.tip().height);
        let effects = replica.step(now, input);
        let (after, commits) = (stand(replica), replica.tip().height > tip);
        let (term, phase, timeout_ms) = after;
        self.outcome.view = self.outcome.view.max(term.1.0);
        let anchor = (term > before.0).then(|| replica.anchor());
        // Not what doubles while the view changes.
        if (phase == Phase::Normal || commits) && self.healed.is_some() && timeout_ms > self.timeout_ms {
            self.watch_timeout(timeout_ms);
        }
        if commits
            && self.outcome.commits_ms.last().is_none_or(|last| Some(*last) <= self.healed.map(|(at, _)| at))
        {
            self.healed_timeout_ms = self.healed_timeout_ms.max(timeout_ms);
        }
        if before != after {
            self.note(Mark::At(node), || format!("v{} {phase:?}, time-out {timeout_ms} ms", term.1));
        }
        if let Some(anchor) = anchor.filter(|_| self.nodes[node].standing == Standing::Honest) {
            self.checker.entered(term, &anchor)?;
        }
        self.carry_out(node, effects)?;
        self.schedule_tick(node);
        Ok(())
    }

    pub(super) fn schedule_tick(&mut self, node: usize) {
        let one = &mut self.nodes[node];
        let due = one.replica().and_then(quorate_consensus::Replica::deadline).map(|due| one.when(due));
        let (Some(process), Some(due)) = (&mut one.process, due) else { return };
        if process.tick_at.is_none_or(|at| due < at) {
            process.tick_at = Some(due);
            let start = one.start;
            self.at(due, Event::Tick { node, start });
        }
    }
}
