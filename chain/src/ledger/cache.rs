//! A cache bounded in bytes: what was not used since the hand came by goes first (CLOCK).

use borsh::BorshSerialize;
use borsh::io::{Result as IoResult, Write};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// What an entry costs beside its value: its key, slot, place and allocations.
const ENTRY_BYTES: usize = 128;

/// Values by key. Which key is evicted does not depend on the order of the hash table.
pub(super) struct Cache<K, V> {
    /// By a hash that nobody outside can foresee. When two keys have the same, the later one takes the place.
    places: HashMap<u64, usize>,
    hashes: RandomState,
    slots: Vec<Slot<K, V>>,
    hand: usize,
    bytes: usize,
    bytes_max: usize,
}

struct Slot<K, V> {
    hash: u64,
    key: K,
    value: V,
    bytes: usize,
    used: bool,
}

/// Hashes what is written.
struct Hashing<H>(H);

impl<H: Hasher> Write for Hashing<H> {
    fn write(&mut self, bytes: &[u8]) -> IoResult<usize> {
        self.0.write(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

impl<K: BorshSerialize + Eq, V> Cache<K, V> {
    pub(super) fn new(bytes_max: usize) -> Self {
        let (places, hashes) = (HashMap::new(), RandomState::new());
        Self { places, hashes, slots: Vec::new(), hand: 0, bytes: 0, bytes_max }
    }

    fn hash(&self, key: &K) -> u64 {
        let mut hashing = Hashing(self.hashes.build_hasher());
        // Hashing takes all there is.
        let _ = key.serialize(&mut hashing);
        hashing.0.finish()
    }

    pub(super) fn get(&mut self, key: &K) -> Option<&V> {
        let hash = self.hash(key);
        let slot = self.slots.get_mut(*self.places.get(&hash)?)?;
        if slot.key != *key {
            return None;
        }
        slot.used = true;
        Some(&slot.value)
    }

    /// Keeps a value of so many bytes, in the place of an older one of the same key.
    pub(super) fn insert(&mut self, key: K, value: V, bytes: usize) {
        let (hash, bytes) = (self.hash(&key), bytes + ENTRY_BYTES);
        if let Some(slot) = self.places.get(&hash).and_then(|at| self.slots.get_mut(*at)) {
            self.bytes = self.bytes - slot.bytes + bytes;
            *slot = Slot { hash, key, value, bytes, used: true };
            self.make_room(0);
        } else if bytes <= self.bytes_max {
            // Before it is there: what has not been used yet would go first.
            self.make_room(bytes);
            self.places.insert(hash, self.slots.len());
            self.slots.push(Slot { hash, key, value, bytes, used: false });
            self.bytes += bytes;
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
        let slot = self.slots.swap_remove(self.hand);
        self.places.remove(&slot.hash);
        self.bytes -= slot.bytes;
        if let Some(moved) = self.slots.get(self.hand) {
            self.places.insert(moved.hash, self.hand);
        }
        self.hand += 1;
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stays_within_its_bytes_and_keeps_what_is_used() {
        let mut cache = Cache::new(100 * (ENTRY_BYTES + 10));
        for key in 0..10_000u32 {
            cache.insert(key, key, 10);
            assert!(cache.bytes() <= 100 * (ENTRY_BYTES + 10));
            assert_eq!(cache.get(&key), Some(&key));
            assert!(key < 200 || cache.get(&7).is_none());
            cache.get(&(key / 1_000 * 1_000));
        }
        assert!(cache.get(&9_000).is_some(), "it was used all the time");
        assert!(cache.get(&9_001).is_none(), "it was not");
        cache.insert(9_000, 5, 100 * (ENTRY_BYTES + 10));
        assert!(cache.get(&9_000).is_none(), "larger than the cache");
        assert!(cache.bytes() <= 100 * (ENTRY_BYTES + 10));
        assert_eq!(cache.places.len(), cache.slots.len());
    }
}
