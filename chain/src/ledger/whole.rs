//! That what the store does not have was never there: sled loses pages where a file rots, and says nothing.
//!
//! An entry of the state is compared with the tree. A block or epoch up to the tip must be there, and an account says
//! how much it holds. Of the other tables the entries are counted as they are written, and counted again before the
//! first answer that rests on a key not being there.

use super::error::LedgerError;
use super::shared::{Shared, lock};
use super::store::{Entries, Store, StoreError, Table};
use super::write_behind::guarded;

/// More bytes than any key has.
const KEY_BYTES: usize = 64;

impl Shared {
    /// What an index must have, or may.
    pub(super) fn there<T>(
        &self,
        found: Option<T>,
        must_be: bool,
        what: impl FnOnce() -> String,
    ) -> Result<Option<T>, LedgerError> {
        if found.is_none() && must_be { Err(self.missing(what())) } else { Ok(found) }
    }

    /// Something is missing in the store: the ledger stops.
    pub(super) fn missing(&self, what: String) -> LedgerError {
        self.fail(&what);
        StoreError::Failed(what).into()
    }

    /// Checks, once since the ledger was opened, that a table has as many keys with this first byte as were written.
    /// Nothing is written meanwhile.
    pub(super) fn check_whole(&self, table: Table, key: &[u8]) -> Result<(), LedgerError> {
        let Some(first) = key.first().copied().filter(|first| !lock(&self.whole).contains(&(table, *first)))
        else {
            return Ok(());
        };
        let pen = lock(&self.pen);
        let expected = pen.counts.of(table, first);
        let counted = guarded(|| count(self.store.as_ref(), table, first));
        let counted = counted.inspect_err(|error| self.fail(&error.to_string()))?;
        drop(pen);
        if expected.is_some_and(|expected| expected != counted) {
            let expected = expected.unwrap_or_default();
            let name = table.name();
            return Err(self.missing(format!("{counted} of {expected} {name} {first:02x}… are in the store")));
        }
        lock(&self.whole).insert((table, first));
        Ok(())
    }
}

/// Counts the keys of a table that begin with a byte.
fn count(store: &dyn Store, table: Table, first: u8) -> Result<u64, StoreError> {
    let mut last = [u8::MAX; KEY_BYTES];
    last[0] = first;
    Entries::new(store, table, &[first], &last).try_fold(0, |counted, entry| entry.map(|_| counted + 1))
}
