//! Runs seeds of the simulated network until one breaks a rule.
//!
//! `cargo run --release -p quorate-tests --bin sim -- --seeds 1000 --from 1`

use clap::Parser;
use quorate_tests::sim::{Settings, run};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Instant;

/// A seeded network of consensus cores in virtual time.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Run just this one.
    #[arg(long)]
    seed: Option<u64>,
    /// Print its events.
    #[arg(long)]
    trace: bool,
    /// Validators, 4 to 10; all of them in turn if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(4..=10))]
    replicas: Option<u64>,
    /// Heights in flight; 1, 4 and 8 in turn if left out.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=64))]
    window: Option<u64>,
}

impl Arguments {
    fn settings(&self, seed: u64) -> Settings {
        let replicas = self.replicas.unwrap_or(4 + seed % 7) as usize;
        let window = self.window.unwrap_or([1, 4, 8][(seed / 7 % 3) as usize]);
        Settings { verify: seed.is_multiple_of(8), trace: self.trace, ..Settings::new(replicas, window) }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (from, count) = arguments.seed.map_or((arguments.from, arguments.seeds), |seed| (seed, 1));
    let started = Instant::now();
    let (mut heights, mut views, mut delivered) = (0, 0, 0);
    let mut faults: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in from..from + count {
        let settings = arguments.settings(seed);
        let outcome = run(seed, settings);
        outcome.trace.iter().for_each(|line| println!("{line}"));
        heights += outcome.height;
        views += outcome.view;
        delivered += outcome.delivered;
        outcome.faults.iter().for_each(|(kind, n)| *faults.entry(kind).or_default() += n);
        if let Some(violation) = outcome.violation {
            println!("seed {seed}: {}", violation.0);
            println!(
                "repeat: cargo run --release -p quorate-tests --bin sim -- --seed {seed} --replicas {} --window {} --trace",
                settings.replicas, settings.window
            );
            println!("trace hash {}", outcome.trace_hash);
            return ExitCode::FAILURE;
        }
        if arguments.seed.is_some() {
            println!("trace hash {}", outcome.trace_hash);
        }
        if (seed - from + 1).is_multiple_of(100) {
            let done = seed - from + 1;
            println!(
                "{done} of {count} seeds, {:.1} a second",
                done as f64 / started.elapsed().as_secs_f64()
            );
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{count} seeds without a violation in {seconds:.1} s ({:.1} a second): {heights} heights, {views} view changes, {delivered} messages ({:.0} a second)",
        count as f64 / seconds,
        delivered as f64 / seconds
    );
    for (kind, times) in faults {
        println!("{times:>8}  {kind}");
    }
    ExitCode::SUCCESS
}
