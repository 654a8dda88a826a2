//! The executor's pool: what comes in, what waits and for how long, and what others are told of it.

use super::{Executor, Insertion, Progress, next_nonce};
use crate::cli::now;
use crate::run::keep;
use crate::run::metrics::Outcome;
use crate::run::way;
use crate::run::wire::{BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX};
use quorate_chain::execution::{check_form, work};
use quorate_chain::{Block, TimestampMs, Transaction, TransactionId};
use quorate_consensus::{Input, Pending};
use quorate_rpc::Rejection;
use std::path::Path;
use std::time::Duration;

/// What of the pool the next block could hold.
pub(super) struct Waiting {
    /// Whether there is anything.
    any: bool,
    /// What has waited longest, beside the excused (R38, R40).
    oldest: Option<Transaction>,
}

impl Executor {
    /// What of the pool the next block could hold. Who has something next that it could not goes to the end of the line.
    pub(super) fn waiting(&mut self) -> Waiting {
        let reader = self.ledger.reader();
        let height = self.ledger.tip().height.next();
        let mut refused = Vec::new();
        // What nobody could put into a block now must not make the others wait for its primary (R33).
        let admitted = |transaction: &Transaction| {
            let admitted = self.admission(&reader).check(transaction).is_ok();
            if !admitted {
                refused.push(transaction.body().account);
            }
            admitted
        };
        let next = |account| next_nonce(&reader, account);
        let mut includable = self.pool.includable(height, next, admitted).peekable();
        let any = includable.peek().is_some();
        let oldest = includable.find(|transaction| !self.pool.is_excused(transaction.id())).cloned();
        drop(includable);
        self.pool.defer(&refused);
        Waiting { any, oldest }
    }

    /// R38: whether a committed block could have held the transaction that has waited longest as well.
    pub(super) fn had_room(&self, block: &Block, waiting: &Waiting) -> bool {
        let Some(oldest) = &waiting.oldest else { return false };
        let (parameters, transactions) = (self.ledger.parameters(), &block.transactions);
        let bytes: usize = transactions.iter().map(|transaction| transaction.bytes().len()).sum();
        transactions.len() < parameters.block_transactions_max as usize
            && bytes + oldest.bytes().len() <= parameters.block_bytes_max as usize
            && transactions.iter().map(work).sum::<u64>() + work(oldest) <= parameters.block_work_max
    }

    /// Tells the core and others where the pool and the chain are.
    pub(super) fn show(&mut self) {
        let waiting = self.waiting();
        self.tell(waiting);
    }

    /// The same, of what was looked up before.
    pub(super) fn tell(&mut self, Waiting { any, oldest }: Waiting) {
        let oldest = oldest.as_ref().map(Transaction::id);
        // Told again after each commit: the core forgets it when a batch turns out empty.
        if any || self.pending {
            let parameters = self.ledger.parameters();
            let (count, bytes) = (parameters.block_transactions_max, parameters.block_bytes_max);
            let full = self.pool.fills(count as usize, bytes as usize);
            let pending = if any { Pending::Some { oldest, full } } else { Pending::Nothing };
            self.answer(Input::Pending(pending));
        }
        self.pending = any;
        self.metrics.pool_bytes.set(self.pool.bytes() as i64);
        self.metrics.pool_gapped.set(self.pool.gapped() as i64);
        self.progress.send_replace(Progress { height: self.ledger.tip().height, waiting: self.pool.len() });
    }

    pub(super) fn insert(&mut self, insertions: Vec<Insertion>) {
        let count = insertions.len();
        let mut taken = 0;
        for Insertion { transaction, client } in insertions {
            let id = transaction.id();
            let verdict = self.insert_one(transaction);
            taken += usize::from(verdict.is_ok());
            way::tell_one(id, if verdict.is_ok() { "waiting" } else { "refused" }, None);
            if let Some(client) = client {
                if verdict.is_ok() {
                    self.pool.sent(id, now());
                }
                let _ = client.send(verdict);
            }
        }
        self.metrics.incoming(Outcome::Taken, taken);
        self.metrics.incoming(Outcome::Refused, count - taken);
        // Makes room for the next batch of ingest.
        let _ = self.inserted.try_recv();
        self.show();
    }

    /// The signatures hold; the rest is checked against the tip of now.
    pub(super) fn insert_one(&mut self, transaction: Transaction) -> Result<(), Rejection> {
        let reader = self.ledger.reader();
        check_form(&transaction, reader.chain(), self.ledger.tip().height.next())?;
        let next = self.admission(&reader).check(&transaction)?;
        Ok(self.pool.insert(transaction, next, now())?)
    }

    pub(super) fn oldest(&self, first: Option<TransactionId>, age: Duration) -> Vec<Transaction> {
        let since = now().0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        let mut bytes = 0;
        let some = self.pool.relayed(first, TimestampMs(since)).take(BATCH_TRANSACTIONS_MAX);
        let some = some.take_while(|transaction| {
            bytes += transaction.bytes().len() + 4;
            bytes <= BATCH_BYTES_MAX
        });
        some.cloned().collect()
    }

    pub(super) fn sent_before(&mut self, age: Duration, batches: usize) -> Vec<Vec<Transaction>> {
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        let mut all = Vec::new();
        while all.len() < batches {
            let batch = self.pool.send_again(now(), age_ms, BATCH_TRANSACTIONS_MAX, BATCH_BYTES_MAX);
            if batch.is_empty() {
                break;
            }
            all.push(batch);
        }
        all
    }

    /// Writes what waits, for the next start.
    pub(super) fn keep(&self, path: &Path) {
        match keep::write(path, self.pool.oldest().map(|(_, transaction)| transaction)) {
            Ok(0) => {}
            Ok(transactions) => tracing::info!(transactions, "kept what waits in the pool"),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot keep what waits in the pool")
            }
        }
    }

    /// Gives up what has waited too long.
    pub(super) fn expire(&mut self) {
        let given_up = self.pool.expire(now()).len();
        if given_up > 0 {
            tracing::warn!(given_up, "transactions waited too long in the pool and were given up");
        }
    }
}
