//! The end of an epoch: what a block that changes the validators writes (R45, R46b).

use super::Ledger;
use super::error::LedgerError;
use super::overlay::{Base, VersionReader};
use crate::block::Block;
use crate::ids::{BlockHash, Height, ResultHash};
use crate::state::{StateKey, StateReader, StateValue};
use crate::validator::SetChange;
use std::collections::{BTreeMap, BTreeSet};

impl Ledger {
    /// For tests of epochs, until governance decides on changes: the block at `height` ends its epoch with this
    /// change. Every replica of a test gets the same schedule, before it executes a block at that height, and
    /// again after a restart below it. A change that fails its check leaves the set as it is.
    pub fn schedule_set_change(&mut self, height: Height, change: SetChange) {
        self.scheduled.insert(height, change);
    }

    /// What the set change that is due in a block writes: the next epoch's validators, and their new keys as
    /// seated. Nothing if there is none, or if it fails its check.
    pub(super) fn set_changes(
        &self,
        block: &Block,
        base: &Base<'_>,
    ) -> Result<Vec<(StateKey, Option<StateValue>)>, LedgerError> {
        let height = block.header.height;
        let mut changes = Vec::new();
        let Some(change) = self.scheduled.get(&height) else { return Ok(changes) };
        let reader = VersionReader { version: base.version, shared: &self.shared };
        let mut seated = BTreeSet::new();
        for validator in change.set.validators() {
            if reader.get(&StateKey::Seated(validator.consensus))?.is_some() {
                seated.insert(validator.consensus);
            }
        }
        let mut results = BTreeMap::new();
        for one in change.ready.iter().filter(|one| one.ready.is_recent(height)) {
            if let Some(result) = self.result_at(block.header.parent, one.ready.height)? {
                results.insert(one.ready.height, result);
            }
        }
        let present = &base.context.validators;
        let seated = |key| seated.contains(&key);
        let result_at = |height| results.get(&height).copied();
        if let Err(error) = change.check(self.chain, height, present, seated, result_at) {
            tracing::warn!(height = height.0, %error, "refused a change of the validators");
            return Ok(changes);
        }
        let epoch = base.context.epoch.next();
        for joiner in change.joiners(present) {
            changes.push((StateKey::Seated(joiner.consensus), Some(StateValue::Seated(epoch))));
        }
        let validators = StateValue::Validators(epoch, change.set.clone());
        changes.push((StateKey::Validators, Some(validators)));
        Ok(changes)
    }

    /// The result of a height on the chain that ends with `block`, the tip or an executed block.
    fn result_at(&self, mut block: BlockHash, height: Height) -> Result<Option<ResultHash>, LedgerError> {
        while let Some(overlay) = self.overlays.get(&block) {
            if overlay.height() == height {
                return Ok(Some(overlay.executed.hash()));
            }
            block = overlay.parent;
        }
        if height >= self.tip.height {
            return Ok((height == self.tip.height).then(|| self.tip.result.hash()));
        }
        // Each header binds its parent's result, the first one's that of genesis.
        let child = self.reader().block(height.next())?;
        Ok(child.map(|child| child.block.header.parent_result))
    }
}
