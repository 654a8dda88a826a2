//! Runs seeds of the simulated network until one breaks a rule.
//!
//! `cargo run --release -p quorate-tests --bin sim -- --seeds 1000 --from 1`

use clap::Parser;
use quorate_tests::sim::{Mutation, Outcome, Settings, run};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

/// Every so many seeds one runs with real signatures, verified as a node would.
const VERIFIED_EVERY: u64 = 8;
/// Every so many seeds a line says how far it is.
const PROGRESS_EVERY: u64 = 500;

/// A seeded network of consensus cores in virtual time.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Run just this one, twice, and compare.
    #[arg(long)]
    seed: Option<u64>,
    /// Print its events.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Validators, 4 to 10; all of them in turn if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(4..=10))]
    replicas: Option<u64>,
    /// Heights in flight; 1, 4 and 8 in turn if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=64))]
    window: Option<u64>,
    /// Nodes that are off, beside those of the plan.
    #[arg(long, default_value_t = 0)]
    silent: usize,
    /// Make a known mistake on purpose; the run must find it.
    #[arg(long, value_parser = mutation)]
    mutation: Option<Mutation>,
}

fn mutation(name: &str) -> Result<Mutation, String> {
    let found = Mutation::ALL.into_iter().find(|mutation| mutation.name() == name);
    let names = || Mutation::ALL.map(Mutation::name).join(", ");
    found.ok_or_else(|| format!("one of {}", names()))
}

impl Arguments {
    fn settings(&self, seed: u64) -> Settings {
        let replicas = self.replicas.unwrap_or(4 + seed % 7) as usize;
        let window = self.window.unwrap_or([1, 4, 8][(seed / 7 % 3) as usize]);
        Settings {
            verify: seed.is_multiple_of(VERIFIED_EVERY),
            trace: self.trace,
            silent: self.silent,
            mutation: self.mutation,
            ..Settings::new(replicas, window)
        }
    }

    /// The command that repeats a run.
    fn repeat(&self, seed: u64) -> String {
        let Settings { replicas, window, silent, mutation, .. } = self.settings(seed);
        let mutation = mutation.map(|m| format!(" --mutation {}", m.name())).unwrap_or_default();
        let silent = if silent > 0 { format!(" --silent {silent}") } else { String::new() };
        format!(
            "cargo run --release -p quorate-tests --bin sim -- --seed {seed} --replicas {replicas} \
             --window {window}{silent}{mutation} --trace"
        )
    }
}

#[derive(Default)]
struct Totals {
    heights: u64,
    lowest: Option<u64>,
    views: u64,
    delivered: u64,
    recovery_ms: u64,
    recovery_percent: u64,
    virtual_ms: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        self.heights += outcome.height;
        self.lowest = Some(self.lowest.map_or(outcome.height, |lowest| lowest.min(outcome.height)));
        self.views += outcome.view;
        self.delivered += outcome.delivered;
        self.recovery_ms = self.recovery_ms.max(outcome.recovery_ms);
        self.recovery_percent = self.recovery_percent.max(outcome.recovery_percent);
        self.virtual_ms += outcome.time_ms;
        for (kind, times) in &outcome.faults {
            *self.faults.entry(kind).or_default() += times;
        }
    }

    fn print(&self, count: u64, seconds: f64) {
        println!(
            "{count} seeds without a violation in {seconds:.1} s ({:.1} a second, {} s of virtual time)",
            count as f64 / seconds,
            self.virtual_ms / 1000
        );
        println!(
            "{} heights (at least {} a run), {} view changes, {} messages ({:.0} a second)",
            self.heights,
            self.lowest.unwrap_or(0),
            self.views,
            self.delivered,
            self.delivered as f64 / seconds
        );
        println!(
            "after healing all was committed within {} ms, or {} % of what is allowed",
            self.recovery_ms, self.recovery_percent
        );
        for (kind, times) in &self.faults {
            println!("{times:>8}  {kind}");
        }
    }
}

fn single(arguments: &Arguments, seed: u64) -> ExitCode {
    let outcome = run(seed, arguments.settings(seed));
    outcome.trace.iter().for_each(|line| println!("{line}"));
    let again = run(seed, Settings { trace: false, ..arguments.settings(seed) });
    if let Some(violation) = &outcome.violation {
        println!("seed {seed}: {}", violation.0);
    }
    println!("trace hash {}", outcome.trace_hash);
    if again.trace_hash != outcome.trace_hash {
        println!("the same seed again gave {}", again.trace_hash);
        return ExitCode::FAILURE;
    }
    if outcome.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(seed) = arguments.seed {
        return single(&arguments, seed);
    }
    let started = Instant::now();
    let mut totals = Totals::default();
    for (done, seed) in (1..).zip(arguments.from..arguments.from + arguments.seeds) {
        let outcome = run(seed, arguments.settings(seed));
        totals.add(&outcome);
        if let Some(violation) = outcome.violation {
            println!("seed {seed}, the {done}th: {}", violation.0);
            println!("repeat: {}", arguments.repeat(seed));
            println!("trace hash {}", outcome.trace_hash);
            let expected = arguments.mutation.is_some();
            return if expected { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        if done % PROGRESS_EVERY == 0 {
            let seconds = started.elapsed().as_secs_f64();
            println!("{done} of {} seeds, {:.1} a second", arguments.seeds, done as f64 / seconds);
        }
    }
    totals.print(arguments.seeds, started.elapsed().as_secs_f64());
    if let Some(mutation) = arguments.mutation {
        println!("the mutation {} was not found", mutation.name());
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
