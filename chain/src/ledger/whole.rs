//! That what the store does not have was never there: sled loses pages where a file rots, and says nothing.
//!
//! An entry of the state is compared with the tree. A block or epoch up to the tip must be there, and an account says
//! how much it holds. Of the other indexes every page is named by the one before it or by the manifest (`runs/`).

use super::error::LedgerError;
use super::shared::Shared;
use super::store::StoreError;

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
}
