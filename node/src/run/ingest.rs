//! Transactions on their way in: from clients, from gossip, from validators that wait for them. Cheap checks
//! first, signatures in batches, then the pool; what a client brought is passed on by gossip.

use super::disk::DiskLow;
use super::executor::{InsertAnswer, Job};
use super::wire::{BATCH_BYTES_MAX, BATCH_TRANSACTIONS_MAX, Batch};
use crate::cli::now;
use bytes::Bytes;
use quorate_chain::Transaction;
use quorate_chain::codec::{decode, encode};
use quorate_chain::crypto::verify_batch;
use quorate_chain::execution::{Admission, InvalidTransaction, check_form};
use quorate_chain::ledger::Reader;
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{StateError, StateReader};
use quorate_p2p::{GossipVerdict, Network};
use quorate_rpc::{Rejection, Submission};
use tokio::sync::{mpsc, oneshot, watch};

/// Most transactions of one signature batch.
const VERIFY_MAX: usize = 256;
/// Batches that wait to be checked; more are refused at the door.
pub(super) const WAITING_MAX: usize = 1_024;

/// Something to be taken in.
pub(super) enum Incoming {
    /// From a client.
    Client(Submission),
    /// From gossip; the verdict decides whether it is passed on.
    Gossip(Bytes, GossipVerdict),
    /// From a validator that waits for them (R33).
    Relayed(Vec<Transaction>),
}

/// The checks, on a thread of their own.
pub(super) struct Ingest {
    pub(super) reader: Reader,
    pub(super) network: Network,
    pub(super) executor: std::sync::mpsc::Sender<Job>,
    /// Full while the executor has enough to insert.
    pub(super) inserting: std::sync::mpsc::SyncSender<()>,
    /// While it says why, clients are refused.
    pub(super) disk_low: watch::Receiver<DiskLow>,
}

/// A transaction and whoever waits for its verdict.
struct Candidate {
    transaction: Transaction,
    client: Option<oneshot::Sender<Result<(), Rejection>>>,
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
    pub(super) fn run(self, mut incoming: mpsc::Receiver<Incoming>) {
        let mut group = Vec::with_capacity(VERIFY_MAX);
        while incoming.blocking_recv_many(&mut group, VERIFY_MAX) > 0 {
            let mut candidates = Vec::new();
            for one in group.drain(..) {
                match one {
                    Incoming::Client(submission) if self.disk_low.borrow().is_some() => {
                        let _ = submission.answer.send(Err(Rejection::DiskLow));
                    }
                    Incoming::Client(Submission { transaction, answer }) => {
                        candidates.push(Candidate { transaction, client: Some(answer) });
                    }
                    Incoming::Relayed(transactions) => candidates.extend(
                        transactions.into_iter().map(|transaction| Candidate { transaction, client: None }),
                    ),
                    Incoming::Gossip(batch, verdict) => self.gossip(&batch, verdict),
                }
            }
            if !candidates.is_empty() {
                self.take(candidates);
            }
        }
    }

    /// A batch is passed on as a whole if nobody could find fault with its bytes, whatever this node's state
    /// says of it: it may be ahead or behind.
    fn gossip(&self, batch: &[u8], verdict: GossipVerdict) {
        let Ok(transactions) = decode::<Batch>(batch) else { return verdict.reject() };
        let candidates = transactions.into_inner().into_iter();
        let candidates = candidates.map(|transaction| Candidate { transaction, client: None }).collect();
        if self.take(candidates) { verdict.accept() } else { verdict.reject() }
    }

    /// Whether all were authentic and of this chain.
    fn take(&self, candidates: Vec<Candidate>) -> bool {
        let height = self.reader.tip().height.next();
        let parameters = self.reader.parameters();
        let mut sound = true;
        let mut checked = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            match self.check(&candidate.transaction, height, &parameters) {
                Ok(()) => checked.push(candidate),
                Err(error) => {
                    sound &= !error.is_peer_fault();
                    candidate.refuse(error.into());
                }
            }
        }
        let authentic = self.verify(&checked);
        let mut insert: Vec<(Transaction, InsertAnswer)> = Vec::new();
        let mut publish = Vec::new();
        for (candidate, authentic) in checked.into_iter().zip(authentic) {
            if !authentic {
                sound = false;
                candidate.refuse(InvalidTransaction::Signature.into());
                continue;
            }
            let Candidate { transaction, client } = candidate;
            if client.is_some() {
                publish.push(transaction.clone());
            }
            let answer: InsertAnswer = Box::new(move |verdict| {
                if let Some(client) = client {
                    let _ = client.send(verdict);
                }
            });
            insert.push((transaction, answer));
        }
        if !insert.is_empty() && self.inserting.send(()).is_ok() {
            let _ = self.executor.send(Job::Insert(insert));
        }
        self.publish(publish);
        sound
    }

    fn check(
        &self,
        transaction: &Transaction,
        height: quorate_chain::Height,
        parameters: &Result<Parameters, StateError>,
    ) -> Result<(), InvalidTransaction> {
        check_form(transaction, self.reader.chain(), height)?;
        let parameters = parameters.as_ref().map_err(StateError::clone)?;
        let expected = Admission::new(&self.reader, parameters, now()).check(transaction)?;
        let found = transaction.body().nonce;
        if found < expected { Err(InvalidTransaction::Nonce { expected, found }) } else { Ok(()) }
    }

    fn verify(&self, candidates: &[Candidate]) -> Vec<bool> {
        let chain = self.reader.chain();
        let messages: Vec<_> = candidates.iter().map(|c| c.transaction.signed_bytes(chain)).collect();
        let mut signed = Vec::new();
        let mut counts = Vec::new();
        for (candidate, message) in candidates.iter().zip(&messages) {
            let before = signed.len();
            signed.extend(candidate.transaction.signed_messages(message));
            counts.push(signed.len() - before);
        }
        let verdicts = verify_batch(&signed);
        let mut verdicts = verdicts.iter();
        counts.into_iter().map(|count| verdicts.by_ref().take(count).all(|ok| *ok)).collect()
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
mod tests {
    use super::super::executor::INSERTS_WAITING_MAX;
    use super::super::fixture::{Chain, PATIENCE, Wire, lone, transaction, transactions, until};
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, TrySendError};

    /// The checks, the executor's end of their queue, and the places in it.
    struct Bench {
        ingest: Ingest,
        jobs: Receiver<Job>,
        places: SyncSender<()>,
        taken: Receiver<()>,
        low: watch::Sender<DiskLow>,
        wire: Wire,
        _chain: Chain,
    }

    impl Bench {
        async fn start() -> Self {
            let (chain, wire) = (Chain::open(), lone().await);
            let (executor, jobs) = std::sync::mpsc::channel();
            let (places, taken) = std::sync::mpsc::sync_channel(INSERTS_WAITING_MAX);
            let (reader, network) = (chain.reader.clone(), wire.0.clone());
            let (low, disk_low) = watch::channel(None);
            let ingest = Ingest { reader, network, executor, inserting: places.clone(), disk_low };
            Self { ingest, jobs, places, taken, low, wire, _chain: chain }
        }
    }

    fn submitted(nonce: u64) -> Incoming {
        let answer = oneshot::channel().0;
        Incoming::Client(Submission { transaction: transaction(nonce, 1), answer })
    }

    /// The nonces of the next insertion.
    fn inserted(jobs: &Receiver<Job>) -> Vec<u64> {
        let Ok(Job::Insert(all)) = jobs.recv_timeout(PATIENCE) else { panic!("no insertion") };
        all.iter().map(|(transaction, _)| transaction.body().nonce.0).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn so_many_are_checked_together_and_the_next_with_the_next() {
        let bench = Bench::start().await;
        let (incoming, queue) = mpsc::channel(WAITING_MAX);
        let all = VERIFY_MAX as u64 + 1;
        for nonce in 0..all {
            assert!(incoming.try_send(submitted(nonce)).is_ok());
        }
        drop(incoming);
        std::thread::spawn(move || bench.ingest.run(queue)).join().unwrap();
        assert_eq!(inserted(&bench.jobs), (0..all - 1).collect::<Vec<_>>());
        assert_eq!(inserted(&bench.jobs), [all - 1]);
        assert!(bench.jobs.try_recv().is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn clients_are_refused_while_the_disk_is_nearly_full() {
        let bench = Bench::start().await;
        for low in [true, false] {
            bench.low.send_replace(low.then(|| "full".to_owned()));
            let (incoming, queue) = mpsc::channel(WAITING_MAX);
            let (answer, mut verdict) = oneshot::channel();
            let submission = Submission { transaction: transaction(0, 1), answer };
            assert!(incoming.try_send(Incoming::Client(submission)).is_ok());
            drop(incoming);
            let Ingest { reader, network, executor, inserting, disk_low } = &bench.ingest;
            let (reader, network, executor) = (reader.clone(), network.clone(), executor.clone());
            let (inserting, disk_low) = (inserting.clone(), disk_low.clone());
            let ingest = Ingest { reader, network, executor, inserting, disk_low };
            std::thread::spawn(move || ingest.run(queue)).join().unwrap();
            assert_eq!(verdict.try_recv().ok(), low.then_some(Err(Rejection::DiskLow)));
        }
        assert_eq!(inserted(&bench.jobs), [0]);
    }

    /// An executor that inserts nothing makes the checks wait, and nothing is lost.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn so_many_insertions_wait_and_then_the_checks_do() {
        let Bench { ingest, jobs, places, taken, low: _low, wire: _wire, _chain } = Bench::start().await;
        let (incoming, queue) = mpsc::channel(WAITING_MAX);
        let checking = std::thread::spawn(move || ingest.run(queue));
        for nonce in 0..INSERTS_WAITING_MAX as u64 {
            assert!(incoming.try_send(submitted(nonce)).is_ok());
            assert_eq!(inserted(&jobs), [nonce]);
        }
        assert_eq!(places.try_send(()), Err(TrySendError::Full(())));
        let next = INSERTS_WAITING_MAX as u64;
        assert!(incoming.try_send(submitted(next)).is_ok());
        until("it has been taken to be checked", || incoming.capacity() == WAITING_MAX).await;
        assert!(jobs.try_recv().is_err(), "it waits");
        taken.recv().unwrap();
        assert_eq!(inserted(&jobs), [next]);
        drop(incoming);
        checking.join().unwrap();
    }

    /// With so long transactions fifteen fill a batch to the last byte.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_batch_takes_so_many_bytes_and_what_is_left_is_another() {
        let bench = Bench::start().await;
        let network = &bench.wire.0;
        // Nobody listens, so each batch is tried, and counted.
        let tried = || network.stats().publish_failed + network.stats().gossip_published;
        let each = BATCH_BYTES_MAX / 15 - 4;
        let mut batches = 0;
        for (count, more) in [(15, 1), (16, 2)] {
            bench.ingest.publish(transactions(0..count, each));
            batches += more;
            until("all batches have been tried", || tried() >= batches).await;
            // Taken after whatever was published before it.
            let asked = network.request(network.local_key(), Bytes::new()).await;
            assert!(asked.is_err());
            assert_eq!(tried(), batches, "{count} transactions");
        }
    }
}
