//! A run page by page.

use super::manifest::Run;
use super::page::{Entry, encode};
use crate::ledger::store::{Store, StoreError, Table};

/// A run that is being written. Its heights are known from the start.
#[derive(Debug)]
pub(super) struct Build {
    run: Run,
    /// The first key of the page that is filled; empty for the run's first page.
    first_key: Vec<u8>,
    /// The page's entries.
    entries: Vec<u8>,
}

impl Build {
    pub(super) const fn new(run: Run) -> Self {
        Self { run, first_key: Vec::new(), entries: Vec::new() }
    }

    /// The run as far as it is there.
    pub(super) const fn run(&self) -> &Run {
        &self.run
    }

    fn last_key(&self) -> Option<&[u8]> {
        let (key, value) = self.run.index.widths();
        let from = self.entries.len().checked_sub(key + value)?;
        self.entries.get(from..from + key)
    }

    /// Adds the next entry. A page is written when the first key of the next one is known.
    ///
    /// # Errors
    /// When the store fails, or the entry does not follow.
    pub(super) fn push(&mut self, store: &dyn Store, (key, value): Entry<'_>) -> Result<(), StoreError> {
        let widths = self.run.index.widths();
        if (key.len(), value.len()) != widths || self.last_key().is_some_and(|last| last >= key) {
            let what = format!("{} can't take {} next", self.run, hex::encode(key));
            return Err(StoreError::Failed(what));
        }
        if self.entries.len() >= self.run.index.page_entries() * (widths.0 + widths.1) {
            self.write(store, Some(key))?;
            self.first_key = key.to_vec();
            self.entries.clear();
        }
        self.entries.extend_from_slice(key);
        self.entries.extend_from_slice(value);
        self.run.entries += 1;
        Ok(())
    }

    fn write(&self, store: &dyn Store, next: Option<&[u8]>) -> Result<(), StoreError> {
        store.set(Table::Runs, &self.run.page(&self.first_key), Some(&encode(&self.entries, next)))
    }

    /// Writes the last page; a run without entries has none.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn finish(self, store: &dyn Store) -> Result<Run, StoreError> {
        if self.run.entries > 0 {
            self.write(store, None)?;
        }
        Ok(self.run)
    }
}
