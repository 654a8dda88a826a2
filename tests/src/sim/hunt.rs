//! The search for known mistakes: guided runs, seed after seed, until one shows it.

use super::guided;
use super::mutation::{By, Mutation};
use super::scenario::Scenario;
use super::settings::Settings;
use super::world::run_scenario;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The window of guided runs: more heights in flight, more to lose.
const WINDOW: u64 = 8;

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
    let settings = Settings { mutation: Some(mutation), ..Settings::new(mutation.replicas(), WINDOW) };
    let guided = Scenario { name: "guided", about: "", plan: guided::plan };
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
                    let Some(violation) = run_scenario(seed, settings, guided).violation else { continue };
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    if found.as_ref().is_none_or(|known| seed < known.seed) {
                        best.fetch_min(seed, Ordering::Relaxed);
                        *found = Some(Find { seed, violation: violation.0 });
                    }
                }
            });
        }
    });
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Head of the table of all finds.
pub const TABLE_HEAD: &str = "| mutation | rule | made by | n | seeds until found | seconds | the checker says | schedule |\n\
                              | --- | --- | --- | --- | --- | --- | --- | --- |";

/// A mutation's row in that table.
#[must_use]
pub fn table_row(mutation: Mutation, found: Option<&Find>, seconds: f64) -> String {
    let (seeds, says) = match found {
        Some(find) => (find.seed.to_string(), find.violation.lines().next().unwrap_or_default()),
        None => ("not found".into(), ""),
    };
    let by = match mutation.by() {
        By::Core(_) => "core",
        By::Driver(_) => "driver",
        By::Ledger(_) => "ledger",
    };
    let (name, rule, n) = (mutation.name(), mutation.rule(), mutation.replicas());
    let schedule = mutation.schedule().map(|number| number.to_string()).unwrap_or_default();
    format!("| `{name}` | {rule} | {by} | {n} | {seeds} | {seconds:.1} | {says} | {schedule} |")
}
