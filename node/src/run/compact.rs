//! Proposals on the wire. They name their transactions, most of which the receiver knows already; it asks for the
//! others.
//!
//! ```text
//!   core ──proposal──► first ──short ids──► verifier ──► known? ──all of them──────────────────────────► core
//!                                                         └──some missing──► ask the sender, then others ──┘
//! ```
//!
//! What can't be made whole is given up: the core asks for a block that others vote for, and a proposal that is sent
//! again (R30, R33) is sent whole.

use super::known::Known;
use super::metrics::{Arrived, Metrics};
use super::sync;
use super::verifier::Heard;
use super::wire::{Found, Frame, Places, Request};
use quorate_chain::codec::{decode, encode};
use quorate_chain::{BlockHash, Transaction};
use quorate_consensus::message::CompactProposal;
use quorate_consensus::{Message, Verified};
use quorate_p2p::{Network, NetworkKey};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

/// Transactions with no more bytes are sent with their proposal: a look for them costs more.
const WHOLE_BYTES_MAX: usize = 2_048;
/// Proposals of one peer whose missing transactions are asked for at once; it has no more in flight, and further ones
/// are dropped.
const ASKED_MAX: usize = 16;

/// What goes to all validators for an own message that is sent for the first time.
pub(super) fn first(message: Message, known: &Known) -> Frame {
    if let Message::Proposal(proposal) = &message {
        let block = proposal.block.block();
        let bytes: usize = block.transactions.iter().map(|one| one.bytes().len()).sum();
        if let Some(compact) = (bytes > WHOLE_BYTES_MAX).then(|| CompactProposal::of(proposal)).flatten() {
            known.proposed(proposal.block.hash(), block);
            return Frame::Proposal(compact);
        }
    }
    Frame::Consensus(message)
}

/// Makes proposals whole.
pub(super) struct Filler {
    runtime: Handle,
    known: Known,
    network: Network,
    core: mpsc::Sender<Heard>,
    metrics: Metrics,
    /// Of each peer; only peers on the allow-list get through, so these are few.
    places: HashMap<NetworkKey, Arc<Semaphore>>,
}

impl Filler {
    /// On the async runtime that asks others.
    pub(super) fn new(known: Known, network: Network, core: mpsc::Sender<Heard>, metrics: Metrics) -> Self {
        Self { runtime: Handle::current(), known, network, core, metrics, places: HashMap::new() }
    }

    /// The proposal, if all of its transactions are known; else the core hears of it when others have sent the rest.
    pub(super) fn fill(
        &mut self,
        from: NetworkKey,
        proposal: Verified<CompactProposal>,
    ) -> Option<Verified<Message>> {
        let found = self.known.find(&proposal.get().transactions);
        let missing = found.iter().filter(|transaction| transaction.is_none()).count();
        if missing == 0
            && let Some(message) = proposal.whole(found.iter().flatten().cloned().collect())
        {
            self.metrics.proposal(Arrived::Filled);
            return Some(message);
        }
        self.metrics.missing.inc_by(missing as u64);
        let places = self.places.entry(from).or_insert_with(|| Arc::new(Semaphore::new(ASKED_MAX)));
        let Ok(place) = Arc::clone(places).try_acquire_owned() else {
            self.metrics.proposal(Arrived::Dropped);
            return None;
        };
        let (network, core, metrics) = (self.network.clone(), self.core.clone(), self.metrics.clone());
        self.runtime.spawn(async move {
            let proposal = Arc::new(proposal);
            let whole = fetch(&network, from, &proposal, found).await;
            metrics.proposal(if whole.is_some() { Arrived::Fetched } else { Arrived::Dropped });
            match whole {
                Some(message) => drop(core.send(Heard::Message(message)).await),
                None => tracing::debug!(%from, "a proposal could not be made whole"),
            }
            drop(place);
        });
        None
    }
}

/// A proposal with what was found of its transactions, and what others have of the rest.
async fn fetch(
    network: &Network,
    from: NetworkKey,
    proposal: &Arc<Verified<CompactProposal>>,
    found: Vec<Option<Transaction>>,
) -> Option<Verified<Message>> {
    let block = proposal.get().header.hash();
    let missing = (0..).zip(&found).filter(|(_, transaction)| transaction.is_none()).map(|(place, _)| place);
    if let Ok(places) = Places::new(missing.collect())
        && let Some(rest) = ask(network, from, block, places).await
    {
        let mut rest = rest.into_iter();
        let transactions: Option<_> = found.into_iter().map(|one| one.or_else(|| rest.next())).collect();
        if let Some(transactions) = transactions
            && let Some(message) = bound(proposal, transactions).await
        {
            return Some(message);
        }
    }
    // It was long ago for the sender, or what is known here is another transaction with that short id.
    proposal.of_block(sync::body(network, Some(from), block).await?)
}

/// Hashes the transactions, off the async threads.
async fn bound(
    proposal: &Arc<Verified<CompactProposal>>,
    transactions: Vec<Transaction>,
) -> Option<Verified<Message>> {
    let proposal = Arc::clone(proposal);
    tokio::task::spawn_blocking(move || proposal.whole(transactions)).await.ok()?
}

/// The sender's transactions at these places; `None` when there is no answer that can be read.
async fn ask(
    network: &Network,
    from: NetworkKey,
    block: BlockHash,
    places: Places,
) -> Option<Vec<Transaction>> {
    let request = encode(&Request::Transactions(block, places)).into();
    let answer = network.request(from, request).await.inspect_err(|error| {
        tracing::debug!(peer = %from, %error, "a peer did not answer what a proposal lacks");
    });
    let answer = answer.ok()?;
    let read = tokio::task::spawn_blocking(move || decode::<Found>(&answer)).await.ok()?;
    let found = read.inspect_err(|error| tracing::warn!(peer = %from, %error, "refused an answer")).ok()?;
    Some(found?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{PATIENCE, Wire, context, pair, proposal, request, transactions, until};
    use super::*;
    use quorate_chain::block::BLOCK_TRANSACTIONS_MAX;
    use quorate_chain::codec::List;
    use quorate_chain::{Signature, TimestampMs, View};
    use tokio::time::timeout;

    fn compact(message: &Message) -> Verified<CompactProposal> {
        let Frame::Proposal(compact) = first(message.clone(), &Known::default()) else {
            panic!("it is sent whole")
        };
        let read: CompactProposal = decode(&encode(&compact)).unwrap();
        assert_eq!(read, compact);
        read.verify(&context()).unwrap()
    }

    /// A filler, and the peer that it asks.
    struct Bench {
        filler: Filler,
        heard: mpsc::Receiver<Heard>,
        peer: Wire,
        _own: Wire,
    }

    impl Bench {
        /// Of a node that knows these.
        async fn start(known: &[Transaction]) -> Self {
            let [own, peer] = pair().await;
            let (core, heard) = mpsc::channel(100);
            let filler = Filler::new(Known::default(), own.0.clone(), core, Metrics::new());
            filler.known.add(known);
            Self { filler, heard, peer, _own: own }
        }

        fn fill(&mut self, message: &Message) -> Option<Message> {
            self.filler.fill(self.peer.0.local_key(), compact(message)).map(Verified::into_inner)
        }

        /// The next request to the peer, answered so.
        async fn asked<T: borsh::BorshSerialize>(&mut self, answer: &T) -> Request {
            let (_, bytes, responder) = request(&mut self.peer.1).await;
            responder.respond(encode(answer).into());
            decode(&bytes).unwrap()
        }

        async fn heard(&mut self) -> Message {
            match timeout(PATIENCE, self.heard.recv()).await.unwrap() {
                Some(Heard::Message(message)) => message.into_inner(),
                _ => panic!("something else"),
            }
        }

        fn counted(&self, outcome: &str) -> u64 {
            let text = self.filler.metrics.text(None);
            let name = format!("quorate_compact_proposals_total{{outcome=\"{outcome}\"}} ");
            text.lines().find_map(|line| line.strip_prefix(&name)?.parse().ok()).unwrap_or(0)
        }
    }

    fn found(transactions: &[Transaction]) -> Found {
        Some(List::new(transactions.to_vec()).unwrap())
    }

    fn places(request: Request, block: BlockHash) -> Vec<u16> {
        let Request::Transactions(of, places) = request else { panic!("something else") };
        assert_eq!(of, block);
        places.into_inner()
    }

    #[test]
    fn few_bytes_are_sent_with_their_proposal_and_more_are_named() {
        for (bytes, whole) in [(WHOLE_BYTES_MAX / 2, true), (WHOLE_BYTES_MAX / 2 + 1, false)] {
            let ((message, block), known) = (proposal(transactions(0..2, bytes)), Known::default());
            assert_eq!(first(message.clone(), &known) == Frame::Consensus(message), whole, "{bytes}");
            assert_eq!(known.of_proposal(block.hash(), &[0]).is_none(), whole);
        }
    }

    #[test]
    fn only_the_primary_can_have_signed_it() {
        let (message, _) = proposal(transactions(0..20, 200));
        let right = compact(&message).into_inner();
        assert!(right.clone().verify(&context()).is_ok());
        let mut other = right.clone();
        other.header.timestamp_ms = TimestampMs(3);
        assert!(other.verify(&context()).is_err(), "another block");
        let other = CompactProposal { view: View(1), ..right.clone() };
        assert!(other.verify(&context()).is_err(), "another primary");
        let other = CompactProposal { signature: Signature([9; 64]), ..right };
        assert!(other.verify(&context()).is_err(), "another signature");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_known_makes_a_proposal_whole() {
        let all = transactions(0..20, 200);
        let mut bench = Bench::start(&all).await;
        let (message, _) = proposal(all);
        assert_eq!(bench.fill(&message), Some(message));
        assert_eq!((bench.counted("Filled"), bench.filler.metrics.missing.get()), (1, 0));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_missing_is_asked_of_the_sender() {
        let all = transactions(0..20, 200);
        let mut bench = Bench::start(&[&all[..3], &all[4..7], &all[8..]].concat()).await;
        let (message, block) = proposal(all.clone());
        assert_eq!(bench.fill(&message), None);
        let request = bench.asked(&found(&[all[3].clone(), all[7].clone()])).await;
        assert_eq!(places(request, block.hash()), [3, 7]);
        assert_eq!(bench.heard().await, message);
        assert_eq!((bench.counted("Fetched"), bench.filler.metrics.missing.get()), (1, 2));
    }

    /// The sender may have let them go meanwhile; and nobody is believed what the header does not bind.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_the_sender_does_not_give_comes_with_the_block_or_not_at_all() {
        let all = transactions(0..20, 200);
        let mut bench = Bench::start(&all[1..]).await;
        let (message, block) = proposal(all.clone());
        let (_, other) = proposal(transactions(0..19, 200));
        let wrong = found(&all[4..5]);
        for (given, body) in [(None, Some(block.clone())), (wrong, Some(other)), (None, None)] {
            assert_eq!(bench.fill(&message), None);
            assert_eq!(places(bench.asked(&given).await, block.hash()), [0]);
            let arrives = body.as_ref() == Some(&block);
            assert_eq!(bench.asked(&body).await, Request::Body(block.hash()));
            if arrives {
                assert_eq!(bench.heard().await, message);
            }
        }
        until("both were given up", || bench.counted("Dropped") == 2).await;
        assert!(bench.heard.try_recv().is_err());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn of_so_many_proposals_of_a_peer_the_rest_is_asked_for_at_once() {
        let all = transactions(0..20, 200);
        let mut bench = Bench::start(&all[1..]).await;
        let (message, block) = proposal(all.clone());
        let mut asked = Vec::new();
        for _ in 0..ASKED_MAX {
            assert_eq!(bench.fill(&message), None);
            asked.push(request(&mut bench.peer.1).await.2);
        }
        assert_eq!(bench.fill(&message), None);
        assert_eq!(bench.counted("Dropped"), 1);
        asked.pop().unwrap().respond(encode(&found(&all[..1])).into());
        assert_eq!(bench.heard().await, message);
        let of_peer = Arc::clone(&bench.filler.places[&bench.peer.0.local_key()]);
        until("a place is free", || of_peer.available_permits() == 1).await;
        assert_eq!(bench.fill(&message), None);
        assert_eq!(places(bench.asked(&found(&all[..1])).await, block.hash()), [0]);
        assert_eq!(bench.heard().await, message);
    }

    #[test]
    fn all_places_of_a_block_fit_a_request() {
        let places = Places::new((0..BLOCK_TRANSACTIONS_MAX as u16).collect()).unwrap();
        let request = encode(&Request::Transactions(BlockHash([1; 32]), places));
        assert!(request.len() <= quorate_p2p::REQUEST_BYTES_MAX, "{}", request.len());
    }
}
