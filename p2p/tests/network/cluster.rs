//! Nodes under test, and waiting for what they do.

use bytes::Bytes;
use libp2p::identity::Keypair;
use quorate_p2p::{Config, Event, Network, NetworkKey, PeerAddress, start};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// Far above what anything here takes, on a busy machine too.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
pub(crate) const CHAIN: &str = "5eed";

pub(crate) struct Node {
    pub(crate) network: Network,
    pub(crate) events: mpsc::Receiver<Event>,
    pub(crate) seed: u8,
}

pub(crate) fn secret(seed: u8) -> [u8; 32] {
    [seed; 32]
}

pub(crate) fn key(seed: u8) -> NetworkKey {
    let pair = Keypair::ed25519_from_bytes(secret(seed)).unwrap();
    NetworkKey(pair.public().try_into_ed25519().unwrap().to_bytes())
}

/// Seeds of `n` nodes in the order of their keys: of two, the first is to dial.
pub(crate) fn seeds(n: u8) -> Vec<u8> {
    let mut seeds: Vec<u8> = (1..=n).collect();
    seeds.sort_by_key(|seed| key(*seed));
    seeds
}

pub(crate) fn config(seed: u8, peers: Vec<PeerAddress>) -> Config {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Config { network_secret: secret(seed), chain: CHAIN.into(), listen, peers }
}

/// A peer that has to dial itself.
pub(crate) fn silent(key: NetworkKey) -> PeerAddress {
    PeerAddress { key, address: None }
}

pub(crate) fn at(key: NetworkKey, address: SocketAddr) -> PeerAddress {
    PeerAddress { key, address: Some(address.to_string()) }
}

impl Node {
    pub(crate) async fn start(config: Config) -> Self {
        let seed = config.network_secret[0];
        let (network, events) = start(config).await.unwrap();
        Self { network, events, seed }
    }

    pub(crate) fn key(&self) -> NetworkKey {
        self.network.local_key()
    }

    pub(crate) fn peer(&self) -> PeerAddress {
        at(self.key(), self.network.local_address())
    }

    pub(crate) fn has(&self, peer: NetworkKey) -> bool {
        self.network.connected().contains(&peer)
    }

    /// The next event that is wanted; others are passed over.
    pub(crate) async fn next<T>(&mut self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(found) = wanted(self.events.recv().await.expect("the network goes on")) {
                    return found;
                }
            }
        };
        timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("{:?} waits for {what}", self.key()))
    }

    pub(crate) async fn frame(&mut self) -> (NetworkKey, Bytes) {
        self.next("a frame", |event| match event {
            Event::Direct { from, frame } => Some((from, frame)),
            _ => None,
        })
        .await
    }

    pub(crate) async fn connected(&mut self, peer: NetworkKey) {
        self.next("a peer to come", |event| {
            matches!(event, Event::Connected(key) if key == peer).then_some(())
        })
        .await;
    }

    pub(crate) async fn disconnected(&mut self, peer: NetworkKey) {
        self.next("a peer to go", |event| {
            matches!(event, Event::Disconnected(key) if key == peer).then_some(())
        })
        .await;
    }

    /// What has come so far.
    pub(crate) fn read(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }
}

/// Waits for a condition that no event tells of.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Nodes in the order of their keys, of which those are connected that `linked` names; all dial at once.
pub(crate) async fn cluster(n: u8, linked: impl Fn(usize, usize) -> bool) -> Vec<Node> {
    let mut nodes = Vec::new();
    for seed in seeds(n) {
        nodes.push(Node::start(config(seed, Vec::new())).await);
    }
    let peers: Vec<_> = nodes.iter().map(Node::peer).collect();
    let of =
        |i: usize| (0..nodes.len()).filter(move |j| *j != i).filter(|j| linked(i, *j)).collect::<Vec<_>>();
    for (i, node) in nodes.iter().enumerate() {
        node.network.set_peers(of(i).into_iter().map(|j| peers[j].clone()).collect());
    }
    for (i, node) in nodes.iter().enumerate() {
        until("all are connected", || node.network.connected().len() == of(i).len()).await;
    }
    nodes
}

pub(crate) async fn mesh(n: u8) -> Vec<Node> {
    cluster(n, |_, _| true).await
}
