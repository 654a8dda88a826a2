//! The transactions of one account, by nonce.

use crate::ids::Nonce;
use crate::transaction::Transaction;
use std::collections::BTreeMap;

/// Waiting transactions of an account, none of them below its next nonce.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// The account's next nonce at the committed tip, as far as the pool knows.
    next: Nonce,
    /// The first nonce from `next` on that nothing waits with: what is below is ready.
    end: Nonce,
    waiting: BTreeMap<Nonce, Transaction>,
    /// Bytes of those that wait for one that is not there.
    gapped_bytes: usize,
    /// Its place among the accounts that have one with their next nonce.
    pub(super) place: Option<u64>,
}

impl Queue {
    pub(super) fn new(next: Nonce) -> Self {
        Self { next, end: next, waiting: BTreeMap::new(), gapped_bytes: 0, place: None }
    }

    pub(super) fn get(&self, nonce: Nonce) -> Option<&Transaction> {
        self.waiting.get(&nonce)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The first nonce that is missing.
    pub(super) const fn end(&self) -> Nonce {
        self.end
    }

    /// The account's next nonce, if there is one with it.
    pub(super) fn ready(&self) -> Option<Nonce> {
        (self.end > self.next).then_some(self.next)
    }

    /// How many wait for one that is not there.
    pub(super) fn gapped(&self) -> usize {
        // What is ready is in memory, so it can be counted.
        self.waiting.len() - (self.end.0 - self.next.0) as usize
    }

    /// Bytes of those.
    pub(super) const fn gapped_bytes(&self) -> usize {
        self.gapped_bytes
    }

    pub(super) fn insert(&mut self, nonce: Nonce, transaction: Transaction) {
        self.gapped_bytes += transaction.bytes().len();
        self.waiting.insert(nonce, transaction);
        self.find_end();
    }

    /// Takes one out that will never be in a block; those behind it wait for another in its place.
    pub(super) fn remove(&mut self, nonce: Nonce) -> Option<Transaction> {
        let transaction = self.waiting.remove(&nonce)?;
        if nonce < self.end {
            let behind = self.waiting.range(nonce..self.end);
            self.gapped_bytes += behind.map(|(_, one)| one.bytes().len()).sum::<usize>();
        } else {
            self.gapped_bytes -= transaction.bytes().len();
        }
        self.end = self.end.min(nonce).max(self.next);
        Some(transaction)
    }

    /// The account's next nonce is now this one; gives what is below it.
    pub(super) fn advance(&mut self, next: Nonce) -> Vec<Transaction> {
        let mut used = Vec::new();
        while let Some(first) = self.waiting.first_entry().filter(|first| *first.key() < next) {
            let (nonce, transaction) = first.remove_entry();
            if nonce >= self.end {
                self.gapped_bytes -= transaction.bytes().len();
            }
            used.push(transaction);
        }
        if next > self.next {
            self.next = next;
            self.end = self.end.max(next);
            self.find_end();
        }
        used
    }

    fn find_end(&mut self) {
        while let Some(next) = self.waiting.get(&self.end) {
            self.gapped_bytes -= next.bytes().len();
            self.end = self.end.next();
        }
    }
}
