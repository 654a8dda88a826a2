//! Transactions that wait for a block: a queue of consecutive nonces an account, fair across accounts.
//!
//! What comes in has been checked (form, authority, signatures). The pool holds at most so many transactions,
//! bytes, transactions of one account, and transactions that wait for one that is missing; a full pool refuses
//! with a reason and never drops what it has taken in silence. Committed transactions leave at once, expired ones
//! when their height passes, all others after [`Limits::age_max_ms`]. A waiting transaction is never replaced:
//! there are no fees by which to choose, and another validator may hold the first one.
//!
//! | file | what |
//! | --- | --- |
//! | `queue.rs` | the transactions of one account |

mod queue;
#[cfg(test)]
mod tests;

use crate::ids::{AccountId, Height, Nonce, TimestampMs, TransactionId};
use crate::transaction::Transaction;
use hashbrown::{HashMap, HashSet};
use queue::Queue;
use std::collections::{BTreeMap, VecDeque};

/// What the pool may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most transactions.
    pub transactions_max: usize,
    /// Most bytes of transactions.
    pub bytes_max: usize,
    /// Most transactions of one account; also how far a nonce may be ahead of the account's next.
    pub per_account_max: usize,
    /// Most transactions, of all accounts together, that wait for a nonce that is missing.
    pub gapped_max: usize,
    /// Milliseconds after which a transaction is given up.
    pub age_max_ms: u64,
}

impl Limits {
    /// Whether a transaction with this nonce may wait, given its account's next.
    ///
    /// # Errors
    /// When the nonce is used, or too far ahead.
    pub const fn check_nonce(&self, expected: Nonce, found: Nonce) -> Result<(), Refused> {
        let ahead_max = self.per_account_max;
        match found.0.checked_sub(expected.0) {
            Some(ahead) if ahead < ahead_max as u64 => Ok(()),
            _ => Err(Refused::Nonce { expected, found, ahead_max }),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transactions_max: 100_000,
            bytes_max: 64 * 1024 * 1024,
            per_account_max: 4096,
            gapped_max: 20_000,
            age_max_ms: 15 * 60 * 1_000,
        }
    }
}

/// Why the pool does not take a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is in the pool already.
    #[error("the transaction is waiting in the pool already")]
    Duplicate,
    /// Another transaction of the account with this nonce waits.
    #[error("another transaction of the account with nonce {0} is waiting")]
    NonceTaken(Nonce),
    /// The nonce has been used, or is too far ahead.
    #[error("the nonce is {found}, the account's next is {expected} and at most {ahead_max} ahead may wait")]
    Nonce {
        /// The account's next nonce.
        expected: Nonce,
        /// The transaction's.
        found: Nonce,
        /// How far ahead it may be.
        ahead_max: usize,
    },
    /// One before it is missing, and enough such wait already.
    #[error("the nonce is {found}, but nothing with nonce {missing} is waiting; send that first")]
    Gapped {
        /// The first that is missing.
        missing: Nonce,
        /// The transaction's.
        found: Nonce,
    },
    /// The pool is full.
    #[error("the pool is full; try again when blocks have been committed")]
    Full,
}

/// Waiting transactions. Owned by one task.
#[derive(Debug)]
pub struct Mempool {
    limits: Limits,
    accounts: HashMap<AccountId, Queue>,
    ids: HashMap<TransactionId, (AccountId, Nonce)>,
    /// The accounts that have one with their next nonce, in line: who has just been served, or is new, is the last.
    line: BTreeMap<u64, AccountId>,
    next_place: u64,
    /// Those that no primary is suspected for (R40).
    excused: HashSet<TransactionId>,
    /// Ids by the last height at which they may execute.
    expiries: BTreeMap<Height, Vec<TransactionId>>,
    /// When they came, oldest first; with some that have left.
    arrivals: VecDeque<(TimestampMs, TransactionId)>,
    /// Those that this node passes on, and when it did last: the one of longest ago first; with some that have left.
    sent: VecDeque<(TimestampMs, TransactionId)>,
    bytes: usize,
    gapped: usize,
    gapped_bytes: usize,
}

/// Arrivals of transactions that have left are kept up to so many, beside as many as wait.
const LEFT_MAX: usize = 1_024;

impl Mempool {
    /// An empty pool.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            accounts: HashMap::new(),
            ids: HashMap::new(),
            line: BTreeMap::new(),
            next_place: 0,
            excused: HashSet::new(),
            expiries: BTreeMap::new(),
            arrivals: VecDeque::new(),
            sent: VecDeque::new(),
            bytes: 0,
            gapped: 0,
            gapped_bytes: 0,
        }
    }

    /// How many transactions wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Bytes of all waiting transactions.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many wait for a nonce that is missing.
    #[must_use]
    pub const fn gapped(&self) -> usize {
        self.gapped
    }

    /// Whether what nothing is missing for comes to so many transactions, or so many bytes.
    #[must_use]
    pub fn fills(&self, transactions: usize, bytes: usize) -> bool {
        self.len() - self.gapped >= transactions || self.bytes - self.gapped_bytes >= bytes
    }

    /// Whether a transaction waits.
    #[must_use]
    pub fn contains(&self, id: TransactionId) -> bool {
        self.ids.contains_key(&id)
    }

    /// A waiting transaction.
    #[must_use]
    pub fn get(&self, id: TransactionId) -> Option<&Transaction> {
        let (account, nonce) = self.ids.get(&id)?;
        self.accounts.get(account)?.get(*nonce)
    }

    /// Takes in a checked transaction; `next` is its account's next nonce at the committed tip.
    ///
    /// # Errors
    /// Says why not; the pool is then unchanged.
    pub fn insert(&mut self, transaction: Transaction, next: Nonce, now: TimestampMs) -> Result<(), Refused> {
        let (id, body) = (transaction.id(), transaction.body());
        if self.ids.contains_key(&id) {
            return Err(Refused::Duplicate);
        }
        let (account, nonce, valid_until) = (body.account, body.nonce, body.valid_until);
        self.limits.check_nonce(next, nonce)?;
        let queue = self.accounts.get(&account);
        if queue.is_some_and(|queue| queue.get(nonce).is_some()) {
            return Err(Refused::NonceTaken(nonce));
        }
        let bytes = transaction.bytes().len();
        if self.ids.len() >= self.limits.transactions_max || self.bytes + bytes > self.limits.bytes_max {
            return Err(Refused::Full);
        }
        let missing = queue.map_or(next, Queue::end).max(next);
        if nonce > missing && self.gapped >= self.limits.gapped_max {
            return Err(Refused::Gapped { missing, found: nonce });
        }
        self.accounts.entry(account).or_insert_with(|| Queue::new(next));
        let used = self.change(account, |queue| {
            let used = queue.advance(next);
            queue.insert(nonce, transaction);
            used
        });
        self.forget(used.unwrap_or_default());
        self.ids.insert(id, (account, nonce));
        self.bytes += bytes;
        Self::note(&mut self.arrivals, &self.ids, (now, id));
        if valid_until != Height::ZERO {
            self.expiries.entry(valid_until).or_default().push(id);
        }
        Ok(())
    }

    /// Adds to one of the lists by time, which keeps some that have left, but not many.
    fn note(
        list: &mut VecDeque<(TimestampMs, TransactionId)>,
        ids: &HashMap<TransactionId, (AccountId, Nonce)>,
        entry: (TimestampMs, TransactionId),
    ) {
        list.push_back(entry);
        if list.len() > 2 * ids.len() + LEFT_MAX {
            list.retain(|(_, id)| ids.contains_key(id));
        }
    }

    /// Changes an account's queue; one that becomes empty goes.
    fn change<T>(&mut self, account: AccountId, change: impl FnOnce(&mut Queue) -> T) -> Option<T> {
        let queue = self.accounts.get_mut(&account)?;
        let ready = queue.ready();
        self.gapped -= queue.gapped();
        self.gapped_bytes -= queue.gapped_bytes();
        let changed = change(queue);
        self.gapped += queue.gapped();
        self.gapped_bytes += queue.gapped_bytes();
        if queue.ready() != ready {
            queue.place.take().map(|place| self.line.remove(&place));
            if queue.ready().is_some() {
                queue.place = Some(self.next_place);
                self.line.insert(self.next_place, account);
                self.next_place += 1;
            }
        }
        if queue.is_empty() {
            self.accounts.remove(&account);
        }
        Some(changed)
    }

    /// These have left their queue.
    fn forget(&mut self, left: impl IntoIterator<Item = Transaction>) {
        for transaction in left {
            self.ids.remove(&transaction.id());
            self.excused.remove(&transaction.id());
            self.bytes -= transaction.bytes().len();
        }
    }

    fn remove(&mut self, id: TransactionId) -> Option<Transaction> {
        let (account, nonce) = *self.ids.get(&id)?;
        let transaction = self.change(account, |queue| queue.remove(nonce))??;
        self.forget([transaction.clone()]);
        Some(transaction)
    }

    /// Transactions for the block at `height`, one an account in turn, each with its account's next nonce; the account
    /// that was served longest ago is the first. `next_nonce` reads an account's next nonce at the parent's state; `admit` is
    /// asked of each that fits, in order, and what it refuses takes no place. What it
    /// costs grows with the block, not with the pool, unless most of the pool is in blocks in flight.
    pub fn batch(
        &self,
        height: Height,
        transactions_max: usize,
        bytes_max: usize,
        mut next_nonce: impl FnMut(AccountId) -> Option<Nonce>,
        admit: impl FnMut(&Transaction) -> bool,
    ) -> Vec<Transaction> {
        let mut batch = Batch { height, transactions_max, bytes_max, bytes: 0, admit, chosen: Vec::new() };
        let mut again = Vec::new();
        for account in self.line.values() {
            if batch.is_full() {
                break;
            }
            if let Some(nonce) = next_nonce(*account)
                && let Some(queue) = self.accounts.get(account)
                && batch.take(queue, nonce)
            {
                again.push((queue, nonce.next()));
            }
        }
        while !again.is_empty() && !batch.is_full() {
            again.retain_mut(|(queue, nonce)| {
                let taken = batch.take(queue, *nonce);
                *nonce = nonce.next();
                taken
            });
        }
        batch.chosen
    }

    /// Waiting transactions that could come first of their accounts in a block at `height` on the state whose nonces
    /// `next_nonce` reads, and that `admitted` lets in there; the one that has been its account's next for longest is
    /// the first.
    pub fn includable(
        &self,
        height: Height,
        mut next_nonce: impl FnMut(AccountId) -> Option<Nonce>,
        mut admitted: impl FnMut(&Transaction) -> bool,
    ) -> impl Iterator<Item = &Transaction> {
        self.line.values().filter_map(move |account| {
            let transaction = self.accounts.get(account)?.get(next_nonce(*account)?)?;
            (is_valid_at(transaction, height) && admitted(transaction)).then_some(transaction)
        })
    }

    /// These accounts go to the end of the line: what they have next can't be in a block now.
    pub fn defer(&mut self, accounts: &[AccountId]) {
        for account in accounts {
            let queue = self.accounts.get_mut(account);
            let Some(place) = queue.and_then(|queue| queue.place.as_mut()) else { continue };
            self.line.remove(place);
            self.line.insert(self.next_place, *account);
            *place = self.next_place;
            self.next_place += 1;
        }
    }

    /// No primary is suspected for this one any more, as long as it waits (R40).
    pub fn excuse(&mut self, id: TransactionId) {
        if self.ids.contains_key(&id) {
            self.excused.insert(id);
        }
    }

    /// Whether it was excused.
    #[must_use]
    pub fn is_excused(&self, id: TransactionId) -> bool {
        self.excused.contains(&id)
    }

    /// Waiting transactions that nothing before them is missing for, the oldest first.
    pub fn oldest(&self) -> impl Iterator<Item = (TimestampMs, &Transaction)> {
        let ready = |id: &TransactionId| {
            let (account, nonce) = self.ids.get(id)?;
            let queue = self.accounts.get(account)?;
            (*nonce < queue.end()).then(|| queue.get(*nonce)).flatten()
        };
        self.arrivals.iter().filter_map(move |(at, id)| Some((*at, ready(id)?)))
    }

    /// What to tell others of (R33, R38): this one first, if it waits, then the oldest of those that came no later than
    /// this.
    pub fn relayed(
        &self,
        first: Option<TransactionId>,
        since: TimestampMs,
    ) -> impl Iterator<Item = &Transaction> {
        let old = self.oldest().take_while(move |(at, _)| *at <= since).map(|(_, transaction)| transaction);
        let others = old.filter(move |transaction| Some(transaction.id()) != first);
        first.and_then(|id| self.get(id)).into_iter().chain(others)
    }

    /// A waiting transaction was passed on to others.
    pub fn sent(&mut self, id: TransactionId, now: TimestampMs) {
        Self::note(&mut self.sent, &self.ids, (now, id));
    }

    /// What still waits of those that were passed on so long ago and not since, the one of longest ago first, up to
    /// so many and so many bytes with four more for each; from now on they count as passed on just now.
    pub fn send_again(
        &mut self,
        now: TimestampMs,
        age_ms: u64,
        transactions_max: usize,
        bytes_max: usize,
    ) -> Vec<Transaction> {
        let (mut again, mut bytes) = (Vec::new(), 0);
        while let Some((at, id)) = self.sent.front().copied()
            && again.len() < transactions_max
        {
            let waiting = self.get(id).cloned();
            if let Some(transaction) = waiting {
                bytes += transaction.bytes().len() + 4;
                if now.0.saturating_sub(at.0) < age_ms || bytes > bytes_max {
                    break;
                }
                self.sent.push_back((now, id));
                again.push(transaction);
            }
            self.sent.pop_front();
        }
        again
    }

    /// Takes out what a committed block at `height` has used or made impossible: its transactions, others
    /// with the same nonces, and what has expired.
    pub fn committed(&mut self, height: Height, transactions: &[Transaction]) {
        for transaction in transactions {
            let body = transaction.body();
            let used = self.change(body.account, |queue| queue.advance(body.nonce.next()));
            self.forget(used.unwrap_or_default());
        }
        let still_valid = self.expiries.split_off(&height.next());
        let expired = std::mem::replace(&mut self.expiries, still_valid);
        for id in expired.into_values().flatten() {
            self.remove(id);
        }
    }

    /// Gives up what has waited too long; gives it back.
    pub fn expire(&mut self, now: TimestampMs) -> Vec<Transaction> {
        let mut given_up = Vec::new();
        while let Some((at, id)) = self.arrivals.front().copied()
            && (now.0.saturating_sub(at.0) >= self.limits.age_max_ms || !self.ids.contains_key(&id))
        {
            self.arrivals.pop_front();
            given_up.extend(self.remove(id));
        }
        given_up
    }
}

fn is_valid_at(transaction: &Transaction, height: Height) -> bool {
    let valid_until = transaction.body().valid_until;
    valid_until == Height::ZERO || valid_until >= height
}

/// What is chosen for a block.
struct Batch<A> {
    height: Height,
    transactions_max: usize,
    bytes_max: usize,
    bytes: usize,
    admit: A,
    chosen: Vec<Transaction>,
}

impl<A: FnMut(&Transaction) -> bool> Batch<A> {
    const fn is_full(&self) -> bool {
        self.chosen.len() >= self.transactions_max || self.bytes >= self.bytes_max
    }

    /// Whether the transaction of a queue with this nonce is there, valid, and fits.
    fn take(&mut self, queue: &Queue, nonce: Nonce) -> bool {
        let Some(transaction) = queue.get(nonce) else { return false };
        let bytes = self.bytes + transaction.bytes().len();
        let fits = self.chosen.len() < self.transactions_max && bytes <= self.bytes_max;
        if !fits || !is_valid_at(transaction, self.height) || !(self.admit)(transaction) {
            return false;
        }
        self.bytes = bytes;
        self.chosen.push(transaction.clone());
        true
    }
}
