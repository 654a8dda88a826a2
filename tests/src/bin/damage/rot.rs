//! Damaged places, in several processes.

use crate::report::Report;
use clap::Args;
use quorate_tests::damage::{Failure, Probe};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long one place may take, all attempts together: a second or two, but the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(1_800);

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many places are damaged.
    #[arg(long, default_value_t = 10_000)]
    flips: u64,
    /// Number of the first one.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This place alone.
    #[arg(long)]
    only: Option<u64>,
    /// Processes.
    #[arg(long, default_value_t = 2)]
    jobs: u64,
    /// Where the copies are made; memory is faster than a disk.
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Print one JSON object on one line instead of text.
    #[arg(long)]
    json: bool,
    /// Print each verdict.
    #[arg(long)]
    verbose: bool,
}

/// Whether every damage was noticed before its value was used.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let parent = arguments.dir.clone().unwrap_or_else(std::env::temp_dir);
    let dir = tempfile::Builder::new().prefix("quorate-rot-").tempdir_in(parent)?;
    Probe::new(dir.path())?;
    let (from, count) = arguments.only.map_or((arguments.from, arguments.flips), |only| (only, 1));
    let begun = Instant::now();
    let jobs = arguments.jobs.clamp(1, count.max(1));
    let mut report = Report::default();
    std::thread::scope(|scope| {
        let (lines, all) = channel();
        for job in 0..jobs {
            let (lines, dir) = (lines.clone(), dir.path());
            scope
                .spawn(move || supervise(dir, from + job, from + count, jobs, |line| drop(lines.send(line))));
        }
        drop(lines);
        for line in all {
            let telling = report.add(&line);
            if arguments.verbose || telling {
                println!("{line}");
            }
            report.progress(count, arguments.json);
        }
    });
    report.print(count, begun.elapsed(), arguments.json);
    Ok(report.is_good(count))
}

/// Runs workers until all of a job's places have a verdict: one that dies or hangs is a verdict too.
fn supervise(dir: &Path, from: u64, to: u64, step: u64, tell: impl Fn(String)) {
    let mut next = from;
    while next < to {
        match start(dir, next, to, step) {
            Ok((mut child, lines)) => {
                let end = follow(&lines, &mut next, step, &tell);
                let _ = child.kill();
                let status = child.wait().map(|status| status.to_string()).unwrap_or_default();
                if next < to {
                    tell(format!("{next}\t?\twrong: the process {end} ({status})\t"));
                    next += step;
                }
            }
            Err(error) => {
                tell(format!("{next}\t?\twrong: no process: {error}\t"));
                next += step;
            }
        }
    }
}

/// Passes a worker's lines on until it ends or says nothing for too long; says which.
fn follow(lines: &Receiver<String>, next: &mut u64, step: u64, tell: &impl Fn(String)) -> &'static str {
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                *next += step;
                tell(line);
            }
            Err(RecvTimeoutError::Timeout) => return "hangs",
            Err(RecvTimeoutError::Disconnected) => return "died",
        }
    }
}

fn start(dir: &Path, from: u64, to: u64, step: u64) -> Result<(Child, Receiver<String>), Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("rot-worker").arg("--dir").arg(dir);
    for (name, number) in [("--from", from), ("--to", to), ("--step", step)] {
        command.arg(name).arg(number.to_string());
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().ok_or("the worker has no output")?;
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    Ok((child, lines))
}
