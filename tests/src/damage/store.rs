//! A store in memory that loses power together with a disk, and then keeps what of the last sets it likes.

use super::note::Note;
use crate::sim::Random;
use quorate_chain::ledger::journal::{MemDisk, PowerLoss};
use quorate_chain::ledger::{Applied, Manifest, Store, StoreError, Table, TreeFile};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Key = (Table, Vec<u8>);
type Entries = BTreeMap<Key, Vec<u8>>;
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

#[derive(Debug, Default)]
struct State {
    now: Entries,
    durable: Entries,
    /// Everything since the last checkpoint, in order.
    unsynced: Vec<(Key, Option<Vec<u8>>)>,
    applied: Note<(Applied, Manifest)>,
    /// A [`TreeFile`]'s bytes.
    tree: Note<Vec<u8>>,
    damaged: Note<String>,
}

/// Clones share one store. Each set, each half of a checkpoint and of a note is an operation of the disk beside it.
#[derive(Clone, Debug)]
pub(super) struct FragileStore {
    power: MemDisk,
    notes_first: bool,
    state: Arc<Mutex<State>>,
}

impl FragileStore {
    /// An empty store on the power of a disk.
    #[must_use]
    pub(super) fn beside(disk: &MemDisk) -> Self {
        Self { power: disk.clone(), notes_first: false, state: Arc::default() }
    }

    /// A mistake made on purpose: a checkpoint is noted, but nothing that it stands for is made durable.
    #[must_use]
    pub(super) fn that_notes_first(self) -> Self {
        Self { notes_first: true, ..self }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operate(&self) -> Result<(), StoreError> {
        self.power.operate().map_err(|error| StoreError::Failed(error.to_string()))
    }

    /// Writes a note as a file is replaced: it may be there when the power goes, and stays once that is synced.
    fn note<T>(&self, which: fn(&mut State) -> &mut Note<T>, content: Option<T>) -> Result<(), StoreError> {
        self.operate()?;
        which(&mut self.state()).write(content);
        self.operate()?;
        which(&mut self.state()).sync();
        Ok(())
    }

    /// What the disk's loss of power leaves of the sets since the last checkpoint: none, all, or what the seed
    /// wants: half of the seeds keep the first ones, half any.
    pub(super) fn lose_power(&self, loss: PowerLoss) {
        let mut state = self.state();
        let unsynced = std::mem::take(&mut state.unsynced);
        let mut random = Random::new(if let PowerLoss::Tear { seed } = loss { seed } else { 0 });
        let prefix = random.chance(50).then(|| random.below(unsynced.len() as u64 + 1) as usize);
        let mut survives = |place: Option<usize>| match loss {
            PowerLoss::Keep => true,
            PowerLoss::Drop => false,
            PowerLoss::Tear { .. } => {
                prefix.zip(place).map_or_else(|| random.chance(50), |(end, place)| place < end)
            }
        };
        for (place, ((table, key), value)) in unsynced.into_iter().enumerate() {
            if survives(Some(place)) {
                put(&mut state.durable, (table, key), value);
            }
        }
        state.applied.lose_power(survives(None));
        state.tree.lose_power(survives(None));
        state.damaged.lose_power(survives(None));
        state.now = state.durable.clone();
    }
}

fn put(entries: &mut Entries, key: Key, value: Option<Vec<u8>>) {
    match value {
        Some(value) => entries.insert(key, value),
        None => entries.remove(&key),
    };
}

impl Store for FragileStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.state().now.get(&(table, key.to_vec())).cloned())
    }

    fn set(&self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        self.operate()?;
        let mut state = self.state();
        let key = (table, key.to_vec());
        put(&mut state.now, key.clone(), value.map(<[u8]>::to_vec));
        state.unsynced.push((key, value.map(<[u8]>::to_vec)));
        Ok(())
    }

    fn range(&self, table: Table, first: &[u8], last: &[u8], max: usize) -> Result<Pairs, StoreError> {
        let state = self.state();
        let range = state.now.range((table, first.to_vec())..=(table, last.to_vec()));
        Ok(range.take(max).map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    fn last(&self, table: Table, first: &[u8], last: &[u8], max: usize) -> Result<Pairs, StoreError> {
        let state = self.state();
        let range = state.now.range((table, first.to_vec())..=(table, last.to_vec())).rev();
        Ok(range.take(max).map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    fn checkpoint(&self, applied: Applied, manifest: &Manifest) -> Result<(), StoreError> {
        // The power may go before everything is durable, and before the note of that is.
        self.operate()?;
        let mut state = self.state();
        if !self.notes_first {
            state.unsynced.clear();
            state.durable = state.now.clone();
        }
        drop(state);
        self.note(|state| &mut state.applied, Some((applied, manifest.clone())))
    }

    fn applied(&self) -> Option<Applied> {
        self.state().applied.read().map(|(applied, _)| applied)
    }

    fn manifest(&self) -> Manifest {
        self.state().applied.read().map(|(_, manifest)| manifest).unwrap_or_default()
    }

    fn save_tree(&self, tree: &TreeFile) -> Result<(), StoreError> {
        let mut bytes = Vec::new();
        tree.write(&mut bytes).map_err(|error| StoreError::Failed(error.to_string()))?;
        self.note(|state| &mut state.tree, Some(bytes))
    }

    fn saved_tree(&self) -> Option<TreeFile> {
        TreeFile::read(self.state().tree.read()?.as_slice()).ok()
    }

    fn mark_damaged(&self, what: &str) -> Result<(), StoreError> {
        self.note(|state| &mut state.damaged, Some(what.to_owned()))
    }

    fn damaged(&self) -> Option<String> {
        self.state().damaged.read()
    }

    fn clear(&self) -> Result<(), StoreError> {
        self.note(|state| &mut state.applied, None)?;
        self.note(|state| &mut state.tree, None)?;
        let keys: Vec<Key> = self.state().now.keys().cloned().collect();
        keys.into_iter().try_for_each(|(table, key)| self.set(table, &key, None))?;
        self.note(|state| &mut state.damaged, None)
    }
}
