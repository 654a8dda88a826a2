//! All entries of a table in order, past those that are damaged.

use crate::ledger::store::{PAGE, Pair, Store, StoreError, Table, behind};
use crate::ledger::write_behind::guarded;

/// Above every key of every table.
const ABOVE: [u8; 80] = [0xff; 80];

/// Entries in ascending order of their keys. A damaged one is an error, and the next follows; after a failure of
/// the store nothing does.
pub(super) struct Pages<'a> {
    store: &'a dyn Store,
    table: Table,
    from: Option<Vec<u8>>,
    page: std::vec::IntoIter<Pair>,
    /// A damaged entry behind the page.
    damaged: Option<StoreError>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(store: &'a dyn Store, table: Table) -> Self {
        Self { store, table, from: Some(Vec::new()), page: Vec::new().into_iter(), damaged: None }
    }

    fn range(&self, first: &[u8], last: &[u8]) -> Result<Vec<Pair>, StoreError> {
        guarded(|| self.store.range(self.table, first, last, PAGE))
    }

    /// The next page: full, or up to the table's end or a damaged entry.
    fn turn(&mut self, from: &[u8]) -> Result<(), StoreError> {
        let page = match self.range(from, &ABOVE) {
            Err(StoreError::Damaged { table, key }) => {
                let damaged = StoreError::Damaged { table, key: key.clone() };
                let key = hex::decode(&key).map_err(|_| damaged.clone())?;
                self.from = Some(behind(&key));
                self.damaged = Some(damaged);
                if key.as_slice() <= from { Vec::new() } else { self.before(from, &key)? }
            }
            Err(error) => return Err(error),
            Ok(page) => {
                self.from = page.last().filter(|_| page.len() == PAGE).map(|(key, _)| behind(key));
                page
            }
        };
        self.page = page.into_iter();
        Ok(())
    }

    /// The entries from `from` to the one before `key`, of which there are fewer than a page.
    fn before(&self, from: &[u8], key: &[u8]) -> Result<Vec<Pair>, StoreError> {
        let mut pairs = Vec::new();
        let mut first = from.to_vec();
        // One at a time: no key is known that is just below another.
        while first.as_slice() < key {
            let next = guarded(|| self.store.range(self.table, &first, key, 1));
            match next {
                Ok(mut found) => match found.pop() {
                    Some((found, value)) => {
                        first = behind(&found);
                        pairs.push((found, value));
                    }
                    None => break,
                },
                Err(StoreError::Damaged { .. }) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(pairs)
    }
}

impl Iterator for Pages<'_> {
    type Item = Result<Pair, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(pair) = self.page.next() {
                return Some(Ok(pair));
            }
            if let Some(damaged) = self.damaged.take() {
                return Some(Err(damaged));
            }
            let from = self.from.take()?;
            if let Err(error) = self.turn(&from) {
                self.from = None;
                return Some(Err(error));
            }
        }
    }
}
