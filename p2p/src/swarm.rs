//! The task that owns the swarm. It never waits for whoever reads the events.

use crate::behaviour::{Behaviour, BehaviourEvent, Names};
use crate::dial::{Dialer, LOOK_EVERY, resolve};
use crate::direct::{Queue, start_sender};
use crate::error::Error;
use crate::event::{Event, GossipVerdict, Responder};
use crate::key::{NetworkKey, PeerAddress};
use crate::stats::{Counters, count};
use bytes::Bytes;
use futures::StreamExt;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId};
use libp2p::request_response::{self, OutboundRequestId, ResponseChannel};
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId, Swarm, ping};
use libp2p_stream::Control;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{mpsc, oneshot, watch};

/// Commands that wait for the task.
pub(crate) const COMMANDS_WAITING_MAX: usize = 1_024;
/// Gossip batches and requests that wait to be read beside the event channel; more are dropped.
const EVENTS_BEHIND_MAX: usize = 64;
/// Requests under way.
const REQUESTS_MAX: usize = 256;

/// What the handle and the readers ask of the task.
pub(crate) enum Command {
    Publish(Bytes),
    Verdict { message: MessageId, source: PeerId, acceptance: MessageAcceptance },
    Request { to: NetworkKey, request: Bytes, answer: oneshot::Sender<Result<Bytes, Error>> },
    Respond { channel: ResponseChannel<Bytes>, response: Bytes },
    Dial { peer: PeerId, addresses: Vec<Multiaddr> },
    Disconnect(PeerId),
    SetPeers(Vec<PeerAddress>),
    Stop(oneshot::Sender<()>),
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

/// The allow-list and the queues of those connected, for all tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peers(Arc<RwLock<PeerTable>>);

#[derive(Debug, Default)]
struct PeerTable {
    allowed: HashMap<PeerId, NetworkKey>,
    queues: HashMap<NetworkKey, Queue>,
}

impl Peers {
    pub(crate) fn key(&self, peer: &PeerId) -> Option<NetworkKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).allowed.get(peer).copied()
    }

    pub(crate) fn queue(&self, key: NetworkKey) -> Option<Queue> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).queues.get(&key).cloned()
    }

    pub(crate) fn queues(&self) -> Vec<Queue> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).queues.values().cloned().collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut PeerTable) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(crate) struct Task {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) names: Names,
    pub(crate) local: NetworkKey,
    pub(crate) peers: Peers,
    pub(crate) control: Control,
    pub(crate) counters: Arc<Counters>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) connected: watch::Sender<Vec<NetworkKey>>,
    pub(crate) dialer: Dialer,
    /// Events for which the channel had no room yet.
    pub(crate) behind: VecDeque<Event>,
    pub(crate) requests: HashMap<OutboundRequestId, (NetworkKey, oneshot::Sender<Result<Bytes, Error>>)>,
}

impl Task {
    pub(crate) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let events = self.events.clone();
            tokio::select! {
                permit = events.reserve(), if !self.behind.is_empty() => match (permit, self.behind.pop_front()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => return,
                },
                event = self.swarm.select_next_some() => self.on_swarm(event),
                command = commands.recv() => match command {
                    Some(Command::Stop(done)) => {
                        let _ = done.send(());
                        return;
                    }
                    Some(command) => self.on_command(command),
                    None => return,
                },
                _ = look.tick() => self.dial(),
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        let behaviour = self.swarm.behaviour_mut();
        match command {
            Command::Publish(batch) => {
                if let Err(error) = behaviour.gossip.publish(self.names.topic.clone(), batch) {
                    count(&self.counters.publish_failed);
                    tracing::debug!(%error, "a batch was not published");
                }
            }
            Command::Verdict { message, source, acceptance } => {
                behaviour.gossip.report_message_validation_result(&message, &source, acceptance);
            }
            Command::Request { to, request, answer } => self.request(to, request, answer),
            Command::Respond { channel, response } => {
                // The asker may have gone.
                let _ = behaviour.requests.send_response(channel, response);
            }
            Command::Dial { peer, addresses } => {
                let dial = DialOpts::peer_id(peer).addresses(addresses).allocate_new_port().build();
                if let Err(error) = self.swarm.dial(dial) {
                    tracing::debug!(%peer, %error, "not dialled");
                }
            }
            Command::Disconnect(peer) => {
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Command::SetPeers(peers) => self.set_peers(&peers),
            Command::Stop(_) => {}
        }
    }

    /// Admits exactly these; whoever is no longer among them is disconnected at once.
    pub(crate) fn set_peers(&mut self, peers: &[PeerAddress]) {
        let others = peers.iter().filter(|peer| peer.key != self.local);
        let wanted: HashMap<PeerId, NetworkKey> =
            others.filter_map(|peer| Some((peer.key.peer_id().ok()?, peer.key))).collect();
        let allowed = &mut self.swarm.behaviour_mut().allowed;
        let before = self.peers.change(|table| std::mem::replace(&mut table.allowed, wanted.clone()));
        for peer in before.keys().filter(|peer| !wanted.contains_key(peer)) {
            allowed.disallow_peer(*peer);
        }
        for peer in wanted.keys() {
            allowed.allow_peer(*peer);
        }
        let others: Vec<_> = peers.iter().filter(|peer| peer.key != self.local).cloned().collect();
        self.dialer.set_peers(&others);
        // Peers that are no longer admitted keep their key until their connection has closed.
        self.peers.change(|table| {
            for (peer, key) in before {
                if table.queues.contains_key(&key) {
                    table.allowed.entry(peer).or_insert(key);
                }
            }
        });
    }

    fn request(&mut self, to: NetworkKey, request: Bytes, answer: oneshot::Sender<Result<Bytes, Error>>) {
        let connected = self.peers.queue(to).is_some();
        let peer = to.peer_id().ok().filter(|_| connected);
        let Some(peer) = peer else {
            let _ = answer.send(Err(Error::NotConnected(to)));
            return;
        };
        if self.requests.len() >= REQUESTS_MAX {
            let _ = answer.send(Err(Error::Busy));
            return;
        }
        let id = self.swarm.behaviour_mut().requests.send_request(&peer, request);
        self.requests.insert(id, (to, answer));
    }

    fn dial(&mut self) {
        let peers = self.peers.clone();
        for (key, address) in self.dialer.due(|key| peers.queue(key).is_some()) {
            let Ok(peer) = key.peer_id() else { continue };
            let commands = self.commands.clone();
            tokio::spawn(async move {
                match resolve(&address).await {
                    Ok(addresses) if !addresses.is_empty() => {
                        drop(commands.send(Command::Dial { peer, addresses }).await);
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%address, %error, "cannot resolve a peer's address"),
                }
            });
        }
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => self.on_connected(peer_id),
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => self.on_disconnected(peer_id),
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            })) => self.on_gossip(propagation_source, message_id, message.data),
            SwarmEvent::Behaviour(BehaviourEvent::Requests(event)) => self.on_request_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                connection, result: Err(error), ..
            })) => {
                tracing::debug!(%error, "a peer does not answer");
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }

    fn on_connected(&mut self, peer: PeerId) {
        let Some(key) = self.peers.key(&peer) else { return };
        if self.peers.queue(key).is_some() {
            return;
        }
        count(&self.counters.connections);
        let counters = Arc::clone(&self.counters);
        let queue = start_sender(peer, self.control.clone(), self.names.direct.clone(), counters);
        self.peers.change(|table| table.queues.insert(key, queue));
        self.show_connected();
        self.behind.push_back(Event::Connected(key));
    }

    fn on_disconnected(&mut self, peer: PeerId) {
        let Some(key) = self.peers.key(&peer) else { return };
        if self.peers.change(|table| table.queues.remove(&key)).is_none() {
            return;
        }
        if !self.swarm.behaviour().allowed.allowed_peers().contains(&peer) {
            self.peers.change(|table| table.allowed.remove(&peer));
        }
        self.dialer.disconnected(key);
        self.show_connected();
        self.behind.push_back(Event::Disconnected(key));
    }

    fn show_connected(&self) {
        let mut connected = self.peers.change(|table| table.queues.keys().copied().collect::<Vec<_>>());
        connected.sort_unstable();
        self.connected.send_replace(connected);
    }

    /// Queues what may be lost, if there is room.
    fn offer(&mut self, event: Event) {
        if self.behind.len() < EVENTS_BEHIND_MAX {
            self.behind.push_back(event);
        } else {
            count(&self.counters.events_dropped);
        }
    }

    fn on_gossip(&mut self, source: PeerId, message: MessageId, batch: Vec<u8>) {
        let Some(from) = self.peers.key(&source) else { return };
        count(&self.counters.gossip_received);
        let verdict = GossipVerdict { message, source, commands: self.commands.clone() };
        self.offer(Event::Gossip { from, batch: batch.into(), verdict });
    }

    fn on_request_event(&mut self, event: request_response::Event<Bytes, Bytes>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request { request, channel, .. } => {
                    let Some(from) = self.peers.key(&peer) else { return };
                    let responder = Responder { channel, commands: self.commands.clone() };
                    self.offer(Event::Request { from, request, responder });
                }
                request_response::Message::Response { request_id, response } => {
                    if let Some((_, answer)) = self.requests.remove(&request_id) {
                        let _ = answer.send(Ok(response));
                    }
                }
            },
            request_response::Event::OutboundFailure { request_id, error, .. } => {
                if let Some((peer, answer)) = self.requests.remove(&request_id) {
                    let _ = answer.send(Err(Error::NoAnswer { peer, reason: error.to_string() }));
                }
            }
            _ => {}
        }
    }
}
