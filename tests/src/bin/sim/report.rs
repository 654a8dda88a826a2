//! Totals, as text and as JSON.

use crate::arguments::Arguments;
use crate::failure::Failure;
use quorate_tests::sim::{Outcome, Plan, RESUMED_TIMEOUTS, TIMEOUT_BASE_MS};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How often a line says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(10);

/// How many of the seeds that took longer are named.
const LATE_SEEDS_MAX: usize = 20;

/// Says how far it is, now and then, on standard error.
pub(crate) struct Progress {
    started: Instant,
    shown: Instant,
    goal: String,
}

impl Progress {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let now = Instant::now();
        Self { started: now, shown: now, goal: arguments.goal() }
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    pub(crate) fn show(&mut self, totals: &Totals) {
        if self.shown.elapsed() >= PROGRESS_EVERY {
            self.shown = Instant::now();
            let seconds = self.seconds();
            eprintln!("{seconds:.0} s of {}: {}", self.goal, totals.line(seconds));
        }
    }
}

/// How often something that can go wrong was planned, and how often it showed.
#[derive(Clone, Copy, Default)]
struct Shown {
    planned: u64,
    showed: u64,
}

/// After healing, until the first commit.
#[derive(Default)]
struct Resumed {
    /// Of each run, milliseconds.
    all_ms: Vec<u64>,
    /// Those that took more than is meant, and their seeds.
    late: Vec<(u64, u64)>,
}

impl Resumed {
    fn add(&mut self, seed: u64, plan: &Plan, outcome: &Outcome) {
        self.all_ms.push(outcome.resumed_ms);
        if outcome.resumed_ms > RESUMED_TIMEOUTS * plan.base_ms() {
            self.late.push((outcome.resumed_ms, seed));
        }
    }

    /// The middle run, the worst of a hundred but one, the worst.
    fn percentiles_ms(&self) -> [u64; 3] {
        let mut all = self.all_ms.clone();
        all.sort_unstable();
        let last = all.len().saturating_sub(1);
        [50, 99, 100].map(|percent| all.get(last * percent / 100).copied().unwrap_or(0))
    }

    /// The worst first.
    fn late_seeds(&self) -> Vec<u64> {
        let mut late = self.late.clone();
        late.sort_unstable();
        late.iter().rev().map(|(_, seed)| *seed).collect()
    }

    fn print(&self, clocks: &str) {
        let [middle, high, most] = self.percentiles_ms();
        println!(
            "the first commit of {} runs with {clocks} came within {middle} ms (p50), {high} ms (p99), {most} ms \
             (max); in {} after more than {RESUMED_TIMEOUTS} base time-outs of {TIMEOUT_BASE_MS} ms (more where the \
             network is slow for ever)",
            self.all_ms.len(),
            self.late.len()
        );
        if !self.late.is_empty() {
            let seeds: Vec<_> = self.late_seeds().iter().take(LATE_SEEDS_MAX).map(u64::to_string).collect();
            println!("the latest of them with the seeds {}", seeds.join(", "));
        }
    }

    fn json(&self) -> Value {
        let [middle, high, most] = self.percentiles_ms();
        let late = self.late_seeds();
        json!({
            "runs": self.all_ms.len(), "p50_ms": middle, "p99_ms": high, "max_ms": most, "late_seeds": late
        })
    }
}

/// What became of all runs together.
#[derive(Default)]
pub(crate) struct Totals {
    seeds: u64,
    heights: u64,
    lowest: Option<u64>,
    fewest_kinds: Option<usize>,
    views: u64,
    epochs: u64,
    delivered: u64,
    recovery_ms: u64,
    recovery_percent: u64,
    /// Of the runs with right clocks.
    resumed: Resumed,
    /// Of those with a wrong one, which stays wrong.
    skewed_resumed: Resumed,
    virtual_ms: u64,
    faults: BTreeMap<&'static str, Shown>,
}

impl Totals {
    pub(crate) fn add(&mut self, seed: u64, plan: &Plan, outcome: &Outcome) {
        self.seeds += 1;
        self.heights += outcome.height;
        self.lowest = Some(self.lowest.map_or(outcome.height, |lowest| lowest.min(outcome.height)));
        let kinds = outcome.faults.len();
        self.fewest_kinds = Some(self.fewest_kinds.map_or(kinds, |fewest| fewest.min(kinds)));
        self.views += outcome.view;
        self.epochs += outcome.epoch;
        self.delivered += outcome.delivered;
        self.recovery_ms = self.recovery_ms.max(outcome.recovery_ms);
        self.recovery_percent = self.recovery_percent.max(outcome.recovery_percent);
        let resumed = if plan.is_skewed() { &mut self.skewed_resumed } else { &mut self.resumed };
        resumed.add(seed, plan, outcome);
        self.virtual_ms += outcome.time_ms;
        for (kind, times) in plan.kinds() {
            self.faults.entry(kind).or_default().planned += times;
        }
        for (kind, times) in &outcome.faults {
            self.faults.entry(kind).or_default().showed += times;
        }
    }

    fn line(&self, seconds: f64) -> String {
        format!(
            "{} seeds ({:.1} a second), {} messages ({:.0} a second), {} heights, {} view changes, {} set \
             changes, {} faults",
            self.seeds,
            self.seeds as f64 / seconds,
            self.delivered,
            self.delivered as f64 / seconds,
            self.heights,
            self.views,
            self.epochs,
            self.faults.values().map(|shown| shown.showed).sum::<u64>()
        )
    }

    pub(crate) fn print(&self, seconds: f64) {
        println!("{seconds:.1} s: {}", self.line(seconds));
        println!(
            "at least {} heights and {} kinds of faults a run; {} s of virtual time",
            self.lowest.unwrap_or(0),
            self.fewest_kinds.unwrap_or(0),
            self.virtual_ms / 1000
        );
        println!(
            "after healing all was committed within {} ms, or {} % of what is allowed",
            self.recovery_ms, self.recovery_percent
        );
        self.resumed.print("right clocks");
        self.skewed_resumed.print("a wrong clock");
        println!("\n{:>9} {:>9}  fault", "planned", "showed");
        for (kind, Shown { planned, showed }) in &self.faults {
            // What no plan has follows from something that one has.
            let planned = if *planned == 0 { "-".to_owned() } else { planned.to_string() };
            let note = if *showed == 0 { "  <- never showed" } else { "" };
            println!("{planned:>9} {showed:>9}  {kind}{note}");
        }
    }

    pub(crate) fn json(&self, seconds: f64, failure: Option<&Failure>) -> Value {
        let kinds = |of: fn(&Shown) -> u64| {
            self.faults.iter().map(|(kind, shown)| (*kind, of(shown))).collect::<BTreeMap<_, _>>()
        };
        json!({
            "commit": env!("QUORATE_COMMIT"),
            "seeds": self.seeds,
            "seconds": seconds,
            "seeds_per_second": self.seeds as f64 / seconds,
            "messages": self.delivered,
            "messages_per_second": self.delivered as f64 / seconds,
            "heights": self.heights,
            "lowest_height": self.lowest,
            "view_changes": self.views,
            "set_changes": self.epochs,
            "virtual_ms": self.virtual_ms,
            "recovery_ms_max": self.recovery_ms,
            "recovery_percent_max": self.recovery_percent,
            "resumed": self.resumed.json(),
            "resumed_with_wrong_clock": self.skewed_resumed.json(),
            "fault_kinds_min": self.fewest_kinds,
            "faults_planned": kinds(|shown| shown.planned),
            "faults": kinds(|shown| shown.showed),
            "never_showed": self.faults.iter().filter(|(_, shown)| shown.showed == 0)
                .map(|(kind, _)| kind).collect::<Vec<_>>(),
            "violation": failure.map(Failure::json),
        })
    }
}
