//! The task that owns the swarm. It never waits for whoever reads the events.

use crate::backlog::Backlog;
use crate::behaviour::{Behaviour, BehaviourEvent, Names};
use crate::dial::{Dialer, LOOK_EVERY, resolve};
use crate::direct::Sender;
use crate::error::Error;
use crate::event::{Event, GossipVerdict, Responder};
use crate::key::{NetworkKey, PeerAddress};
use crate::peers::Peers;
use crate::session::{Arrival, Connection, Sessions};
use crate::standing::Standing;
use crate::stats::{Counters, add, count};
use bytes::Bytes;
use futures::StreamExt;
use libp2p::gossipsub::{self, MessageAcceptance, MessageId};
use libp2p::request_response::{self, OutboundRequestId, ResponseChannel};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, ping};
use libp2p_stream::Control;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot, watch};

/// Commands that wait for the task.
pub(crate) const COMMANDS_WAITING_MAX: usize = 512;
/// Own requests under way.
pub(crate) const REQUESTS_MAX: usize = 64;

/// What the handle and the readers ask of the task.
pub(crate) enum Command {
    Publish(Bytes),
    Verdict { message: MessageId, source: PeerId, acceptance: MessageAcceptance },
    Request { to: NetworkKey, request: Bytes, answer: oneshot::Sender<Result<Bytes, Error>> },
    Respond { channel: ResponseChannel<Bytes>, response: Bytes },
    Dial { peer: PeerId, addresses: Vec<Multiaddr> },
    Ready { key: NetworkKey, session: u64 },
    Disconnect(PeerId),
    Stop(oneshot::Sender<()>),
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Command")
    }
}

pub(crate) struct Task {
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) names: Names,
    pub(crate) local: NetworkKey,
    pub(crate) peers: Peers,
    pub(crate) sessions: Sessions,
    pub(crate) control: Control,
    pub(crate) counters: Arc<Counters>,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) wanted: watch::Receiver<Vec<PeerAddress>>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) connected: watch::Sender<Vec<NetworkKey>>,
    pub(crate) dialer: Dialer,
    pub(crate) standing: Standing,
    /// Events for which the channel had no room yet.
    pub(crate) behind: Backlog,
    pub(crate) requests: HashMap<OutboundRequestId, (NetworkKey, oneshot::Sender<Result<Bytes, Error>>)>,
}

impl Task {
    pub(crate) async fn run(mut self, commands: mpsc::Receiver<Command>) {
        let stopped = self.serve(commands).await;
        self.peers.clear();
        self.sessions.clear();
        self.connected.send_replace(Vec::new());
        // Closes the sockets: who waits for the end may listen on the same port.
        drop(self);
        if let Some(stopped) = stopped {
            let _ = stopped.send(());
        }
    }

    /// Until it is stopped, all handles are gone, or nobody reads the events.
    async fn serve(&mut self, mut commands: mpsc::Receiver<Command>) -> Option<oneshot::Sender<()>> {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let events = self.events.clone();
        loop {
            tokio::select! {
                permit = events.reserve(), if !self.behind.is_empty() => match (permit, self.behind.pop()) {
                    (Ok(permit), Some(event)) => permit.send(event),
                    _ => return None,
                },
                event = self.swarm.select_next_some() => self.on_swarm(event),
                command = commands.recv() => match command {
                    Some(Command::Stop(done)) => return Some(done),
                    Some(command) => self.on_command(command),
                    None => return None,
                },
                changed = self.wanted.changed() => match changed {
                    Ok(()) => self.set_peers(),
                    Err(_) => return None,
                },
                () = events.closed() => return None,
                _ = look.tick() => {
                    self.dial();
                    self.hear_again();
                }
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        let behaviour = self.swarm.behaviour_mut();
        match command {
            Command::Publish(batch) => {
                let bytes = batch.len();
                match behaviour.gossip.publish(self.names.topic.clone(), batch) {
                    Ok(_) => {
                        count(&self.counters.gossip_published);
                        add(&self.counters.gossip_bytes_published, bytes);
                    }
                    Err(error) => {
                        count(&self.counters.publish_failed);
                        tracing::debug!(%error, "a batch was not published");
                    }
                }
            }
            Command::Verdict { message, source, acceptance } => {
                self.on_verdict(&message, source, acceptance);
            }
            Command::Request { to, request, answer } => self.request(to, request, answer),
            Command::Respond { channel, response } => {
                add(&self.counters.request_bytes_sent, response.len());
                // The asker may have gone.
                let _ = behaviour.requests.send_response(channel, response);
            }
            Command::Dial { peer, addresses } => {
                // A port of its own: with the listener's, dials that cross may end with no connection at all.
                let dial = DialOpts::peer_id(peer).addresses(addresses).allocate_new_port().build();
                if let Err(error) = self.swarm.dial(dial) {
                    tracing::debug!(%peer, %error, "not dialled");
                }
            }
            Command::Ready { key, session } => self.on_ready(key, session),
            Command::Disconnect(peer) => {
                let _ = self.swarm.disconnect_peer_id(peer);
            }
            Command::Stop(_) => unreachable!("ends the loop before"),
        }
    }

    /// Admits exactly those that are wanted; whoever is no longer among them is disconnected at once.
    pub(crate) fn set_peers(&mut self) {
        let wanted = self.wanted.borrow_and_update().clone();
        let others: Vec<_> = wanted.into_iter().filter(|peer| peer.key != self.local).collect();
        let mut allowed = HashMap::new();
        for peer in &others {
            match peer.key.peer_id() {
                Ok(id) => drop(allowed.insert(id, peer.key)),
                Err(error) => tracing::warn!(%error, "a peer is passed over"),
            }
        }
        let list = &mut self.swarm.behaviour_mut().allowed;
        for peer in allowed.keys() {
            list.allow_peer(*peer);
        }
        for (peer, key) in self.peers.allow(allowed) {
            self.swarm.behaviour_mut().allowed.disallow_peer(peer);
            self.end_session(key);
        }
        self.dialer.set_peers(Instant::now(), &others);
    }

    fn request(&mut self, to: NetworkKey, request: Bytes, answer: oneshot::Sender<Result<Bytes, Error>>) {
        let peer = to.peer_id().ok().filter(|_| self.peers.is_connected(to));
        let Some(peer) = peer else {
            let _ = answer.send(Err(Error::NotConnected(to)));
            return;
        };
        self.requests.retain(|_, (_, answer)| !answer.is_closed());
        if self.requests.len() >= REQUESTS_MAX {
            let _ = answer.send(Err(Error::Busy));
            return;
        }
        add(&self.counters.request_bytes_sent, request.len());
        let id = self.swarm.behaviour_mut().requests.send_request(&peer, request);
        self.requests.insert(id, (to, answer));
    }

    fn dial(&mut self) {
        for (key, address) in self.dialer.due(Instant::now(), |key| self.sessions.contains(key)) {
            let Ok(peer) = key.peer_id() else { continue };
            let commands = self.commands.clone();
            tokio::spawn(async move {
                match resolve(address.as_str()).await {
                    Ok(addresses) => drop(commands.send(Command::Dial { peer, addresses }).await),
                    Err(error) => tracing::debug!(%address, %error, "cannot resolve a peer's address"),
                }
            });
        }
    }

    fn on_swarm(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connection(peer_id, connection_id, endpoint.is_dialer());
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, .. } => {
                tracing::debug!(%peer_id, ?cause, "a connection closed");
                if let Some(key) = self.peers.key(&peer_id)
                    && self.sessions.leave(key, connection_id)
                {
                    self.end_session(key);
                    self.dialer.disconnected(Instant::now(), key);
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => {
                tracing::debug!(?peer_id, %error, "a dial failed");
            }
            SwarmEvent::IncomingConnectionError { send_back_addr, error, .. } => {
                tracing::debug!(%send_back_addr, %error, "a connection was refused");
            }
            SwarmEvent::ListenerClosed { reason, .. } => tracing::error!(?reason, "no longer listening"),
            SwarmEvent::Behaviour(event) => self.on_behaviour(event),
            _ => {}
        }
    }

    fn on_behaviour(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Gossip(gossipsub::Event::Message { propagation_source, message_id, message }) => {
                self.on_gossip(propagation_source, message_id, message.data);
            }
            BehaviourEvent::Gossip(gossipsub::Event::SlowPeer { peer_id, failed_messages }) => {
                add(&self.counters.gossip_dropped, failed_messages.priority + failed_messages.non_priority);
                tracing::debug!(%peer_id, "a peer takes gossip too slowly");
            }
            BehaviourEvent::Requests(event) => self.on_request_event(event),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, connection_id, info })
                if info.protocol_version != self.names.identify =>
            {
                tracing::warn!(%peer_id, theirs = %info.protocol_version, "a peer of another chain");
                self.swarm.close_connection(connection_id);
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result: Err(error) }) => {
                tracing::debug!(%peer, %error, "a peer does not answer");
                self.swarm.close_connection(connection);
            }
            _ => {}
        }
    }

    fn on_connection(&mut self, peer: PeerId, id: ConnectionId, dialled: bool) {
        count(&self.counters.connections);
        let Some(key) = self.peers.key(&peer) else {
            self.swarm.close_connection(id);
            return;
        };
        let connection = Connection { id, by_smaller: dialled == (self.local < key) };
        let Arrival::Session(replaced) = self.sessions.arrive(key, connection) else { return };
        if !replaced.is_empty() {
            self.end_session(key);
        }
        for old in replaced {
            self.swarm.close_connection(old);
        }
        let sender = Sender {
            peer,
            key,
            session: self.sessions.next_id(),
            control: self.control.clone(),
            protocol: self.names.direct.clone(),
            commands: self.commands.clone(),
            counters: Arc::clone(&self.counters),
        };
        self.sessions.start(key, connection, sender.start());
    }

    /// The peer has accepted our stream.
    fn on_ready(&mut self, key: NetworkKey, id: u64) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        if session.id != id || session.announced {
            return;
        }
        session.announced = true;
        self.peers.connect(key, session.queue.clone());
        self.dialer.succeeded(Instant::now(), key);
        self.announce(Event::Connected(key), key);
    }

    /// Drops what waits for the peer.
    fn end_session(&mut self, key: NetworkKey) {
        if let Ok(peer) = key.peer_id()
            && self.standing.disconnected(peer)
        {
            self.swarm.behaviour_mut().gossip.remove_blacklisted_peer(&peer);
        }
        if self.sessions.remove(key).is_some_and(|session| session.announced) {
            self.peers.disconnect(key);
            self.announce(Event::Disconnected(key), key);
        }
    }

    fn announce(&mut self, event: Event, key: NetworkKey) {
        self.connected.send_replace(self.peers.connected());
        self.behind.announce(event, key);
    }

    fn offer(&mut self, event: Event) {
        if !self.behind.offer(event) {
            count(&self.counters.events_dropped);
        }
    }

    fn on_gossip(&mut self, source: PeerId, message: MessageId, batch: Vec<u8>) {
        count(&self.counters.gossip_received);
        add(&self.counters.gossip_bytes_received, batch.len());
        if batch.len() > crate::GOSSIP_BATCH_BYTES_MAX {
            return self.on_verdict(&message, source, MessageAcceptance::Reject);
        }
        let verdict = GossipVerdict::new(message, source, self.commands.clone());
        // On this return the verdict is dropped, and so given.
        let Some(from) = self.peers.key(&source) else { return };
        self.offer(Event::Gossip { from, batch: batch.into(), verdict });
    }

    fn on_verdict(&mut self, message: &MessageId, source: PeerId, acceptance: MessageAcceptance) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        if matches!(acceptance, MessageAcceptance::Reject) {
            count(&self.counters.gossip_rejected);
            // Only those admitted have a standing, which bounds them.
            if let Some(key) = self.peers.key(&source)
                && self.standing.reject(Instant::now(), source)
            {
                tracing::warn!(peer = %key, "too many rejected batches: not heard in gossip for a while");
                gossip.blacklist_peer(&source);
            }
        }
        gossip.report_message_validation_result(message, &source, acceptance);
    }

    fn hear_again(&mut self) {
        for peer in self.standing.expire(Instant::now()) {
            self.swarm.behaviour_mut().gossip.remove_blacklisted_peer(&peer);
        }
    }

    fn on_request_event(&mut self, event: request_response::Event<Bytes, Bytes>) {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                request_response::Message::Request { request, channel, .. } => {
                    add(&self.counters.request_bytes_received, request.len());
                    let Some(from) = self.peers.key(&peer) else { return };
                    let responder = Responder { channel, commands: self.commands.clone() };
                    self.offer(Event::Request { from, request, responder });
                }
                request_response::Message::Response { request_id, response } => {
                    add(&self.counters.request_bytes_received, response.len());
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
