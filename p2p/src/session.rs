//! Which connections a peer has. Almost always one; more when it restarted before its dead connection was
//! noticed, or when two dials crossed.

use crate::direct::Queue;
use crate::key::NetworkKey;
use libp2p::swarm::ConnectionId;
use std::collections::BTreeMap;

/// One connection of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connection {
    pub(crate) id: ConnectionId,
    /// Whether the side dialled that is to dial: the one with the smaller key.
    pub(crate) by_smaller: bool,
}

impl Connection {
    /// Whether `older` is dead or superfluous once this one is there. A side dials only while it has no
    /// connection, so an older one that it dialled is dead. Of two that crossed, both sides keep the one that
    /// the smaller key dialled.
    const fn replaces(self, older: Self) -> bool {
        self.by_smaller || !older.by_smaller
    }
}

/// From a peer's first connection until there is none, or another takes its place.
#[derive(Debug)]
pub(crate) struct Session {
    /// Tells it from earlier ones of the same peer.
    pub(crate) id: u64,
    /// Bounded by the connections a peer may have.
    connections: Vec<Connection>,
    /// Ends the sending task when it is dropped.
    pub(crate) queue: Queue,
    /// Whether the peer has accepted our stream, and the application knows.
    pub(crate) announced: bool,
}

/// What a new connection means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// The peer had none, or these, which are to be closed: start a session.
    Session(Vec<ConnectionId>),
    /// One more of the session that there is.
    Another,
}

/// The sessions, at most one a peer.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_key: BTreeMap<NetworkKey, Session>,
    started: u64,
}

impl Sessions {
    pub(crate) fn contains(&self, key: NetworkKey) -> bool {
        self.by_key.contains_key(&key)
    }

    pub(crate) fn get_mut(&mut self, key: NetworkKey) -> Option<&mut Session> {
        self.by_key.get_mut(&key)
    }

    /// Takes note of a connection. After [`Arrival::Session`] the old session has to be removed and a new one
    /// started.
    pub(crate) fn arrive(&mut self, key: NetworkKey, new: Connection) -> Arrival {
        let Some(session) = self.by_key.get_mut(&key) else { return Arrival::Session(Vec::new()) };
        if session.connections.iter().all(|older| new.replaces(*older)) {
            return Arrival::Session(session.connections.iter().map(|older| older.id).collect());
        }
        session.connections.push(new);
        Arrival::Another
    }

    /// The number that the next session will have.
    pub(crate) const fn next_id(&self) -> u64 {
        self.started + 1
    }

    pub(crate) fn start(&mut self, key: NetworkKey, connection: Connection, queue: Queue) {
        self.started += 1;
        let session = Session { id: self.started, connections: vec![connection], queue, announced: false };
        self.by_key.insert(key, session);
    }

    /// A connection has closed; true when it was the last of its session.
    pub(crate) fn leave(&mut self, key: NetworkKey, id: ConnectionId) -> bool {
        let Some(session) = self.by_key.get_mut(&key) else { return false };
        let before = session.connections.len();
        session.connections.retain(|connection| connection.id != id);
        before > 0 && session.connections.is_empty()
    }

    pub(crate) fn remove(&mut self, key: NetworkKey) -> Option<Session> {
        self.by_key.remove(&key)
    }

    pub(crate) fn clear(&mut self) {
        self.by_key.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: NetworkKey = NetworkKey([1; 32]);

    fn connection(id: usize, by_smaller: bool) -> Connection {
        Connection { id: ConnectionId::new_unchecked(id), by_smaller }
    }

    /// A session for each that asks for one, as the swarm task does.
    fn arrive(sessions: &mut Sessions, new: Connection) -> Arrival {
        let arrival = sessions.arrive(PEER, new);
        if matches!(arrival, Arrival::Session(_)) {
            sessions.start(PEER, new, Queue::detached());
        }
        arrival
    }

    #[test]
    fn a_restarted_peer_replaces_its_dead_connection() {
        for by_smaller in [false, true] {
            let mut sessions = Sessions::default();
            let (old, new) = (connection(1, by_smaller), connection(2, by_smaller));
            assert_eq!(arrive(&mut sessions, old), Arrival::Session(vec![]));
            assert_eq!(arrive(&mut sessions, new), Arrival::Session(vec![old.id]));
            assert!(!sessions.leave(PEER, old.id), "the closing of the old one is not the end");
            assert!(sessions.leave(PEER, new.id));
        }
    }

    #[test]
    fn of_crossing_dials_both_sides_keep_the_same() {
        let (small, large) = (connection(1, true), connection(2, false));
        let mut first = Sessions::default();
        arrive(&mut first, large);
        assert_eq!(arrive(&mut first, small), Arrival::Session(vec![large.id]));
        let mut second = Sessions::default();
        arrive(&mut second, small);
        assert_eq!(arrive(&mut second, large), Arrival::Another);
        // The other side closes it.
        assert!(!second.leave(PEER, large.id));
        assert!(second.leave(PEER, small.id));
    }
}
