//! Transactions on their way in: from clients, from gossip, from validators that wait for them. Cheap checks
//! first, signatures in batches, then the pool; what a client brought is passed on by gossip.

use super::disk::DiskLow;
use super::executor::{Insertion, Job, pool_limits};
use super::known::Known;
use super::metrics::{Metrics, Outcome, Stage};
use super::way;
use super::wire::{BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX, Batch};
use crate::cli::now;
use bytes::Bytes;
use quorate_chain::codec::{decode, encode};
use quorate_chain::crypto::verify_batch;
use quorate_chain::execution::{Admission, InvalidTransaction, check_form};
use quorate_chain::ledger::Reader;
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{StateError, StateReader};
use quorate_chain::{Nonce, Transaction};
use quorate_p2p::{GossipVerdict, Network};
use quorate_rpc::{Rejection, Submission};
use std::time::Instant;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

/// Most of what waits that is looked at together.
const VERIFY_MAX: usize = 256;
/// Transactions after which no more batches of gossip are verified with them: a signature among so many costs an
/// eighth less than among 140.
const TOGETHER_MAX: usize = 512;
/// Batches of other nodes that wait to be checked; more are dropped.
pub(super) const WAITING_MAX: usize = 512;
/// Submissions of clients that wait to be checked; more are refused at the door.
pub(super) const SUBMISSIONS_WAITING_MAX: usize = 1_024;
/// One group in so many is taken from clients first. All others from other nodes: what they have taken, a client was
/// told is taken, and a block of theirs waits for those who lack it.
const CLIENTS_FIRST_EVERY: u32 = 8;

/// Something of another node to be taken in.
pub(super) enum Incoming {
    /// From gossip; the verdict decides whether it is passed on.
    Gossip(Bytes, GossipVerdict),
    /// From a validator that waits for them (R33).
    Relayed(Vec<Transaction>),
}

/// The checks, on a thread of their own.
#[cfg_attr(test, derive(Clone))]
pub(super) struct Ingest {
    pub(super) reader: Reader,
    pub(super) network: Network,
    pub(super) runtime: Handle,
    pub(super) executor: std::sync::mpsc::Sender<Job>,
    /// Full while the executor has enough to insert.
    pub(super) inserting: std::sync::mpsc::SyncSender<()>,
    /// While it says why, clients are refused.
    pub(super) disk_low: watch::Receiver<DiskLow>,
    pub(super) known: Known,
    pub(super) metrics: Metrics,
}

/// Waits for what comes next, from one queue or the other; false when both have ended.
async fn next(
    incoming: &mut mpsc::Receiver<Incoming>,
    group: &mut Vec<Incoming>,
    clients: &mut mpsc::Receiver<Submission>,
    submitted: &mut Vec<Submission>,
    clients_first: bool,
) -> bool {
    let of_clients = clients.recv_many(submitted, VERIFY_MAX);
    let of_others = incoming.recv_many(group, VERIFY_MAX);
    // None at all: that queue has ended.
    if clients_first {
        tokio::select! { biased; 1.. = of_clients => true, 1.. = of_others => true, else => false }
    } else {
        tokio::select! { biased; 1.. = of_others => true, 1.. = of_clients => true, else => false }
    }
}

/// A transaction and whoever waits for its verdict.
struct Candidate {
    transaction: Transaction,
    client: Option<oneshot::Sender<Result<(), Rejection>>>,
    /// The batch of gossip that it came in.
    batch: Option<usize>,
}

/// What became of a transaction's signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// Some does not hold.
    Forged,
    /// They were found to hold before.
    Known,
    /// They hold.
    New,
}

impl Verdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Forged => "forged",
            Self::Known => "known",
            Self::New => "verified",
        }
    }
}

/// What is checked together.
#[derive(Default)]
struct Together {
    candidates: Vec<Candidate>,
    /// Of the batches of gossip.
    verdicts: Vec<GossipVerdict>,
}

impl Together {
    fn add(&mut self, transactions: Vec<Transaction>, batch: Option<usize>) {
        let candidate = |transaction| Candidate { transaction, client: None, batch };
        self.candidates.extend(transactions.into_iter().map(candidate));
    }

    /// A batch is passed on as a whole if nobody could find fault with its bytes, whatever this node's state
    /// says of it: it may be ahead or behind.
    fn gossip(&mut self, batch: &[u8], verdict: GossipVerdict) {
        match decode::<Batch>(batch) {
            Ok(transactions) => {
                self.verdicts.push(verdict);
                self.add(transactions.into_inner(), Some(self.verdicts.len() - 1));
            }
            Err(_) => verdict.reject(),
        }
    }
}

impl Candidate {
    fn refuse(self, why: Rejection) {
        if let Some(client) = self.client {
            let _ = client.send(Err(why));
        }
    }
}

impl Ingest {
    /// Works until every sender is gone.
    pub(super) fn run(
        mut self,
        mut incoming: mpsc::Receiver<Incoming>,
        mut clients: mpsc::Receiver<Submission>,
    ) {
        let (mut group, mut submitted) = (Vec::with_capacity(VERIFY_MAX), Vec::with_capacity(VERIFY_MAX));
        let runtime = self.runtime.clone();
        for round in 1u32.. {
            let clients_first = round.is_multiple_of(CLIENTS_FIRST_EVERY);
            let next = next(&mut incoming, &mut group, &mut clients, &mut submitted, clients_first);
            if !runtime.block_on(next) {
                return;
            }
            let mut together = Together::default();
            for Submission { transaction, answer } in submitted.drain(..) {
                if self.disk_low.borrow().is_some() {
                    let _ = answer.send(Err(Rejection::DiskLow));
                } else {
                    let client = Some(answer);
                    together.candidates.push(Candidate { transaction, client, batch: None });
                }
            }
            for one in group.drain(..) {
                match one {
                    Incoming::Relayed(transactions) => together.add(transactions, None),
                    Incoming::Gossip(batch, verdict) => together.gossip(&batch, verdict),
                }
                if together.candidates.len() >= TOGETHER_MAX {
                    self.take(std::mem::take(&mut together));
                }
            }
            if !together.candidates.is_empty() {
                self.take(together);
            }
        }
    }

    /// Takes in what is sound, and says of each batch of gossip whether all of it is authentic and of this chain.
    fn take(&mut self, Together { candidates, verdicts: gossip }: Together) {
        let height = self.reader.tip().height.next();
        let parameters = self.reader.parameters();
        let (mut sound, began) = (vec![true; gossip.len()], Instant::now());
        let count = candidates.len();
        let mut checked = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            match self.check(&candidate.transaction, height, &parameters) {
                // Others may be ahead of this node, and nobody is to blame for that.
                Ok(next) if candidate.client.is_some() => {
                    match pool_limits().check_nonce(next, candidate.transaction.body().nonce) {
                        Ok(_) => checked.push(candidate),
                        Err(refused) => candidate.refuse(refused.into()),
                    }
                }
                Ok(_) => checked.push(candidate),
                Err(error) => {
                    if let Some(batch) = candidate.batch.filter(|_| error.is_peer_fault()) {
                        sound[batch] = false;
                    }
                    candidate.refuse(error.into());
                }
            }
        }
        self.metrics.stage(Stage::Check, began);
        self.metrics.incoming(Outcome::Refused, count - checked.len());
        let verdicts = self.verify(&checked);
        let forged = verdicts.iter().filter(|verdict| **verdict == Verdict::Forged).count();
        self.metrics.incoming(Outcome::Forged, forged);
        let mut insert: Vec<Insertion> = Vec::new();
        let mut publish = Vec::new();
        for (candidate, verdict) in checked.into_iter().zip(verdicts) {
            way::tell_one(candidate.transaction.id(), verdict.name(), None);
            if verdict == Verdict::Forged {
                if let Some(batch) = candidate.batch {
                    sound[batch] = false;
                }
                candidate.refuse(InvalidTransaction::Signature.into());
                continue;
            }
            let Candidate { transaction, client, .. } = candidate;
            // What was verified before was passed on then, or came from others.
            if client.is_some() && verdict == Verdict::New {
                publish.push(transaction.clone());
            }
            insert.push(Insertion { transaction, client });
        }
        if !insert.is_empty() && self.inserting.send(()).is_ok() {
            let _ = self.executor.send(Job::Insert(insert));
        }
        self.publish(publish);
        for (verdict, sound) in gossip.into_iter().zip(sound) {
            if sound { verdict.accept() } else { verdict.reject() }
        }
    }

    fn check(
        &self,
        transaction: &Transaction,
        height: quorate_chain::Height,
        parameters: &Result<Parameters, StateError>,
    ) -> Result<Nonce, InvalidTransaction> {
        check_form(transaction, self.reader.chain(), height)?;
        let parameters = parameters.as_ref().map_err(StateError::clone)?;
        let expected = Admission::new(&self.reader, parameters, now()).check(transaction)?;
        let found = transaction.body().nonce;
        if found < expected { Err(InvalidTransaction::Nonce { expected, found }) } else { Ok(expected) }
    }

    fn verify(&mut self, candidates: &[Candidate]) -> Vec<Verdict> {
        let chain = self.reader.chain();
        let known = self.known.have(candidates.iter().map(|candidate| &candidate.transaction));
        let message = |(candidate, known): (&Candidate, bool)| {
            (!known).then(|| candidate.transaction.signed_bytes(chain))
        };
        let messages: Vec<_> = candidates.iter().zip(known).map(message).collect();
        let mut signed = Vec::new();
        let mut counts = Vec::new();
        for (candidate, message) in candidates.iter().zip(&messages) {
            let before = signed.len();
            signed.extend(message.iter().flat_map(|message| candidate.transaction.signed_messages(message)));
            counts.push(signed.len() - before);
        }
        let began = Instant::now();
        let verdicts = verify_batch(&signed);
        if !signed.is_empty() {
            self.metrics.stage(Stage::Verify, began);
            self.metrics.verify_batch(messages.iter().flatten().count());
        }
        self.metrics.verified.inc_by(signed.len() as u64);
        self.metrics.known.inc_by(messages.iter().filter(|message| message.is_none()).count() as u64);
        let mut rest = &verdicts[..];
        let verdict = |(count, message): (usize, &Option<_>)| {
            let (own, others) = rest.split_at(count);
            rest = others;
            match message {
                None => Verdict::Known,
                Some(_) if own.iter().all(|ok| *ok) => Verdict::New,
                Some(_) => Verdict::Forged,
            }
        };
        let verdicts: Vec<_> = counts.into_iter().zip(&messages).map(verdict).collect();
        let new = candidates.iter().zip(&verdicts).filter(|(_, verdict)| **verdict == Verdict::New);
        self.known.add(new.map(|(candidate, _)| &candidate.transaction));
        verdicts
    }

    fn publish(&self, transactions: Vec<Transaction>) {
        let mut batch = Vec::new();
        let mut bytes = 0;
        for transaction in transactions {
            let size = transaction.bytes().len() + 4;
            if bytes + size > BATCH_BYTES_MAX || batch.len() == BATCH_TRANSACTIONS_MAX {
                self.publish_batch(std::mem::take(&mut batch));
                bytes = 0;
            }
            bytes += size;
            batch.push(transaction);
        }
        self.publish_batch(batch);
    }

    fn publish_batch(&self, batch: Vec<Transaction>) {
        let Ok(batch) = Batch::new(batch) else { return };
        if let Err(error) = self.network.publish(encode(&batch).into()) {
            // The transactions wait in the pool; the relay brings them to the others (R33).
            tracing::debug!(%error, "a batch was not gossiped");
        }
    }
}

#[cfg(test)]
#[path = "ingest_tests.rs"]
mod tests;
