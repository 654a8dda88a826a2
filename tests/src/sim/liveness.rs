//! How soon everything must be committed after healing, and anything at all.

use super::checker::Violation;
use super::clients::transactions;
use super::node::{SimNode, Standing};
use super::settings::{RESUMED_TIMEOUTS, TIMEOUT_MAX_MS};
use super::world::World;
use quorate_chain::Epoch;

/// A clock that is wrong by more than this may make primaries unfit, milliseconds.
pub(super) const SKEW_MAX_MS: i64 = 1_000;
/// Messages one after the other that a commit takes, and a view change before it.
pub(super) const ROUNDS: u64 = 8;
/// Base time-outs that a healed network has to commit everything in one epoch, beside those of the views that
/// must fail.
const LIVENESS_TIMEOUTS: u64 = 20;

impl World {
    /// The present view may be as good as lost, and so may one for each unfit primary; after the first f each
    /// takes twice as long as the one before (R31). Unfit are the faulty ones, and where a clock is wrong perhaps
    /// all but one: with f silent everyone is needed, so nobody's time may be ahead of the slowest clock (R6).
    /// Where a clock is wrong and others lie, more than f fail a primary, and a liar whose vote is needed may give
    /// it to each block just before the time is up. A primary that is just quick enough keeps its view: that it is slow
    /// is no reason to suspect it before ten seconds (R41).
    fn liveness_bound_ms(&self) -> u64 {
        let faulty = |n: &&SimNode| self.silent.contains(&n.index) || n.standing != Standing::Honest;
        let unfit = if self.skewed { self.nodes.len() - 1 } else { self.nodes.iter().filter(faulty).count() };
        let sets = (0..=self.roster.last().0).map(|epoch| self.roster.set(Epoch(epoch)));
        let f = sets.map(|set| set.quorum().f()).min().unwrap_or(0);
        let doubled = |i: usize| self.timeout_ms << i.saturating_sub(f).min(32);
        let lost = (0..=unfit).map(|i| doubled(i).min(TIMEOUT_MAX_MS));
        let epochs = 1 + self.roster.last().0;
        let slow = self.slow_primary || self.skewed && !self.coalition.is_empty();
        let blocks = if slow { transactions().len() as u64 } else { 0 };
        epochs * LIVENESS_TIMEOUTS * self.base_ms + lost.sum::<u64>() + blocks * self.timeout_ms
    }

    /// What was accepted before the healing and is committed after it raises the time-out, as slow as it was
    /// (R31).
    pub(super) fn watch_timeout(&mut self, timeout_ms: u64) {
        if let Some((healed, deadline)) = self.healed {
            self.timeout_ms = self.timeout_ms.max(timeout_ms);
            self.healed = Some((healed, deadline.max(healed + self.liveness_bound_ms())));
        }
    }

    /// L: after healing, how soon anything is committed for the first time. The time-outs that count are those in
    /// force at healing, as slow commits before may have raised them (R31), and what blocks of before the healing raise
    /// them to where they are committed only after it. A clock that stays wrong is not healed.
    pub(super) fn watch_resumption(&mut self) {
        let Some((healed, _)) = self.healed else { return };
        let Some(first) = self.outcome.commits_ms.iter().find(|at| **at > healed) else { return };
        let resumed_ms = first - healed;
        self.outcome.resumed_ms = resumed_ms;
        let bound_ms = RESUMED_TIMEOUTS * self.base_ms.max(self.healed_timeout_ms);
        if resumed_ms > bound_ms && !self.skewed && self.outcome.violation.is_none() {
            let text =
                format!("L: nothing is committed within {bound_ms} ms after healing, then at {first} ms");
            self.outcome.violation = Some(Violation(text));
        }
    }
}
