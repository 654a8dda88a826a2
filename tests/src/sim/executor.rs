//! The ledger and the pool of a running node, and the jobs that wait for them: one after the other, as on a
//! node's own thread.

use super::clients::{self, BATCH_MAX, next_nonce};
use quorate_chain::certificate::PATH_HEADERS_MAX;
use quorate_chain::codec::List;
use quorate_chain::execution::check_form;
use quorate_chain::ledger::{CommittedBlock, Executed, Ledger, LedgerError, Opened, Reader, Tip};
use quorate_chain::mempool::{Limits, Mempool};
use quorate_chain::{
    AccountId, BlockHash, CommitCertificate, Header, Height, Nonce, ResultHash, TimestampMs, Transaction,
    TransactionId,
};
use quorate_consensus::{Pending, SealedBlock};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Transactions that are sent to the other validators at once (R33).
const RELAYED_MAX: usize = 64;

/// What the executor is asked for.
#[derive(Clone)]
pub(super) enum Job {
    /// Make a body durable; answered when it is, or not at all.
    Store(SealedBlock, bool),
    /// Check a fresh block by R6.
    Validate(SealedBlock),
    /// Execute on its parent's state.
    Execute(SealedBlock),
    /// Make a block final.
    Commit(SealedBlock, CommitCertificate, Vec<Header>),
    /// Choose transactions for a child of this block.
    Batch(BlockHash, Height),
    /// Drop a tentative execution.
    Discard(BlockHash),
}

pub(super) struct Executor {
    ledger: Ledger,
    reader: Reader,
    pool: Mempool,
    pub(super) jobs: VecDeque<Job>,
    pub(super) running: Option<Job>,
    /// What the core was told of the pool last.
    pub(super) told: Pending,
    /// Each account's next nonce at the tip.
    nonces: BTreeMap<AccountId, Nonce>,
}

impl Executor {
    pub(super) fn new(opened: Opened) -> Self {
        let Opened { ledger, reader, .. } = opened;
        let nonces = clients::nonces(&reader);
        Self {
            ledger,
            reader,
            pool: Mempool::new(Limits::default()),
            jobs: VecDeque::new(),
            running: None,
            told: Pending::Nothing,
            nonces,
        }
    }

    pub(super) fn tip(&self) -> &Tip {
        self.ledger.tip()
    }

    /// From now on its state roots leave something out.
    pub(super) const fn skip_bucket(&mut self) {
        self.ledger.skip_bucket();
    }

    pub(super) const fn reader(&self) -> &Reader {
        &self.reader
    }

    pub(super) fn append_body(&mut self, block: &SealedBlock) -> Result<(), LedgerError> {
        self.ledger.append_body(block.block())
    }

    pub(super) fn sync(&mut self) -> Result<(), LedgerError> {
        self.ledger.sync()
    }

    /// R6. With `verify` every signature is checked, else the clients are believed.
    pub(super) fn validate(&self, block: &SealedBlock, verify: bool) -> Result<(), String> {
        let authentic = |id| !verify && clients::is_authentic(id);
        self.ledger.validate(block.block(), authentic).map_err(|error| error.to_string())
    }

    /// `None` when its parent was dropped meanwhile, by a commit or with its view: the block is executed
    /// again if it is ever needed.
    pub(super) fn execute(&mut self, block: &SealedBlock) -> Result<Option<Executed>, LedgerError> {
        match self.ledger.execute(block.block()) {
            Ok(executed) => Ok(Some(executed)),
            Err(LedgerError::NotExecuted(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The result of an executed block.
    pub(super) fn result(&self, block: BlockHash) -> Option<ResultHash> {
        self.ledger.executed(block).map(|executed| executed.hash())
    }

    /// Whether the block's execution waits or runs.
    pub(super) fn will_execute(&self, hash: BlockHash) -> bool {
        let mut jobs = self.running.iter().chain(&self.jobs);
        jobs.any(|job| matches!(job, Job::Execute(block) if block.hash() == hash))
    }

    /// R23.
    pub(super) fn discard(&mut self, block: BlockHash) {
        self.ledger.discard(block);
    }

    pub(super) fn commit(
        &mut self,
        block: &SealedBlock,
        certificate: CommitCertificate,
        path: Vec<Header>,
    ) -> Result<Arc<CommittedBlock>, LedgerError> {
        let path = List::<Header, 0, PATH_HEADERS_MAX>::new(path)
            .map_err(|error| LedgerError::Damaged { height: block.height(), what: error.0 })?;
        self.ledger.execute(block.block())?;
        let committed = self.ledger.commit(block.hash(), path, certificate)?;
        self.nonces = clients::nonces(&self.reader);
        self.pool.committed(block.height(), &committed.block.transactions);
        Ok(committed)
    }

    /// Writes some of what the store lacks, as a node's own thread does now and then.
    pub(super) fn write_behind(&self, entries: usize) -> Result<(), LedgerError> {
        self.ledger.write_behind(entries).map(drop)
    }

    /// Makes the store durable, so that the next start replays less.
    pub(super) fn checkpoint(&mut self) -> Result<(), LedgerError> {
        self.ledger.checkpoint()
    }

    pub(super) fn batch(&mut self, parent: BlockHash, height: Height) -> Vec<Transaction> {
        let Some(state) = self.ledger.reader_at(parent) else { return Vec::new() };
        let bytes = self.ledger.parameters().block_bytes_max as usize;
        self.pool.batch(height, BATCH_MAX, bytes, |account| next_nonce(&state, account), |_| true)
    }

    /// Takes a transaction into the pool; false if it has no business there.
    pub(super) fn insert(&mut self, transaction: &Transaction) -> bool {
        let id = transaction.id();
        if self.pool.contains(id) || !clients::is_authentic(id) {
            return false;
        }
        let height = self.ledger.tip().height.next();
        let Some(next) = self.nonces.get(&transaction.body().account) else { return false };
        let sound = check_form(transaction, clients::CHAIN, height).is_ok();
        sound && self.pool.insert(transaction.clone(), *next, TimestampMs(0)).is_ok()
    }

    /// Which transactions wait that the block above the tip could hold.
    pub(super) fn pending(&self) -> Pending {
        let height = self.ledger.tip().height.next();
        let next = |account| self.nonces.get(&account).copied();
        let mut includable = self.pool.includable(height, next, |_| true).map(Transaction::id).peekable();
        if includable.peek().is_none() {
            return Pending::Nothing;
        }
        let oldest = includable.find(|id| !self.pool.is_excused(*id));
        Pending::Some { oldest, full: self.pool.fills(BATCH_MAX, usize::MAX) }
    }

    /// R40.
    pub(super) fn excuse(&mut self, transaction: TransactionId) {
        self.pool.excuse(transaction);
    }

    /// Waiting transactions, for the other validators: this one first.
    pub(super) fn relayed(&self, first: Option<TransactionId>) -> Vec<Transaction> {
        self.pool.relayed(first, TimestampMs(u64::MAX)).take(RELAYED_MAX).cloned().collect()
    }

    pub(super) fn has_committed(&self, transaction: &Transaction) -> bool {
        let body = transaction.body();
        self.nonces.get(&body.account).is_some_and(|next| *next > body.nonce)
    }

    /// Transactions committed here: each used a nonce.
    pub(super) fn committed(&self) -> usize {
        self.nonces.values().map(|nonce| nonce.0 as usize).sum()
    }

    pub(super) fn waiting(&self) -> usize {
        self.pool.len()
    }

    /// A body, committed or not.
    pub(super) fn body(&self, hash: BlockHash) -> Result<Option<SealedBlock>, LedgerError> {
        Ok(self.ledger.body(hash)?.and_then(SealedBlock::new))
    }

    /// Committed blocks above a height.
    pub(super) fn blocks(&self, above: Height, max: usize) -> Result<Vec<Arc<CommittedBlock>>, LedgerError> {
        let tip = self.ledger.tip().height;
        let heights = (above.0 + 1..=tip.0).take(max).map(Height);
        heights.filter_map(|height| self.reader.block(height).transpose()).collect()
    }
}
