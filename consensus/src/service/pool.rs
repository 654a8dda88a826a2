//! Operations that wait for a block: one lane a host, in the order of nonces, so that none takes another's
//! place.

use super::error::Error;
use quorate_chain::{Nonce, Transaction, TransactionId, ValidatorIndex};
use std::collections::BTreeMap;

/// Most operations of one host that wait at any host.
pub const WAITING_MAX: usize = 512;
/// Most bytes of one host's waiting operations.
const LANE_BYTES_MAX: usize = 1024 * 1024;

#[derive(Clone, Debug)]
struct Waiting {
    transaction: Transaction,
    /// Which arrival at this pool it was.
    arrival: u64,
    /// No primary is suspected for it any more (R40).
    excused: bool,
}

#[derive(Clone, Debug, Default)]
struct Lane {
    waiting: BTreeMap<Nonce, Waiting>,
    bytes: usize,
}

/// How much is taken from the pool at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) operations_max: usize,
    pub(super) bytes_max: usize,
}

#[derive(Debug)]
pub(super) struct Pool {
    /// By seat.
    lanes: Vec<Lane>,
    arrivals: u64,
}

impl Pool {
    /// For `n` hosts.
    pub(super) fn new(n: usize) -> Self {
        Self { lanes: vec![Lane::default(); n], arrivals: 0 }
    }

    /// Whether exactly this one waits.
    pub(super) fn contains(&self, host: ValidatorIndex, transaction: &Transaction) -> bool {
        let lane = self.lanes.get(usize::from(host.0));
        let known = lane.and_then(|lane| lane.waiting.get(&transaction.body().nonce));
        known.is_some_and(|waiting| waiting.transaction == *transaction)
    }

    /// The lowest nonce from `next` on that nothing waits for.
    pub(super) fn free_nonce(&self, host: ValidatorIndex, next: Nonce) -> Nonce {
        let lane = self.lanes.get(usize::from(host.0));
        let taken = |nonce: &Nonce| lane.is_some_and(|lane| lane.waiting.contains_key(nonce));
        let mut nonce = next;
        while taken(&nonce) {
            nonce = nonce.next();
        }
        nonce
    }

    /// Whether there is a place for this one, given the host's next nonce: not settled, not too far ahead, not
    /// taken by another, and the lane is not full.
    pub(super) fn has_room(&self, host: ValidatorIndex, next: Nonce, transaction: &Transaction) -> bool {
        let nonce = transaction.body().nonce;
        let Some(lane) = self.lanes.get(usize::from(host.0)) else { return false };
        nonce >= next
            && nonce.0 - next.0 < WAITING_MAX as u64
            && !lane.waiting.contains_key(&nonce)
            && lane.bytes + transaction.bytes().len() <= LANE_BYTES_MAX
    }

    /// Takes an operation in.
    ///
    /// # Errors
    /// [`Error::Full`] when there is no place for it.
    pub(super) fn insert(
        &mut self,
        host: ValidatorIndex,
        next: Nonce,
        transaction: Transaction,
    ) -> Result<(), Error> {
        if !self.has_room(host, next, &transaction) {
            return Err(Error::Full);
        }
        let Some(lane) = self.lanes.get_mut(usize::from(host.0)) else { return Err(Error::Full) };
        lane.bytes += transaction.bytes().len();
        let arrival = self.arrivals;
        self.arrivals += 1;
        lane.waiting.insert(transaction.body().nonce, Waiting { transaction, arrival, excused: false });
        Ok(())
    }

    /// Drops what is settled, given the hosts' next nonces.
    pub(super) fn settle(&mut self, next: &[Nonce]) {
        for (lane, next) in self.lanes.iter_mut().zip(next) {
            while let Some(first) = lane.waiting.first_entry().filter(|first| first.key() < next) {
                lane.bytes -= first.remove().transaction.bytes().len();
            }
        }
    }

    fn ready<'a>(&'a self, next: &'a [Nonce]) -> impl Iterator<Item = &'a Waiting> {
        self.lanes.iter().zip(next).filter_map(|(lane, next)| lane.waiting.get(next))
    }

    /// Whether there is one that comes next for its host.
    pub(super) fn has_ready(&self, next: &[Nonce]) -> bool {
        self.ready(next).next().is_some()
    }

    /// The operation that has waited longest of those that come next for their host and are not excused.
    pub(super) fn oldest(&self, next: &[Nonce]) -> Option<TransactionId> {
        let counted = self.ready(next).filter(|waiting| !waiting.excused);
        counted.min_by_key(|waiting| waiting.arrival).map(|waiting| waiting.transaction.id())
    }

    /// R40: no primary is suspected for this one any more.
    pub(super) fn excuse(&mut self, id: TransactionId) {
        let mut waiting = self.lanes.iter_mut().flat_map(|lane| lane.waiting.values_mut());
        if let Some(waiting) = waiting.find(|waiting| waiting.transaction.id() == id) {
            waiting.excused = true;
        }
    }

    /// Whether what nothing is missing for comes to these limits.
    pub(super) fn fills(&self, next: &[Nonce], limits: Limits) -> bool {
        let (mut operations, mut bytes) = (0, 0);
        for (lane, next) in self.lanes.iter().zip(next) {
            let mut nonce = *next;
            while let Some(waiting) = lane.waiting.get(&nonce) {
                (operations, bytes) = (operations + 1, bytes + waiting.transaction.bytes().len());
                if operations >= limits.operations_max || bytes >= limits.bytes_max {
                    return true;
                }
                nonce = nonce.next();
            }
        }
        false
    }

    /// One that waits.
    pub(super) fn get(&self, id: TransactionId) -> Option<&Transaction> {
        let mut waiting = self.lanes.iter().flat_map(|lane| lane.waiting.values());
        waiting.find(|waiting| waiting.transaction.id() == id).map(|waiting| &waiting.transaction)
    }

    /// What a block on top of these nonces may hold: of each host in turn its next operation, beginning with
    /// seat `first`, until a limit is reached or nothing more follows.
    pub(super) fn take(&self, next: &[Nonce], first: usize, limits: Limits) -> Vec<Transaction> {
        let mut next = next.to_vec();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        let n = self.lanes.len();
        loop {
            let before = taken.len();
            for seat in (0..n).map(|turn| (first + turn) % n) {
                let (Some(lane), Some(nonce)) = (self.lanes.get(seat), next.get_mut(seat)) else { continue };
                let Some(waiting) = lane.waiting.get(nonce) else { continue };
                let length = waiting.transaction.bytes().len();
                if taken.len() >= limits.operations_max || bytes + length > limits.bytes_max {
                    return taken;
                }
                bytes += length;
                *nonce = nonce.next();
                taken.push(waiting.transaction.clone());
            }
            if taken.len() == before {
                return taken;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::operation::{OPERATION_BYTES_MAX, sign};
    use super::*;
    use quorate_chain::ChainId;
    use quorate_chain::validator::fixture::consensus_key;

    const CHAIN: ChainId = ChainId([1; 32]);
    const NEXT: [Nonce; 2] = [Nonce(0); 2];

    fn operation(host: u16, nonce: u64, length: usize) -> Transaction {
        sign(&vec![7; length], Nonce(nonce), CHAIN, &consensus_key(host)).unwrap()
    }

    fn insert(pool: &mut Pool, host: u16, nonce: u64, length: usize) -> bool {
        pool.insert(ValidatorIndex(host), NEXT[0], operation(host, nonce, length)).is_ok()
    }

    fn places(taken: &[Transaction]) -> Vec<(bool, u64)> {
        let first = consensus_key(0).public().0;
        taken.iter().map(|t| (t.body().account.0 == first, t.body().nonce.0)).collect()
    }

    #[test]
    fn operations_come_out_in_turn_and_in_order() {
        let mut pool = Pool::new(2);
        for (host, nonce) in [(0, 1), (0, 0), (1, 0), (0, 3)] {
            assert!(insert(&mut pool, host, nonce, 1));
        }
        assert!(!insert(&mut pool, 0, 1, 2), "the place is taken");
        let all = Limits { operations_max: 9, bytes_max: 9_999 };
        let taken = pool.take(&NEXT, 1, all);
        assert_eq!(places(&taken), [(false, 0), (true, 0), (true, 1)], "3 waits for 2");
        assert_eq!(pool.take(&NEXT, 1, Limits { operations_max: 2, ..all }).len(), 2);
        let bytes_max = 2 * operation(0, 0, 1).bytes().len();
        assert_eq!(pool.take(&NEXT, 1, Limits { bytes_max, ..all }).len(), 2);
        assert_eq!(pool.oldest(&NEXT), Some(operation(0, 0, 1).id()), "of those that come next");
        assert_eq!(pool.free_nonce(ValidatorIndex(0), Nonce(0)), Nonce(2));
        let limits = |operations_max| Limits { operations_max, bytes_max: usize::MAX };
        assert!(pool.fills(&NEXT, limits(3)) && !pool.fills(&NEXT, limits(4)), "3 waits for 2");
        assert_eq!(pool.get(operation(0, 3, 1).id()), Some(&operation(0, 3, 1)));
        pool.excuse(operation(0, 0, 1).id());
        assert_eq!(pool.oldest(&NEXT), Some(operation(1, 0, 1).id()), "R40");
        pool.excuse(operation(1, 0, 1).id());
        assert!(pool.oldest(&NEXT).is_none() && pool.has_ready(&NEXT));
        pool.settle(&[Nonce(4), Nonce(1)]);
        assert!(!pool.has_ready(&[Nonce(4), Nonce(1)]));
        assert_eq!(pool.oldest(&[Nonce(4), Nonce(1)]), None);
        assert!(pool.lanes.iter().all(|lane| lane.bytes == 0 && lane.waiting.is_empty()));
    }

    #[test]
    fn a_lane_is_filled_and_takes_no_more_nor_another_s_place() {
        let mut pool = Pool::new(2);
        for nonce in 0..WAITING_MAX as u64 {
            assert!(insert(&mut pool, 0, nonce, 1));
        }
        assert!(!insert(&mut pool, 0, WAITING_MAX as u64, 1), "count");
        let mut longest = 0;
        while insert(&mut pool, 1, longest, OPERATION_BYTES_MAX) {
            longest += 1;
        }
        assert!(longest < WAITING_MAX as u64, "bytes");
        assert!(pool.lanes[1].bytes <= LANE_BYTES_MAX);
    }
}
