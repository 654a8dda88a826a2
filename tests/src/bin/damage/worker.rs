//! A process that damages one place after the other, and says what became of it.

use clap::Args;
use quorate_tests::damage::{Failure, Probe};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::Write;
use std::path::PathBuf;

/// Address space of the process: a store that allocates without end fails here.
const MEMORY_BYTES: u64 = 4 * 1024 * 1024 * 1024;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Number of the first place.
    #[arg(long)]
    pub(crate) from: u64,
    /// Number behind the last one.
    #[arg(long)]
    pub(crate) to: u64,
    /// From one to the next.
    #[arg(long)]
    pub(crate) step: u64,
    /// Where the folders are.
    #[arg(long)]
    pub(crate) dir: PathBuf,
}

/// Prints number, kind of harm, verdict and place of each, a line each.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    setrlimit(Resource::As, Rlimit { current: Some(MEMORY_BYTES), maximum: Some(MEMORY_BYTES) })?;
    // A panic is a verdict.
    std::panic::set_hook(Box::new(|_| {}));
    let probe = Probe::new(&arguments.dir)?;
    let mut out = std::io::stdout().lock();
    let mut number = arguments.from;
    while number < arguments.to {
        let verdict = probe.run(number)?;
        let harm = probe.harm(number);
        let line = format!("{number}\t{}\t{verdict}\t{harm}", harm.name());
        writeln!(out, "{}", line.replace('\n', " "))?;
        out.flush()?;
        number += arguments.step;
    }
    Ok(true)
}
