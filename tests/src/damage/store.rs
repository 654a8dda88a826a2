//! A store in memory that loses power together with a disk, and then keeps what of the last sets it likes.

use crate::sim::Random;
use quorate_chain::ledger::journal::{MemDisk, PowerLoss};
use quorate_chain::ledger::{Applied, Store, StoreError, Table};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Key = (Table, Vec<u8>);
type Entries = BTreeMap<Key, Vec<u8>>;

#[derive(Debug, Default)]
struct State {
    now: Entries,
    durable: Entries,
    /// Everything since the last checkpoint, in order.
    unsynced: Vec<(Key, Option<Vec<u8>>)>,
    applied: Option<Applied>,
    /// Written, but the power went: there or not.
    applying: Option<Applied>,
}

/// Clones share one store. Each set and each half of a checkpoint is an operation of the disk beside it.
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

    /// What the disk's loss of power leaves of the sets since the last checkpoint: none, all, or what the seed
    /// wants: half of the seeds keep the first ones, half any.
    pub(super) fn lose_power(&self, loss: PowerLoss) {
        let mut state = self.state();
        let applying = state.applying.take();
        let unsynced = std::mem::take(&mut state.unsynced);
        let mut survives: Box<dyn FnMut(usize) -> bool> = match loss {
            PowerLoss::Keep => Box::new(|_| true),
            PowerLoss::Drop => Box::new(|_| false),
            PowerLoss::Tear { seed } => {
                let mut random = Random::new(seed);
                let prefix = random.chance(50).then(|| random.below(unsynced.len() as u64 + 1) as usize);
                Box::new(move |place| prefix.map_or_else(|| random.chance(50), |end| place < end))
            }
        };
        for (place, ((table, key), value)) in unsynced.into_iter().enumerate() {
            if survives(place) {
                put(&mut state.durable, (table, key), value);
            }
        }
        // Its file is renamed when the sets are durable.
        if applying.is_some() && survives(0) {
            state.applied = applying;
        }
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

    fn range(
        &self,
        table: Table,
        first: &[u8],
        last: &[u8],
        max: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        let state = self.state();
        let range = state.now.range((table, first.to_vec())..=(table, last.to_vec()));
        Ok(range.take(max).map(|((_, key), value)| (key.clone(), value.clone())).collect())
    }

    fn checkpoint(&self, applied: Applied) -> Result<(), StoreError> {
        // The power may go before everything is durable, and before the note of that is.
        self.operate()?;
        let mut state = self.state();
        if !self.notes_first {
            state.unsynced.clear();
            state.durable = state.now.clone();
        }
        state.applying = Some(applied);
        drop(state);
        self.operate()?;
        let mut state = self.state();
        state.applied = state.applying.take();
        Ok(())
    }

    fn applied(&self) -> Option<Applied> {
        self.state().applied
    }

    fn clear(&self) -> Result<(), StoreError> {
        let mut state = self.state();
        state.applied = None;
        let keys: Vec<Key> = state.now.keys().cloned().collect();
        drop(state);
        keys.into_iter().try_for_each(|(table, key)| self.set(table, &key, None))
    }
}
