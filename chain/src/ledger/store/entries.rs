//! All entries of a table between two keys, page by page.

use super::{Pair, Store, StoreError, Table};

/// Entries that are read at once.
pub(in crate::ledger) const PAGE: usize = 1_000;

/// The first key above `key`.
pub(in crate::ledger) fn behind(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

/// Entries in ascending order of their keys. Nothing follows an error.
pub(in crate::ledger) struct Entries<'a> {
    store: &'a dyn Store,
    table: Table,
    from: Option<Vec<u8>>,
    last: Vec<u8>,
    page: std::vec::IntoIter<Pair>,
}

impl<'a> Entries<'a> {
    /// Those from `first` to `last`, both included.
    pub(in crate::ledger) fn new(store: &'a dyn Store, table: Table, first: &[u8], last: &[u8]) -> Self {
        Self { store, table, from: Some(first.to_vec()), last: last.to_vec(), page: Vec::new().into_iter() }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Pair, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0 {
            let from = self.from.take()?;
            match self.store.range(self.table, &from, &self.last, PAGE) {
                Ok(page) => {
                    self.from = page.last().filter(|_| page.len() == PAGE).map(|(key, _)| behind(key));
                    self.from.take_if(|from| *from > self.last);
                    self.page = page.into_iter();
                }
                Err(error) => return Some(Err(error)),
            }
        }
        self.page.next().map(Ok)
    }
}
