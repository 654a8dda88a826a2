//! Many seeds at once, taken in their order, until there is enough.

use crate::arguments::Arguments;
use quorate_tests::sim::{Outcome, Plan, Settings, Violation, run_variant};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

/// When no more seeds are begun.
pub(crate) struct Limits<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) deadline: Option<Instant>,
    pub(crate) interrupted: &'a AtomicBool,
}

impl Limits<'_> {
    fn are_reached(&self) -> bool {
        let late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        late || self.interrupted.load(Ordering::Relaxed)
    }
}

/// Runs one seed with its plan or another. A panic is a violation: no bytes and no fault may cause one.
pub(crate) fn run(arguments: &Arguments, seed: u64, plan: &Plan, trace: bool) -> Outcome {
    let settings = Settings { trace, ..arguments.settings(seed) };
    let outcome = catch_unwind(AssertUnwindSafe(|| run_variant(seed, settings, arguments.scenario, plan)));
    outcome.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref().copied()).unwrap_or("no message");
        Outcome { violation: Some(Violation(format!("A: panic: {text}"))), ..Outcome::default() }
    })
}

/// Runs seeds, each on one thread, and gives the outcomes in order of their seeds to `take` until that has
/// enough or a limit is reached. Seeds that have begun are finished.
pub(crate) fn run_all(limits: &Limits<'_>, mut take: impl FnMut(u64, &Plan, &Outcome) -> bool) {
    let arguments = limits.arguments;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, enough) = (AtomicU64::new(arguments.from), AtomicBool::new(false));
    let (send, outcomes) = mpsc::channel();
    let work = |send: mpsc::Sender<_>| {
        while !enough.load(Ordering::Relaxed) && !limits.are_reached() {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= arguments.end() {
                return;
            }
            let Ok(plan) = arguments.plan(seed) else { return };
            let outcome = run(arguments, seed, &plan, false);
            if send.send((seed, plan, outcome)).is_err() {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.unwrap_or(cores).max(1) {
            let (send, work) = (send.clone(), &work);
            scope.spawn(move || work(send));
        }
        drop(send);
        let mut early = BTreeMap::new();
        let mut expected = arguments.from;
        for (seed, plan, outcome) in outcomes {
            early.insert(seed, (plan, outcome));
            while let Some((plan, outcome)) = early.remove(&expected) {
                if !take(expected, &plan, &outcome) {
                    enough.store(true, Ordering::Relaxed);
                    return;
                }
                expected += 1;
            }
        }
    });
}
