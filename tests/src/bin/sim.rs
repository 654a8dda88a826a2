//! Runs seeds of the simulated network until one breaks a rule.
//!
//! `cargo run --release -p quorate-tests --bin sim -- --seeds 1000 --from 1`

use clap::Parser;
use quorate_tests::sim::{Mutation, Outcome, Scenario, Settings, TABLE_HEAD, hunt, run_scenario, table_row};
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

/// Every so many seeds one runs with real signatures, verified as a node would.
const VERIFIED_EVERY: u64 = 16;
/// Every so many seeds a line says how far it is.
const PROGRESS_EVERY: u64 = 500;

/// A seeded network of nodes in virtual time.
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
    /// Print it as a sequence diagram.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// What happens; `list` names all.
    #[arg(long, value_parser = scenario, default_value = "random")]
    scenario: Scenario,
    /// Validators, 4 to 100; 4 to 10 in turn if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(4..=100))]
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
    /// Look for every known mistake, each in as many guided runs as it takes, and print the table.
    #[arg(long)]
    mutations: bool,
    /// Seeds that run at once; all cores if left out.
    #[arg(long)]
    jobs: Option<usize>,
    /// Print the totals as JSON.
    #[arg(long)]
    json: bool,
}

fn mutation(name: &str) -> Result<Mutation, String> {
    let names = || Mutation::ALL.map(Mutation::name).join(", ");
    Mutation::named(name).ok_or_else(|| format!("one of {}", names()))
}

fn scenario(name: &str) -> Result<Scenario, String> {
    let names = || Scenario::ALL.map(|one| format!("  {}: {}", one.name, one.about)).join("\n");
    Scenario::named(name).ok_or_else(|| format!("one of\n{}", names()))
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

    fn run(&self, seed: u64) -> Outcome {
        run_scenario(seed, self.settings(seed), self.scenario)
    }

    /// The command that repeats a run.
    fn repeat(&self, seed: u64) -> String {
        let Settings { replicas, window, silent, mutation, .. } = self.settings(seed);
        let mutation = mutation.map(|m| format!(" --mutation {}", m.name())).unwrap_or_default();
        let silent = if silent > 0 { format!(" --silent {silent}") } else { String::new() };
        let scenario = self.scenario.name;
        format!(
            "cargo run --release -p quorate-tests --bin sim -- --seed {seed} --scenario {scenario} \
             --replicas {replicas} --window {window}{silent}{mutation} --trace"
        )
    }
}

#[derive(Default)]
struct Totals {
    seeds: u64,
    heights: u64,
    lowest: Option<u64>,
    fewest_kinds: Option<usize>,
    views: u64,
    epochs: u64,
    delivered: u64,
    recovery_ms: u64,
    recovery_percent: u64,
    virtual_ms: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
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
        self.virtual_ms += outcome.time_ms;
        for (kind, times) in &outcome.faults {
            *self.faults.entry(kind).or_default() += times;
        }
    }

    fn print(&self, seconds: f64) {
        println!(
            "{} seeds without a violation in {seconds:.1} s ({:.1} a second, {} s of virtual time)",
            self.seeds,
            self.seeds as f64 / seconds,
            self.virtual_ms / 1000
        );
        println!(
            "{} heights (at least {} a run), {} view changes, {} set changes, {} messages ({:.0} a second)",
            self.heights,
            self.lowest.unwrap_or(0),
            self.views,
            self.epochs,
            self.delivered,
            self.delivered as f64 / seconds
        );
        println!(
            "after healing all was committed within {} ms, or {} % of what is allowed",
            self.recovery_ms, self.recovery_percent
        );
        println!("faults that showed, at least {} kinds a run:", self.fewest_kinds.unwrap_or(0));
        for (kind, times) in &self.faults {
            println!("{times:>8}  {kind}");
        }
    }

    fn json(&self, seconds: f64, violation: Option<(u64, &str, &str)>) -> serde_json::Value {
        json!({
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
            "fault_kinds_min": self.fewest_kinds,
            "faults": self.faults,
            "violation": violation.map(|(seed, text, repeat)| json!({
                "seed": seed, "text": text, "repeat": repeat,
            })),
        })
    }
}

fn single(arguments: &Arguments, seed: u64) -> ExitCode {
    let outcome = arguments.run(seed);
    outcome.trace.iter().for_each(|line| println!("{line}"));
    let again = run_scenario(seed, Settings { trace: false, ..arguments.settings(seed) }, arguments.scenario);
    if let Some(violation) = &outcome.violation {
        println!("seed {seed}: {}", violation.0);
    }
    if again.trace_hash != outcome.trace_hash {
        println!("the same seed again gave {}", again.trace_hash);
    }
    println!("trace hash {}", outcome.trace_hash);
    let sound = again.trace_hash == outcome.trace_hash && outcome.violation.is_none();
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs all seeds, each on one thread, and takes the outcomes in order of their seeds until `take` has enough.
fn run_all(arguments: &Arguments, mut take: impl FnMut(u64, Outcome) -> bool) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, end) = (AtomicU64::new(arguments.from), arguments.from + arguments.seeds);
    let enough = AtomicBool::new(false);
    let (send, outcomes) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.unwrap_or(cores).max(1) {
            let (send, next, enough) = (send.clone(), &next, &enough);
            scope.spawn(move || {
                while !enough.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || send.send((seed, arguments.run(seed))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut early = BTreeMap::new();
        let mut expected = arguments.from;
        for (seed, outcome) in outcomes {
            early.insert(seed, outcome);
            while let Some(outcome) = early.remove(&expected) {
                if !take(expected, outcome) {
                    enough.store(true, Ordering::Relaxed);
                    return;
                }
                expected += 1;
            }
        }
    });
}

/// Every mutation, or the one that is named, by guided runs.
fn find_mutations(arguments: &Arguments) -> ExitCode {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all = true;
    println!("{TABLE_HEAD}");
    for mutation in Mutation::ALL.into_iter().filter(|m| arguments.mutation.is_none_or(|one| one == *m)) {
        let started = Instant::now();
        let found = hunt(mutation, arguments.seeds, arguments.jobs.unwrap_or(cores));
        println!(
            "{}",
            table_row(mutation, found.as_ref(), (arguments.seeds, started.elapsed().as_secs_f64()))
        );
        all &= found.is_some();
    }
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.mutations {
        return find_mutations(&arguments);
    }
    if let Some(seed) = arguments.seed {
        return single(&arguments, seed);
    }
    let started = Instant::now();
    let mut totals = Totals::default();
    let mut violated = None;
    run_all(&arguments, |seed, outcome| {
        totals.add(&outcome);
        if totals.seeds % PROGRESS_EVERY == 0 && !arguments.json {
            let seconds = started.elapsed().as_secs_f64();
            let (done, all) = (totals.seeds, arguments.seeds);
            println!("{done} of {all} seeds, {:.1} a second", done as f64 / seconds);
        }
        violated = outcome.violation.map(|violation| (seed, violation.0, outcome.trace_hash));
        violated.is_none()
    });
    let seconds = started.elapsed().as_secs_f64();
    let repeat = violated.as_ref().map(|(seed, ..)| arguments.repeat(*seed)).unwrap_or_default();
    if arguments.json {
        let violation = violated.as_ref().map(|(seed, text, _)| (*seed, text.as_str(), repeat.as_str()));
        println!("{}", totals.json(seconds, violation));
    } else if let Some((seed, text, hash)) = &violated {
        println!("seed {seed}, the {}th: {text}\nrepeat: {repeat}\ntrace hash {hash}", totals.seeds);
    } else {
        totals.print(seconds);
    }
    if let Some(mutation) = arguments.mutation.filter(|_| violated.is_none()) {
        eprintln!("the mutation {} was not found", mutation.name());
    }
    // A mistake on purpose must be found, and nothing else.
    if violated.is_some() == arguments.mutation.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
