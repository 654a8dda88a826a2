//! The allow-list and the queues to those connected, shared by all tasks.

use crate::direct::Queue;
use crate::key::NetworkKey;
use bytes::Bytes;
use libp2p::PeerId;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

#[derive(Debug, Default)]
struct Table {
    /// As many as were admitted.
    allowed: HashMap<PeerId, NetworkKey>,
    /// At most one of each that is allowed.
    queues: BTreeMap<NetworkKey, Queue>,
}

/// Who is admitted, and who can be sent to. Written by the swarm task alone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peers(Arc<RwLock<Table>>);

impl Peers {
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Table) -> T) -> T {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The key of a peer that is admitted.
    pub(crate) fn key(&self, peer: &PeerId) -> Option<NetworkKey> {
        self.read().allowed.get(peer).copied()
    }

    /// Whether frames for this peer find a queue.
    pub(crate) fn is_connected(&self, key: NetworkKey) -> bool {
        self.read().queues.contains_key(&key)
    }

    /// Queues a frame; false if there is no queue or no room.
    pub(crate) fn push(&self, key: NetworkKey, frame: Bytes) -> bool {
        self.read().queues.get(&key).is_some_and(|queue| queue.push(frame))
    }

    /// Queues a frame for each that is connected; how many had no room.
    pub(crate) fn push_all(&self, frame: &Bytes) -> usize {
        self.read().queues.values().filter(|queue| !queue.push(frame.clone())).count()
    }

    /// Admits exactly these; those that no longer are.
    pub(crate) fn allow(&self, allowed: HashMap<PeerId, NetworkKey>) -> Vec<(PeerId, NetworkKey)> {
        self.change(|table| {
            let before = std::mem::replace(&mut table.allowed, allowed);
            before.into_iter().filter(|(peer, _)| !table.allowed.contains_key(peer)).collect()
        })
    }

    /// From now on frames for this peer go into this queue.
    pub(crate) fn connect(&self, key: NetworkKey, queue: Queue) {
        self.change(|table| table.queues.insert(key, queue));
    }

    /// Drops a peer's queue and what waits in it.
    pub(crate) fn disconnect(&self, key: NetworkKey) {
        self.change(|table| table.queues.remove(&key));
    }

    /// Forgets all.
    pub(crate) fn clear(&self) {
        self.change(|table| *table = Table::default());
    }

    /// Bytes that wait for a peer, with what keeping them costs.
    #[cfg(test)]
    pub(crate) fn waiting(&self, key: NetworkKey) -> Option<usize> {
        self.read().queues.get(&key).map(Queue::waiting)
    }

    /// Who is connected, ascending.
    pub(crate) fn connected(&self) -> Vec<NetworkKey> {
        self.read().queues.keys().copied().collect()
    }
}
