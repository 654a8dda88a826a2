//! Who dials whom, and when. Nothing redials by itself, so a timer does.
//!
//! Of each pair the side with the smaller key dials; the other one only after a while without a connection,
//! in case the first does not know where to. Dials take a port of their own: two that cross then make two
//! connections, never none.

use crate::key::{NetworkKey, PeerAddress};
use libp2p::multiaddr::{Multiaddr, Protocol};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How often it is looked for somebody to dial.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// First pause between two dials of a peer.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two dials of a peer.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How long the side with the larger key leaves the dialling to the other.
const OTHER_SIDE_FIRST: Duration = Duration::from_secs(3);

#[derive(Debug)]
struct Target {
    address: String,
    pause: Duration,
    due: Instant,
}

/// The peers to be dialled.
#[derive(Debug)]
pub(crate) struct Dialer {
    local: NetworkKey,
    targets: BTreeMap<NetworkKey, Target>,
}

impl Dialer {
    pub(crate) const fn new(local: NetworkKey) -> Self {
        Self { local, targets: BTreeMap::new() }
    }

    fn first_pause(&self, key: NetworkKey) -> Duration {
        if self.local < key { Duration::ZERO } else { OTHER_SIDE_FIRST }
    }

    pub(crate) fn set_peers(&mut self, peers: &[PeerAddress]) {
        let mut targets = BTreeMap::new();
        for peer in peers {
            let Some(address) = peer.address.clone() else { continue };
            let target = match self.targets.remove(&peer.key) {
                Some(target) => Target { address, ..target },
                None => Target {
                    address,
                    pause: PAUSE_MIN,
                    due: Instant::now() + self.first_pause(peer.key),
                },
            };
            targets.insert(peer.key, target);
        }
        self.targets = targets;
    }

    /// A peer has gone: dial it soon, or let it dial.
    pub(crate) fn disconnected(&mut self, key: NetworkKey) {
        let first = self.first_pause(key);
        if let Some(target) = self.targets.get_mut(&key) {
            target.pause = PAUSE_MIN;
            target.due = Instant::now() + first;
        }
    }

    /// Who is to be dialled now, with the address as it was configured.
    pub(crate) fn due(&mut self, connected: impl Fn(NetworkKey) -> bool) -> Vec<(NetworkKey, String)> {
        let now = Instant::now();
        let mut due = Vec::new();
        for (key, target) in &mut self.targets {
            if target.due <= now && !connected(*key) {
                // Peers that start together should not dial in step for ever.
                let jitter = Duration::from_millis(u64::from(key.0[0] ^ self.local.0[0]) % 50);
                target.due = now + target.pause + jitter;
                target.pause = (target.pause * 2).min(PAUSE_MAX);
                due.push((*key, target.address.clone()));
            }
        }
        due
    }
}

/// Resolves `host:port`.
pub(crate) async fn resolve(address: &str) -> std::io::Result<Vec<Multiaddr>> {
    let found = tokio::net::lookup_host(address).await?;
    Ok(found.map(|address| multiaddr(&address)).collect())
}

pub(crate) fn multiaddr(address: &std::net::SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}
