//! Bounds that libp2p keeps for us, and the queue of the handle, each filled and gone beyond by one.

use super::{CHAIN, DEADLINE, config, node, until};
use crate::Error;
use crate::behaviour::{
    Behaviour, CONNECTIONS_MAX, CONNECTIONS_PER_PEER_MAX, Names, PENDING_CONNECTIONS_MAX,
};
use crate::network::{STREAMS_PER_CONNECTION_MAX, multiplexer};
use crate::swarm::COMMANDS_WAITING_MAX;
use futures::AsyncWriteExt;
use libp2p::connection_limits::Exceeded;
use libp2p::core::muxing::StreamMuxerExt;
use libp2p::core::upgrade::{InboundConnectionUpgrade, OutboundConnectionUpgrade};
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::identity::Keypair;
use libp2p::swarm::behaviour::{ConnectionEstablished, FromSwarm};
use libp2p::swarm::{ConnectionDenied, ConnectionId, NetworkBehaviour};
use libp2p::tcp::tokio::TcpStream;
use libp2p::{Multiaddr, PeerId, yamux};
use std::future::poll_fn;
use std::task::Poll;
use tokio::time::timeout;

/// A node's behaviour without a swarm, which takes the swarm's events from a test.
struct Door {
    behaviour: Behaviour,
    connections: usize,
    here: Multiaddr,
    there: Multiaddr,
}

impl Door {
    fn new() -> Self {
        let behaviour = Behaviour::new(&Keypair::generate_ed25519(), &Names::of(CHAIN).unwrap()).unwrap();
        let [here, there] = ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/2"].map(|a| a.parse().unwrap());
        Self { behaviour, connections: 0, here, there }
    }

    fn admitted(&mut self) -> PeerId {
        let peer = PeerId::random();
        self.behaviour.allowed.allow_peer(peer);
        peer
    }

    fn id(&mut self) -> ConnectionId {
        self.connections += 1;
        ConnectionId::new_unchecked(self.connections)
    }

    /// Somebody begins to connect, or is begun to be dialled.
    fn begin(&mut self, inbound: bool) -> Result<ConnectionId, u32> {
        let id = self.id();
        let (behaviour, here, there) = (&mut self.behaviour, &self.here, &self.there);
        let begun = if inbound {
            behaviour.handle_pending_inbound_connection(id, here, there)
        } else {
            behaviour.handle_pending_outbound_connection(id, None, &[], Endpoint::Dialer).map(drop)
        };
        begun.map(|()| id).map_err(limit)
    }

    /// A handshake is over.
    fn establish(&mut self, connection_id: ConnectionId, peer_id: PeerId) -> Result<(), u32> {
        let (here, there) = (&self.here, &self.there);
        self.behaviour
            .handle_established_inbound_connection(connection_id, peer_id, here, there)
            .map_err(limit)?;
        let endpoint = ConnectedPoint::Listener { local_addr: here.clone(), send_back_addr: there.clone() };
        let (failed_addresses, other_established) = (&[][..], 0);
        self.behaviour.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id,
            connection_id,
            endpoint: &endpoint,
            failed_addresses,
            other_established,
        }));
        Ok(())
    }
}

/// The limit for which a connection is denied.
fn limit(denied: ConnectionDenied) -> u32 {
    denied.downcast::<Exceeded>().unwrap().limit()
}

#[test]
fn so_many_connections_may_be_in_their_handshake() {
    for inbound in [true, false] {
        let mut door = Door::new();
        let begun: Vec<_> = (0..PENDING_CONNECTIONS_MAX).map(|_| door.begin(inbound).unwrap()).collect();
        assert_eq!(door.begin(inbound), Err(PENDING_CONNECTIONS_MAX));
        assert!(door.begin(!inbound).is_ok(), "the other way has its own room");
        if inbound {
            let peer = door.admitted();
            door.establish(begun[0], peer).unwrap();
            assert!(door.begin(inbound).is_ok(), "a finished one makes room");
        }
    }
}

#[test]
fn a_peer_may_have_so_many_connections_and_all_together_so_many() {
    let mut door = Door::new();
    let greedy = door.admitted();
    let mut connect = |peer: Option<PeerId>| {
        let peer = peer.unwrap_or_else(|| door.admitted());
        let id = door.begin(true).unwrap();
        door.establish(id, peer)
    };
    for _ in 0..CONNECTIONS_PER_PEER_MAX {
        assert_eq!(connect(Some(greedy)), Ok(()));
    }
    assert_eq!(connect(Some(greedy)), Err(CONNECTIONS_PER_PEER_MAX));
    for _ in CONNECTIONS_PER_PEER_MAX..CONNECTIONS_MAX {
        assert_eq!(connect(None), Ok(()), "the others' room is theirs");
    }
    assert_eq!(connect(None), Err(CONNECTIONS_MAX));
}

/// A peer that opens more streams than it may loses its connection.
#[tokio::test]
async fn a_connection_has_so_many_streams_and_ends_with_the_next() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(listener.accept(), tokio::net::TcpStream::connect(address));
    let (near, far) = (TcpStream(near.unwrap().0), TcpStream(far.unwrap()));
    let mut ours = multiplexer().upgrade_inbound(near, "/yamux/1.0.0").await.unwrap();
    let mut peer = yamux::Config::default().upgrade_outbound(far, "/yamux/1.0.0").await.unwrap();
    // Open until the connection is gone; a stream is there for the other side with its first byte.
    let opening = tokio::spawn(async move {
        let mut opened = Vec::new();
        loop {
            let next = poll_fn(|cx| match peer.poll_unpin(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                _ => peer.poll_outbound_unpin(cx),
            });
            let Ok(mut stream) = next.await else { return };
            if stream.write_all(b"x").await.is_err() {
                return;
            }
            opened.push(stream);
            tokio::task::yield_now().await;
        }
    });
    let mut streams = Vec::new();
    let accepting = async {
        while let Ok(stream) = poll_fn(|cx| ours.poll_inbound_unpin(cx)).await {
            streams.push(stream);
        }
    };
    timeout(DEADLINE, accepting).await.unwrap();
    assert_eq!(streams.len(), STREAMS_PER_CONNECTION_MAX);
    drop(ours);
    timeout(DEADLINE, opening).await.unwrap().unwrap();
}

/// On one thread the swarm takes nothing until the test waits.
#[tokio::test]
async fn so_many_commands_wait_and_the_next_is_told_to_come_back() {
    let alone = node(config(1, CHAIN, Vec::new())).await;
    let publish = |number: usize| alone.network.publish(number.to_le_bytes().to_vec().into());
    for number in 0..COMMANDS_WAITING_MAX {
        publish(number).unwrap();
    }
    let refused = publish(COMMANDS_WAITING_MAX).unwrap_err();
    assert!(matches!(refused, Error::Busy) && refused.is_transient(), "{refused}");
    // Nobody listens, so each is tried, and counted as failed.
    let tried = || alone.network.stats().publish_failed + alone.network.stats().gossip_published;
    until("all have been taken", || tried() == COMMANDS_WAITING_MAX as u64).await;
    publish(COMMANDS_WAITING_MAX).unwrap();
    until("and the next", || tried() == COMMANDS_WAITING_MAX as u64 + 1).await;
}
