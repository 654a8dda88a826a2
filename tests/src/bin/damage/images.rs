//! Crash images, on several threads.

use clap::Args;
use quorate_tests::damage::{Failure, Images, Tally};
use serde_json::json;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Images between two lines of progress.
const PROGRESS_IMAGES: u64 = 1_000;
/// Failing images that are told.
const TOLD_MAX: usize = 20;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many images.
    #[arg(long, default_value_t = 10_000)]
    images: u64,
    /// Number of the first one.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// This image alone.
    #[arg(long)]
    only: Option<u64>,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Print one JSON object on one line instead of text.
    #[arg(long)]
    json: bool,
}

/// Whether all images are as they must be.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, Failure> {
    let images = Images::new()?;
    let (from, count) = arguments.only.map_or((arguments.from, arguments.images), |only| (only, 1));
    let begun = Instant::now();
    let next = AtomicU64::new(0);
    let results = Mutex::new((Tally::default(), Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| work(&images, from, count, &next, &results, arguments.json));
        }
    });
    let (tally, mut failures) = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failures.sort_unstable();
    let seconds = begun.elapsed().as_secs_f64();
    if arguments.only.is_some() {
        println!("{}", images.describe(from));
    }
    for (number, what) in failures.iter().take(TOLD_MAX) {
        println!(
            "{what}\n  repeat: cargo run --release -p quorate-tests --bin damage -- crash-images --only {number}"
        );
    }
    let failed = failures.len();
    let Tally { images: good, losses, in_recovery, torn_tails, replays, kept_trees, ahead } = tally;
    let points = images.points();
    if arguments.json {
        let numbers = json!({
            "images": count, "from": from, "points": points, "failed": failed, "good": good, "losses": losses,
            "in_recovery": in_recovery, "torn_tails": torn_tails, "replays": replays, "kept_trees": kept_trees,
            "ahead": ahead,
            "seconds": seconds,
        });
        println!("{numbers}");
    } else {
        println!("{count} images from {from} ({points} meet every write point), {failed} failed");
        println!("{losses} losses of power, {in_recovery} of them during an opening");
        println!(
            "openings: {torn_tails} with a torn tail, {replays} with a replay, {kept_trees} with the kept tree, \
             {ahead} ahead of what was told"
        );
        println!("{seconds:.1} s, {:.0} images/s", count as f64 / seconds);
    }
    Ok(failures.is_empty())
}

fn work(
    images: &Images,
    from: u64,
    count: u64,
    next: &AtomicU64,
    results: &Mutex<(Tally, Vec<(u64, String)>)>,
    quiet: bool,
) {
    loop {
        let place = next.fetch_add(1, Ordering::Relaxed);
        if place >= count {
            return;
        }
        let done = images.run(from + place, false);
        let mut results = results.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match done {
            Ok(tally) => results.0 = results.0.and(tally),
            Err(what) => results.1.push((from + place, what)),
        }
        if !quiet && (place + 1).is_multiple_of(PROGRESS_IMAGES) {
            println!("{} of {count} images, {} failed", place + 1, results.1.len());
        }
    }
}
