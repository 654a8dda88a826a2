//! Networks of several nodes on the loopback device.

mod bounds;
mod direct;
mod gossip;
mod membership;
mod raw;
mod requests;

use crate::{Config, Event, Network, NetworkKey, PeerAddress, start};
use bytes::Bytes;
use libp2p::identity::Keypair;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

/// Far above what anything here takes, on a busy machine too.
const DEADLINE: Duration = Duration::from_secs(60);
const CHAIN: &str = "00ff";

/// A node under test.
struct Node {
    seed: u8,
    network: Network,
    events: mpsc::Receiver<Event>,
}

fn secret(seed: u8) -> [u8; 32] {
    [seed; 32]
}

fn key(seed: u8) -> NetworkKey {
    let pair = Keypair::ed25519_from_bytes(secret(seed)).unwrap();
    NetworkKey(pair.public().try_into_ed25519().unwrap().to_bytes())
}

/// Seeds 1 to `n`, in the order of their keys: who comes first is to dial.
fn seeds(n: u8) -> Vec<u8> {
    let mut seeds: Vec<u8> = (1..=n).collect();
    seeds.sort_by_key(|seed| key(*seed));
    seeds
}

fn at(seed: u8, address: Option<SocketAddr>) -> PeerAddress {
    PeerAddress { key: key(seed), address: address.map(|address| address.to_string()) }
}

fn config(seed: u8, chain: &str, peers: Vec<PeerAddress>) -> Config {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Config { network_secret: secret(seed), chain: chain.into(), listen, peers }
}

async fn node(config: Config) -> Node {
    let seed = config.network_secret[0];
    let (network, events) = start(config).await.unwrap();
    Node { seed, network, events }
}

impl Node {
    fn key(&self) -> NetworkKey {
        self.network.local_key()
    }

    fn address(&self) -> PeerAddress {
        at(self.seed, Some(self.network.local_address()))
    }

    /// The next event that is wanted; others are passed over, and what they carry dropped.
    async fn wait_for<T>(&mut self, what: &str, mut wanted: impl FnMut(Event) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let event = self.events.recv().await.expect("the network has ended");
                if let Some(found) = wanted(event) {
                    return found;
                }
            }
        };
        timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("node {} waits for {what}", self.seed))
    }

    async fn connected(&mut self, peer: NetworkKey) {
        self.wait_for("a connection", |event| {
            matches!(event, Event::Connected(key) if key == peer).then_some(())
        })
        .await;
    }

    async fn disconnected(&mut self, peer: NetworkKey) {
        let gone = |event| matches!(event, Event::Disconnected(key) if key == peer).then_some(());
        self.wait_for("a disconnection", gone).await;
    }

    /// The next frame from `peer`.
    async fn frame(&mut self, peer: NetworkKey) -> Bytes {
        self.wait_for("a frame", |event| match event {
            Event::Direct { from, frame } if from == peer => Some(frame),
            _ => None,
        })
        .await
    }

    /// What has come so far.
    fn drain(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }
}

/// Waits until a condition holds that no event tells of.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < DEADLINE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Nodes that listen, connected as `linked` says, in the order of their keys.
async fn cluster(n: u8, linked: impl Fn(usize, usize) -> bool) -> Vec<Node> {
    let mut nodes = Vec::new();
    for seed in seeds(n) {
        nodes.push(node(config(seed, CHAIN, Vec::new())).await);
    }
    let addresses: Vec<_> = nodes.iter().map(Node::address).collect();
    for (i, node) in nodes.iter().enumerate() {
        let links = addresses.iter().enumerate().filter(|(j, _)| *j != i && linked(i, *j));
        node.network.set_peers(links.map(|(_, address)| address.clone()).collect());
    }
    for (i, node) in nodes.iter().enumerate() {
        let wanted = (0..nodes.len()).filter(|j| *j != i && linked(i, *j)).count();
        until("all are connected", || node.network.connected().len() == wanted).await;
    }
    nodes
}

async fn mesh(n: u8) -> Vec<Node> {
    cluster(n, |_, _| true).await
}
