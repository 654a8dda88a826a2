//! Transactions whose signatures were found to hold and that are not committed yet, and the own proposals of lately.
//! No transaction is verified twice on a node, by whatever way it comes again, and a proposal that names it is made
//! whole without waiting for the executor.

use quorate_chain::{Block, BlockHash, ShortId, Transaction};
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Transactions of a generation. Two are kept.
const GENERATION_MAX: usize = 65_536;
/// Bytes after which a generation ends as well.
const GENERATION_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Own proposals that others may ask about: the window, and those that a slow one is still at.
const PROPOSED_MAX: usize = 16;

/// Shared by those who verify and those who look for what was verified. A clone is another handle.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    new: HashMap<ShortId, Transaction>,
    /// Bytes of what was added to `new`.
    bytes: usize,
    old: HashMap<ShortId, Transaction>,
    proposed: VecDeque<(BlockHash, Arc<Block>)>,
}

impl Inner {
    fn get(&self, id: ShortId) -> Option<&Transaction> {
        self.new.get(&id).or_else(|| self.old.get(&id))
    }

    fn add(&mut self, transaction: &Transaction) {
        if self.new.len() >= GENERATION_MAX || self.bytes >= GENERATION_BYTES_MAX {
            self.old = std::mem::take(&mut self.new);
            self.bytes = 0;
        }
        self.bytes += transaction.bytes().len();
        self.new.insert(transaction.id().short(), transaction.clone());
    }
}

impl Known {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether each is known. An id is the hash of all bytes, signatures included.
    pub(super) fn have<'a>(&self, transactions: impl IntoIterator<Item = &'a Transaction>) -> Vec<bool> {
        let inner = self.inner();
        let has = |one: &Transaction| inner.get(one.id().short()).is_some_and(|known| known.id() == one.id());
        transactions.into_iter().map(has).collect()
    }

    /// Adds what was verified.
    pub(super) fn add<'a>(&self, transactions: impl IntoIterator<Item = &'a Transaction>) {
        let mut inner = self.inner();
        transactions.into_iter().for_each(|transaction| inner.add(transaction));
    }

    /// Those with these short ids.
    pub(super) fn find(&self, ids: &[ShortId]) -> Vec<Option<Transaction>> {
        let inner = self.inner();
        ids.iter().map(|id| inner.get(*id).cloned()).collect()
    }

    /// These are of no use any more: their nonces are used.
    pub(super) fn committed(&self, transactions: &[Transaction]) {
        let mut inner = self.inner();
        for transaction in transactions {
            let id = transaction.id().short();
            let _ = inner.new.remove(&id).or_else(|| inner.old.remove(&id));
        }
    }

    /// Keeps an own proposal.
    pub(super) fn proposed(&self, hash: BlockHash, block: &Arc<Block>) {
        let mut inner = self.inner();
        if inner.proposed.len() >= PROPOSED_MAX {
            inner.proposed.pop_front();
        }
        inner.proposed.push_back((hash, Arc::clone(block)));
    }

    /// Transactions of an own proposal by their places; `None` if it is another's or was long ago.
    pub(super) fn of_proposal(&self, hash: BlockHash, places: &[u16]) -> Option<Vec<Transaction>> {
        let inner = self.inner();
        let (_, block) = inner.proposed.iter().rev().find(|(proposed, _)| *proposed == hash)?;
        places.iter().map(|place| block.transactions.get(usize::from(*place)).cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{proposal, transactions};
    use super::*;

    fn counts(known: &Known) -> (usize, usize) {
        let inner = known.inner();
        (inner.new.len(), inner.old.len())
    }

    #[test]
    fn the_last_ones_are_known_and_no_more_than_two_generations() {
        let all = transactions(0..2 * GENERATION_MAX as u64 + 1, 180);
        let known = Known::default();
        for (at, one) in all.iter().enumerate() {
            known.add([one]);
            assert_eq!(known.have([one, &all[at.saturating_sub(GENERATION_MAX - 1)]]), [true, true]);
        }
        assert_eq!((known.have([&all[0]]), counts(&known)), (vec![false], (1, GENERATION_MAX)));
    }

    #[test]
    fn a_generation_ends_with_so_many_bytes() {
        const EACH: usize = 16_384;
        let fill = GENERATION_BYTES_MAX / EACH;
        let all = transactions(0..fill as u64 + 1, EACH);
        let known = Known::default();
        known.add(&all[..fill]);
        assert_eq!(counts(&known), (fill, 0));
        known.add(&all[fill..]);
        assert_eq!(counts(&known), (1, fill));
    }

    #[test]
    fn what_is_known_is_found_until_it_is_committed() {
        let (known, all) = (Known::default(), transactions(0..4, 200));
        known.add(&all[..3]);
        let ids: Vec<_> = all.iter().map(|one| one.id().short()).collect();
        let found = |known: &Known| known.find(&ids).iter().map(Option::is_some).collect::<Vec<_>>();
        assert_eq!(found(&known), [true, true, true, false]);
        assert_eq!(known.have(&all), [true, true, true, false]);
        known.committed(&all[1..2]);
        assert_eq!(found(&known), [true, false, true, false]);
    }

    #[test]
    fn so_many_own_proposals_are_kept_and_their_transactions_are_given_by_place() {
        let known = Known::default();
        let blocks: Vec<_> =
            (0..=PROPOSED_MAX as u64).map(|first| proposal(transactions(first..first + 3, 200)).1).collect();
        for block in &blocks {
            known.proposed(block.hash(), &Arc::new(block.clone()));
        }
        assert_eq!(known.of_proposal(blocks[0].hash(), &[0]), None, "the first has gone");
        let ids = |all: Vec<Transaction>| all.iter().map(Transaction::id).collect::<Vec<_>>();
        for block in &blocks[1..] {
            let given = known.of_proposal(block.hash(), &[2, 0]).unwrap();
            assert_eq!(ids(given), [block.transactions[2].id(), block.transactions[0].id()]);
            assert_eq!(known.of_proposal(block.hash(), &[3]), None, "it has no such place");
        }
    }
}
