//! Time as data: it comes in with each step.

use quorate_chain::TimestampMs;
use std::ops::Add;

/// Milliseconds of a monotonic clock with any origin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Add<u64> for Time {
    type Output = Self;
    fn add(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// When a step happens, by both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic: for time-outs.
    pub time: Time,
    /// Wall clock: for block times only (R6).
    pub clock: TimestampMs,
}
