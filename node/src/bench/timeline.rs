//! Latencies: of the whole run, and second by second.

use hdrhistogram::Histogram;
use std::time::Duration;

/// The longest latency that is told from longer ones, µs.
const LONGEST_US: u64 = 3_600_000_000;
/// Decimal digits that are exact.
const DIGITS: u8 = 3;

/// Latencies in µs.
#[derive(Clone, Debug)]
pub(super) struct Latencies(Option<Histogram<u64>>);

impl Latencies {
    /// None yet.
    pub(super) fn new() -> Self {
        // The bounds are constants that the histogram takes; a test makes one.
        Self(Histogram::new_with_bounds(1, LONGEST_US, DIGITS).ok())
    }

    fn record(&mut self, latency: Duration) {
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if let Some(histogram) = &mut self.0 {
            histogram.saturating_record(us.max(1));
        }
    }

    fn clear(&mut self) {
        if let Some(histogram) = &mut self.0 {
            histogram.clear();
        }
    }

    /// How many.
    pub(super) fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// The latency that this share of all (0 to 100 %) does not exceed, ms.
    pub(super) fn percentile_ms(&self, percent: f64) -> f64 {
        self.0.as_ref().map_or(0.0, |histogram| histogram.value_at_percentile(percent) as f64 / 1000.0)
    }

    /// The longest, ms.
    pub(super) fn max_ms(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |histogram| histogram.max() as f64 / 1000.0)
    }

    /// The mean, ms.
    pub(super) fn mean_ms(&self) -> f64 {
        self.0.as_ref().map_or(0.0, |histogram| histogram.mean() / 1000.0)
    }
}

/// A second of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Second {
    /// Commits that were seen in it.
    pub(super) committed: u64,
    /// Of these, the median latency, ms.
    pub(super) p50_ms: f64,
    /// The 99th percentile, ms.
    pub(super) p99_ms: f64,
}

/// What the follower writes.
#[derive(Clone, Debug)]
pub(super) struct Timeline {
    /// Of the whole run.
    pub(super) all: Latencies,
    /// The seconds that are over.
    pub(super) seconds: Vec<Second>,
    /// Commits that were seen within the run's duration.
    pub(super) in_time: u64,
    window: Duration,
    current: Latencies,
}

impl Timeline {
    /// Of a run of this duration.
    pub(super) fn new(window: Duration) -> Self {
        let (all, current) = (Latencies::new(), Latencies::new());
        Self { all, seconds: Vec::new(), in_time: 0, window, current }
    }

    /// A transaction that was due at `due` was seen in a block at `seen`, both from the start. Instants come in
    /// their order.
    pub(super) fn record(&mut self, due: Duration, seen: Duration) {
        self.close_until(seen);
        let latency = seen.saturating_sub(due);
        self.all.record(latency);
        self.current.record(latency);
        self.in_time += u64::from(seen <= self.window);
    }

    /// The run is stopped at this instant; what is seen later was not in time.
    pub(super) fn cut(&mut self, now: Duration) {
        self.window = self.window.min(now);
    }

    /// How long transactions became due.
    pub(super) const fn window(&self) -> Duration {
        self.window
    }

    /// Closes the seconds that are over at an instant.
    pub(super) fn close_until(&mut self, now: Duration) {
        while (self.seconds.len() as u64) < now.as_secs() {
            let (p50_ms, p99_ms) = (self.current.percentile_ms(50.0), self.current.percentile_ms(99.0));
            self.seconds.push(Second { committed: self.current.count(), p50_ms, p99_ms });
            self.current.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn latency_counts_from_when_a_transaction_was_due() {
        let mut timeline = Timeline::new(ms(2_000));
        // Due every 10 ms; the network stands still for a second, and all that was due is waiting for it.
        for number in 0..100 {
            timeline.record(ms(10 * number), ms(1_000));
        }
        assert_eq!((timeline.all.count(), timeline.all.max_ms().round()), (100, 1_000.0));
        let median = timeline.all.percentile_ms(50.0);
        assert!((495.0..=505.0).contains(&median), "{median}");
        assert!(timeline.all.mean_ms() > 500.0);
    }

    #[test]
    fn seconds_have_their_own_percentiles_and_empty_ones_are_there() {
        let mut timeline = Timeline::new(ms(2_500));
        timeline.record(ms(0), ms(4));
        timeline.record(ms(900), ms(904));
        timeline.record(ms(1_000), ms(2_100));
        timeline.record(ms(1_000), ms(2_600));
        timeline.close_until(ms(3_000));
        // To three digits.
        let is = |found: f64, expected: f64| (found - expected).abs() <= expected / 500.0;
        let expected = [(2, 4.0, 4.0), (0, 0.0, 0.0), (2, 1_100.0, 1_600.0)];
        assert_eq!(timeline.seconds.len(), expected.len());
        for (second, (committed, p50_ms, p99_ms)) in timeline.seconds.iter().zip(expected) {
            assert!(second.committed == committed && is(second.p50_ms, p50_ms), "{second:?}");
            assert!(is(second.p99_ms, p99_ms), "{second:?}");
        }
        assert_eq!(timeline.in_time, 3, "one came after the run's duration");
        timeline.cut(ms(2_200));
        timeline.record(ms(2_150), ms(2_300));
        assert_eq!((timeline.in_time, timeline.window()), (3, ms(2_200)), "one came after the stop");
    }

    #[test]
    fn no_latency_is_too_long_or_too_short() {
        let mut latencies = Latencies::new();
        latencies.record(Duration::ZERO);
        latencies.record(Duration::MAX);
        assert_eq!(latencies.count(), 2);
        assert!(latencies.max_ms() >= LONGEST_US as f64 / 1000.0);
    }
}
