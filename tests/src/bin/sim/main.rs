//! Runs seeds of the simulated network until one breaks a rule, and makes that run as small as it can.
//!
//! ```console
//! $ cargo run --release -p quorate-tests --bin sim -- --for 10m
//! $ cargo run --release -p quorate-tests --bin sim -- --seeds 1000 --from 1 --json
//! $ cargo run --release -p quorate-tests --bin sim -- --seed 42 --plan smaller.json --trace
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `arguments.rs` | the command line, and the command that repeats a run |
//! | `campaign.rs` | many seeds at once, taken in their order, until there is enough |
//! | `interrupt.rs` | Ctrl-C |
//! | `failure.rs` | what is told about a seed that broke a rule |
//! | `shrink.rs` | the smallest part of a plan that still breaks it |
//! | `mutations.rs` | the search for every known mistake |
//! | `report.rs` | totals, as text and as JSON |

mod arguments;
mod campaign;
mod failure;
mod interrupt;
mod mutations;
mod report;
mod shrink;

use arguments::Arguments;
use campaign::{Limits, run_all};
use clap::Parser;
use failure::Failure;
use report::{Progress, Totals};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// What a shell gives for a process that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Runs one seed twice and compares.
fn single(arguments: &Arguments, seed: u64, interrupted: &AtomicBool) -> Result<ExitCode, String> {
    let plan = arguments.plan(seed)?;
    let run = |trace| campaign::run(arguments, seed, &plan, trace);
    let (outcome, again) = (run(arguments.trace), run(false));
    outcome.trace.iter().for_each(|line| println!("{line}"));
    println!("trace hash {}", outcome.trace_hash);
    let same = again.trace_hash == outcome.trace_hash;
    if !same {
        println!("the same seed again gave {}", again.trace_hash);
    }
    let failure = Failure::of(arguments, seed, &plan, &outcome);
    match &failure {
        // Who looks at the trace has seen the rest.
        Some(failure) if arguments.trace => println!("seed {seed}: {}", failure.text),
        Some(failure) => failure.clone().shrunk(arguments, interrupted).print(),
        None => {}
    }
    Ok(if same && failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs seed after seed.
fn many(arguments: &Arguments, interrupted: &AtomicBool) -> ExitCode {
    let (mut totals, mut progress) = (Totals::default(), Progress::new(arguments));
    let mut failure = None;
    arguments.plans().iter().for_each(|plans| eprintln!("{plans}"));
    let limits = Limits { arguments, deadline: arguments.deadline(), interrupted };
    run_all(&limits, |seed, plan, outcome| {
        totals.add(seed, plan, outcome);
        progress.show(&totals);
        failure = Failure::of(arguments, seed, plan, outcome);
        failure.is_none()
    });
    let seconds = progress.seconds();
    let failure = failure.map(|failure| failure.shrunk(arguments, interrupted));
    if arguments.json {
        println!("{}", totals.json(seconds, failure.as_ref()));
    } else {
        totals.print(seconds);
        failure.iter().for_each(Failure::print);
    }
    if let Some(mutation) = arguments.mutation.filter(|_| failure.is_none()) {
        eprintln!("the mutation {} was not found", mutation.name());
    }
    if failure.is_none() && interrupted.load(Ordering::Relaxed) {
        return ExitCode::from(INTERRUPTED);
    }
    // A mistake on purpose must be found, and nothing else.
    if failure.is_some() == arguments.mutation.is_some() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.mutations {
        return mutations::find(&arguments);
    }
    let interrupted = interrupt::watch();
    let Some(seed) = arguments.seed else { return many(&arguments, &interrupted) };
    single(&arguments, seed, &interrupted).unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}
