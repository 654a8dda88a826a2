//! Who dials whom, and when. Nothing redials by itself, so a timer does.
//!
//! Of each pair the side with the smaller key dials; the other one only after a while without a connection,
//! in case the first does not know where to. Dials take a port of their own: two that cross then make two
//! connections, never none.

use crate::key::{NetworkKey, PeerAddress};
use libp2p::multiaddr::{Multiaddr, Protocol};
use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::time::{Duration, Instant};
use tokio::net::ToSocketAddrs;
use tokio::time::timeout;

/// How often it is looked for somebody to dial.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// First pause between two dials of a peer.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause between two dials of a peer, before jitter.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long the side with the larger key leaves the dialling to the other.
const OTHER_SIDE_FIRST: Duration = Duration::from_secs(3);
/// How long a name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 8;

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
    /// As many as there are peers with an address.
    targets: BTreeMap<NetworkKey, Target>,
    random: RandomState,
}

impl Dialer {
    pub(crate) fn new(local: NetworkKey) -> Self {
        Self { local, targets: BTreeMap::new(), random: RandomState::new() }
    }

    fn first_pause(&self, key: NetworkKey) -> Duration {
        if self.local < key { Duration::ZERO } else { OTHER_SIDE_FIRST }
    }

    /// Dials exactly these from now on. Who is new, or has moved, is dialled as if for the first time.
    pub(crate) fn set_peers(&mut self, now: Instant, peers: &[PeerAddress]) {
        let mut targets = BTreeMap::new();
        for peer in peers {
            let Some(address) = peer.address.clone() else { continue };
            let target = match self.targets.remove(&peer.key) {
                Some(target) if target.address == address => target,
                _ => Target { address, pause: PAUSE_MIN, due: now + self.first_pause(peer.key) },
            };
            targets.insert(peer.key, target);
        }
        self.targets = targets;
    }

    /// A peer has let us in: when it goes, it is dialled quickly again. A connection alone does not count, a
    /// peer that does not admit us closes it at once.
    pub(crate) fn succeeded(&mut self, now: Instant, key: NetworkKey) {
        if let Some(target) = self.targets.get_mut(&key) {
            target.pause = PAUSE_MIN;
            target.due = now;
        }
    }

    /// A peer has gone: dial it, or let it dial first.
    pub(crate) fn disconnected(&mut self, now: Instant, key: NetworkKey) {
        let first = self.first_pause(key);
        if let Some(target) = self.targets.get_mut(&key) {
            target.due = target.due.max(now + first);
        }
    }

    /// Who is to be dialled now, with the address as it was configured.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        connected: impl Fn(NetworkKey) -> bool,
    ) -> Vec<(NetworkKey, String)> {
        let mut due = Vec::new();
        for (key, target) in &mut self.targets {
            if target.due <= now && !connected(*key) {
                // Up to a quarter: peers that start together should not dial in step for ever.
                let part = (self.random.hash_one((key, now)) % 256) as u32;
                target.due = now + target.pause + target.pause / 1_024 * part;
                target.pause = (target.pause * 2).min(PAUSE_MAX);
                due.push((*key, target.address.clone()));
            }
        }
        due
    }
}

/// Resolves `host:port`, to so many addresses at most.
pub(crate) async fn resolve(address: impl ToSocketAddrs) -> io::Result<Vec<Multiaddr>> {
    let found = timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host(address)).await;
    let found = found.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    Ok(found.take(ADDRESSES_MAX).map(|address| multiaddr(&address)).collect())
}

pub(crate) fn multiaddr(address: &std::net::SocketAddr) -> Multiaddr {
    Multiaddr::from(address.ip()).with(Protocol::Tcp(address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: NetworkKey = NetworkKey([1; 32]);
    const LARGE: NetworkKey = NetworkKey([2; 32]);
    const STEP: Duration = Duration::from_millis(1);

    /// A dialler, and a clock that only it moves.
    struct Clocked(Dialer, Instant);

    impl Clocked {
        fn new(local: NetworkKey, peer: NetworkKey) -> Self {
            let mut clocked = Self(Dialer::new(local), Instant::now());
            clocked.set_peers(&[PeerAddress { key: peer, address: Some("localhost:1".into()) }]);
            clocked
        }

        fn set_peers(&mut self, peers: &[PeerAddress]) {
            self.0.set_peers(self.1, peers);
        }

        fn due(&mut self, connected: bool) -> Vec<(NetworkKey, String)> {
            self.0.due(self.1, |_| connected)
        }

        /// How long until the next dial.
        fn wait(&mut self) -> Duration {
            let start = self.1;
            while self.due(false).is_empty() {
                self.1 += STEP;
            }
            self.1 - start
        }
    }

    #[test]
    fn the_smaller_key_dials_first() {
        assert_eq!(Clocked::new(SMALL, LARGE).wait(), Duration::ZERO);
        assert_eq!(Clocked::new(LARGE, SMALL).wait(), OTHER_SIDE_FIRST);
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_start_anew_after_success() {
        let mut dialer = Clocked::new(SMALL, LARGE);
        dialer.wait();
        let mut pause = PAUSE_MIN;
        for _ in 0..10 {
            let waited = dialer.wait();
            assert!(waited >= pause && waited <= pause + pause / 4 + STEP, "{waited:?} for {pause:?}");
            pause = (pause * 2).min(PAUSE_MAX);
        }
        assert_eq!(pause, PAUSE_MAX);
        dialer.0.disconnected(dialer.1, LARGE);
        assert!(dialer.wait() >= PAUSE_MAX, "a refused connection is no success");
        dialer.0.succeeded(dialer.1, LARGE);
        dialer.0.disconnected(dialer.1, LARGE);
        assert_eq!(dialer.wait(), Duration::ZERO);
        assert!(dialer.wait() < 2 * PAUSE_MIN);
    }

    #[test]
    fn nobody_connected_removed_or_without_address_is_dialled() {
        let mut dialer = Clocked::new(SMALL, LARGE);
        assert!(dialer.due(true).is_empty());
        dialer.set_peers(&[PeerAddress { key: LARGE, address: None }]);
        assert!(dialer.due(false).is_empty());
        dialer.set_peers(&[]);
        assert!(dialer.due(false).is_empty());
    }

    #[test]
    fn a_peer_that_moved_is_dialled_at_once() {
        let mut dialer = Clocked::new(SMALL, LARGE);
        for _ in 0..8 {
            dialer.wait();
        }
        dialer.set_peers(&[PeerAddress { key: LARGE, address: Some("localhost:2".into()) }]);
        assert_eq!(dialer.due(false), [(LARGE, "localhost:2".to_owned())]);
    }

    #[tokio::test]
    async fn names_are_resolved() {
        let found = resolve("127.0.0.1:7").await.unwrap();
        assert_eq!(found, ["/ip4/127.0.0.1/tcp/7".parse().unwrap()]);
        assert!(!resolve("localhost:7").await.unwrap().is_empty());
        assert!(resolve("no port").await.is_err());
    }

    #[tokio::test]
    async fn so_many_addresses_of_a_name_are_tried() {
        let address = |port: usize| std::net::SocketAddr::from(([127, 0, 0, 1], port as u16));
        for more in [0, 1] {
            let all: Vec<_> = (1..=ADDRESSES_MAX + more).map(address).collect();
            let tried: Vec<_> = all[..ADDRESSES_MAX].iter().map(multiaddr).collect();
            assert_eq!(resolve(&all[..]).await.unwrap(), tried);
        }
    }
}
