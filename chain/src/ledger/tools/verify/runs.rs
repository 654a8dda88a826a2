//! Runs against what the journal's blocks enter into them.

use super::findings::{Findings, Part};
use crate::ids::Height;
use crate::ledger::runs::{Cursor, Index, Manifest, Run};
use crate::ledger::store::{Applied, Store, StoreError};
use crate::ledger::tail::RunKey;
use crate::ledger::write_behind::guarded;
use std::collections::BTreeMap;

/// Entries in any order: how many, and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    entries: u64,
    hashes: u128,
}

impl Sum {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        let hash = blake3::Hasher::new().update(key).update(value).finalize();
        let (low, _) = hash.as_bytes().split_first_chunk().unwrap_or((&[0; 16], &[]));
        self.entries += 1;
        self.hashes = self.hashes.wrapping_add(u128::from_le_bytes(*low));
    }
}

/// What blocks enter into a run.
#[derive(Clone, Copy, Debug, Default)]
struct Entered {
    sum: Sum,
    /// Blocks that were seen of the run's heights.
    heights: u64,
}

/// Compares the runs of a store with the blocks that went into them.
pub(super) struct RunCheck {
    manifest: Manifest,
    /// By index and first height.
    entered: BTreeMap<(Index, Height), Entered>,
}

impl RunCheck {
    /// Of the runs that a checkpoint noted.
    pub(super) fn new(store: &dyn Store, applied: Applied, findings: &mut Findings) -> Self {
        let manifest = store.manifest();
        if let Err(error) = manifest.check(applied.index, applied.height) {
            findings.add(Part::Store, None, error.to_string());
        }
        Self { manifest, entered: BTreeMap::new() }
    }

    /// A block up to the applied height, and what it enters.
    pub(super) fn block(&mut self, height: Height, entries: Vec<(RunKey, Vec<u8>)>) {
        for index in Index::ALL {
            let run = self.manifest.of(index).find(|run| run.first <= height && height <= run.last);
            let Some(run) = run else { continue };
            let entered = self.entered.entry((index, run.first)).or_default();
            entered.heights += 1;
            let own = entries.iter().filter(|((of, _), _)| *of == index);
            own.for_each(|((_, key), value)| entered.sum.add(key, value));
        }
    }

    /// Reads all runs. `step` is called for each entry.
    pub(super) fn finish<E>(
        self,
        store: &dyn Store,
        findings: &mut Findings,
        mut step: impl FnMut() -> Result<(), E>,
    ) -> Result<(), E> {
        for run in self.manifest.runs() {
            let found = match Walk::new(store, run) {
                Ok(mut walk) => loop {
                    step()?;
                    match walk.next() {
                        Ok(true) => {}
                        Ok(false) => break Ok(walk.sum),
                        Err(error) => break Err(error),
                    }
                },
                Err(error) => Err(error),
            };
            let entered = self.entered.get(&(run.index, run.first)).copied().unwrap_or_default();
            // Of what the journal has lost nobody knows what it entered.
            let is_known = entered.heights == (run.last.0 - run.first.0).saturating_add(1);
            let what = match found {
                Err(error) => error.to_string(),
                Ok(sum) if is_known && sum != entered.sum => {
                    format!("store: {run} leads elsewhere, or nowhere")
                }
                Ok(_) => continue,
            };
            findings.add(Part::Store, Some(run.first), what);
        }
        Ok(())
    }
}

/// A walk over a run in a store that may panic.
struct Walk<'a> {
    store: &'a dyn Store,
    cursor: Cursor,
    sum: Sum,
}

impl<'a> Walk<'a> {
    fn new(store: &'a dyn Store, run: &Run) -> Result<Self, StoreError> {
        let cursor = guarded(|| Cursor::new(store, *run))?;
        Ok(Self { store, cursor, sum: Sum::default() })
    }

    /// The next entry; `false` behind the last one.
    fn next(&mut self) -> Result<bool, StoreError> {
        let Some((key, value)) = self.cursor.peek() else { return Ok(false) };
        self.sum.add(key, value);
        guarded(|| self.cursor.advance(self.store))?;
        Ok(true)
    }
}
