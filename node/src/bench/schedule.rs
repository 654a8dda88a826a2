//! When each transaction is due, and who sends it.
//!
//! Transaction k is due k/rate seconds after the start. Lanes take turns: lane l sends l, l + lanes, l + 2·lanes, …
//! Accounts take turns too, and there is a whole number of them a lane, so an account keeps to its lane.

use std::time::Duration;

/// The instants of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Schedule {
    rate: u32,
    count: usize,
    lanes: usize,
}

impl Schedule {
    /// `rate` transactions a second for so long, sent by so many lanes.
    pub(super) fn new(rate: u32, duration: Duration, lanes: usize) -> Self {
        let count = duration.as_millis() * u128::from(rate) / 1000;
        Self { rate, count: usize::try_from(count).unwrap_or(usize::MAX), lanes: lanes.max(1) }
    }

    /// How many transactions there are.
    pub(super) const fn count(self) -> usize {
        self.count
    }

    /// How many lanes.
    pub(super) const fn lanes(self) -> usize {
        self.lanes
    }

    /// When transaction `number` is due, from the start.
    pub(super) fn due(self, number: usize) -> Duration {
        let (rate, number) = (u64::from(self.rate), number as u64);
        let part = Duration::from_nanos(number % rate * 1_000_000_000 / rate);
        Duration::from_secs(number / rate) + part
    }

    /// How many transactions a lane sends.
    pub(super) const fn of_lane(self, lane: usize) -> usize {
        (self.count + self.lanes - 1 - lane) / self.lanes
    }

    /// The transaction at a place in a lane.
    pub(super) const fn number(self, lane: usize, place: usize) -> usize {
        lane + place * self.lanes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_are_due_at_the_rate_to_the_nanosecond() {
        let schedule = Schedule::new(3, Duration::from_secs(10), 1);
        assert_eq!(schedule.count(), 30);
        assert_eq!(schedule.due(0), Duration::ZERO);
        assert_eq!(schedule.due(1), Duration::from_nanos(333_333_333));
        assert_eq!(schedule.due(29), Duration::from_nanos(9_666_666_666));
        let long = Schedule::new(1_000_000, Duration::from_secs(86_400), 1);
        assert_eq!(long.due(long.count()), Duration::from_secs(86_400));
    }

    #[test]
    fn lanes_take_turns_and_leave_nothing_out() {
        for (rate, lanes) in [(10, 1), (10, 3), (7, 4), (2, 5)] {
            let schedule = Schedule::new(rate, Duration::from_secs(1), lanes);
            let places = |lane| (0..schedule.of_lane(lane)).map(move |place| schedule.number(lane, place));
            let mut all: Vec<_> = (0..lanes).flat_map(places).collect();
            all.sort_unstable();
            assert_eq!(all, (0..schedule.count()).collect::<Vec<_>>());
        }
    }
}
