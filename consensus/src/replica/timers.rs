//! Every timer of a replica, in one table (R28–R33).

use crate::time::Time;
use std::collections::VecDeque;

/// The time-out is never below so many times the largest of the last commit latencies (R31).
const LATENCY_FACTOR: u64 = 4;
/// Commits whose latencies count. The time-out halves with each commit (R31 with K = 1): a primary that dies
/// after one block then costs its successor no doubled time-out, and a slow network is kept by the latencies.
const LATENCIES_MAX: usize = 8;

/// When which timer fires; `None` is stopped.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    /// The view has not made progress (R26, R28).
    pub(super) progress: Option<Time>,
    /// Half of that: send Status, relay transactions (R33).
    pub(super) half: Option<Time>,
    /// Send unanswered things again (R29).
    pub(super) resend: Option<Time>,
    /// A proposal from ahead of the own clock may have become acceptable (R6).
    pub(super) early_proposal: Option<Time>,
    /// The primary has waited long enough for more transactions, or for any.
    pub(super) next_block: Option<Time>,
    /// The primary has not been heard of for too long.
    pub(super) silence: Option<Time>,
}

impl Timers {
    pub(super) fn earliest(&self) -> Option<Time> {
        let Self { progress, half, resend, early_proposal, next_block, silence } = self;
        [progress, half, resend, early_proposal, next_block, silence].into_iter().flatten().min().copied()
    }

    /// Takes a timer that is due.
    pub(super) fn due(timer: &mut Option<Time>, now: Time) -> bool {
        timer.take_if(|at| *at <= now).is_some()
    }

    pub(super) const fn stop_progress(&mut self) {
        self.progress = None;
        self.half = None;
    }
}

/// How long a view may take (R31; `docs/adr/0007`: up to f failures in a row do not double it).
#[derive(Clone, Debug)]
pub(super) struct Timeout {
    base_ms: u64,
    max_ms: u64,
    /// So many views may fail in a row by their primaries alone: f.
    unfit_max: usize,
    current_ms: u64,
    /// Views that have failed since the last commit.
    failures: usize,
    latencies_ms: VecDeque<u64>,
    #[cfg(feature = "mistakes")]
    pub(super) never_doubles: bool,
}

impl Timeout {
    pub(super) fn new(base_ms: u64, max_ms: u64, unfit_max: usize) -> Self {
        Self {
            base_ms,
            max_ms,
            unfit_max,
            current_ms: base_ms,
            failures: 0,
            latencies_ms: VecDeque::new(),
            #[cfg(feature = "mistakes")]
            never_doubles: false,
        }
    }

    pub(super) const fn ms(&self) -> u64 {
        self.current_ms
    }

    /// How long the last commit of this view took from its acceptance; 0 before the first.
    pub(super) fn latency_ms(&self) -> u64 {
        self.latencies_ms.back().copied().unwrap_or(0)
    }

    /// A view has failed: twice the time, up to the cap, unless so far the primaries alone may be to blame.
    pub(super) fn failed(&mut self) {
        #[cfg(feature = "mistakes")]
        if self.never_doubles {
            return;
        }
        self.failures += 1;
        if self.failures > self.unfit_max {
            self.current_ms = (self.current_ms * 2).min(self.max_ms);
        }
    }

    /// A height was committed, and if it was accepted in this view, so long after that: half the time, down to what
    /// the latencies ask.
    pub(super) fn committed(&mut self, latency_ms: Option<u64>) {
        self.failures = 0;
        let Some(latency_ms) = latency_ms else { return };
        if self.latencies_ms.len() == LATENCIES_MAX {
            self.latencies_ms.pop_front();
        }
        self.latencies_ms.push_back(latency_ms);
        let slowest_ms = self.latencies_ms.iter().max().copied().unwrap_or(0);
        let floor = self.base_ms.max(slowest_ms.saturating_mul(LATENCY_FACTOR)).min(self.max_ms);
        self.current_ms = (self.current_ms / 2).max(floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r31_doubles_only_after_more_failures_in_a_row_than_primaries_can_be_faulty() {
        let mut timeout = Timeout::new(1000, 60_000, 2);
        let fail = |timeout: &mut Timeout| {
            timeout.failed();
            timeout.ms()
        };
        assert_eq!([(); 5].map(|()| fail(&mut timeout)), [1000, 1000, 2000, 4000, 8000]);
        timeout.committed(Some(1));
        assert_eq!(
            [(); 4].map(|()| fail(&mut timeout)),
            [4000, 4000, 8000, 16_000],
            "the count begins again"
        );
        timeout.committed(None);
        assert_eq!(
            [(); 2].map(|()| fail(&mut timeout)),
            [16_000; 2],
            "a block of others counts, its time does not"
        );
    }

    #[test]
    fn r31_doubles_per_failed_view_and_halves_after_commits() {
        let mut timeout = Timeout::new(1000, 5000, 0);
        let series: Vec<_> = (0..4)
            .map(|_| {
                timeout.failed();
                timeout.ms()
            })
            .collect();
        assert_eq!(series, [2000, 4000, 5000, 5000]);
        timeout.committed(Some(700));
        assert_eq!(timeout.ms(), 2800, "never below 4 × the largest latency");
        for _ in 0..=LATENCIES_MAX {
            timeout.committed(Some(1));
        }
        assert_eq!(timeout.ms(), 1000);
    }
}
