//! What a host keeps: a map of few kinds of entries, each durable once it is put.

use super::error::Error;
use quorate_chain::codec::encode;
use quorate_chain::crypto::SecretKey;
use quorate_chain::{BlockHash, ChainId, Height};
use std::collections::BTreeMap;
use std::io;

/// Names an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// Whose storage it is: network and key. Written once.
    Owner,
    /// The n-th record of the vote journal.
    Record(u64),
    /// The body of a block that is not committed yet.
    Body(BlockHash),
    /// A committed block with its proof.
    Block(Height),
}

/// A durable map. Directories of files, a log, an embedded database will do.
pub trait Storage {
    /// Makes all entries durable: once it returns `Ok`, no crash and no loss of power undoes it. Before that
    /// any of them may be there or not, but each whole or not at all. One call is one sync.
    ///
    /// # Errors
    /// When it is not certain that all are durable. The host then stops.
    fn put(&mut self, entries: &[(Key, Vec<u8>)]) -> io::Result<()>;

    /// The value put last under this key.
    ///
    /// # Errors
    /// When it cannot be read, or is not as it was put.
    fn get(&self, key: Key) -> io::Result<Option<Vec<u8>>>;

    /// Forgets entries. They may come back after a crash.
    ///
    /// # Errors
    /// When the storage is unusable.
    fn remove(&mut self, keys: &[Key]) -> io::Result<()>;

    /// The keys of all records and bodies, in ascending order; others may be among them.
    ///
    /// # Errors
    /// When they cannot be read.
    fn keys(&self) -> io::Result<Vec<Key>>;
}

/// Makes an empty storage the record of `key` on network `chain`. To be called once in the life of a key, when
/// it is made: a host that finds no record refuses to start, and so never contradicts what a lost one says (R47).
///
/// # Errors
/// When it is already somebody's ([`Error::OtherOwner`]), or the storage fails.
pub fn initialise<D: Storage>(storage: &mut D, chain: ChainId, key: &SecretKey) -> Result<(), Error> {
    if storage.get(Key::Owner)?.is_some() {
        return Err(Error::OtherOwner);
    }
    Ok(storage.put(&[(Key::Owner, owner(chain, key))])?)
}

/// The value under [`Key::Owner`].
pub(super) fn owner(chain: ChainId, key: &SecretKey) -> Vec<u8> {
    encode(&(chain, key.public()))
}

/// A storage in memory: survives the host that used it ([`Host::into_storage`](super::Host::into_storage)), but
/// not the process. For tests and simulations.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    entries: BTreeMap<Key, Vec<u8>>,
}

impl Storage for Memory {
    fn put(&mut self, entries: &[(Key, Vec<u8>)]) -> io::Result<()> {
        self.entries.extend(entries.iter().cloned());
        Ok(())
    }

    fn get(&self, key: Key) -> io::Result<Option<Vec<u8>>> {
        Ok(self.entries.get(&key).cloned())
    }

    fn remove(&mut self, keys: &[Key]) -> io::Result<()> {
        for key in keys {
            self.entries.remove(key);
        }
        Ok(())
    }

    fn keys(&self) -> io::Result<Vec<Key>> {
        Ok(self.entries.keys().copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_owner_bytes() {
        let key = SecretKey::from_seed(&[5; 32]);
        assert_eq!(owner(ChainId([7; 32]), &key), [[7; 32], key.public().0].concat());
    }
}
