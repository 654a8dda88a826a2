//! Where each transaction of a run is. Senders and the follower write, each its own steps; nothing is counted twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

const WAITING: u8 = 0;
const SENT: u8 = 1;
const REFUSED: u8 = 2;
const COMMITTED: u8 = 3;
const FAILED: u8 = 4;

/// The state of all transactions, by number.
#[derive(Debug)]
pub(super) struct Tally {
    states: Vec<AtomicU8>,
    submitted: AtomicU64,
    committed: AtomicU64,
    retried: AtomicU64,
    moved: AtomicU64,
}

/// How many ended how: `submitted = committed + rejected + lost`, and `submitted + unsent` is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Account {
    /// Handed to a node at least once.
    pub(super) submitted: u64,
    /// Seen in a block.
    pub(super) committed: u64,
    /// Of these, without effect: their receipt says why.
    pub(super) failed: u64,
    /// Refused for good, by reason.
    pub(super) rejected: BTreeMap<String, u64>,
    /// Taken, or handed over without an answer, and not seen in a block.
    pub(super) lost: u64,
    /// Never handed over.
    pub(super) unsent: u64,
    /// Handed over once more, because the node could not take them at first.
    pub(super) retried: u64,
    /// How often a connection turned to another node.
    pub(super) moved: u64,
}

impl Account {
    /// All that were refused.
    pub(super) fn rejected(&self) -> u64 {
        self.rejected.values().sum()
    }
}

impl Tally {
    /// Of so many transactions.
    pub(super) fn new(count: usize) -> Self {
        Self {
            states: (0..count).map(|_| AtomicU8::new(WAITING)).collect(),
            submitted: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            moved: AtomicU64::new(0),
        }
    }

    /// It is handed over now, for the first time or once more.
    pub(super) fn send(&self, number: usize) {
        match self.advance(number, WAITING, SENT) {
            true => self.submitted.fetch_add(1, Ordering::Relaxed),
            false => self.retried.fetch_add(1, Ordering::Relaxed),
        };
    }

    /// It was refused for good.
    pub(super) fn refuse(&self, number: usize) {
        self.advance(number, SENT, REFUSED);
    }

    /// It is in a block; whether it is seen there for the first time.
    pub(super) fn commit(&self, number: usize, succeeded: bool) -> bool {
        let Some(state) = self.states.get(number) else { return false };
        let state = state.swap(if succeeded { COMMITTED } else { FAILED }, Ordering::Relaxed);
        let first = !matches!(state, COMMITTED | FAILED);
        if first {
            self.committed.fetch_add(1, Ordering::Relaxed);
        }
        first
    }

    /// A connection turned to another node.
    pub(super) fn turn(&self) {
        self.moved.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether it was handed over and nothing is known of its end.
    pub(super) fn is_open(&self, number: usize) -> bool {
        self.states.get(number).is_some_and(|state| state.load(Ordering::Relaxed) == SENT)
    }

    /// How many were handed over so far.
    pub(super) fn submitted(&self) -> u64 {
        self.submitted.load(Ordering::Relaxed)
    }

    /// How many were seen in blocks so far.
    pub(super) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// Whether nothing that was handed over is still open.
    pub(super) fn is_settled(&self) -> bool {
        self.submitted() == self.committed() || !(0..self.states.len()).any(|number| self.is_open(number))
    }

    fn advance(&self, number: usize, from: u8, to: u8) -> bool {
        let Some(state) = self.states.get(number) else { return false };
        state.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The account at the end; `reasons` are those of the refusals, by number.
    pub(super) fn close(&self, reasons: &BTreeMap<usize, String>) -> Account {
        let mut account = Account {
            retried: self.retried.load(Ordering::Relaxed),
            moved: self.moved.load(Ordering::Relaxed),
            ..Account::default()
        };
        for (number, state) in self.states.iter().enumerate() {
            let state = state.load(Ordering::Relaxed);
            account.submitted += u64::from(state != WAITING);
            match state {
                WAITING => account.unsent += 1,
                COMMITTED => account.committed += 1,
                FAILED => {
                    account.committed += 1;
                    account.failed += 1;
                }
                REFUSED => {
                    let reason = reasons.get(&number).map_or("unknown", String::as_str);
                    *account.rejected.entry(reason.to_owned()).or_default() += 1;
                }
                _ => account.lost += 1,
            }
        }
        account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transaction_is_accounted_for_once() {
        let tally = Tally::new(7);
        (0..6).for_each(|number| tally.send(number));
        tally.send(1);
        assert!(tally.commit(0, true) && tally.commit(1, false));
        assert!(!tally.commit(0, true), "seen before");
        assert!(!tally.commit(99, true), "another's");
        tally.refuse(2);
        tally.refuse(3);
        tally.refuse(0);
        assert!(tally.commit(3, true), "refused once, and committed all the same");
        assert!(!tally.is_settled());
        let reasons = BTreeMap::from([(2, "expired".to_owned()), (3, "busy".to_owned())]);
        let account = tally.close(&reasons);
        let expected = Account {
            submitted: 6,
            committed: 3,
            failed: 1,
            rejected: BTreeMap::from([("expired".to_owned(), 1)]),
            lost: 2,
            unsent: 1,
            retried: 1,
            moved: 0,
        };
        assert_eq!(account, expected);
        assert_eq!(account.submitted, account.committed + account.rejected() + account.lost);
        assert_eq!((tally.submitted(), tally.committed()), (6, 3));
        (4..6).for_each(|number| assert!(tally.commit(number, true)));
        assert!(tally.is_settled());
    }

    /// A transaction that another run left in a pool may be seen before it is handed over.
    #[test]
    fn what_is_seen_in_a_block_counts_as_submitted() {
        let tally = Tally::new(1);
        assert!(tally.commit(0, true));
        let account = tally.close(&BTreeMap::new());
        assert_eq!((account.submitted, account.committed, account.unsent), (1, 1, 0));
    }
}
