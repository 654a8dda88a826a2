//! What is told about a seed that broke a rule.

use crate::arguments::Arguments;
use crate::campaign;
use crate::shrink::shrink;
use quorate_tests::sim::{Outcome, Plan};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The commit that this program is of.
const COMMIT: &str = env!("QUORATE_COMMIT");

/// A smaller run that breaks the same rule.
#[derive(Clone)]
struct Smaller {
    plan: Plan,
    text: String,
    trace_hash: String,
    /// Lines of its trace.
    lines: usize,
    /// Runs that it took to find it.
    runs: u64,
    /// Where the plan was written to.
    path: Result<PathBuf, String>,
}

/// A run that broke a rule.
#[derive(Clone)]
pub(crate) struct Failure {
    seed: u64,
    plan: Plan,
    /// Which rule, and how.
    pub(crate) text: String,
    trace_hash: String,
    repeat: String,
    smaller: Option<Smaller>,
}

/// The name of the rule or invariant that a violation begins with.
fn rule(text: &str) -> &str {
    text.split_once(':').map_or(text, |(rule, _)| rule)
}

impl Failure {
    /// What is known at once.
    pub(crate) fn of(arguments: &Arguments, seed: u64, plan: &Plan, outcome: &Outcome) -> Option<Self> {
        Some(Self {
            seed,
            plan: plan.clone(),
            text: outcome.violation.as_ref()?.0.clone(),
            trace_hash: outcome.trace_hash.clone(),
            repeat: arguments.repeat(seed),
            smaller: None,
        })
    }

    /// Looks for a smaller plan, as long as the arguments say.
    pub(crate) fn shrunk(mut self, arguments: &Arguments, interrupted: &AtomicBool) -> Self {
        let until = Instant::now().checked_add(arguments.shrink_for);
        if arguments.shrink_for.is_zero() {
            return self;
        }
        let (seed, mut runs) = (self.seed, 0);
        let go_on =
            || until.is_none_or(|until| Instant::now() < until) && !interrupted.load(Ordering::Relaxed);
        // One panic has been shown; many more follow where that is what is looked for.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let plan = shrink(&self.plan, arguments.settings(seed).replicas, go_on, |plan| {
            runs += 1;
            let outcome = campaign::run(arguments, seed, plan, false);
            outcome.violation.is_some_and(|violation| rule(&violation.0) == rule(&self.text))
        });
        let outcome = campaign::run(arguments, seed, &plan, true);
        std::panic::set_hook(hook);
        let text = outcome.violation.map(|violation| violation.0).unwrap_or_default();
        let path = self.write(&plan);
        let lines = outcome.trace.len();
        self.smaller = Some(Smaller { plan, text, trace_hash: outcome.trace_hash, lines, runs, path });
        self
    }

    /// Writes a plan where it does not get in the way.
    fn write(&self, plan: &Plan) -> Result<PathBuf, String> {
        let path = std::env::temp_dir().join(format!("quorate-sim-{}.json", self.seed));
        let text = serde_json::to_string_pretty(plan).map_err(|error| error.to_string())?;
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }

    /// The command that repeats the smaller run.
    fn repeat_smaller(&self, smaller: &Smaller) -> String {
        let whole = self.repeat.split(" --plan ").next().unwrap_or_default();
        match &smaller.path {
            Ok(path) => format!("{whole} --plan {} --trace", path.display()),
            Err(error) => format!("{whole} --plan FILE --trace (not written: {error})"),
        }
    }

    pub(crate) fn print(&self) {
        println!("\nseed {} of commit {COMMIT}: {}", self.seed, self.text);
        println!("repeat: {} --trace\ntrace hash {}", self.repeat, self.trace_hash);
        let Some(smaller) = &self.smaller else { return };
        println!(
            "\nwith {} of {} faults and {} of {} set changes ({} runs): {}",
            smaller.plan.faults.len(),
            self.plan.faults.len(),
            smaller.plan.changes.len(),
            self.plan.changes.len(),
            smaller.runs,
            smaller.text.lines().next().unwrap_or_default()
        );
        println!("{}", serde_json::to_string(&smaller.plan).unwrap_or_default());
        println!("repeat: {}", self.repeat_smaller(smaller));
        println!("trace of {} lines, hash {}", smaller.lines, smaller.trace_hash);
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "seed": self.seed,
            "commit": COMMIT,
            "text": self.text,
            "trace_hash": self.trace_hash,
            "repeat": self.repeat,
            "plan": self.plan,
            "smaller": self.smaller.as_ref().map(|smaller| json!({
                "plan": smaller.plan,
                "text": smaller.text,
                "trace_hash": smaller.trace_hash,
                "trace_lines": smaller.lines,
                "runs": smaller.runs,
                "repeat": self.repeat_smaller(smaller),
            })),
        })
    }
}
