//! The thread that owns ledger and pool: stores bodies, validates, executes, commits, builds batches; `pool.rs` has
//! what it does for whoever brings transactions or asks for them.

mod pool;

use super::Fatal;
use super::known::Known;
use super::metrics::{Metrics, Stage};
use super::way;
use crate::cli::now;
use quorate_chain::certificate::PATH_HEADERS_MAX;
use quorate_chain::codec::List;
use quorate_chain::execution::{Admission, work};
use quorate_chain::ledger::{Ledger, LedgerError};
use quorate_chain::mempool::{Limits, Mempool};
use quorate_chain::state::StateReader;
use quorate_chain::{
    AccountId, Block, BlockHash, CommitCertificate, Header, Height, Nonce, PublicKey, TimestampMs,
    Transaction, TransactionId,
};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{Input, SealedBlock};
use quorate_rpc::Rejection;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot, watch};

/// What is asked of the executor. The core's jobs are bounded by what it has in flight, the others by the
/// channels that they wait in before.
pub(super) enum Job {
    /// Make a body durable.
    Store(SealedBlock),
    /// Check a fresh block by R6.
    Validate(SealedBlock),
    /// Execute on its parent's state.
    Execute(SealedBlock),
    /// Forget an execution that the view has dropped (R23).
    Discard(BlockHash),
    /// Make a block final.
    Commit(SealedBlock, CommitCertificate, Vec<Header>),
    /// Choose transactions for a child of this block.
    Batch(BlockHash, Height),
    /// Take authentic transactions into the pool; an answer for each.
    Insert(Vec<Insertion>),
    /// The oldest transactions that have waited for so long, as many as a batch takes: for the other validators
    /// (R33), and to be gossiped again; this one before them, if it waits.
    Waiting(Option<TransactionId>, Duration, oneshot::Sender<Vec<Transaction>>),
    /// Transactions of this node's clients that were sent so long ago, as many as these batches take: some may not
    /// have heard of them.
    SentBefore(Duration, usize, oneshot::Sender<Vec<Vec<Transaction>>>),
    /// The body of a block, committed or not.
    Body(BlockHash, oneshot::Sender<Option<Block>>),
    /// No primary is suspected for this transaction any more (R40).
    Excuse(TransactionId),
    /// Stop: everything durable, then end; with what waits in this file, if that is to be kept.
    Stop(Option<PathBuf>),
}

impl Job {
    const fn stage(&self) -> Option<Stage> {
        match self {
            Self::Store(_) => Some(Stage::Store),
            Self::Validate(_) => Some(Stage::Validate),
            Self::Execute(_) => Some(Stage::Execute),
            Self::Commit(..) => Some(Stage::Commit),
            Self::Batch(..) => Some(Stage::Batch),
            Self::Insert(_) => Some(Stage::Insert),
            Self::Discard(_)
            | Self::Waiting(..)
            | Self::SentBefore(..)
            | Self::Body(..)
            | Self::Excuse(_)
            | Self::Stop(_) => None,
        }
    }
}

/// An authentic transaction for the pool.
pub(super) struct Insertion {
    pub(super) transaction: Transaction,
    /// Who hears what became of it, if a client brought it to this node.
    pub(super) client: Option<oneshot::Sender<Result<(), Rejection>>>,
}

/// What others see of the executor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// The committed height.
    pub(super) height: Height,
    /// Transactions in the pool.
    pub(super) waiting: usize,
}

/// Insertions of ingest that wait for the executor; ingest then waits too.
pub(super) const INSERTS_WAITING_MAX: usize = 4;
/// No commit for so long makes a checkpoint cheap.
const IDLE: Duration = Duration::from_secs(2);

pub(super) struct Executor {
    ledger: Ledger,
    /// The own consensus key: where it has a seat, this node votes.
    seat: Option<PublicKey>,
    pool: Mempool,
    core: mpsc::UnboundedSender<Input>,
    committed: watch::Sender<Height>,
    progress: watch::Sender<Progress>,
    /// What the core was told last.
    pending: bool,
    uncheckpointed: bool,
    inserted: std::sync::mpsc::Receiver<()>,
    known: Known,
    metrics: Metrics,
}

impl Executor {
    pub(super) fn new(
        ledger: Ledger,
        seat: Option<PublicKey>,
        core: mpsc::UnboundedSender<Input>,
        committed: watch::Sender<Height>,
        progress: watch::Sender<Progress>,
        inserted: std::sync::mpsc::Receiver<()>,
    ) -> Self {
        let pool = Mempool::new(pool_limits());
        let (pending, uncheckpointed, known, metrics) = (false, false, Known::default(), Metrics::new());
        Self {
            ledger,
            seat,
            pool,
            core,
            committed,
            progress,
            pending,
            uncheckpointed,
            inserted,
            known,
            metrics,
        }
    }

    /// The same with what others see as well.
    pub(super) fn sharing(self, known: Known, metrics: Metrics) -> Self {
        Self { known, metrics, ..self }
    }

    /// Works until it is told to stop.
    pub(super) fn run(mut self, jobs: &std::sync::mpsc::Receiver<Job>, fatal: &Fatal) {
        let mut last_commit = Instant::now();
        loop {
            let job = match jobs.recv_timeout(IDLE) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) if self.uncheckpointed && last_commit.elapsed() >= IDLE => {
                    if let Err(error) = self.checkpoint() {
                        return fatal.stop(format!("the ledger failed: {error}"));
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let stop = matches!(job, Job::Stop(_));
            if matches!(job, Job::Commit(..)) {
                last_commit = Instant::now();
            }
            if let Err(error) = self.work(job) {
                return fatal.stop(format!("the ledger failed: {error}"));
            }
            if stop {
                return;
            }
        }
    }

    fn work(&mut self, job: Job) -> Result<(), LedgerError> {
        let (stage, began) = (job.stage(), Instant::now());
        let done = self.work_on(job);
        if let Some(stage) = stage {
            self.metrics.stage(stage, began);
        }
        done
    }

    fn work_on(&mut self, job: Job) -> Result<(), LedgerError> {
        match job {
            Job::Store(block) => {
                self.ledger.append_body(block.block())?;
                self.ledger.sync()?;
                self.answer(Input::BodyStored(block.hash()));
            }
            Job::Validate(block) => self.validate(&block),
            Job::Execute(block) => self.execute(&block)?,
            Job::Discard(block) => self.ledger.discard(block),
            Job::Commit(block, certificate, path) => self.commit(&block, certificate, path)?,
            Job::Batch(parent, height) => self.batch(parent, height),
            Job::Insert(transactions) => self.insert(transactions),
            Job::Waiting(first, age, answer) => {
                self.expire();
                let _ = answer.send(self.oldest(first, age));
            }
            Job::Excuse(id) => {
                tracing::warn!(transaction = %id, "no primary has put this transaction into a block; nobody is \
                    suspected for it any more");
                self.pool.excuse(id);
                self.show();
            }
            Job::SentBefore(age, batches, answer) => {
                let _ = answer.send(self.sent_before(age, batches));
            }
            Job::Body(hash, answer) => {
                let _ = answer.send(self.ledger.body(hash)?);
            }
            Job::Stop(keep) => {
                self.ledger.sync()?;
                self.checkpoint()?;
                if let Some(path) = keep {
                    self.keep(&path);
                }
            }
        }
        Ok(())
    }

    fn answer(&self, input: Input) {
        // Without a core the node is stopping.
        let _ = self.core.send(input);
    }

    fn checkpoint(&mut self) -> Result<(), LedgerError> {
        self.uncheckpointed = false;
        self.ledger.checkpoint()
    }

    fn validate(&self, block: &SealedBlock) {
        let transactions = &block.block().transactions;
        let known = self.known.have(transactions.iter());
        let of_known = transactions.iter().zip(known).filter(|(_, known)| *known);
        let authentic: HashSet<_> = of_known.map(|(transaction, _)| transaction.id()).collect();
        let verdict =
            self.ledger.validate(block.block(), |id| authentic.contains(&id) || self.pool.contains(id));
        if let Err(error) = &verdict {
            tracing::warn!(height = block.height().0, block = %block.hash(), %error, "refused a proposed block");
        }
        if verdict.is_ok() {
            self.known.add(transactions.iter().filter(|transaction| !authentic.contains(&transaction.id())));
        }
        self.answer(Input::Validated { block: block.hash(), valid: verdict.is_ok() });
    }

    fn execute(&mut self, block: &SealedBlock) -> Result<(), LedgerError> {
        match self.ledger.execute(block.block()) {
            Ok(executed) => {
                way::tell(block.block().transactions.iter(), "executed", Some(block.height()));
                self.answer(Input::Executed {
                    block: block.hash(),
                    result: executed.hash(),
                    ends_epoch: executed.ends_epoch,
                });
            }
            // Its parent was dropped by a commit or a view meanwhile, or ended the epoch: nobody waits for it.
            Err(error) if !error.is_fatal() => {
                tracing::debug!(block = %block.hash(), %error, "not executed");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn commit(
        &mut self,
        block: &SealedBlock,
        certificate: CommitCertificate,
        path: Vec<Header>,
    ) -> Result<(), LedgerError> {
        let path = List::<Header, 0, PATH_HEADERS_MAX>::new(path)
            .map_err(|error| LedgerError::Damaged { height: block.height(), what: error.0 })?;
        self.ledger.execute(block.block())?;
        let committed = self.ledger.commit(block.hash(), path, certificate)?;
        let height = block.height();
        self.pool.committed(height, &committed.block.transactions);
        self.known.committed(&committed.block.transactions);
        way::tell(committed.block.transactions.iter(), "committed", Some(height));
        self.metrics.block(committed.block.transactions.len());
        self.committed.send_replace(height);
        self.uncheckpointed = true;
        if self.ledger.tip().ends_epoch {
            self.begin_epoch();
        }
        let waiting = self.waiting();
        if self.had_room(&committed.block, &waiting) {
            self.answer(Input::Room(height));
        }
        self.tell(waiting);
        Ok(())
    }

    /// R45: the certificate of the block that ended the epoch is durable; the core may vote in the next one.
    fn begin_epoch(&self) {
        let context = epoch_at_tip(&self.ledger);
        tracing::info!(epoch = context.epoch.0, validators = context.set.quorum().n(), "a new epoch");
        let me = self.seat.and_then(|key| context.set.index_of(key));
        self.answer(Input::EpochStarted { context, me });
    }

    fn batch(&mut self, parent: BlockHash, height: Height) {
        let parameters = self.ledger.parameters_at(parent).unwrap_or_else(|| self.ledger.parameters());
        let count = parameters.block_transactions_max as usize;
        let bytes = parameters.block_bytes_max as usize;
        let transactions = match self.ledger.reader_at(parent) {
            Some(state) => {
                // A key may have lost its rights since the transaction came in, or a quota is spent. What follows it in
                // its account is then not asked for.
                let mut admission = Admission::new(&state, parameters, quota_time());
                let admit = |transaction: &Transaction| {
                    admission.work() + work(transaction) <= parameters.block_work_max
                        && admission.admit(transaction).is_ok()
                };
                self.pool.batch(height, count, bytes, |id| next_nonce(&state, id), admit)
            }
            None => Vec::new(),
        };
        way::tell(&transactions, "proposed", Some(height));
        self.answer(Input::Batch { parent, transactions });
    }

    fn admission<'a, R: StateReader>(&'a self, state: &'a R) -> Admission<'a, R> {
        Admission::new(state, self.ledger.parameters(), quota_time())
    }
}

/// What the pool may hold.
pub(super) fn pool_limits() -> Limits {
    Limits::default()
}

/// The time at which quotas are reckoned for a block that is about to be made: a little ago, so that the block's
/// own time is never before it, even if the clock is set back in between.
fn quota_time() -> TimestampMs {
    const MARGIN_MS: u64 = 1_000;
    TimestampMs(now().0.saturating_sub(MARGIN_MS))
}

/// The epoch that begins with the child of the tip, which ended the one before.
fn epoch_at_tip(ledger: &Ledger) -> EpochContext {
    let tip = ledger.tip();
    EpochContext {
        chain: ledger.reader().chain(),
        epoch: tip.epoch,
        set: Arc::clone(&tip.validators),
        start_height: tip.height,
        start_block: tip.block,
        start_result: tip.result.hash(),
    }
}

fn next_nonce(state: &impl StateReader, account: AccountId) -> Option<Nonce> {
    state.account_entry(account).ok().flatten().map(|account| account.nonce)
}

#[cfg(test)]
#[path = "executor_tests.rs"]
mod tests;
