//! The figures.

use crate::Failure;
use quorate_chain::{ValidatorIndex, View};
use serde::Serialize;
use std::fmt;

/// What a fail-over may take beyond the time-out, milliseconds.
const BEYOND_TIMEOUT_MS: u64 = 200;

/// One kill. Times are milliseconds since the kill, as one surviving validator showed it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Kill {
    /// Who was killed, as the primary of `view`.
    pub(crate) validator: ValidatorIndex,
    pub(crate) view: View,
    /// The view of the first commit after the fail-over.
    pub(crate) later_view: View,
    /// The last commit of the old view; 0 if none was seen after the kill.
    pub(crate) last_old_commit_ms: u64,
    /// A later view was entered.
    pub(crate) view_ms: u64,
    /// The first commit of a later view.
    pub(crate) commit_ms: u64,
    /// The longest time between two commits until that one.
    pub(crate) gap_ms: u64,
    /// From the killed validator's start until it voted at the tip again, connected to all others.
    pub(crate) back_ms: u64,
    /// The longest time between two commits meanwhile. Clients submit to it as soon as it listens, so what it
    /// keeps to itself until it has peers keeps back all that those clients send afterwards.
    pub(crate) back_gap_ms: u64,
}

impl fmt::Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "validator {} killed in view {}: last old commit {} ms, view {} entered {} ms, first commit {} ms; \
             longest gap {} ms; back {} ms after its start, longest gap {} ms",
            self.validator,
            self.view,
            self.last_old_commit_ms,
            self.later_view,
            self.view_ms,
            self.commit_ms,
            self.gap_ms,
            self.back_ms,
            self.back_gap_ms
        )
    }
}

/// Over all kills. Percentiles are of the time from the kill to the first commit of a later view.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    p50_ms: u64,
    p99_ms: u64,
    max_ms: u64,
    /// The longest of all kills, until that commit and while the killed validator came back.
    gap_max_ms: u64,
    back_gap_max_ms: u64,
    timeout_base_ms: u64,
    /// Kills after which that commit came within the time-out and [`BEYOND_TIMEOUT_MS`].
    within: usize,
    beyond_timeout_ms: u64,
    acknowledged: usize,
    /// Acknowledged transfers that were not found at the end.
    pub(crate) lost: usize,
    /// Before the start and at the end.
    load_averages: [String; 2],
    kills: Vec<Kill>,
}

impl Report {
    pub(crate) fn new(
        kills: Vec<Kill>,
        timeout_base_ms: u64,
        acknowledged: usize,
        lost: usize,
        load_averages: [String; 2],
    ) -> Self {
        let mut times: Vec<u64> = kills.iter().map(|kill| kill.commit_ms).collect();
        times.sort_unstable();
        Self {
            p50_ms: percentile(&times, 50),
            p99_ms: percentile(&times, 99),
            max_ms: percentile(&times, 100),
            gap_max_ms: kills.iter().map(|kill| kill.gap_ms).max().unwrap_or(0),
            back_gap_max_ms: kills.iter().map(|kill| kill.back_gap_ms).max().unwrap_or(0),
            timeout_base_ms,
            within: times.iter().filter(|time| **time <= timeout_base_ms + BEYOND_TIMEOUT_MS).count(),
            beyond_timeout_ms: BEYOND_TIMEOUT_MS,
            acknowledged,
            lost,
            load_averages,
            kills,
        }
    }

    pub(crate) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        println!(
            "{} kills, from the kill to the first commit of a later view: p50 {} ms, p99 {} ms, max {} ms; \
             longest gap in commits {} ms, {} ms while a killed validator came back",
            self.kills.len(),
            self.p50_ms,
            self.p99_ms,
            self.max_ms,
            self.gap_max_ms,
            self.back_gap_max_ms
        );
        println!(
            "base time-out {} ms; within {} ms: {} of {}",
            self.timeout_base_ms,
            self.timeout_base_ms + self.beyond_timeout_ms,
            self.within,
            self.kills.len()
        );
        println!("{} transfers acknowledged, {} lost", self.acknowledged, self.lost);
        println!("load average before {}, after {}", self.load_averages[0], self.load_averages[1]);
        Ok(())
    }
}

/// The smallest value that so many percent do not exceed; 0 of none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

/// The machine's, over 1, 5 and 15 minutes.
pub(crate) fn load_average() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}
