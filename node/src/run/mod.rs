//! A running node: threads and tasks that own their state and talk by channels.
//!
//! ```text
//!   network ──frames──► verifier ──messages──► core ──jobs──► executor (ledger, pool) ──► readers ──► rpc
//!      │                                        │ ▲               ▲
//!      │                                        │ └──answers──────┤
//!      │                                        └──records──► votes (journal)
//!      ├──gossip──► ingest ──authentic transactions───────────────┘
//!      ├──requests──► serve          rpc ──submissions──► ingest
//!      └◄──fetches── sync ◄──what the core lacks
//! ```
//!
//! | file | owns |
//! | --- | --- |
//! | `core.rs` | the consensus core, on an async task |
//! | `executor.rs` | ledger and pool, on a thread |
//! | `votes.rs` | the vote journal, on a thread |
//! | `verifier.rs` | decoding and verifying frames, on a thread |
//! | `compact.rs` | making proposals whole that name their transactions |
//! | `ingest.rs` `known.rs` | checking transactions, on a thread; which need no check again |
//! | `regossip.rs` | gossip again of what waits for long |
//! | `sync.rs` `serve.rs` | fetching from peers, answering them |
//! | `disk.rs` | the disk's watermark: whether the node takes part |
//! | `metrics.rs` | what monitoring reads |
//! | `probe.rs` | a look at a store that a crash left, in another process |
//! | `start.rs` | opening, and the core that follows from what is on disk |
//! | `status.rs` `evidence.rs` | what rpc shows; evidence as files |
//! | `wire.rs` | what peers send each other |
//!
//! Every channel from outside is bounded. The channels between core, executor and vote journal are not, but
//! hold no more than the core has in flight: each answer belongs to an effect, and the core bounds those.
//! A thread that fails stops the node: a ledger or vote journal that can't be written must not go on.

mod compact;
mod core;
mod disk;
mod evidence;
mod executor;
#[cfg(test)]
mod fixture;
mod ingest;
mod keep;
mod known;
mod metrics;
mod probe;
mod regossip;
mod serve;
mod start;
mod status;
mod sync;
#[cfg(test)]
mod tests;
mod verifier;
mod votes;
mod way;
mod wire;

pub(crate) use probe::{COMMAND as PROBE_COMMAND, look as look_at_store};

use self::core::{Clock, Core, CoreStatus, Signer};
use crate::config::NodeConfig;
use crate::error::NodeError;
use compact::Filler;
use disk::{FolderDisk, watch_disk};
use executor::{Executor, INSERTS_WAITING_MAX, Job, Progress};
use ingest::{Incoming, Ingest};
use known::Known;
use metrics::Metrics;
use quorate_chain::crypto::SecretKey;
use quorate_chain::ledger::Reader;
use quorate_chain::{Height, PublicKey};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{Input, PersistId, Record};
use quorate_p2p::{Event, Network, NetworkKey, PeerAddress};
use quorate_rpc::{MoreMetrics, NodeStatus, NodeView, Server as RpcServer, ServerConfig, Submission};
use serve::Server;
use start::Stored;
use status::StatusTask;
use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::thread::JoinHandle;
use sync::{Sync, SyncJob};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use verifier::{Heard, Verifier};
use votes::VoteJournal;

/// Stops the node for a reason. The first reason counts.
#[derive(Clone, Debug)]
struct Fatal(mpsc::Sender<String>);

impl Fatal {
    fn stop(&self, reason: String) {
        tracing::error!(reason, "the node stops");
        let _ = self.0.try_send(reason);
    }
}

/// Runs a validator or observer until `shutdown` is ready or something fails that must stop it.
///
/// # Errors
/// When it can't start, or had to stop.
pub(crate) async fn run_node(
    config: NodeConfig,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), NodeError> {
    let config = Arc::new(config);
    let for_opening = Arc::clone(&config);
    let stored = tokio::task::spawn_blocking(move || start::open(&for_opening)).await;
    let stored = stored.map_err(|error| NodeError::Stopped(error.to_string()))??;
    let (network, events) = start_network(&config).await?;
    let (fatal, mut failed) = mpsc::channel(1);
    let node = Node::wire(&config, stored, network, events, Fatal(fatal))?;
    let server = RpcServer::bind(ServerConfig::new(config.rpc_listen), node.view(&config)).await?;
    tracing::info!(rpc = %server.local_addr(), p2p = %node.network.local_address(), "listening");
    let (stop_rpc, rpc_stopped) = oneshot::channel::<()>();
    let rpc = tokio::spawn(server.run(async move { drop(rpc_stopped.await) }));
    let reason = tokio::select! {
        () = shutdown => None,
        reason = failed.recv() => reason,
    };
    tracing::info!("stopping");
    drop(stop_rpc);
    let _ = rpc.await;
    node.stop(config.keep_pool.then(|| config.pool_file())).await;
    reason.map_or(Ok(()), |reason| Err(NodeError::Stopped(reason)))
}

async fn start_network(config: &NodeConfig) -> Result<(Network, mpsc::Receiver<Event>), NodeError> {
    let peers = config
        .peers
        .iter()
        .map(|peer| PeerAddress { key: NetworkKey(peer.network.0), address: peer.address.clone() })
        .collect();
    let network = quorate_p2p::Config {
        network_secret: *config.network_key.seed(),
        chain: config.genesis.chain_id().to_string(),
        listen: config.p2p_listen,
        peers,
    };
    Ok(quorate_p2p::start(network).await?)
}

/// Everything that runs, and what stops it.
struct Node {
    network: Network,
    reader: Reader,
    committed: watch::Receiver<Height>,
    status: watch::Receiver<NodeStatus>,
    submit: mpsc::Sender<Submission>,
    executor: std::sync::mpsc::Sender<Job>,
    stop_core: oneshot::Sender<()>,
    core: tokio::task::JoinHandle<()>,
    executor_thread: JoinHandle<()>,
    metrics: Metrics,
}

impl Node {
    fn wire(
        config: &NodeConfig,
        stored: Stored,
        network: Network,
        events: mpsc::Receiver<Event>,
        fatal: Fatal,
    ) -> Result<Self, NodeError> {
        let (clock, known, metrics) = (Clock::start(), Known::default(), Metrics::new());
        let (replica, first, context) = start::replica(config, &stored, clock)?;
        let Stored { opened, votes, kept } = stored;
        let (reader, chain) = (opened.reader.clone(), context.chain);
        let validators = core::network_keys(&context.set);
        let (context_tx, context) = watch::channel(Arc::new(context));
        let (answer, answers) = mpsc::unbounded_channel();
        let (committed_tx, committed) = watch::channel(reader.tip().height);
        let (progress_tx, progress) = watch::channel(Progress::default());
        let (inserting, inserted) = std::sync::mpsc::sync_channel(INSERTS_WAITING_MAX);
        let executor =
            Executor::new(opened.ledger, seat(config), answer.clone(), committed_tx, progress_tx, inserted);
        let (jobs, executor_thread) =
            start_executor(executor.sharing(known.clone(), metrics.clone()), fatal.clone())?;
        let records = start_votes(votes, answer.clone(), fatal, metrics.clone())?;
        let disk_low = watch_disk(FolderDisk(config.home.join("data")), config.disk_reserve_bytes);
        let ingest = Ingest {
            reader: reader.clone(),
            runtime: Handle::current(),
            network: network.clone(),
            executor: jobs.clone(),
            inserting,
            disk_low: disk_low.clone(),
            known: known.clone(),
            metrics: metrics.clone(),
        };
        let (submit, message_queue) = start_intake(ingest, kept, context.clone(), events)?;
        let (catching_up_tx, catching_up) = watch::channel(false);
        let sync_jobs = start_sync(Sync {
            context,
            network: network.clone(),
            core: answer,
            committed: committed.clone(),
            catching_up: Arc::new(catching_up_tx),
            observer: replica.seat().is_none(),
        });
        let shown = CoreStatus::of(&replica, Arc::clone(&validators), None);
        let (core_status_tx, core_status) = watch::channel(shown);
        let core = Core {
            replica,
            clock,
            signer: config.consensus_key.clone().map(|key| Signer { chain, key }),
            validators,
            context: context_tx,
            peers: Vec::new(),
            reader: reader.clone(),
            evidence: config.home.join("data/evidence"),
            network: network.clone(),
            known,
            votes: records,
            executor: jobs.clone(),
            sync: sync_jobs,
            status: core_status_tx,
            own: VecDeque::new(),
            disk_low,
        };
        let (stop_core, core_stopped) = oneshot::channel();
        let status = StatusTask { network: network.clone(), core_status, progress, catching_up }.start();
        Ok(Self {
            network,
            reader,
            committed,
            status,
            submit,
            executor: jobs,
            stop_core,
            core: tokio::spawn(core.run(first, answers, message_queue, core_stopped)),
            executor_thread,
            metrics,
        })
    }

    fn view(&self, config: &NodeConfig) -> NodeView {
        NodeView {
            reader: self.reader.clone(),
            committed: self.committed.clone(),
            status: self.status.clone(),
            submit: self.submit.clone(),
            genesis_json: Arc::clone(&config.genesis_json),
            name: config.name.as_str().into(),
            version: env!("CARGO_PKG_VERSION"),
            build: env!("QUORATE_COMMIT"),
            metrics: self.more_metrics(),
        }
    }

    fn more_metrics(&self) -> MoreMetrics {
        let (metrics, network) = (self.metrics.clone(), self.network.clone());
        MoreMetrics(Arc::new(move || metrics.text(Some(&network))))
    }

    /// Core first, so that nothing new begins; then everything that began becomes durable.
    async fn stop(self, keep_pool: Option<std::path::PathBuf>) {
        drop(self.stop_core);
        let _ = self.core.await;
        let _ = self.executor.send(Job::Stop(keep_pool));
        let executor = self.executor_thread;
        let _ = tokio::task::spawn_blocking(move || executor.join()).await;
        self.network.shutdown().await;
    }
}

fn spawn_thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, NodeError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(NodeError::system("cannot start a thread"))
}

/// The own consensus key: where it has a seat, this node votes.
fn seat(config: &NodeConfig) -> Option<PublicKey> {
    config.consensus_key.as_ref().map(SecretKey::public)
}

/// Starts what owns ledger and pool; gives where its jobs go.
fn start_executor(
    executor: Executor,
    fatal: Fatal,
) -> Result<(std::sync::mpsc::Sender<Job>, JoinHandle<()>), NodeError> {
    let (jobs, queue) = std::sync::mpsc::channel();
    Ok((jobs, spawn_thread("executor", move || executor.run(&queue, &fatal))?))
}

/// Starts what makes votes durable; gives where they go.
fn start_votes(
    votes: VoteJournal,
    core: mpsc::UnboundedSender<Input>,
    fatal: Fatal,
    metrics: Metrics,
) -> Result<mpsc::UnboundedSender<(PersistId, Record)>, NodeError> {
    let (records, queue) = mpsc::unbounded_channel();
    spawn_thread("votes", move || votes.run(queue, &core, &fatal, &metrics))?;
    Ok(records)
}

/// Starts what fetches blocks; gives where it is told which.
fn start_sync(sync: Sync) -> mpsc::Sender<SyncJob> {
    let (jobs, queue) = mpsc::channel(sync::JOBS_WAITING_MAX);
    tokio::spawn(sync.run(queue));
    jobs
}

/// Starts everything that takes in what comes from clients and from the network; gives where clients submit, and what
/// the core is to hear.
fn start_intake(
    ingest: Ingest,
    kept: Vec<quorate_chain::Transaction>,
    context: watch::Receiver<Arc<EpochContext>>,
    events: mpsc::Receiver<Event>,
) -> Result<(mpsc::Sender<Submission>, mpsc::Receiver<Heard>), NodeError> {
    let (submit, submitted) = mpsc::channel(ingest::SUBMISSIONS_WAITING_MAX);
    let (core, messages) = mpsc::channel(verifier::MESSAGES_WAITING_MAX);
    let Ingest { reader, network, executor, known, metrics, .. } = &ingest;
    let server = Server::new(reader.clone(), executor.clone(), known.clone());
    let filler = Filler::new(known.clone(), network.clone(), core.clone(), metrics.clone());
    let metrics = metrics.clone();
    let ingest = start_ingest(ingest, submitted)?;
    tokio::spawn(keep::bring(kept, ingest.clone()));
    start_verifier(Verifier { context, core, ingest, filler, metrics }, events, server)?;
    Ok((submit, messages))
}

/// Starts what checks transactions and gossips again those that wait; gives where they come in.
fn start_ingest(
    ingest: Ingest,
    submitted: mpsc::Receiver<Submission>,
) -> Result<mpsc::Sender<Incoming>, NodeError> {
    let (incoming, queue) = mpsc::channel(ingest::WAITING_MAX);
    tokio::spawn(regossip::run(ingest.executor.clone(), ingest.network.clone()));
    spawn_thread("ingest", move || ingest.run(queue, submitted))?;
    Ok(incoming)
}

/// Starts what stands between the network and the core.
fn start_verifier(
    verifier: Verifier,
    events: mpsc::Receiver<Event>,
    server: Server,
) -> Result<(), NodeError> {
    let (frames, frame_queue) = mpsc::channel(verifier::FRAMES_WAITING_MAX);
    tokio::spawn(dispatch(
        events,
        frames,
        verifier.core.clone(),
        verifier.ingest.clone(),
        server,
        verifier.metrics.clone(),
    ));
    spawn_thread("verifier", move || verifier.run(frame_queue))?;
    Ok(())
}

/// Hands what comes from the network to whoever it is for.
async fn dispatch(
    mut events: mpsc::Receiver<Event>,
    frames: mpsc::Sender<(NetworkKey, bytes::Bytes)>,
    core: mpsc::Sender<Heard>,
    ingest: mpsc::Sender<Incoming>,
    server: Server,
    metrics: Metrics,
) {
    while let Some(event) = events.recv().await {
        match event {
            // A hint for the core, which does without if it has enough to do.
            Event::Connected(peer) => {
                tracing::info!(%peer, "connected");
                let _ = core.try_send(Heard::Connected(peer));
            }
            Event::Disconnected(peer) => {
                tracing::info!(%peer, "disconnected");
                let _ = core.try_send(Heard::Disconnected(peer));
            }
            Event::Direct { from, frame } => {
                if frames.send((from, frame)).await.is_err() {
                    return;
                }
            }
            // A full queue drops the batch unseen: it is not passed on, and comes again by other ways.
            Event::Gossip { batch, verdict, .. } => {
                if ingest.try_send(Incoming::Gossip(batch, verdict)).is_err() {
                    metrics.unseen.inc();
                }
            }
            Event::Request { from, request, responder } => server.answer(from, &request, responder),
        }
    }
}
