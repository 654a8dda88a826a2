//! A primary that passes a transaction over (R38, R40): blocks with room come and go, and it is in none.

use super::effect::Effect;
use super::{Pending, Replica};
use crate::time::Time;
use quorate_chain::{Height, TransactionId, ValidatorIndex};
use std::collections::{BTreeSet, VecDeque};

/// R38: N, in windows. What is in flight when a transaction is sent can't hold it; as many blocks may come between.
const BLOCKS_WINDOWS: u64 = 2;
/// Transactions that are watched: who makes the oldest another one all the time restarts no count.
const WATCHED_MAX: usize = 8;
/// Transactions for which some primary was suspected and that are not excused yet.
const SUSPECTED_MAX: usize = 64;

/// Where a view has come to.
#[derive(Clone, Copy, Debug)]
struct Moment {
    /// Committed blocks of this view that had room.
    roomy: u64,
    time: Time,
}

/// A transaction that was the one that has waited longest.
#[derive(Clone, Copy, Debug)]
struct Watched {
    transaction: TransactionId,
    since: Moment,
    /// When it was sent to the primary directly.
    sent: Option<Moment>,
}

/// What is known of the transactions that wait in vain.
#[derive(Clone, Debug, Default)]
pub(super) struct Fairness {
    roomy: u64,
    watched: VecDeque<Watched>,
    /// R40: under which primaries a transaction was passed over and they were suspected for it.
    suspected: VecDeque<(TransactionId, BTreeSet<ValidatorIndex>)>,
}

impl Fairness {
    /// R41: counts restart with the view.
    pub(super) fn enter(&mut self) {
        self.roomy = 0;
        self.watched.clear();
    }

    /// What is known of this one, which from now on is watched.
    fn watch(&mut self, transaction: TransactionId, now: Moment) -> &mut Watched {
        let place = self.watched.iter().position(|watched| watched.transaction == transaction);
        let place = place.unwrap_or_else(|| {
            if self.watched.len() == WATCHED_MAX {
                self.watched.pop_front();
            }
            self.watched.push_back(Watched { transaction, since: now, sent: None });
            self.watched.len() - 1
        });
        &mut self.watched[place]
    }

    /// Under how many primaries it was passed over, with this one.
    fn passed_over(&mut self, transaction: TransactionId, primary: ValidatorIndex) -> usize {
        let place = self.suspected.iter().position(|(other, _)| *other == transaction);
        let (_, mut primaries) = place.and_then(|place| self.suspected.remove(place)).unwrap_or_default();
        primaries.insert(primary);
        let count = primaries.len();
        self.suspected.push_back((transaction, primaries));
        if self.suspected.len() > SUSPECTED_MAX {
            self.suspected.pop_front();
        }
        count
    }
}

impl Replica {
    /// What waits has changed, or a block was committed.
    pub(super) fn on_pending(&mut self, pending: Pending) {
        (self.pending, self.nothing_on) = (pending, None);
        self.rates.waits(pending.is_full());
        self.watch();
    }

    /// R38: a committed block of this view could have held more.
    pub(super) fn on_room(&mut self, height: Height) {
        self.fairness.roomy += u64::from(height > self.anchor.height);
    }

    /// R38: what is passed over for long is sent to all, and if that does not help the primary is suspected.
    fn watch(&mut self) {
        let watches = self.votes_now() && !self.is_primary() && !mistaken!(self, PassedOverUnnoticed);
        let Some(transaction) = self.pending.oldest().filter(|_| watches) else { return };
        let now = Moment { roomy: self.fairness.roomy, time: self.now.time };
        let blocks = BLOCKS_WINDOWS * self.config.window;
        // A block takes no time when nothing else waits, so time counts as well.
        let passed =
            |since: Moment, ms: u64| now.roomy >= since.roomy + blocks && now.time >= since.time + ms;
        let timeout_ms = self.timeout.ms();
        let watched = self.fairness.watch(transaction, now);
        match watched.sent {
            None if passed(watched.since, timeout_ms / 2) => {
                watched.sent = Some(now);
                self.out.push(Effect::RelayTransactions { first: Some(transaction) });
            }
            Some(sent) if passed(sent, timeout_ms) => self.suspect_for(transaction),
            _ => {}
        }
    }

    /// R40: under f+1 primaries one of them was honest.
    fn suspect_for(&mut self, transaction: TransactionId) {
        if !self.suspect() {
            return;
        }
        let primary = self.primary();
        let count = self.fairness.passed_over(transaction, primary);
        if count >= self.quorum.one_honest() && !mistaken!(self, ExcusesNothing) {
            self.fairness.suspected.retain(|(other, _)| *other != transaction);
            self.out.push(Effect::Excuse(transaction));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r38_the_last_ones_are_watched_whichever_is_the_oldest() {
        let mut fairness = Fairness::default();
        let id = |i: usize| TransactionId([u8::try_from(i).unwrap(); 32]);
        let moment = |roomy| Moment { roomy, time: Time(0) };
        for i in 0..WATCHED_MAX {
            assert_eq!(fairness.watch(id(i), moment(i as u64)).since.roomy, i as u64);
        }
        assert_eq!(fairness.watch(id(0), moment(100)).since.roomy, 0, "it is known");
        assert_eq!(fairness.watch(id(99), moment(101)).since.roomy, 101);
        assert_eq!(fairness.watched.len(), WATCHED_MAX);
        assert_eq!(fairness.watch(id(0), moment(102)).since.roomy, 102, "the first went");
    }

    #[test]
    fn r40_what_was_passed_over_is_remembered_for_so_many() {
        let mut fairness = Fairness::default();
        let id = |i: usize| TransactionId([u8::try_from(i).unwrap(); 32]);
        for i in 0..=SUSPECTED_MAX {
            assert_eq!(fairness.passed_over(id(i), ValidatorIndex(0)), 1);
        }
        assert_eq!(fairness.suspected.len(), SUSPECTED_MAX);
        assert_eq!(fairness.passed_over(id(1), ValidatorIndex(0)), 1, "the same primary");
        assert_eq!(fairness.passed_over(id(1), ValidatorIndex(2)), 2);
        assert_eq!(fairness.passed_over(id(0), ValidatorIndex(2)), 1, "the oldest went");
    }
}
