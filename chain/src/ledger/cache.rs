//! A cache bounded in bytes: what was not used since the hand came by goes first (CLOCK).

use crate::state::tree::{Digest, Pair};
use crate::state::{Entry, StateKey};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

/// What an entry costs beside its value: its slot and place.
const ENTRY_BYTES: usize = 48;

/// What is found in a cache, by a key of its own.
pub(super) trait Keyed {
    type Key: Hash + Eq;
    fn key(&self) -> &Self::Key;
}

impl Keyed for Entry {
    type Key = StateKey;
    fn key(&self) -> &StateKey {
        &self.key
    }
}

/// A leaf by its digest.
impl Keyed for (Digest, Arc<[Pair]>) {
    type Key = Digest;
    fn key(&self) -> &Digest {
        &self.0
    }
}

/// Values by key. Which one is evicted does not depend on the order of the hash table.
pub(super) struct Cache<V> {
    /// Places in `slots`, by a hash that nobody outside can foresee.
    places: HashTable<usize>,
    hashes: DefaultHashBuilder,
    slots: Vec<Slot<V>>,
    hand: usize,
    bytes: usize,
    bytes_max: usize,
}

struct Slot<V> {
    hash: u64,
    value: V,
    bytes: usize,
    used: bool,
}

impl<V: Keyed> Cache<V> {
    pub(super) fn new(bytes_max: usize) -> Self {
        let (places, hashes) = (HashTable::new(), DefaultHashBuilder::default());
        Self { places, hashes, slots: Vec::new(), hand: 0, bytes: 0, bytes_max }
    }

    fn place(&self, hash: u64, key: &V::Key) -> Option<usize> {
        let is_it = |slot: &Slot<V>| slot.hash == hash && slot.value.key() == key;
        self.places.find(hash, |at| is_it(&self.slots[*at])).copied()
    }

    pub(super) fn get(&mut self, key: &V::Key) -> Option<&V> {
        let slot = self.place(self.hashes.hash_one(key), key)?;
        let slot = &mut self.slots[slot];
        slot.used = true;
        Some(&slot.value)
    }

    /// Keeps a value of so many bytes, in the place of an older one of the same key.
    pub(super) fn insert(&mut self, value: V, bytes: usize) {
        let (hash, bytes) = (self.hashes.hash_one(value.key()), bytes + ENTRY_BYTES);
        if let Some(at) = self.place(hash, value.key()) {
            self.bytes = self.bytes - self.slots[at].bytes + bytes;
            self.slots[at] = Slot { hash, value, bytes, used: true };
            self.make_room(0);
        } else if bytes <= self.bytes_max {
            // Before it is there: what has not been used yet would go first.
            self.make_room(bytes);
            self.places.insert_unique(hash, self.slots.len(), |at| self.slots[*at].hash);
            self.slots.push(Slot { hash, value, bytes, used: false });
            self.bytes += bytes;
        }
    }

    /// Forgets a value.
    pub(super) fn remove(&mut self, key: &V::Key) {
        if let Some(at) = self.place(self.hashes.hash_one(key), key) {
            self.take(at);
        }
    }

    fn make_room(&mut self, bytes: usize) {
        while self.bytes + bytes > self.bytes_max && !self.slots.is_empty() {
            self.evict();
        }
    }

    /// Takes one that was not used since the hand was there last.
    fn evict(&mut self) {
        loop {
            self.hand %= self.slots.len();
            let slot = &mut self.slots[self.hand];
            if !std::mem::take(&mut slot.used) {
                break;
            }
            self.hand += 1;
        }
        self.take(self.hand);
        self.hand += 1;
    }

    /// Takes a slot out; the last one comes to its place.
    fn take(&mut self, at: usize) {
        let slot = self.slots.swap_remove(at);
        if let Ok(place) = self.places.find_entry(slot.hash, |place| *place == at) {
            place.remove();
        }
        self.bytes -= slot.bytes;
        if let Some(moved) = self.slots.get(at)
            && let Some(place) = self.places.find_mut(moved.hash, |place| *place == self.slots.len())
        {
            *place = at;
        }
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key and value.
    impl Keyed for (u32, u32) {
        type Key = u32;
        fn key(&self) -> &u32 {
            &self.0
        }
    }

    #[test]
    fn it_stays_within_its_bytes_and_keeps_what_is_used() {
        let mut cache = Cache::new(100 * (ENTRY_BYTES + 10));
        for key in 0..10_000u32 {
            cache.insert((key, key), 10);
            assert!(cache.bytes() <= 100 * (ENTRY_BYTES + 10));
            assert_eq!(cache.get(&key), Some(&(key, key)));
            assert!(key < 200 || cache.get(&7).is_none());
            cache.get(&(key / 1_000 * 1_000));
        }
        assert!(cache.get(&9_000).is_some(), "it was used all the time");
        assert!(cache.get(&9_001).is_none(), "it was not");
        cache.insert((9_000, 5), 100 * (ENTRY_BYTES + 10));
        assert!(cache.get(&9_000).is_none(), "larger than the cache");
        assert!(cache.bytes() <= 100 * (ENTRY_BYTES + 10));
        assert_eq!(cache.places.len(), cache.slots.len());
        let kept: Vec<u32> = (0..10_000).filter(|key| cache.get(key).is_some()).collect();
        for (key, left) in kept.iter().zip((0..kept.len()).rev()) {
            cache.remove(key);
            assert!(cache.get(key).is_none());
            assert_eq!(kept.iter().filter(|key| cache.get(key).is_some()).count(), left);
        }
        assert_eq!((cache.bytes(), cache.places.len(), cache.slots.len()), (0, 0, 0));
    }
}
