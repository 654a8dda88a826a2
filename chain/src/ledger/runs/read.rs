//! Reading runs. A page that is missing is an error, never an answer.

use super::Index;
use super::manifest::{Manifest, Run};
use super::page::{Entry, Page};
use crate::ledger::store::{Pair, Store, StoreError, Table};

impl Run {
    fn decode(&self, first_key: &[u8], bytes: Vec<u8>) -> Result<Page, StoreError> {
        let damaged =
            || StoreError::Damaged { table: Table::Runs.name(), key: hex::encode(self.page(first_key)) };
        Page::decode(self.index, first_key, bytes).ok_or_else(damaged)
    }

    /// The page in whose part of the keys a key is, and its first key. The run has entries.
    fn page_of(&self, store: &dyn Store, key: &[u8]) -> Result<(Vec<u8>, Page), StoreError> {
        let (name, last) = (self.name(), self.page(key));
        let (found, bytes) = store.last(Table::Runs, &name, &last, 1)?.pop().ok_or_else(|| self.lost(&[]))?;
        let first_key = found.strip_prefix(&name).ok_or_else(|| self.lost(&[]))?;
        let page = self.decode(first_key, bytes)?;
        match page.next() {
            Some(next) if next <= key => Err(self.lost(next)),
            _ => Ok((first_key.to_vec(), page)),
        }
    }

    fn get(&self, store: &dyn Store, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let (_, page) = self.page_of(store, key)?;
        Ok(page.get(key).map(<[u8]>::to_vec))
    }

    /// Adds the entries from `first` to `last`, both included, descending, until there are `max`.
    fn latest(
        &self,
        store: &dyn Store,
        (first, last): (&[u8], &[u8]),
        max: usize,
        into: &mut Vec<Vec<u8>>,
    ) -> Result<(), StoreError> {
        let mut from = Some(last.to_vec());
        while let Some(last) = from.take().filter(|_| into.len() < max) {
            let (first_key, page) = self.page_of(store, &last)?;
            let upto = page.below(&last);
            let upto = upto + usize::from(page.get(&last).is_some());
            let keys = (0..upto).rev().map(|at| page.entry(at).0).take_while(|key| *key >= first);
            into.extend(keys.take(max - into.len()).map(<[u8]>::to_vec));
            // The page before ends below this one's first key.
            from = Some(first_key).filter(|key| key.as_slice() > first).and_then(|key| before(&key));
        }
        Ok(())
    }
}

/// The key of the same length below one; `None` below the lowest.
fn before(key: &[u8]) -> Option<Vec<u8>> {
    let at = key.iter().rposition(|byte| *byte > 0)?;
    let mut below = key.to_vec();
    below[at] -= 1;
    below[at + 1..].fill(u8::MAX);
    Some(below)
}

impl Manifest {
    /// What an index has at a key.
    ///
    /// # Errors
    /// When the store fails, is damaged, or lacks a page that must be there.
    pub(in crate::ledger) fn get(
        &self,
        store: &dyn Store,
        index: Index,
        key: &[u8],
    ) -> Result<Option<Vec<u8>>, StoreError> {
        for run in self.of(index).rev().filter(|run| run.entries > 0) {
            if let Some(value) = run.get(store, key)? {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    /// The index and the number of entries of a stored page; `None` for a page of another run.
    ///
    /// # Errors
    /// When these are not a page's bytes.
    pub(in crate::ledger) fn entries_of(
        &self,
        key: &[u8],
        bytes: &[u8],
    ) -> Result<Option<(Index, u64)>, StoreError> {
        let Some((run, first_key)) = Run::named(key).filter(|(run, _)| self.has(run)) else {
            return Ok(None);
        };
        let page = run.decode(first_key, bytes.to_vec())?;
        Ok(Some((run.index, page.len() as u64)))
    }

    /// The last keys of an account in [`Index::History`] from `first` to `last`, both included, descending, at most
    /// `max`. An account's keys ascend by heights as runs do.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub(in crate::ledger) fn latest(
        &self,
        store: &dyn Store,
        first: &[u8],
        last: &[u8],
        max: usize,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut keys = Vec::new();
        for run in self.of(Index::History).rev().filter(|run| run.entries > 0) {
            run.latest(store, (first, last), max, &mut keys)?;
            if keys.len() >= max {
                break;
            }
        }
        Ok(keys)
    }
}

/// A walk over the entries of a run, ascending.
#[derive(Debug)]
pub(in crate::ledger) struct Cursor {
    run: Run,
    page: Option<Page>,
    /// The entry that is next.
    at: usize,
    /// Entries of the pages so far.
    seen: u64,
}

impl Cursor {
    /// At the first entry.
    ///
    /// # Errors
    /// When the store fails, is damaged, or lacks the page.
    pub(in crate::ledger) fn new(store: &dyn Store, run: Run) -> Result<Self, StoreError> {
        let mut cursor = Self { run, page: None, at: 0, seen: 0 };
        if run.entries > 0 {
            cursor.turn(store, &[])?;
        }
        Ok(cursor)
    }

    /// The run.
    pub(super) const fn run(&self) -> &Run {
        &self.run
    }

    fn turn(&mut self, store: &dyn Store, first_key: &[u8]) -> Result<(), StoreError> {
        let bytes = store.get(Table::Runs, &self.run.page(first_key))?;
        let page = self.run.decode(first_key, bytes.ok_or_else(|| self.run.lost(first_key))?)?;
        self.at = 0;
        self.seen += page.len() as u64;
        self.page = Some(page);
        Ok(())
    }

    /// The entry that is next; `None` behind the last one.
    pub(in crate::ledger) fn peek(&self) -> Option<Entry<'_>> {
        let page = self.page.as_ref()?;
        (self.at < page.len()).then(|| page.entry(self.at))
    }

    /// Goes on behind an entry.
    ///
    /// # Errors
    /// As [`Self::new`]; and at the end, if there were not as many entries as the run has.
    pub(in crate::ledger) fn advance(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        self.at += 1;
        let Some(page) = self.page.as_ref().filter(|page| self.at >= page.len()) else { return Ok(()) };
        match page.next().map(<[u8]>::to_vec) {
            Some(next) => self.turn(store, &next),
            None if self.seen == self.run.entries => Ok(()),
            None => {
                let what = format!("{} has {} entries, not {}", self.run, self.seen, self.run.entries);
                Err(StoreError::Failed(what))
            }
        }
    }
}

/// The pages of a run, or what is left of it, up to a number of them.
pub(super) fn pages(store: &dyn Store, run: &Run, max: usize) -> Result<Vec<Pair>, StoreError> {
    store.range(Table::Runs, &run.name(), &run.end(), max)
}
