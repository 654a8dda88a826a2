//! What a block changed, shared by all who keep it: its version, the journal's record, caches, readers of the past.

use super::entry::{StateKey, StateValue};
use super::tree::KeyHash;
use crate::codec::invalid;
use borsh::io::{Read, Result as IoResult, Write};
use borsh::{BorshDeserialize, BorshSerialize};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;
use std::ops::Deref;
use std::sync::Arc;

/// A place in the state, and what is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where.
    pub key: StateKey,
    /// What; `None`: nothing, or nothing any more.
    pub value: Option<StateValue>,
}

/// Changed entries, ascending by key, each once. `None` removes an entry.
///
/// Encoding: that of a map, so how many (4 bytes), then key and value of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes(Vec<Entry>);

/// Entries for which there is room before the first is read.
const DECODED_ROOM: usize = 4_096;

impl Changes {
    /// What it does to an entry; `None` when it leaves it alone.
    #[must_use]
    pub fn entry(&self, key: &StateKey) -> Option<&Entry> {
        self.0.get(self.place(key).ok()?)
    }

    /// The value that it gives an entry.
    #[must_use]
    pub fn value(&self, key: &StateKey) -> Option<&StateValue> {
        self.entry(key)?.value.as_ref()
    }

    fn place(&self, key: &StateKey) -> Result<usize, usize> {
        self.0.binary_search_by(|entry| entry.key.cmp(key))
    }

    /// Sets what it does to an entry. For few: what is behind moves.
    pub fn set(&mut self, key: StateKey, value: Option<StateValue>) {
        let place = self.place(&key);
        let entry = Entry { key, value };
        match place {
            Ok(at) => self.0[at] = entry,
            Err(at) => self.0.insert(at, entry),
        }
    }
}

impl Deref for Changes {
    type Target = [Entry];
    fn deref(&self) -> &[Entry] {
        &self.0
    }
}

impl IntoIterator for Changes {
    type Item = (StateKey, Option<StateValue>);
    type IntoIter = std::iter::Map<std::vec::IntoIter<Entry>, fn(Entry) -> Self::Item>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|Entry { key, value }| (key, value))
    }
}

/// In any order; of a key the last one.
impl FromIterator<(StateKey, Option<StateValue>)> for Changes {
    fn from_iter<I: IntoIterator<Item = (StateKey, Option<StateValue>)>>(changes: I) -> Self {
        let entries = changes.into_iter().map(|(key, value)| Some(Entry { key, value }));
        let mut entries: Vec<_> = entries.collect();
        let key = |at: &usize| entries[*at].as_ref().map(|entry| &entry.key);
        // Entries are large: their places are sorted, and each is moved once.
        let mut order: Vec<_> = (0..entries.len()).rev().collect();
        order.sort_by(|one, other| key(one).cmp(&key(other)));
        order.dedup_by(|one, other| key(one) == key(other));
        Self(order.into_iter().filter_map(|at| entries[at].take()).collect())
    }
}

impl BorshSerialize for Changes {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        let count = u32::try_from(self.0.len()).map_err(|_| invalid("too many changes"))?;
        count.serialize(writer)?;
        self.0.iter().try_for_each(|entry| (&entry.key, &entry.value).serialize(writer))
    }
}

impl BorshDeserialize for Changes {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let count = u32::deserialize_reader(reader)? as usize;
        let mut entries: Vec<Entry> = Vec::with_capacity(count.min(DECODED_ROOM));
        for _ in 0..count {
            let (key, value) = BorshDeserialize::deserialize_reader(reader)?;
            if entries.last().is_some_and(|last| last.key >= key) {
                return Err(invalid("changes out of order"));
            }
            entries.push(Entry { key, value });
        }
        Ok(Self(entries))
    }
}

/// Changes that are found by key and by key hash.
pub(super) struct Indexed {
    pub(super) changes: Arc<Changes>,
    /// Hashes, ascending, and places in `changes`.
    pub(super) hashed: Vec<(KeyHash, u32)>,
    /// Places in `changes`, by a hash that nobody outside can foresee.
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

impl Indexed {
    pub(super) fn new(changes: Changes) -> Self {
        let hasher = DefaultHashBuilder::default();
        let mut places = HashTable::with_capacity(changes.0.len());
        for (entry, place) in changes.0.iter().zip(0u32..) {
            let again = |at: &u32| hasher.hash_one(&changes.0[*at as usize].key);
            places.insert_unique(hasher.hash_one(&entry.key), place, again);
        }
        let mut hashed: Vec<_> = changes.iter().map(|entry| entry.key.hash()).zip(0..).collect();
        hashed.sort_unstable_by_key(|(hash, _)| *hash);
        Self { changes: Arc::new(changes), hashed, places, hasher }
    }

    pub(super) fn get(&self, key: &StateKey) -> Option<&Entry> {
        if self.changes.is_empty() {
            return None;
        }
        let is_it = |at: &u32| self.changes[*at as usize].key == *key;
        let place = self.places.find(self.hasher.hash_one(key), is_it)?;
        self.changes.get(*place as usize)
    }

    pub(super) fn hashed(&self) -> impl Iterator<Item = (&KeyHash, &Entry)> {
        self.hashed.iter().map(|(hash, place)| (hash, &self.changes[*place as usize]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};
    use crate::ids::{AccountId, Epoch, PublicKey};
    use crate::state::Account;
    use std::collections::BTreeMap;

    fn account(i: u8) -> (StateKey, Option<StateValue>) {
        (StateKey::Account(AccountId([i; 32])), Some(StateValue::Account(Account::default())))
    }

    fn removed(i: u8) -> (StateKey, Option<StateValue>) {
        (StateKey::Seated(PublicKey([i; 32])), None)
    }

    #[test]
    fn they_are_a_map_in_bytes_and_in_order() {
        let all = [account(3), removed(7), account(1), removed(2)];
        let map: BTreeMap<_, _> = all.clone().into_iter().collect();
        let changes: Changes = all.clone().into_iter().collect();
        assert_eq!(encode(&changes), encode(&map));
        assert_eq!(decode::<Changes>(&encode(&map)), Ok(changes.clone()));
        let mut set = Changes::default();
        for (key, value) in all {
            set.set(key, value);
        }
        assert_eq!(set, changes);
        let indexed = Indexed::new(changes.clone());
        for (key, value) in map {
            assert_eq!(indexed.get(&key).unwrap().value, value);
            assert_eq!(changes.entry(&key).unwrap().value, value);
        }
        assert!(indexed.get(&account(9).0).is_none() && changes.entry(&account(9).0).is_none());
        assert!(indexed.hashed.is_sorted_by(|one, other| one.0 < other.0));
    }

    #[test]
    fn the_last_of_a_key_counts() {
        let key = removed(1).0;
        let all = [(key.clone(), None), (key.clone(), Some(StateValue::Seated(Epoch(4))))];
        let changes: Changes = all.into_iter().collect();
        assert_eq!(changes.iter().count(), 1);
        assert_eq!(changes.value(&key), Some(&StateValue::Seated(Epoch(4))));
    }

    #[test]
    fn bytes_out_of_order_or_too_few_are_refused() {
        let bytes = |entries: &[(StateKey, Option<StateValue>)]| {
            [(entries.len() as u32).to_le_bytes().to_vec(), entries.iter().flat_map(encode).collect()]
                .concat()
        };
        assert!(decode::<Changes>(&bytes(&[account(1), account(2)])).is_ok());
        assert!(decode::<Changes>(&bytes(&[account(2), account(1)])).is_err());
        assert!(decode::<Changes>(&bytes(&[account(1), account(1)])).is_err());
        assert!(decode::<Changes>(&[u32::MAX.to_le_bytes().to_vec(), encode(&account(1))].concat()).is_err());
    }
}
