//! What a run is made of beside its seed, and what became of it.

use super::checker::Violation;
use super::mutation::Mutation;
use std::collections::BTreeMap;

/// First time-out of a view in the simulator, milliseconds.
pub const TIMEOUT_BASE_MS: u64 = 300;
/// Largest time-out in the simulator, milliseconds.
pub const TIMEOUT_MAX_MS: u64 = 10_000;

/// After healing, the first commit must come within so many time-outs, whatever f validators do.
pub const RESUMED_TIMEOUTS: u64 = 20;

/// What a run is made of, beside its seed.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Validators at first, 4 to 100.
    pub replicas: usize,
    /// W.
    pub window: u64,
    /// Real signatures, and every message, transaction and certificate is verified as a node would; slower.
    pub verify: bool,
    /// A mistake that is made on purpose.
    pub mutation: Option<Mutation>,
    /// Nodes that are off for the whole run, beside those of the plan.
    pub silent: usize,
    /// An empty block after so long without any, milliseconds; 0 is never.
    pub max_idle_ms: u64,
    /// Whether the events are kept as text.
    pub trace: bool,
}

impl Settings {
    /// The usual ones.
    #[must_use]
    pub const fn new(replicas: usize, window: u64) -> Self {
        Self { replicas, window, verify: false, mutation: None, silent: 0, max_idle_ms: 0, trace: false }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What must never happen and did.
    pub violation: Option<Violation>,
    /// Hash over everything that happened.
    pub trace_hash: String,
    /// The events as a sequence diagram, if asked for.
    pub trace: Vec<String>,
    /// The highest committed height.
    pub height: u64,
    /// When each height was committed by the first node, milliseconds.
    pub commits_ms: Vec<u64>,
    /// The highest view of any epoch.
    pub view: u64,
    /// The last epoch.
    pub epoch: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Virtual time of the run, milliseconds.
    pub time_ms: u64,
    /// How long after healing everything was committed everywhere, milliseconds.
    pub recovery_ms: u64,
    /// The same as a share of what is allowed, percent.
    pub recovery_percent: u64,
    /// How long after healing anything was committed for the first time, milliseconds.
    pub resumed_ms: u64,
    /// Faults that showed, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

impl Outcome {
    /// The longest time without a commit between two moments, milliseconds.
    #[must_use]
    pub fn longest_pause_ms(&self, from_ms: u64, to_ms: u64) -> u64 {
        let within = self.commits_ms.iter().copied().filter(|at| (from_ms..to_ms).contains(at));
        let mut last = from_ms;
        let pauses = within.chain([to_ms]).map(|at| at - std::mem::replace(&mut last, at));
        pauses.max().unwrap_or(0)
    }
}
