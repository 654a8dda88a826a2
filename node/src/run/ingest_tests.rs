//! The checks: what goes together, what waits, what goes first.

use super::super::executor::INSERTS_WAITING_MAX;
use super::super::fixture::{Chain, PATIENCE, Wire, lone, transaction, transactions, until};
use super::*;
use quorate_chain::crypto::{Domain, SecretKey};
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
        let transactions = (batch * half..(batch + 1) * half).map(|nonce| transaction(nonce, 1)).collect();
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
        let ingest = bench.ingest.clone();
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
    assert!(clients.try_send(submitted(4_000)).is_ok());
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
    while !order.contains(&4_000) {
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

/// A transaction of which the first of two signatures does not hold takes both verdicts with it: what comes after it is
/// judged by its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_transaction_is_judged_by_its_own_signatures() {
    let mut bench = Bench::start().await;
    let chain = bench.ingest.reader.chain();
    let signed = |nonce: u64, seeds: &[u8], wrong: Option<usize>| {
        let body = transaction(nonce, 1).body().clone();
        let mut keys: Vec<_> = seeds.iter().map(|seed| SecretKey::from_seed(&[*seed; 32])).collect();
        keys.sort_by_key(SecretKey::public);
        let sign = |(at, key): (usize, &SecretKey)| {
            let mut signature = key.sign(Domain::Transaction, chain, &body);
            signature.0[40] ^= u8::from(wrong == Some(at));
            (key.public(), signature)
        };
        Transaction::with_signatures(body.clone(), keys.iter().enumerate().map(sign).collect()).unwrap()
    };
    let all = [
        signed(0, &[1, 2], Some(0)),
        signed(1, &[1], Some(0)),
        signed(2, &[1], None),
        signed(3, &[1, 2, 3], Some(1)),
        signed(4, &[1, 2], None),
        signed(5, &[1], Some(0)),
        signed(2, &[1], None),
    ];
    let right = all.each_ref().map(|one| one.verify_signatures(chain));
    let candidate = |transaction| Candidate { transaction, client: None, batch: None };
    let candidates: Vec<_> = all.map(candidate).into_iter().collect();
    for seen in [Verdict::New, Verdict::Known] {
        let verdicts = bench.ingest.verify(&candidates);
        assert_eq!(verdicts, right.map(|right| if right { seen } else { Verdict::Forged }));
    }
}
