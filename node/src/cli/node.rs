//! `quorate node`.

use super::log::{self, Log};
use crate::config::{ConfigFile, NodeConfig};
use crate::error::NodeError;
use crate::run::run_node;
use clap::Args;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

/// Flags go before the environment, the environment before `HOME/config.toml`.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// The node's folder: config.toml, genesis.json, keys/, data/.
    #[arg(long, env = "QUORATE_HOME", value_name = "DIR")]
    home: PathBuf,
    /// What people call the node [default: the name on its card].
    #[arg(long, env = "QUORATE_NAME")]
    name: Option<String>,
    /// Where clients are served [default: 127.0.0.1:26600].
    #[arg(long, env = "QUORATE_RPC_LISTEN", value_name = "ADDRESS:PORT")]
    rpc_listen: Option<SocketAddr>,
    /// Where peers are served [default: 0.0.0.0:26601].
    #[arg(long, env = "QUORATE_P2P_LISTEN", value_name = "ADDRESS:PORT")]
    p2p_listen: Option<SocketAddr>,
    /// Peers beside the genesis document's validators, by network key.
    #[arg(long = "peer", env = "QUORATE_PEERS", value_name = "KEY[@HOST:PORT]", value_delimiter = ',')]
    peers: Option<Vec<String>>,
    /// Committed heights whose state can be read [default: 32].
    #[arg(long, env = "QUORATE_RETAIN_STATES", value_name = "HEIGHTS")]
    retain_states: Option<u32>,
    /// Memory for the ledger's caches [default: 536870912].
    #[arg(long, env = "QUORATE_CACHE_BYTES", value_name = "BYTES")]
    cache_bytes: Option<u64>,
    /// What is indexed: full, tx or none [default: full].
    #[arg(long, env = "QUORATE_INDEX", value_name = "LEVEL")]
    index: Option<String>,
    /// Time between two walks over everything that is stored, 0 for never [default: 86400].
    #[arg(long, env = "QUORATE_SCRUB_INTERVAL_S", value_name = "SECONDS")]
    scrub_interval_s: Option<u64>,
    /// Free bytes of the disk below which the node stops taking part, 0 for never [default: 536870912].
    #[arg(long, env = "QUORATE_DISK_RESERVE_BYTES", value_name = "BYTES")]
    disk_reserve_bytes: Option<u64>,
    /// Keep what waits in the pool over a restart [default: true].
    #[arg(long, env = "QUORATE_KEEP_POOL", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    keep_pool: Option<bool>,
    /// What is logged, as in `info,quorate=debug` [default: info]. At SIGUSR1 the node reads `log` of config.toml anew.
    #[arg(long, env = "QUORATE_LOG", value_name = "FILTER")]
    log: Option<String>,
    /// Log JSON, one object a line.
    #[arg(
        long, env = "QUORATE_LOG_JSON", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true"
    )]
    log_json: Option<bool>,
    /// Stop when standard input ends: a child ends with its parent.
    #[arg(long)]
    stop_on_stdin_eof: bool,
}

/// Runs until it is told to stop.
pub(crate) fn run(args: NodeArgs) -> Result<(), NodeError> {
    let flags = ConfigFile {
        name: args.name,
        rpc_listen: args.rpc_listen,
        p2p_listen: args.p2p_listen,
        peers: args.peers,
        retain_states: args.retain_states,
        cache_bytes: args.cache_bytes,
        index: args.index,
        scrub_interval_s: args.scrub_interval_s,
        disk_reserve_bytes: args.disk_reserve_bytes,
        keep_pool: args.keep_pool,
        log: args.log,
        log_json: args.log_json,
    };
    let settings = ConfigFile::load(&args.home)?.overridden_by(flags);
    let log = Log::start(&settings)?;
    let config = NodeConfig::load(&args.home, &settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(NodeError::system("cannot start the threads"))?;
    let stop_on_stdin_eof = args.stop_on_stdin_eof;
    runtime.block_on(async move {
        let stop = stop_signals()?;
        tokio::spawn(log.follow(log::signals()?, config.home.clone()));
        let end = stop_on_stdin_eof.then(stdin_end).transpose()?;
        let shutdown = async move {
            match end {
                Some(end) => tokio::select! { () = stop.received() => (), _ = end => () },
                None => stop.received().await,
            }
            tracing::info!("stopping");
        };
        Box::pin(run_node(config, shutdown)).await
    })
}

/// What asks a program to end: Ctrl-C, SIGTERM, and the terminal's closing.
pub(crate) struct StopSignals([Signal; 3]);

/// Listens from now on.
///
/// # Errors
/// When the system refuses.
pub(crate) fn stop_signals() -> Result<StopSignals, NodeError> {
    let listen = |kind| signal(kind).map_err(NodeError::system("cannot listen for signals"));
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [interrupt, terminate, hangup] = kinds.map(listen);
    Ok(StopSignals([interrupt?, terminate?, hangup?]))
}

impl StopSignals {
    /// Waits for one of them.
    pub(crate) async fn received(self) {
        let [mut interrupt, mut terminate, mut hangup] = self.0;
        tokio::select! {
            _ = interrupt.recv() => (),
            _ = terminate.recv() => (),
            _ = hangup.recv() => (),
        }
    }
}

/// Waits for the end of standard input on a thread of its own: the runtime would wait for its own blocking
/// reads before it ends.
fn stdin_end() -> Result<oneshot::Receiver<()>, NodeError> {
    let (sender, receiver) = oneshot::channel();
    let wait = move || {
        let mut buffer = [0; 256];
        while std::io::stdin().read(&mut buffer).is_ok_and(|bytes| bytes > 0) {}
        // The receiver is gone when the node is stopping anyway.
        let _ = sender.send(());
    };
    let spawned = std::thread::Builder::new().name("stdin".into()).spawn(wait);
    spawned.map_err(NodeError::system("cannot start a thread"))?;
    Ok(receiver)
}
