//! A known mistake, made on purpose in test builds, so that tests show that it would be found. The feature
//! `mistakes` is for the tests' crate only.

use super::Ledger;
use super::leaves::Leaves;
use crate::state::{Changes, StateError, Version};

impl Ledger {
    /// From now on the state root leaves out what blocks change in one bucket of four.
    pub const fn skip_bucket(&mut self) {
        self.skips_bucket = true;
    }

    /// The version after `changes`, right or wrong.
    pub(super) fn child(&self, parent: &Version, changes: Changes) -> Result<Version, StateError> {
        let leaves = Leaves { shared: &self.shared, height: None };
        let child = parent.child(&leaves, changes.clone())?;
        if !self.skips_bucket {
            return Ok(child);
        }
        let hashed = changes.iter().filter(|entry| entry.key.hash().0[0] >> 6 != 0);
        let hashed = hashed.map(|entry| (entry.key.clone(), entry.value.clone())).collect();
        Ok(child.rooted_as(&parent.child(&leaves, hashed)?))
    }
}
