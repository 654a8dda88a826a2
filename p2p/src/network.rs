//! The handle, and starting.

use crate::backlog::Backlog;
use crate::behaviour::{Behaviour, GOSSIP_BATCH_BYTES_MAX, Names, REQUEST_TIMEOUT};
use crate::closing::Closing;
use crate::codec::REQUEST_BYTES_MAX;
use crate::dial::{Dialer, multiaddr};
use crate::direct::Acceptor;
use crate::error::Error;
use crate::event::Event;
use crate::key::{NetworkKey, PeerAddress};
use crate::peers::Peers;
use crate::session::Sessions;
use crate::standing::Standing;
use crate::stats::{Counters, Stats, add, count};
use crate::swarm::{COMMANDS_WAITING_MAX, Command, Task};
use bytes::Bytes;
use futures::StreamExt;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm, SwarmBuilder, Transport, noise, tcp, yamux};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

/// Events that wait to be read. A frame among them may have [`crate::FRAME_BYTES_MAX`] bytes.
const EVENTS_WAITING_MAX: usize = 64;
/// Connections stay open while nothing is said; pings notice dead ones.
const IDLE_TIMEOUT: Duration = Duration::from_secs(365 * 24 * 3600);
/// Streams of one connection: a few long-lived ones, and the requests under way.
pub(crate) const STREAMS_PER_CONNECTION_MAX: usize = 64;
/// How long listening may take.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a network is started with.
#[derive(Clone)]
pub struct Config {
    /// Seed of the own network key; [`start`] overwrites its copy.
    pub network_secret: [u8; 32],
    /// Part of every protocol's name, so that chains never mix; hex.
    pub chain: String,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Who is admitted, and where they are; an entry for the own key is passed over.
    pub peers: Vec<PeerAddress>,
}

/// The network's handle; clones share one network, which ends when the last is dropped, when it is shut down,
/// or when the events' receiver is dropped.
#[derive(Clone, Debug)]
pub struct Network {
    local: NetworkKey,
    address: SocketAddr,
    pub(crate) peers: Peers,
    commands: mpsc::Sender<Command>,
    wanted: Arc<watch::Sender<Vec<PeerAddress>>>,
    connected: watch::Receiver<Vec<NetworkKey>>,
    counters: Arc<Counters>,
}

/// Listens, and starts the tasks. Events come until the network is shut down.
///
/// # Errors
/// [`Error::Setup`] when a key or the chain's name is unsound, [`Error::Listen`] when the address cannot be
/// listened on.
pub async fn start(mut config: Config) -> Result<(Network, mpsc::Receiver<Event>), Error> {
    // Overwrites the seed; the key overwrites its own copy when it is dropped.
    let key =
        Keypair::ed25519_from_bytes(&mut config.network_secret).map_err(|e| Error::Setup(e.to_string()))?;
    let local = key.public().try_into_ed25519().map_err(|e| Error::Setup(e.to_string()))?;
    let local = NetworkKey(local.to_bytes());
    for peer in &config.peers {
        peer.key.peer_id()?;
    }
    let names = Names::of(&config.chain)?;
    let mut swarm = swarm(key, &names)?;
    let address = listen(&mut swarm, config.listen).await?;
    let mut control = swarm.behaviour().streams.new_control();
    let incoming = control.accept(names.direct.clone()).map_err(|e| Error::Setup(e.to_string()))?;
    let (command_tx, commands) = mpsc::channel(COMMANDS_WAITING_MAX);
    let (event_tx, events) = mpsc::channel(EVENTS_WAITING_MAX);
    let (connected_tx, connected) = watch::channel(Vec::new());
    let (wanted_tx, wanted) = watch::channel(config.peers);
    let (peers, counters) = (Peers::default(), Arc::new(Counters::default()));
    let acceptor = Acceptor {
        peers: peers.clone(),
        events: event_tx.clone(),
        commands: command_tx.clone(),
        counters: Arc::clone(&counters),
    };
    let mut task = Task {
        swarm,
        names,
        local,
        peers: peers.clone(),
        sessions: Sessions::default(),
        control,
        counters: Arc::clone(&counters),
        commands: command_tx.clone(),
        wanted,
        events: event_tx,
        connected: connected_tx,
        dialer: Dialer::new(local),
        standing: Standing::default(),
        behind: Backlog::default(),
        requests: HashMap::new(),
    };
    task.set_peers();
    tokio::spawn(acceptor.run(incoming));
    tokio::spawn(task.run(commands));
    let wanted = Arc::new(wanted_tx);
    Ok((Network { local, address, peers, commands: command_tx, wanted, connected, counters }, events))
}

fn swarm(key: Keypair, names: &Names) -> Result<Swarm<Behaviour>, Error> {
    let setup = |error: &dyn std::fmt::Display| Error::Setup(error.to_string());
    let transport = |key: &Keypair| {
        let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
            .upgrade(Version::V1Lazy)
            .authenticate(noise::Config::new(key)?)
            .multiplex(multiplexer());
        Ok(transport.map(|(peer, muxer), _| (peer, Closing::new(muxer))))
    };
    let builder = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_other_transport(transport)
        .map_err(|error| setup(&error))?
        .with_behaviour(|key| Behaviour::new(key, names).map_err(Into::into))
        .map_err(|error| setup(&error))?;
    Ok(builder.with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_TIMEOUT)).build())
}

pub(crate) fn multiplexer() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS_PER_CONNECTION_MAX);
    config
}

async fn listen(swarm: &mut Swarm<Behaviour>, address: SocketAddr) -> Result<SocketAddr, Error> {
    let failed = |reason: String| Error::Listen { address, reason };
    // libp2p shares its port with any other process of the same user that does so: without this a second node
    // would start, and each get some of the connections.
    drop(TcpListener::bind(address).await.map_err(|error| failed(error.to_string()))?);
    swarm.listen_on(multiaddr(&address)).map_err(|error| failed(error.to_string()))?;
    let listening = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { address: found, .. } => {
                    let port = port(&found).ok_or_else(|| failed(format!("no port in {found}")))?;
                    return Ok(SocketAddr::new(address.ip(), port));
                }
                SwarmEvent::ListenerError { error, .. } => return Err(failed(error.to_string())),
                SwarmEvent::ListenerClosed { reason: Err(error), .. } => {
                    return Err(failed(error.to_string()));
                }
                _ => {}
            }
        }
    };
    let listened = tokio::time::timeout(LISTEN_TIMEOUT, listening).await;
    listened.map_err(|_| failed("it takes too long".into()))?
}

fn port(address: &Multiaddr) -> Option<u16> {
    address.iter().find_map(|part| match part {
        Protocol::Tcp(port) => Some(port),
        _ => None,
    })
}

impl Network {
    /// The own key.
    #[must_use]
    pub const fn local_key(&self) -> NetworkKey {
        self.local
    }

    /// Where it listens, with the port that was found if 0 was asked for.
    #[must_use]
    pub const fn local_address(&self) -> SocketAddr {
        self.address
    }

    /// Queues a frame (at most [`crate::FRAME_BYTES_MAX`] bytes) for a peer. It is dropped, and counted, if it
    /// is too long, the peer is not connected or its queue is full. Never waits.
    pub fn send(&self, to: NetworkKey, frame: Bytes) {
        if !self.peers.push(to, frame) {
            count(&self.counters.frames_dropped);
        }
    }

    /// Queues a frame for every connected peer, as [`Network::send`] does.
    pub fn broadcast(&self, frame: Bytes) {
        add(&self.counters.frames_dropped, self.peers.push_all(&frame));
    }

    /// Gossips a batch to all. Whether it was sent shows in [`Stats::publish_failed`]; the same bytes are sent
    /// once a minute at most.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when it is longer than [`GOSSIP_BATCH_BYTES_MAX`], [`Error::Busy`] when too much
    /// waits, [`Error::Stopped`].
    pub fn publish(&self, batch: Bytes) -> Result<(), Error> {
        let (bytes, max) = (batch.len(), GOSSIP_BATCH_BYTES_MAX);
        if bytes > max {
            return Err(Error::TooLarge { bytes, max });
        }
        self.commands.try_send(Command::Publish(batch)).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Closed(_) => Error::Stopped,
        })
    }

    /// Asks a peer and waits for its answer, at most [`REQUEST_TIMEOUT`].
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the request is longer than [`REQUEST_BYTES_MAX`], [`Error::NotConnected`],
    /// [`Error::NoAnswer`] when the peer goes, refuses or takes too long, [`Error::Busy`] when too many
    /// requests are under way, [`Error::Stopped`].
    pub async fn request(&self, to: NetworkKey, request: Bytes) -> Result<Bytes, Error> {
        let (bytes, max) = (request.len(), REQUEST_BYTES_MAX);
        if bytes > max {
            return Err(Error::TooLarge { bytes, max });
        }
        let (answer, answered) = oneshot::channel();
        let command = Command::Request { to, request, answer };
        let asking = async {
            self.commands.send(command).await.map_err(|_| Error::Stopped)?;
            answered.await.map_err(|_| Error::Stopped)?
        };
        let asked = tokio::time::timeout(REQUEST_TIMEOUT, asking).await;
        asked.unwrap_or_else(|_| Err(Error::NoAnswer { peer: to, reason: "it took too long".into() }))
    }

    /// Who is connected now, ascending.
    #[must_use]
    pub fn connected(&self) -> Vec<NetworkKey> {
        self.connected.borrow().clone()
    }

    /// Admits exactly these from now on; others are disconnected at once. An unsound key is passed over.
    pub fn set_peers(&self, peers: Vec<PeerAddress>) {
        self.wanted.send_replace(peers);
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// Closes all connections and the listener; returns when the port is free. The events end.
    pub async fn shutdown(&self) {
        let (done, stopped) = oneshot::channel();
        if self.commands.send(Command::Stop(done)).await.is_ok() {
            let _ = stopped.await;
        }
    }
}
