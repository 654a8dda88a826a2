//! That what the store does not have was never there: sled loses pages where a file rots, and says nothing.
//!
//! An entry of the state is compared with the tree. A block or epoch up to the tip must be there, and an account says
//! how much it holds. Of the other indexes a page is missing that another one or the manifest names (`runs/`).

use super::error::LedgerError;
use super::leaves::Leaves;
use super::shared::Shared;
use super::store::StoreError;
use crate::ids::Height;
use crate::state::tree::{KeyHash, Tree};
use crate::state::{StateError, StateKey, StateValue, value_hash};

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

    /// Compares what the store says of an entry with the tree of a height at which it said so.
    pub(super) fn check_value(
        &self,
        height: Height,
        tree: &Tree,
        key: &StateKey,
        hash: &KeyHash,
        value: Option<&StateValue>,
    ) -> Result<(), StateError> {
        let leaves = Leaves { shared: self, height: Some(height) };
        let found = tree.get(&leaves, hash);
        self.inner().history.at(height)?;
        let what = match found {
            Ok(found) if found == value.map(|value| value_hash(key, value)) => return Ok(()),
            Ok(_) => format!("the entry at {key:?} does not fit the state root"),
            Err(error) => error.to_string(),
        };
        Err(self.failed(StoreError::Failed(what)))
    }
}
