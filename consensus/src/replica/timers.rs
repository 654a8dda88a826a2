//! Every timer of a replica, in one table (R28–R33).

use crate::time::Time;

/// Heights committed in a view after which the time-out halves (R31).
const COMMITS_TO_HALVE: u32 = 8;
/// The time-out is never below so many times the largest commit latency of the last commits (R31).
const LATENCY_FACTOR: u64 = 4;

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
}

impl Timers {
    pub(super) fn earliest(&self) -> Option<Time> {
        [self.progress, self.half, self.resend, self.early_proposal].into_iter().flatten().min()
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

/// How long a view may take (R31).
#[derive(Clone, Debug)]
pub(super) struct Timeout {
    base_ms: u64,
    max_ms: u64,
    current_ms: u64,
    commits: u32,
    latency_ms: u64,
}

impl Timeout {
    pub(super) const fn new(base_ms: u64, max_ms: u64) -> Self {
        Self { base_ms, max_ms, current_ms: base_ms, commits: 0, latency_ms: 0 }
    }

    pub(super) const fn ms(&self) -> u64 {
        self.current_ms
    }

    /// A view has failed: twice the time, up to the cap.
    pub(super) fn failed(&mut self) {
        self.current_ms = (self.current_ms * 2).min(self.max_ms);
        self.commits = 0;
    }

    /// A height was committed so long after it was accepted: after some in a row, half the time.
    pub(super) fn committed(&mut self, latency_ms: u64) {
        self.commits += 1;
        self.latency_ms = self.latency_ms.max(latency_ms);
        if self.commits >= COMMITS_TO_HALVE {
            let floor = self.base_ms.max(self.latency_ms * LATENCY_FACTOR).min(self.max_ms);
            self.current_ms = (self.current_ms / 2).max(floor);
            self.commits = 0;
            self.latency_ms = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r31_doubles_per_failed_view_and_halves_after_commits() {
        let mut timeout = Timeout::new(1000, 5000);
        let series: Vec<_> = (0..4)
            .map(|_| {
                timeout.failed();
                timeout.ms()
            })
            .collect();
        assert_eq!(series, [2000, 4000, 5000, 5000]);
        for _ in 0..COMMITS_TO_HALVE {
            timeout.committed(700);
        }
        assert_eq!(timeout.ms(), 2800, "never below 4 × the largest latency");
        for _ in 0..2 * COMMITS_TO_HALVE {
            timeout.committed(1);
        }
        assert_eq!(timeout.ms(), 1000);
    }
}
