//! A primary that is much slower than those before (R41; Aardvark: Clement et al., NSDI'09, §4.2).

use super::Replica;
use crate::message::SealedBlock;
use crate::time::Time;
use quorate_chain::Transaction;
use std::collections::VecDeque;

/// Commits are counted for so many base time-outs until they are compared: the ten seconds of R41 with that of one.
pub(super) const RATE_TIMEOUTS: u64 = 10;

/// What a block counts: its bytes, and for each transaction about what its signatures and changes cost beside these, so
/// that a load of few long transactions is none of a slow primary.
fn weight(block: &SealedBlock) -> u64 {
    const TRANSACTION: u64 = 200;
    let transactions = &block.block().transactions;
    let bytes = |transaction: &Transaction| transaction.bytes().len() as u64;
    transactions.iter().map(|transaction| TRANSACTION + bytes(transaction)).sum()
}

/// How much views commit while more than a block waits, in stretches of one length.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    stretch_ms: u64,
    /// Views that are compared with: n.
    views_max: usize,
    /// When the present stretch began.
    began: Time,
    /// Whether a full block has waited throughout it.
    pressed: bool,
    /// What it has committed.
    weight: u64,
    /// Stretches of this view in which a full block waited throughout, and what they committed.
    stretches: (u64, u64),
    /// What a stretch of the last views committed, each view's mean.
    before: VecDeque<u64>,
}

impl Rates {
    pub(super) const fn new(stretch_ms: u64, views_max: usize, now: Time) -> Self {
        let before = VecDeque::new();
        Self { stretch_ms, views_max, began: now, pressed: false, weight: 0, stretches: (0, 0), before }
    }

    /// A view begins.
    pub(super) fn enter(&mut self, now: Time, full: bool) {
        if let Some(mean) = self.mean() {
            self.before.push_back(mean);
            if self.before.len() > self.views_max {
                self.before.pop_front();
            }
        }
        self.stretches = (0, 0);
        self.begin(now, full);
    }

    pub(super) const fn waits(&mut self, full: bool) {
        self.pressed &= full;
    }

    const fn committed(&mut self, weight: u64) {
        self.weight += weight;
    }

    const fn begin(&mut self, now: Time, full: bool) {
        (self.began, self.pressed, self.weight) = (now, full, 0);
    }

    /// This view's so far.
    const fn mean(&self) -> Option<u64> {
        let (count, weight) = self.stretches;
        weight.checked_div(count)
    }

    /// The median of the last views', this one among them.
    fn expected(&self) -> Option<u64> {
        let mut views: Vec<u64> = self.before.iter().copied().chain(self.mean()).collect();
        views.sort_unstable();
        views.get(views.len() / 2).copied()
    }

    /// Ends a stretch that is over; whether it was slow.
    fn end(&mut self, now: Time, full: bool) -> bool {
        let ms = now.0.saturating_sub(self.began.0);
        if ms < self.stretch_ms {
            return false;
        }
        let mut slow = false;
        if self.pressed {
            let rate = self.weight.saturating_mul(self.stretch_ms) / ms.max(1);
            slow = self.expected().is_some_and(|expected| rate < expected / 2);
            self.stretches = (self.stretches.0 + 1, self.stretches.1 + rate);
        }
        self.begin(now, full);
        slow
    }
}

impl Replica {
    /// A block is committed. One that was not accepted before comes from others after its time: this replica is behind,
    /// and measures nothing.
    pub(super) fn weigh(&mut self, block: &SealedBlock, accepted: bool) {
        self.rates.waits(accepted);
        if self.rates.pressed {
            self.rates.committed(weight(block));
        }
    }

    /// R41: suspects a primary whose view commits less than half of what is usual.
    pub(super) fn measure(&mut self) {
        let slow = self.rates.end(self.now.time, self.pending.is_full());
        if slow && self.votes_now() && !self.is_primary() && !mistaken!(self, SlownessUnnoticed) {
            let _ = self.suspect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stretch of a second, and what was committed in it.
    fn stretch(rates: &mut Rates, second: &mut u64, weight: u64) -> bool {
        rates.committed(weight);
        *second += 1;
        rates.end(Time(*second * 1_000), true)
    }

    #[test]
    fn r41_less_than_half_of_the_median_of_the_last_views_is_slow() {
        let (mut rates, mut second) = (Rates::new(1_000, 4, Time(0)), 0);
        let enter = |rates: &mut Rates, second: u64| rates.enter(Time(second * 1_000), true);
        enter(&mut rates, second);
        assert!(!stretch(&mut rates, &mut second, 1), "nothing to compare with");
        for usual in [100, 80, 1_000, 90, 100] {
            enter(&mut rates, second);
            assert!(!stretch(&mut rates, &mut second, usual), "{usual}");
        }
        enter(&mut rates, second);
        assert_eq!(rates.before, [80, 1_000, 90, 100], "of n views");
        assert!(!stretch(&mut rates, &mut second, 50));
        assert!(stretch(&mut rates, &mut second, 44), "and this one is one of them");
    }

    #[test]
    fn r41_a_view_is_compared_with_itself_too() {
        let (mut rates, mut second) = (Rates::new(1_000, 4, Time(0)), 0);
        rates.enter(Time(0), true);
        assert!(!stretch(&mut rates, &mut second, 100));
        assert!(!stretch(&mut rates, &mut second, 50));
        assert!(stretch(&mut rates, &mut second, 30), "the mean is 75");
    }

    #[test]
    fn r41_a_stretch_without_a_full_block_waiting_throughout_says_nothing() {
        let (mut rates, mut second) = (Rates::new(1_000, 4, Time(0)), 0);
        rates.enter(Time(0), true);
        assert!(!stretch(&mut rates, &mut second, 100));
        rates.waits(false);
        rates.waits(true);
        assert!(!stretch(&mut rates, &mut second, 0));
        assert_eq!(rates.mean(), Some(100));
        assert!(!rates.end(Time(2_900), true), "it is not over");
        second += 1;
        assert!(stretch(&mut rates, &mut second, 10), "10 in two seconds");
    }
}
