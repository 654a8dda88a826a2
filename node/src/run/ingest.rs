//! Transactions on their way in: from clients, from gossip, from validators that wait for them. Cheap checks
//! first, signatures in batches, then the pool; what a client brought is passed on by gossip.

use super::disk::DiskLow;
use super::executor::{Insertion, Job};
use super::known::Known;
use super::metrics::{Metrics, Outcome, Stage};
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
    fn take(&mut self, Together { candidates, verdicts }: Together) {
        let height = self.reader.tip().height.next();
        let parameters = self.reader.parameters();
        let (mut sound, began) = (vec![true; verdicts.len()], Instant::now());
        let count = candidates.len();
        let mut checked = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            match self.check(&candidate.transaction, height, &parameters) {
                Ok(()) => checked.push(candidate),
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
        let authentic = self.verify(&checked);
        let forged = authentic.iter().filter(|authentic| !**authentic).count();
        self.metrics.incoming(Outcome::Forged, forged);
        let mut insert: Vec<Insertion> = Vec::new();
        let mut publish = Vec::new();
        for (candidate, authentic) in checked.into_iter().zip(authentic) {
            if !authentic {
                if let Some(batch) = candidate.batch {
                    sound[batch] = false;
                }
                candidate.refuse(InvalidTransaction::Signature.into());
                continue;
            }
            let Candidate { transaction, client, .. } = candidate;
            if client.is_some() {
                publish.push(transaction.clone());
            }
            insert.push(Insertion { transaction, client });
        }
        if !insert.is_empty() && self.inserting.send(()).is_ok() {
            let _ = self.executor.send(Job::Insert(insert));
        }
        self.publish(publish);
        for (verdict, sound) in verdicts.into_iter().zip(sound) {
            if sound { verdict.accept() } else { verdict.reject() }
        }
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

    fn verify(&mut self, candidates: &[Candidate]) -> Vec<bool> {
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
        let mut verdicts = verdicts.iter();
        let verdicts = counts.into_iter().map(|count| verdicts.by_ref().take(count).all(|ok| *ok));
        let verdicts: Vec<_> = verdicts.collect();
        let new = candidates.iter().zip(&verdicts).zip(&messages);
        let new = new.filter(|((_, authentic), message)| **authentic && message.is_some());
        self.known.add(new.map(|((candidate, _), _)| &candidate.transaction));
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
            let (inserting, known) = (places.clone(), Known::default());
            let metrics = Metrics::new();
            let ingest = Ingest {
                reader,
                runtime: Handle::current(),
                network,
                executor,
                inserting,
                disk_low,
                known,
                metrics,
            };
            Self { ingest, jobs, places, taken, low, wire, _chain: chain }
        }
    }

    fn submitted(nonce: u64) -> Submission {
        Submission { transaction: transaction(nonce, 1), answer: oneshot::channel().0 }
    }

    /// The queue of one kind with nobody at the other.
    fn clients() -> (mpsc::Sender<Submission>, mpsc::Receiver<Submission>, mpsc::Receiver<Incoming>) {
        let (clients, queue) = mpsc::channel(SUBMISSIONS_WAITING_MAX);
        (clients, queue, mpsc::channel(1).1)
    }

    /// The nonces of the next insertion.
    fn inserted(jobs: &Receiver<Job>) -> Vec<u64> {
        let Ok(Job::Insert(all)) = jobs.recv_timeout(PATIENCE) else { panic!("no insertion") };
        all.iter().map(|one| one.transaction.body().nonce.0).collect()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn so_many_are_checked_together_and_the_next_with_the_next() {
        let bench = Bench::start().await;
        let (clients, queue, others) = clients();
        let all = VERIFY_MAX as u64 + 1;
        for nonce in 0..all {
            assert!(clients.try_send(submitted(nonce)).is_ok());
        }
        drop(clients);
        std::thread::spawn(move || bench.ingest.run(others, queue)).join().unwrap();
        assert_eq!(inserted(&bench.jobs), (0..all - 1).collect::<Vec<_>>());
        assert_eq!(inserted(&bench.jobs), [all - 1]);
        assert!(bench.jobs.try_recv().is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn batches_are_verified_together_up_to_so_many_transactions() {
        let bench = Bench::start().await;
        let (incoming, queue) = mpsc::channel(WAITING_MAX);
        let half = TOGETHER_MAX as u64 / 2;
        for batch in 0..3 {
            let transactions =
                (batch * half..(batch + 1) * half).map(|nonce| transaction(nonce, 1)).collect();
            assert!(incoming.try_send(Incoming::Relayed(transactions)).is_ok());
        }
        drop(incoming);
        let (_, clients, _) = clients();
        std::thread::spawn(move || bench.ingest.run(queue, clients)).join().unwrap();
        assert_eq!(inserted(&bench.jobs), (0..TOGETHER_MAX as u64).collect::<Vec<_>>());
        assert_eq!(inserted(&bench.jobs).len() as u64, half);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn clients_are_refused_while_the_disk_is_nearly_full() {
        let bench = Bench::start().await;
        for low in [true, false] {
            bench.low.send_replace(low.then(|| "full".to_owned()));
            let (clients, queue, others) = clients();
            let (answer, mut verdict) = oneshot::channel();
            let submission = Submission { transaction: transaction(0, 1), answer };
            assert!(clients.try_send(submission).is_ok());
            drop(clients);
            let Ingest { reader, network, executor, inserting, disk_low, .. } = &bench.ingest;
            let (reader, network, executor) = (reader.clone(), network.clone(), executor.clone());
            let (inserting, disk_low) = (inserting.clone(), disk_low.clone());
            let known = Known::default();
            let metrics = Metrics::new();
            let ingest = Ingest {
                reader,
                runtime: Handle::current(),
                network,
                executor,
                inserting,
                disk_low,
                known,
                metrics,
            };
            std::thread::spawn(move || ingest.run(others, queue)).join().unwrap();
            assert_eq!(verdict.try_recv().ok(), low.then_some(Err(Rejection::DiskLow)));
        }
        assert_eq!(inserted(&bench.jobs), [0]);
    }

    /// An executor that inserts nothing makes the checks wait, and nothing is lost.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn so_many_insertions_wait_and_then_the_checks_do() {
        let Bench { ingest, jobs, places, taken, low: _low, wire: _wire, _chain } = Bench::start().await;
        let (clients, queue, others) = clients();
        let checking = std::thread::spawn(move || ingest.run(others, queue));
        for nonce in 0..INSERTS_WAITING_MAX as u64 {
            assert!(clients.try_send(submitted(nonce)).is_ok());
            assert_eq!(inserted(&jobs), [nonce]);
        }
        assert_eq!(places.try_send(()), Err(TrySendError::Full(())));
        let next = INSERTS_WAITING_MAX as u64;
        assert!(clients.try_send(submitted(next)).is_ok());
        until("it has been taken to be checked", || clients.capacity() == SUBMISSIONS_WAITING_MAX).await;
        assert!(jobs.try_recv().is_err(), "it waits");
        let all = SUBMISSIONS_WAITING_MAX as u64;
        for nonce in 1..=all {
            assert!(clients.try_send(submitted(next + nonce)).is_ok());
        }
        let refused = clients.try_send(submitted(0));
        assert!(matches!(refused, Err(mpsc::error::TrySendError::Full(_))));
        drop(clients);
        let mut order = Vec::new();
        while order.len() <= all as usize {
            taken.recv().unwrap();
            order.extend(inserted(&jobs));
        }
        assert_eq!(order, (next..=next + all).collect::<Vec<_>>());
        checking.join().unwrap();
    }

    /// What others have taken goes before what clients bring, but for one group in so many.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn other_nodes_go_first_and_clients_have_their_turn() {
        let bench = Bench::start().await;
        let ((clients, queue, _), (incoming, others)) = (clients(), mpsc::channel(WAITING_MAX));
        let (count, each) = (CLIENTS_FIRST_EVERY as usize, VERIFY_MAX);
        assert!(clients.try_send(submitted(1_000_000)).is_ok());
        assert!(count * each > WAITING_MAX, "more than wait: they come meanwhile");
        let relayed = std::thread::spawn(move || {
            for nonce in 0..(count * each) as u64 {
                assert!(incoming.blocking_send(Incoming::Relayed(vec![transaction(nonce, 1)])).is_ok());
            }
        });
        let waiting = others;
        until("others wait", || waiting.len() == WAITING_MAX).await;
        let checking = std::thread::spawn(move || bench.ingest.run(waiting, queue));
        let mut order = Vec::new();
        while !order.contains(&1_000_000) {
            order.extend(inserted(&bench.jobs));
            let _ = bench.taken.try_recv();
        }
        assert!(order.len() > each, "others went first");
        drop(clients);
        while order.len() <= count * each {
            order.extend(inserted(&bench.jobs));
            let _ = bench.taken.try_recv();
        }
        relayed.join().unwrap();
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
