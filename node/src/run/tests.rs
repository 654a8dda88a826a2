//! The queues between a node's parts, each filled and gone beyond by one.

use super::compact::{self, Filler};
use super::fixture::{
    CHAIN, Chain, PATIENCE, Wire, context, lone, proposal, transaction, transactions, until,
};
use super::ingest::{Incoming, WAITING_MAX};
use super::known::Known;
use super::metrics::Metrics;
use super::serve::Server;
use super::start_verifier;
use super::verifier::{FRAMES_WAITING_MAX, Heard, MESSAGES_WAITING_MAX, Verifier};
use super::wire::{Batch, Frame};
use quorate_chain::codec::encode;
use quorate_chain::validator::fixture::consensus_key;
use quorate_chain::{Epoch, Height, Nonce, Transaction, ValidatorIndex, View};
use quorate_consensus::Unsigned;
use quorate_consensus::message::Status;
use quorate_p2p::{Event, NetworkKey};
use std::sync::Arc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

const PEER: NetworkKey = NetworkKey([9; 32]);

fn nonces(transactions: &[Transaction]) -> Vec<Nonce> {
    transactions.iter().map(|transaction| transaction.body().nonce).collect()
}

fn from_peer(frame: &Frame) -> Event {
    Event::Direct { from: PEER, frame: encode(frame).into() }
}

/// A frame of which the core hears at once: its sender is in that epoch.
fn of_epoch(epoch: u64) -> Event {
    let (tip_block, tip) = (CHAIN.genesis_block(), Height::ZERO);
    let status = Status { epoch: Epoch(epoch), view: View(0), tip, tip_block, prepared: tip };
    let message = Unsigned::Status(status).sign(CHAIN, ValidatorIndex(0), &consensus_key(0));
    from_peer(&Frame::Consensus(message))
}

/// The verifier between two queues.
struct Between {
    events: mpsc::Sender<Event>,
    messages: mpsc::Receiver<Heard>,
    ingest: mpsc::Receiver<Incoming>,
    known: Known,
    metrics: Metrics,
    _wire: Wire,
    _chain: Chain,
}

impl Between {
    async fn start() -> Self {
        let (events, incoming) = mpsc::channel(1);
        let (to_ingest, ingest) = mpsc::channel(WAITING_MAX);
        let chain = Chain::open();
        let server = Server::new(chain.reader.clone(), std::sync::mpsc::channel().0, Known::default());
        let context = watch::channel(Arc::new(context())).1;
        let (core, messages) = mpsc::channel(MESSAGES_WAITING_MAX);
        let (known, wire) = (Known::default(), lone().await);
        let filler = Filler::new(known.clone(), wire.0.clone(), core.clone(), Metrics::new());
        let metrics = Metrics::new();
        let verifier = Verifier { context, core, ingest: to_ingest, filler, metrics: metrics.clone() };
        start_verifier(verifier, incoming, server).unwrap();
        Self { events, messages, ingest, known, metrics, _wire: wire, _chain: chain }
    }

    async fn send(&self, event: Event) {
        assert!(timeout(PATIENCE, self.events.send(event)).await.unwrap().is_ok());
    }

    /// The epoch that the core hears of next.
    async fn heard(&mut self) -> u64 {
        match timeout(PATIENCE, self.messages.recv()).await.unwrap() {
            Some(Heard::OtherEpoch(PEER, epoch)) => epoch.0,
            _ => panic!("something else"),
        }
    }
}

/// A core that hears nothing makes its messages, then the frames, then the network wait; none is lost.
#[tokio::test]
async fn so_many_frames_and_messages_wait_and_then_the_network_does() {
    let mut between = Between::start().await;
    // Beside those in the queues the verifier and the dispatcher each hold one, and the network's queue.
    let all = (MESSAGES_WAITING_MAX + FRAMES_WAITING_MAX + 3) as u64;
    for epoch in 1..=all {
        between.send(of_epoch(epoch)).await;
    }
    until("the core's queue is full", || between.messages.len() == MESSAGES_WAITING_MAX).await;
    assert!(matches!(between.events.try_send(of_epoch(all + 1)), Err(TrySendError::Full(_))));
    for epoch in 1..=all {
        assert_eq!(between.heard().await, epoch);
    }
    between.send(of_epoch(all + 1)).await;
    assert_eq!(between.heard().await, all + 1);
}

/// A proposal that names its transactions is looked into if it comes from its primary, and not from anybody else.
#[tokio::test]
async fn nobody_but_its_primary_sends_a_proposal_for_the_first_time() {
    let mut between = Between::start().await;
    let (message, block) = proposal(transactions(0..20, 200));
    let frame = encode(&compact::first(message.clone(), &Known::default()));
    between.known.add(block.transactions.iter());
    let primary = NetworkKey(context().set.validators()[0].network.0);
    for from in [PEER, primary] {
        between.send(Event::Direct { from, frame: frame.clone().into() }).await;
    }
    between.send(of_epoch(5)).await;
    let once = timeout(PATIENCE, between.messages.recv()).await.unwrap();
    assert!(matches!(once, Some(Heard::Message(heard)) if *heard.get() == message));
    assert_eq!(between.heard().await, 5);
}

/// What others relay never holds up what they say: with a full queue it is dropped.
#[tokio::test]
async fn so_many_batches_wait_to_be_checked_and_the_next_is_dropped() {
    let mut between = Between::start().await;
    let relayed = |nonce| from_peer(&Frame::Transactions(Batch::new(vec![transaction(nonce, 1)]).unwrap()));
    for nonce in 0..=WAITING_MAX as u64 {
        between.send(relayed(nonce)).await;
    }
    between.send(of_epoch(5)).await;
    assert_eq!(between.heard().await, 5);
    let taken = |one| match one {
        Ok(Incoming::Relayed(batch)) => nonces(&batch),
        _ => panic!("something else"),
    };
    assert_eq!(between.metrics.unseen.get(), 1);
    for nonce in 0..WAITING_MAX as u64 {
        assert_eq!(taken(between.ingest.try_recv()), [Nonce(nonce)]);
    }
    assert!(between.ingest.try_recv().is_err(), "the last was dropped");
    between.send(relayed(7)).await;
    let next = timeout(PATIENCE, between.ingest.recv()).await.unwrap();
    assert_eq!(taken(next.ok_or(mpsc::error::TryRecvError::Empty)), [Nonce(7)]);
}
