//! How peers stand in gossip. Whoever passes on what no honest peer would is not heard for a while.
//!
//! gossipsub's own scores would do it too, but keep a record of every message for two minutes: tens of
//! megabytes at a high rate. Its block list, which this feeds, is asked before a message counts as seen: a
//! silenced peer cannot make an honest one's batches pass for repetitions.

use libp2p::PeerId;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// Batches of one peer that may be rejected within [`REJECTS_WINDOW`].
pub(crate) const REJECTS_MAX: u32 = 8;
/// How long the first of them is remembered.
const REJECTS_WINDOW: Duration = Duration::from_secs(60);
/// How long a peer is not heard.
const SILENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Record {
    rejects: u32,
    silenced: bool,
    /// When it is forgotten.
    until: Instant,
}

/// The peers with rejected batches.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    /// As many as were admitted within the last minutes: others send no batches.
    records: HashMap<PeerId, Record>,
}

impl Standing {
    /// A batch of this peer was rejected; true when it is to be silenced from now on.
    pub(crate) fn reject(&mut self, now: Instant, peer: PeerId) -> bool {
        let first = Record { rejects: 0, silenced: false, until: now + REJECTS_WINDOW };
        let record = self.records.entry(peer).or_insert(first);
        record.rejects = record.rejects.saturating_add(1);
        if record.silenced || record.rejects < REJECTS_MAX {
            return false;
        }
        record.silenced = true;
        record.until = now + SILENCE;
        true
    }

    /// A peer has gone; true when it was silenced and is to be heard again. gossipsub would otherwise pass
    /// over its next connection for good. One more rejected batch silences it again.
    pub(crate) fn disconnected(&mut self, peer: PeerId) -> bool {
        let Some(record) = self.records.get_mut(&peer) else { return false };
        record.rejects = record.rejects.min(REJECTS_MAX - 1);
        std::mem::take(&mut record.silenced)
    }

    /// Forgets what is old; the peers that are to be heard again.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<PeerId> {
        let old = self.records.extract_if(|_, record| record.until <= now);
        old.filter(|(_, record)| record.silenced).map(|(peer, _)| peer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(1);

    /// How many rejects it takes to silence a peer.
    fn silence(standing: &mut Standing, now: Instant, peer: PeerId) -> usize {
        (1..).find(|_| standing.reject(now, peer)).unwrap()
    }

    #[test]
    fn too_many_rejects_silence_a_peer_for_a_while() {
        let (mut standing, now) = (Standing::default(), Instant::now());
        let (bad, good) = (PeerId::random(), PeerId::random());
        assert_eq!(silence(&mut standing, now, bad), REJECTS_MAX as usize);
        assert!(!standing.reject(now, bad), "it is silenced once");
        assert!(!standing.reject(now, good), "another is counted on its own");
        assert!(standing.expire(now + SILENCE - STEP).is_empty());
        assert_eq!(standing.expire(now + SILENCE), [bad]);
        assert!(standing.records.is_empty(), "nothing is kept");
        assert_eq!(silence(&mut standing, now, bad), REJECTS_MAX as usize, "it starts anew");
    }

    #[test]
    fn few_rejects_are_forgotten() {
        let (mut standing, mut now, peer) = (Standing::default(), Instant::now(), PeerId::random());
        for _ in 0..10 {
            for _ in 1..REJECTS_MAX {
                assert!(!standing.reject(now, peer));
            }
            now += REJECTS_WINDOW;
            assert!(standing.expire(now).is_empty(), "it was never silenced");
        }
    }

    #[test]
    fn who_comes_back_is_heard_but_not_trusted() {
        let (mut standing, now, peer) = (Standing::default(), Instant::now(), PeerId::random());
        assert!(!standing.disconnected(peer), "nothing is known of it");
        silence(&mut standing, now, peer);
        assert!(standing.disconnected(peer));
        assert!(!standing.disconnected(peer), "it is heard already");
        assert_eq!(silence(&mut standing, now, peer), 1);
    }
}
