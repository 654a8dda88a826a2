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

/// After healing, until the first commit, milliseconds.
struct Resumed {
    /// Of the middle run.
    middle_ms: u64,
    /// Of the worst of a hundred but one.
    high_ms: u64,
    /// Of the worst.
    most_ms: u64,
    /// The seeds that took more than is meant, the worst first.
    late: Vec<u64>,
}

impl Resumed {
    fn of(runs: &[(u64, u64)]) -> Self {
        let mut all = runs.to_vec();
        all.sort_unstable();
        let at =
            |percent: usize| all.get(all.len().saturating_sub(1) * percent / 100).map_or(0, |(ms, _)| *ms);
        let late = all.iter().rev().take_while(|(ms, _)| *ms > RESUMED_TIMEOUTS * TIMEOUT_BASE_MS);
        Self {
            middle_ms: at(50),
            high_ms: at(99),
            most_ms: at(100),
            late: late.map(|(_, seed)| *seed).collect(),
        }
    }

    fn print(&self, runs: usize, clocks: &str) {
        let Self { middle_ms, high_ms, most_ms, late } = self;
        println!(
            "the first commit of {runs} runs with {clocks} came within {middle_ms} ms (p50), {high_ms} ms (p99), \
             {most_ms} ms (max); in {} after more than {RESUMED_TIMEOUTS} base time-outs of {TIMEOUT_BASE_MS} ms",
            late.len()
        );
        if !late.is_empty() {
            let seeds: Vec<_> = late.iter().take(LATE_SEEDS_MAX).map(u64::to_string).collect();
            println!("the latest of them with the seeds {}", seeds.join(", "));
        }
    }

    fn json(&self) -> Value {
        let Self { middle_ms, high_ms, most_ms, late } = self;
        json!({ "p50_ms": middle_ms, "p99_ms": high_ms, "max_ms": most_ms, "late_seeds": late })
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
    /// After healing, until the first commit, milliseconds, and the seed: of each run with right clocks.
    resumed_ms: Vec<(u64, u64)>,
    /// The same of those with a wrong one, which stays wrong.
    skewed_resumed_ms: Vec<(u64, u64)>,
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
        let resumed = if plan.is_skewed() { &mut self.skewed_resumed_ms } else { &mut self.resumed_ms };
        resumed.push((outcome.resumed_ms, seed));
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
        for (runs, clocks) in [(&self.resumed_ms, "right clocks"), (&self.skewed_resumed_ms, "a wrong clock")]
        {
            Resumed::of(runs).print(runs.len(), clocks);
        }
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
            "resumed": Resumed::of(&self.resumed_ms).json(),
            "resumed_with_wrong_clock": Resumed::of(&self.skewed_resumed_ms).json(),
            "fault_kinds_min": self.fewest_kinds,
            "faults_planned": kinds(|shown| shown.planned),
            "faults": kinds(|shown| shown.showed),
            "never_showed": self.faults.iter().filter(|(_, shown)| shown.showed == 0)
                .map(|(kind, _)| kind).collect::<Vec<_>>(),
            "violation": failure.map(Failure::json),
        })
    }
}
