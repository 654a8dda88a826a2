//! Fetching what this node lacks: certified blocks above its tip, bodies by their hash.

use super::wire::{Blocks, Body, Request};
use quorate_chain::codec::{decode, encode};
use quorate_chain::{BlockHash, Height};
use quorate_consensus::Input;
use quorate_consensus::fetched::{self, Certified, certified};
use quorate_consensus::message::EpochContext;
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
                            this.body(hash).await;
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

    /// Connected peers, the named one first.
    fn peers(&self, first: Option<NetworkKey>) -> Vec<NetworkKey> {
        let mut peers = self.network.connected();
        peers.sort_unstable_by_key(|key| Some(*key) != first);
        peers
    }

    /// Fetches blocks until the tip is at `to`, from one peer after the other.
    async fn blocks(&mut self, first: Option<NetworkKey>, to: Height) {
        for peer in self.peers(first) {
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

    /// Asks one peer after the other for a body.
    async fn body(&self, hash: BlockHash) {
        for peer in self.peers(None) {
            let Ok(answer) = self.network.request(peer, encode(&Request::Body(hash)).into()).await else {
                continue;
            };
            let found = tokio::task::spawn_blocking(move || {
                let block = decode::<Body>(&answer).ok().flatten()?;
                fetched::body(block, hash)
            });
            if let Ok(Some(block)) = found.await {
                let _ = self.core.send(Input::Block(block));
                return;
            }
        }
    }
}

/// Decodes an answer and checks each certificate.
fn verified(answer: &[u8], from: Height, context: &EpochContext) -> Result<Vec<Certified>, String> {
    let blocks = decode::<Blocks>(answer).map_err(|error| error.to_string())?.into_inner();
    let claimed = blocks.into_iter().map(|one| (one.block, one.path, one.certificate));
    certified(claimed, from, context).map_err(|error| error.to_string())
}
