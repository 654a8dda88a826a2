//! A store in memory that can lose what was not checkpointed.

use super::{Applied, Pair, Store, StoreError, Table, TreeFile, open, seal};
use crate::ledger::runs::Manifest;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Tables = BTreeMap<Table, BTreeMap<Vec<u8>, Vec<u8>>>;

#[derive(Debug, Default)]
struct Image {
    tables: Tables,
    applied: Option<Applied>,
    manifest: Manifest,
    /// As a [`TreeFile`]'s bytes.
    tree: Option<Vec<u8>>,
    damaged: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    now: Image,
    durable: Tables,
    /// Values that were set, since ever.
    sets: u64,
}

/// Clones share one store, so that it outlives a simulated crash of its ledger.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

impl MemoryStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Loses everything since the last checkpoint.
    pub fn lose_power(&self) {
        let mut state = self.state();
        state.now.tables = state.durable.clone();
    }

    /// Loses some of what was set since the last checkpoint: for each key its last value is there or the one of
    /// the checkpoint, as the seed wants.
    pub fn tear(&self, seed: u64) {
        let mut state = self.state();
        let mut random = seed;
        let State { now, durable, .. } = &mut *state;
        for table in Table::ALL {
            let written = now.tables.entry(table).or_default();
            let kept = durable.entry(table).or_default();
            let keys: BTreeSet<_> = written.keys().chain(kept.keys()).cloned().collect();
            for key in keys {
                if written.get(&key) == kept.get(&key) {
                    continue;
                }
                // SplitMix64.
                random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (random ^ (random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                if (mixed >> 63) == 0 {
                    match kept.get(&key) {
                        Some(value) => written.insert(key, value.clone()),
                        None => written.remove(&key),
                    };
                }
            }
        }
    }

    /// Changes the bytes of the kept tree; whether there is one.
    pub fn damage_tree(&self, damage: impl FnOnce(&mut Vec<u8>)) -> bool {
        self.state().now.tree.as_mut().map(damage).is_some()
    }

    /// Changes a stored value's bytes, checksum and all.
    pub fn damage(&self, table: Table, key: &[u8], damage: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut state = self.state();
        let value = state.now.tables.get_mut(&table).and_then(|entries| entries.get_mut(key));
        value.map(damage).is_some()
    }

    /// How many values were set or removed since the store was made.
    #[must_use]
    pub fn sets(&self) -> u64 {
        self.state().sets
    }

    /// Every key of a table.
    #[must_use]
    pub fn keys(&self, table: Table) -> Vec<Vec<u8>> {
        self.state().now.tables.get(&table).map(|t| t.keys().cloned().collect()).unwrap_or_default()
    }
}

impl Store for MemoryStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let state = self.state();
        let sealed = state.now.tables.get(&table).and_then(|entries| entries.get(key));
        sealed.map(|sealed| open(table, key, sealed)).transpose()
    }

    fn set(&self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let mut state = self.state();
        state.sets += 1;
        let entries = state.now.tables.entry(table).or_default();
        match value {
            Some(value) => entries.insert(key.to_vec(), seal(table, key, value)),
            None => entries.remove(key),
        };
        Ok(())
    }

    fn range(&self, table: Table, first: &[u8], last: &[u8], max: usize) -> Result<Vec<Pair>, StoreError> {
        let state = self.state();
        let Some(entries) = state.now.tables.get(&table) else { return Ok(Vec::new()) };
        entries
            .range(first.to_vec()..=last.to_vec())
            .take(max)
            .map(|(key, sealed)| Ok((key.clone(), open(table, key, sealed)?)))
            .collect()
    }

    fn last(&self, table: Table, first: &[u8], last: &[u8], max: usize) -> Result<Vec<Pair>, StoreError> {
        let state = self.state();
        let Some(entries) = state.now.tables.get(&table) else { return Ok(Vec::new()) };
        entries
            .range(first.to_vec()..=last.to_vec())
            .rev()
            .take(max)
            .map(|(key, sealed)| Ok((key.clone(), open(table, key, sealed)?)))
            .collect()
    }

    fn checkpoint(&self, applied: Applied, manifest: &Manifest) -> Result<(), StoreError> {
        let mut state = self.state();
        state.durable = state.now.tables.clone();
        state.now.applied = Some(applied);
        state.now.manifest = manifest.clone();
        Ok(())
    }

    fn manifest(&self) -> Manifest {
        self.state().now.manifest.clone()
    }

    fn applied(&self) -> Option<Applied> {
        self.state().now.applied
    }

    fn save_tree(&self, tree: &TreeFile) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        tree.write(&mut bytes).map_err(|error| StoreError::Failed(error.to_string()))?;
        self.state().now.tree = Some(bytes);
        Ok(())
    }

    fn saved_tree(&self) -> Option<TreeFile> {
        TreeFile::read(self.state().now.tree.as_deref()?).ok()
    }

    fn mark_damaged(&self, what: &str) -> Result<(), StoreError> {
        self.state().now.damaged = Some(what.to_owned());
        Ok(())
    }

    fn damaged(&self) -> Option<String> {
        self.state().now.damaged.clone()
    }

    fn clear(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        *state = State { sets: state.sets, ..State::default() };
        Ok(())
    }
}
