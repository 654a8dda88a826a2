//! Transactions that wait for a block: a queue of consecutive nonces an account, fair across accounts.
//!
//! What comes in has been checked (form, authority, signatures). The pool holds at most so many
//! transactions, bytes, and transactions of one account; a full pool refuses with a reason and never drops
//! what it has taken in silence. Committed transactions leave at once, expired ones when their height passes.

use crate::ids::{AccountId, Height, Nonce, TransactionId};
use crate::transaction::Transaction;
use std::collections::{BTreeMap, HashMap};

/// What the pool may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most transactions.
    pub transactions_max: usize,
    /// Most bytes of transactions.
    pub bytes_max: usize,
    /// Most transactions of one account; also how far a nonce may be ahead of the account's next.
    pub per_account_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { transactions_max: 100_000, bytes_max: 64 * 1024 * 1024, per_account_max: 4096 }
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
    /// The pool is full.
    #[error("the pool is full; try again when blocks have been committed")]
    Full,
}

/// Waiting transactions. Owned by one task.
#[derive(Debug)]
pub struct Mempool {
    limits: Limits,
    accounts: BTreeMap<AccountId, BTreeMap<Nonce, Transaction>>,
    ids: HashMap<TransactionId, (AccountId, Nonce)>,
    /// Ids by the last height at which they may execute.
    expiries: BTreeMap<Height, Vec<TransactionId>>,
    bytes: usize,
    /// The account after which the next block starts to take, so that all get their turn.
    turn: AccountId,
}

impl Mempool {
    /// An empty pool.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            accounts: BTreeMap::new(),
            ids: HashMap::new(),
            expiries: BTreeMap::new(),
            bytes: 0,
            turn: AccountId::default(),
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

    /// Whether a transaction waits.
    #[must_use]
    pub fn contains(&self, id: TransactionId) -> bool {
        self.ids.contains_key(&id)
    }

    /// A waiting transaction.
    #[must_use]
    pub fn get(&self, id: TransactionId) -> Option<&Transaction> {
        let (account, nonce) = self.ids.get(&id)?;
        self.accounts.get(account)?.get(nonce)
    }

    /// Takes in a checked transaction; `next` is its account's next nonce at the committed tip.
    ///
    /// # Errors
    /// Says why not; the pool is then unchanged.
    pub fn insert(&mut self, transaction: Transaction, next: Nonce) -> Result<(), Refused> {
        let (id, body) = (transaction.id(), transaction.body());
        if self.ids.contains_key(&id) {
            return Err(Refused::Duplicate);
        }
        let ahead = body.nonce.0.checked_sub(next.0);
        if ahead.is_none_or(|ahead| ahead >= self.limits.per_account_max as u64) {
            let ahead_max = self.limits.per_account_max;
            return Err(Refused::Nonce { expected: next, found: body.nonce, ahead_max });
        }
        let bytes = transaction.bytes().len();
        if self.ids.len() >= self.limits.transactions_max || self.bytes + bytes > self.limits.bytes_max {
            return Err(Refused::Full);
        }
        let (account, nonce, valid_until) = (body.account, body.nonce, body.valid_until);
        let queue = self.accounts.entry(account).or_default();
        if queue.contains_key(&nonce) {
            return Err(Refused::NonceTaken(nonce));
        }
        queue.insert(nonce, transaction);
        self.ids.insert(id, (account, nonce));
        self.bytes += bytes;
        if valid_until != Height::ZERO {
            self.expiries.entry(valid_until).or_default().push(id);
        }
        Ok(())
    }

    fn remove(&mut self, id: TransactionId) -> Option<Transaction> {
        let (account, nonce) = self.ids.remove(&id)?;
        let queue = self.accounts.get_mut(&account)?;
        let transaction = queue.remove(&nonce)?;
        if queue.is_empty() {
            self.accounts.remove(&account);
        }
        self.bytes -= transaction.bytes().len();
        Some(transaction)
    }

    /// Transactions for the block at `height`, one an account in turn, each with its account's next nonce.
    /// `next_nonce` reads an account's next nonce at the parent's state. Takes nothing out of the pool.
    pub fn batch(
        &mut self,
        height: Height,
        transactions_max: usize,
        bytes_max: usize,
        mut next_nonce: impl FnMut(AccountId) -> Option<Nonce>,
    ) -> Vec<Transaction> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        // Accounts in turn, starting behind the one that was served last.
        let order = self.accounts.range(self.turn..).chain(self.accounts.range(..self.turn));
        let mut queues: Vec<_> = order
            .filter(|(account, _)| **account != self.turn || self.accounts.len() == 1)
            .chain(self.accounts.get_key_value(&self.turn).filter(|_| self.accounts.len() > 1))
            .filter_map(|(account, queue)| Some((*account, queue, next_nonce(*account)?)))
            .collect();
        let mut last = None;
        while !queues.is_empty() {
            let before = batch.len();
            queues.retain_mut(|(account, queue, nonce)| {
                let Some(transaction) = queue.get(nonce) else { return false };
                let valid_until = transaction.body().valid_until;
                let expired = valid_until != Height::ZERO && valid_until < height;
                let size = transaction.bytes().len();
                if expired || batch.len() >= transactions_max || bytes + size > bytes_max {
                    return false;
                }
                bytes += size;
                *nonce = nonce.next();
                last = Some(*account);
                batch.push(transaction.clone());
                true
            });
            if batch.len() == before {
                break;
            }
        }
        if let Some(last) = last {
            self.turn = last;
        }
        batch
    }

    /// The first waiting transaction, in the order of accounts, that could be in a block at `height` on the
    /// state whose nonces `next_nonce` reads, and that `admitted` lets in there.
    pub fn includable(
        &self,
        height: Height,
        mut next_nonce: impl FnMut(AccountId) -> Option<Nonce>,
        mut admitted: impl FnMut(&Transaction) -> bool,
    ) -> Option<TransactionId> {
        self.accounts.iter().find_map(|(account, queue)| {
            let transaction = queue.get(&next_nonce(*account)?)?;
            let valid_until = transaction.body().valid_until;
            let valid = valid_until == Height::ZERO || valid_until >= height;
            (valid && admitted(transaction)).then(|| transaction.id())
        })
    }

    /// Up to `max` waiting transactions in the order of accounts, for sending them again.
    pub fn some(&self, max: usize) -> impl Iterator<Item = &Transaction> {
        self.accounts.values().flat_map(|queue| queue.values()).take(max)
    }

    /// Takes out what a committed block at `height` has used or made impossible: its transactions, others
    /// with the same nonces, and what has expired.
    pub fn committed(&mut self, height: Height, transactions: &[Transaction]) {
        for transaction in transactions {
            let body = transaction.body();
            let used: Vec<_> = self
                .accounts
                .get(&body.account)
                .into_iter()
                .flat_map(|queue| queue.range(..=body.nonce).map(|(_, t)| t.id()))
                .collect();
            for id in used {
                self.remove(id);
            }
        }
        let still_valid = self.expiries.split_off(&height.next());
        let expired = std::mem::replace(&mut self.expiries, still_valid);
        for id in expired.into_values().flatten() {
            self.remove(id);
        }
    }
}

#[cfg(test)]
mod tests;
