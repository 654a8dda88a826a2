//! The search for known mistakes: guided runs, seed after seed, until one shows it.

use super::guided;
use super::mutation::Mutation;
use super::settings::Settings;
use super::world::run_scenario;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// A mistake that was found.
#[derive(Clone, Debug)]
pub struct Find {
    /// The first seed that shows it.
    pub seed: u64,
    /// What the checker says.
    pub violation: String,
}

/// Runs seeds from 1 on until one shows the mutation, on so many threads.
#[must_use]
pub fn hunt(mutation: Mutation, seeds: u64, threads: usize) -> Option<Find> {
    let (settings, scenario) = (guided::settings(mutation), mutation.scenario());
    let (next, found) = (AtomicU64::new(1), Mutex::new(None::<Find>));
    let best = AtomicU64::new(seeds + 1);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= best.load(Ordering::Relaxed) {
                        return;
                    }
                    let Some(violation) = run_scenario(seed, settings, scenario).violation else { continue };
                    // A run that fails on the right core too is another find, and a worse one.
                    let right = Settings { mutation: None, ..settings };
                    let right = run_scenario(seed, right, scenario).violation;
                    let violation =
                        right.map_or(violation.0, |right| format!("also without the mistake: {}", right.0));
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    if found.as_ref().is_none_or(|known| seed < known.seed) {
                        best.fetch_min(seed, Ordering::Relaxed);
                        *found = Some(Find { seed, violation });
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Head of the table of all finds.
pub const TABLE_HEAD: &str = "\
    | mutation | rule | made by | n | seeds | the checker says | schedule | scenario | seconds |\n\
    | --- | --- | --- | --- | --- | --- | --- | --- | --- |";
/// Characters of a violation in that table.
const SAYS_MAX: usize = 70;

/// A mutation's row in that table: found or not, in at most so many seeds and so many seconds.
#[must_use]
pub fn table_row(mutation: Mutation, found: Option<&Find>, (seeds, seconds): (u64, f64)) -> String {
    let seeds = found.map_or_else(|| format!("not in {seeds}"), |find| find.seed.to_string());
    let says = found.and_then(|find| find.violation.lines().next()).unwrap_or_default();
    let says: String = says.chars().take(SAYS_MAX).collect();
    let (name, rule, by, n) = (mutation.name(), mutation.rule(), mutation.made_by(), mutation.replicas());
    let schedule = mutation.schedule().map(|number| number.to_string()).unwrap_or_default();
    let (says, scenario) = (says.trim_end(), mutation.scenario().name);
    format!("| `{name}` | {rule} | {by} | {n} | {seeds} | {says} | {schedule} | {scenario} | {seconds:.1} |")
}
