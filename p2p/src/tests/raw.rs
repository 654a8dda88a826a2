//! A peer that is admitted and does not keep to the rules.

use super::{CHAIN, Node, key, secret, until};
use crate::behaviour::{Behaviour, BehaviourEvent, Names};
use crate::direct::ACCEPTED;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder, gossipsub, noise, tcp, yamux};
use libp2p_stream::{Control, IncomingStreams};
use tokio::sync::watch;

/// What is wrong with it.
#[derive(Clone, Copy, Default)]
pub(super) struct Faults {
    /// Streams that it takes without a word before it accepts one.
    pub(super) streams_ignored: usize,
    /// Whether it stops doing anything, its sockets open, once a gossip batch has come.
    pub(super) stops_at_gossip: bool,
}

/// Connected to one node.
pub(super) struct Raw {
    control: Control,
    to: PeerId,
    direct: StreamProtocol,
    pub(super) stopped: watch::Receiver<bool>,
}

impl Raw {
    /// Returns when the node takes it for connected.
    pub(super) async fn connect(seed: u8, to: &Node, faults: Faults) -> Self {
        let names = Names::of(CHAIN).unwrap();
        let peer = to.key().peer_id().unwrap();
        let mut swarm = swarm(seed, &names);
        swarm.behaviour_mut().allowed.allow_peer(peer);
        swarm.dial(crate::dial::multiaddr(&to.network.local_address())).unwrap();
        let mut control = swarm.behaviour().streams.new_control();
        tokio::spawn(accept(control.accept(names.direct.clone()).unwrap(), faults.streams_ignored));
        let (stop, stopped) = watch::channel(false);
        tokio::spawn(drive(swarm, faults.stops_at_gossip, stop));
        until("the raw peer is connected", || to.network.connected().contains(&key(seed))).await;
        Self { control, to: peer, direct: names.direct, stopped }
    }

    /// Opens a direct stream and writes `bytes` to it.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        let mut stream = self.control.open_stream(self.to, self.direct.clone()).await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
        hold(stream);
    }
}

fn swarm(seed: u8, names: &Names) -> Swarm<Behaviour> {
    SwarmBuilder::with_existing_identity(Keypair::ed25519_from_bytes(secret(seed)).unwrap())
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key| Behaviour::new(key, names).map_err(Into::into))
        .unwrap()
        .build()
}

/// Keeps a stream until the other side has had enough of it.
fn hold(mut stream: Stream) {
    tokio::spawn(async move { stream.read_to_end(&mut Vec::new()).await });
}

async fn accept(mut incoming: IncomingStreams, mut ignore: usize) {
    while let Some((_, mut stream)) = incoming.next().await {
        if ignore > 0 {
            ignore -= 1;
        } else {
            let _ = stream.write_all(&[ACCEPTED]).await;
            let _ = stream.flush().await;
        }
        hold(stream);
    }
}

async fn drive(mut swarm: Swarm<Behaviour>, stops_at_gossip: bool, stop: watch::Sender<bool>) {
    loop {
        let event = swarm.select_next_some().await;
        let gossip =
            matches!(event, SwarmEvent::Behaviour(BehaviourEvent::Gossip(gossipsub::Event::Message { .. })));
        if gossip && stops_at_gossip {
            stop.send_replace(true);
            std::future::pending::<()>().await;
        }
    }
}
