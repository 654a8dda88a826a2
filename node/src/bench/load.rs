//! One run at one rate: lanes send, the follower watches, and this thread tells how it goes once a second.

use super::Options;
use super::accounts::Accounts;
use super::figures::Figures;
use super::follow::Follower;
use super::hostile::{Hostile, Hostilities};
use super::lane::Lane;
use super::network::Network;
use super::processes::{Processes, Usage};
use super::schedule::Schedule;
use super::tally::Tally;
use super::timeline::Timeline;
use super::work::{Recipe, Work, sign};
use crate::cli::Output;
use crate::error::NodeError;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// From when everything is ready until the first transaction is due.
const LEAD: Duration = Duration::from_millis(100);
/// How often the run is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long nothing may be committed after Ctrl-C before the rest counts as lost.
const SETTLE_STOPPED: Duration = Duration::from_secs(2);
/// How long after the last instant a single run may still send what was due.
const OVERTIME: Duration = Duration::from_secs(120);

/// What all runs have in common.
pub(super) struct Bench<'a> {
    pub(super) options: &'a Options,
    pub(super) network: &'a Network,
    pub(super) accounts: Accounts,
    pub(super) hostile: Vec<Hostile>,
    pub(super) lanes: usize,
    pub(super) output: Output,
    pub(super) stop: &'a AtomicBool,
}

/// What the threads of a run share.
struct Run<'a> {
    bench: &'a Bench<'a>,
    work: &'a Work,
    schedule: Schedule,
    tally: Tally,
    timeline: Mutex<Timeline>,
    /// The follower ends.
    over: AtomicBool,
    start: Instant,
}

impl Bench<'_> {
    /// The run that the options ask for: all that becomes due is sent, however late.
    pub(super) fn run_alone(&mut self) -> Result<Figures, NodeError> {
        self.run(self.options.rate, OVERTIME)
    }

    /// A run at this rate; what is not sent so long after the last instant stays unsent.
    pub(super) fn run(&mut self, rate: u32, overtime: Duration) -> Result<Figures, NodeError> {
        let schedule = Schedule::new(rate, self.options.duration, self.lanes);
        let Options { mix, payload, .. } = self.options;
        let recipe = Recipe { chain: self.network.chain, mix, payload: *payload };
        self.output.progress(&format!("signing {} transactions", schedule.count()));
        let work = sign(recipe, &self.accounts, schedule, self.stop)?;
        let run = Run {
            bench: self,
            work: &work,
            schedule,
            tally: Tally::new(schedule.count()),
            timeline: Mutex::new(Timeline::new(self.options.duration)),
            over: AtomicBool::new(false),
            start: Instant::now() + LEAD,
        };
        run.go(rate, overtime)
    }

    /// Asks for the accounts' nonces anew: the last run may have left a gap.
    pub(super) fn refresh(&mut self) -> Result<(), NodeError> {
        self.accounts.ask(self.network, self.stop).map(|_| ())
    }
}

impl Run<'_> {
    fn go(&self, rate: u32, overtime: Duration) -> Result<Figures, NodeError> {
        let Bench { options, network, hostile, lanes, output, stop, .. } = self.bench;
        let Some(first) = network.nodes.first() else {
            return Err(NodeError::Usage("the network has no nodes".to_owned()));
        };
        let from = first.client.status()?.height.next();
        output.progress(&format!(
            "{rate} tx/s for {} s over {lanes} connections to {} nodes",
            options.duration.as_secs(),
            network.nodes.len()
        ));
        let end = self.start + options.duration + overtime;
        std::thread::scope(|scope| {
            let follower = scope.spawn(move || self.follower(from).run());
            let sending: Vec<_> = (0..*lanes)
                .filter_map(|number| self.lane(number, end))
                .map(|lane| scope.spawn(move || lane.run()))
                .collect();
            let nodes = network.nodes.iter().cycle();
            let harming: Vec<_> = hostile
                .iter()
                .zip(nodes)
                .map(|(one, node)| scope.spawn(|| one.run(node, &self.over)))
                .collect();
            let (submitted, usages) = self.watch(|| sending.iter().all(|lane| lane.is_finished()));
            let reasons: BTreeMap<usize, String> =
                sending.into_iter().filter_map(|lane| lane.join().ok()).flatten().collect();
            self.over.store(true, Ordering::Relaxed);
            let blocks = follower.join().unwrap_or(0);
            let harm = harming.into_iter().filter_map(|one| one.join().ok());
            let hostilities = harm.fold(Hostilities::default(), Hostilities::and);
            let timeline = self.timeline.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Ok(Figures {
                rate,
                duration: options.duration,
                elapsed: self.elapsed(),
                interrupted: stop.load(Ordering::Relaxed),
                account: self.tally.close(&reasons),
                timeline,
                blocks,
                submitted,
                hostilities,
                usages,
            })
        })
    }

    fn follower(&self, from: quorate_chain::Height) -> Follower<'_> {
        Follower {
            nodes: &self.bench.network.nodes,
            from,
            numbers: &self.work.numbers,
            schedule: self.schedule,
            start: self.start,
            tally: &self.tally,
            timeline: &self.timeline,
            over: &self.over,
        }
    }

    fn lane(&self, number: usize, end: Instant) -> Option<Lane<'_>> {
        Some(Lane {
            number,
            work: self.work.lanes.get(number)?,
            schedule: self.schedule,
            nodes: &self.bench.network.nodes,
            tally: &self.tally,
            start: self.start,
            end,
            stop: self.bench.stop,
        })
    }

    fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(self.start)
    }

    /// Until all is sent and settled, nothing moves any more, or it is stopped. Gives what was submitted and what
    /// the processes used, second by second.
    fn watch(&self, all_sent: impl Fn() -> bool) -> (Vec<u64>, Vec<(String, Usage)>) {
        let mut processes = Processes::new(&self.bench.network.nodes);
        processes.sample();
        let (mut seconds, mut before) = (Vec::new(), 0);
        let (mut moved, mut committed, mut stopped) = (Instant::now(), 0, None);
        loop {
            std::thread::sleep(LOOK_EVERY);
            let elapsed = self.elapsed();
            if elapsed.as_secs() > seconds.len() as u64 {
                let submitted = self.tally.submitted();
                seconds.push(submitted - before);
                before = submitted;
                processes.sample();
                self.tell(elapsed);
            }
            let (sent, now_committed) = (all_sent(), self.tally.committed());
            if !sent || now_committed != committed {
                (moved, committed) = (Instant::now(), now_committed);
            }
            if stopped.is_none() && self.bench.stop.load(Ordering::Relaxed) {
                self.timeline.lock().unwrap_or_else(PoisonError::into_inner).cut(elapsed);
                stopped = Some(SETTLE_STOPPED);
            }
            let settle = self.bench.options.settle;
            let still = moved.elapsed() >= stopped.map_or(settle, |short| short.min(settle));
            if sent && (still || self.tally.is_settled()) {
                seconds.push(self.tally.submitted() - before);
                return (seconds, processes.usages());
            }
        }
    }

    fn tell(&self, elapsed: Duration) {
        let mut timeline = self.timeline.lock().unwrap_or_else(PoisonError::into_inner);
        timeline.close_until(elapsed);
        let last = timeline.seconds.last().copied().unwrap_or_default();
        let (submitted, committed) = (self.tally.submitted(), self.tally.committed());
        self.bench.output.progress(&format!(
            "{:4} s  submitted {submitted}  committed {committed}  {:6} tx/s  p50 {:.1} ms  p99 {:.1} ms  open {}",
            elapsed.as_secs(),
            last.committed,
            last.p50_ms,
            last.p99_ms,
            submitted.saturating_sub(committed),
        ));
    }
}
