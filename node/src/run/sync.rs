//! Fetching what this node lacks: certified blocks above its tip, bodies by their hash.

use super::wire::{Blocks, Body, Request};
use quorate_chain::codec::{decode, encode};
use quorate_chain::{BlockHash, Height};
use quorate_consensus::fetched::{self, Certified, certified};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{Input, SealedBlock};
use quorate_p2p::{Network, NetworkKey};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, watch};

/// Jobs that wait; more are dropped, as the core asks again.
pub(super) const JOBS_WAITING_MAX: usize = 64;
/// Bodies fetched at once.
const BODIES_MAX: usize = 8;
/// Blocks handed to the core above the committed tip; it has no room for many more.
const AHEAD_MAX: u64 = 8;
/// How long a block may take to be committed before the peer's answer is given up.
const COMMIT_WAIT: Duration = Duration::from_secs(10);
/// How often an observer asks for new blocks.
const OBSERVER_POLL: Duration = Duration::from_millis(500);

/// What the core lacks.
#[derive(Clone, Copy, Debug)]
pub(super) enum SyncJob {
    /// Certified blocks up to this height.
    Blocks { peer: Option<NetworkKey>, to: Height },
    /// A body.
    Body(BlockHash),
}

/// The task that fetches.
#[derive(Clone)]
pub(super) struct Sync {
    /// The core's epoch.
    pub(super) context: watch::Receiver<Arc<EpochContext>>,
    pub(super) network: Network,
    pub(super) core: mpsc::UnboundedSender<Input>,
    pub(super) committed: watch::Receiver<Height>,
    pub(super) catching_up: Arc<watch::Sender<bool>>,
    pub(super) observer: bool,
}

impl Sync {
    /// Works until the core is gone.
    pub(super) async fn run(mut self, mut jobs: mpsc::Receiver<SyncJob>) {
        let bodies = Arc::new(Semaphore::new(BODIES_MAX));
        let mut poll = tokio::time::interval(OBSERVER_POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let job = tokio::select! {
                job = jobs.recv() => match job { Some(job) => job, None => return },
                _ = poll.tick(), if self.observer => {
                    SyncJob::Blocks { peer: None, to: self.tip().next() }
                }
            };
            match job {
                SyncJob::Blocks { peer, to } => self.blocks(peer, to).await,
                SyncJob::Body(hash) => {
                    if let Ok(place) = Arc::clone(&bodies).try_acquire_owned() {
                        let this = self.clone();
                        tokio::spawn(async move {
                            if let Some(block) = body(&this.network, None, hash).await {
                                let _ = this.core.send(Input::Block(block));
                            }
                            drop(place);
                        });
                    }
                }
            }
        }
    }

    fn tip(&self) -> Height {
        *self.committed.borrow()
    }

    /// Fetches blocks until the tip is at `to`, from one peer after the other.
    async fn blocks(&mut self, first: Option<NetworkKey>, to: Height) {
        for peer in peers(&self.network, first) {
            while self.tip() < to {
                // An observer that is at the tip is not behind.
                self.catching_up.send_replace(!self.observer || to > self.tip().next());
                match self.some_blocks(peer).await {
                    Ok(0) => break,
                    Ok(count) => tracing::debug!(%peer, count, tip = self.tip().0, "fetched blocks"),
                    Err(error) => {
                        tracing::warn!(%peer, %error, "could not sync with a peer");
                        break;
                    }
                }
            }
            if self.tip() >= to {
                break;
            }
        }
        self.catching_up.send_replace(false);
    }

    /// Fetches one answer's blocks and waits until they are committed; gives how many there were.
    async fn some_blocks(&mut self, peer: NetworkKey) -> Result<usize, String> {
        let from = self.tip().next();
        let request = encode(&Request::Blocks(from));
        let answer = self.network.request(peer, request.into()).await.map_err(|e| e.to_string())?;
        let context = Arc::clone(&self.context.borrow());
        let blocks = tokio::task::spawn_blocking(move || verified(&answer, from, &context)).await;
        let blocks = blocks.map_err(|error| error.to_string())??;
        let count = blocks.len();
        let mut last = from;
        for (block, certificate) in blocks {
            last = block.height();
            self.wait_for(Height(last.0.saturating_sub(AHEAD_MAX))).await?;
            let _ = self.core.send(Input::Certified { block, certificate });
        }
        if count > 0 {
            self.wait_for(last).await?;
        }
        Ok(count)
    }

    async fn wait_for(&mut self, height: Height) -> Result<(), String> {
        let waited = tokio::time::timeout(COMMIT_WAIT, self.committed.wait_for(|tip| *tip >= height)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => Err(format!("height {height} was not committed")),
        }
    }
}

/// Connected peers, the named one first.
fn peers(network: &Network, first: Option<NetworkKey>) -> Vec<NetworkKey> {
    let mut peers = network.connected();
    peers.sort_unstable_by_key(|key| Some(*key) != first);
    peers
}

/// Asks one peer after the other for a body, the named one first.
pub(super) async fn body(
    network: &Network,
    first: Option<NetworkKey>,
    hash: BlockHash,
) -> Option<SealedBlock> {
    for peer in peers(network, first) {
        let Ok(answer) = network.request(peer, encode(&Request::Body(hash)).into()).await else {
            continue;
        };
        let found = tokio::task::spawn_blocking(move || {
            let block = decode::<Body>(&answer).ok().flatten()?;
            fetched::body(block, hash)
        });
        if let Ok(Some(block)) = found.await {
            return Some(block);
        }
    }
    None
}

/// Decodes an answer and checks each certificate.
fn verified(answer: &[u8], from: Height, context: &EpochContext) -> Result<Vec<Certified>, String> {
    let blocks = decode::<Blocks>(answer).map_err(|error| error.to_string())?.into_inner();
    let claimed = blocks.into_iter().map(|one| (one.block, one.path, one.certificate));
    certified(claimed, from, context).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{Chain, PATIENCE, context, pair, request, transaction};
    use super::super::known::Known;
    use super::super::serve::Server;
    use super::*;
    use quorate_p2p::Event;
    use tokio::time::timeout;

    /// A node that syncs from the other end of its only wire.
    struct Bench {
        jobs: mpsc::Sender<SyncJob>,
        core: mpsc::UnboundedReceiver<Input>,
        committed: watch::Sender<Height>,
        catching_up: watch::Receiver<bool>,
        peer: NetworkKey,
        requests: mpsc::Receiver<Event>,
        /// They end with these.
        _networks: (Network, mpsc::Receiver<Event>, Network),
    }

    impl Bench {
        async fn start() -> Self {
            let [(network, events), (other, requests)] = pair().await;
            let (core_tx, core) = mpsc::unbounded_channel();
            let (committed, seen) = watch::channel(Height::ZERO);
            let (catching_up_tx, catching_up) = watch::channel(false);
            let sync = Sync {
                context: watch::channel(Arc::new(context())).1,
                network: network.clone(),
                core: core_tx,
                committed: seen,
                catching_up: Arc::new(catching_up_tx),
                observer: false,
            };
            let (jobs, queue) = mpsc::channel(JOBS_WAITING_MAX);
            tokio::spawn(sync.run(queue));
            let peer = other.local_key();
            Self { jobs, core, committed, catching_up, peer, requests, _networks: (network, events, other) }
        }

        /// The height of the next block that the core is handed.
        async fn handed(&mut self) -> u64 {
            match timeout(PATIENCE, self.core.recv()).await.unwrap() {
                Some(Input::Certified { block, .. }) => block.height().0,
                _ => panic!("no block"),
            }
        }
    }

    /// The core, which does not wait for room, asks again for what is refused.
    #[tokio::test]
    async fn so_many_jobs_wait_and_the_next_is_refused() {
        let mut bench = Bench::start().await;
        let job = SyncJob::Blocks { peer: None, to: Height(1) };
        bench.jobs.send(job).await.unwrap();
        let (.., responder) = request(&mut bench.requests).await;
        for _ in 0..JOBS_WAITING_MAX {
            assert!(bench.jobs.try_send(job).is_ok());
        }
        assert!(bench.jobs.try_send(job).is_err());
        // There are no blocks, and a job after the other finds that.
        let none = || encode(&Blocks::default()).into();
        responder.respond(none());
        for _ in 0..JOBS_WAITING_MAX {
            request(&mut bench.requests).await.2.respond(none());
        }
        assert!(bench.jobs.try_send(job).is_ok());
        request(&mut bench.requests).await;
        assert!(bench.core.is_empty());
    }

    /// The next body is not asked for: the core asks again.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn so_many_bodies_are_fetched_at_once_and_the_next_is_left() {
        let mut bench = Bench::start().await;
        let mut chain = Chain::open();
        (0..BODIES_MAX as u64).for_each(|nonce| chain.commit(vec![transaction(nonce, 1)]));
        let body = |height| chain.reader.block(Height(height)).unwrap().unwrap().block.clone();
        let mut blocks: Vec<_> = (1..=BODIES_MAX as u64).map(body).collect();
        let mut wanted: Vec<_> = blocks.iter().map(|block| block.hash()).collect();
        wanted.push(BlockHash([0xff; 32]));
        for hash in &wanted {
            bench.jobs.send(SyncJob::Body(*hash)).await.unwrap();
        }
        // Jobs are taken in order: when this one is over, the last body has been left.
        bench.jobs.send(SyncJob::Blocks { peer: None, to: Height::ZERO }).await.unwrap();
        timeout(PATIENCE, bench.catching_up.changed()).await.unwrap().unwrap();
        let mut asked = Vec::new();
        for _ in 0..BODIES_MAX {
            let (_, bytes, responder) = request(&mut bench.requests).await;
            let Ok(Request::Body(hash)) = decode(&bytes) else { panic!("no body") };
            asked.push((hash, responder));
        }
        for (hash, responder) in asked {
            let at = blocks.iter().position(|block| block.hash() == hash).expect("one of the first");
            responder.respond(encode(&Body::Some(blocks.remove(at))).into());
        }
        let mut come = Vec::new();
        while come.len() < BODIES_MAX {
            let Some(Input::Block(block)) = timeout(PATIENCE, bench.core.recv()).await.unwrap() else {
                panic!()
            };
            come.push(block.hash());
        }
        assert!(come.iter().all(|hash| wanted[..BODIES_MAX].contains(hash)));
        assert!(bench.requests.try_recv().is_err() && bench.core.try_recv().is_err());
    }

    /// The core gets the next only when it has committed one; all come, in order.
    #[tokio::test]
    async fn so_many_blocks_are_handed_over_ahead_of_the_tip() {
        let mut bench = Bench::start().await;
        let mut chain = Chain::open();
        let to = AHEAD_MAX + 2;
        (0..to).for_each(|nonce| chain.commit(vec![transaction(nonce, 1)]));
        let server = Server::new(chain.reader.clone(), std::sync::mpsc::channel().0, Known::default());
        bench.jobs.send(SyncJob::Blocks { peer: Some(bench.peer), to: Height(to) }).await.unwrap();
        let (from, bytes, responder) = request(&mut bench.requests).await;
        server.answer(from, &bytes, responder);
        for height in 1..=AHEAD_MAX {
            assert_eq!(bench.handed().await, height);
        }
        for height in AHEAD_MAX + 1..=to {
            assert!(bench.core.is_empty(), "{height} waits");
            bench.committed.send_replace(Height(height - AHEAD_MAX));
            assert_eq!(bench.handed().await, height);
        }
        bench.committed.send_replace(Height(to));
        timeout(PATIENCE, bench.catching_up.wait_for(|catching_up| !catching_up)).await.unwrap().unwrap();
        assert!(bench.core.is_empty());
    }
}
