//! Blocks executed beside the tip: each on its parent's state, by its parent's parameters and epoch.

use super::apply::next_epoch;
use super::error::LedgerError;
use super::shared::Shared;
use super::{Executed, Ledger};
use crate::block::{Block, BlockResult};
use crate::execution::{BlockError, Parent, execute_block, validate_block};
use crate::ids::{BlockHash, Epoch, Height, TransactionId, ValidatorSetHash};
use crate::parameters::{Parameters, WINDOW_MAX};
use crate::receipt::{Receipt, receipts_root};
use crate::state::{Changes, StateError, StateKey, StateReader, StateValue, Version};
use crate::validator::ValidatorSet;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most executed blocks that wait for their commit. When there are so many, one that no other builds on goes
/// for the next; it can be executed again.
pub const OVERLAYS_MAX: usize = 128;
const _: () = assert!(OVERLAYS_MAX >= 2 * WINDOW_MAX as usize, "a whole window, and what a view dropped");

/// What the state after a block lays down for its children.
#[derive(Clone, Debug)]
pub(super) struct Context {
    pub(super) parameters: Arc<Parameters>,
    pub(super) epoch: Epoch,
    pub(super) validators: Arc<ValidatorSet>,
    pub(super) validators_hash: ValidatorSetHash,
}

impl Context {
    /// The context after a block with these changes.
    pub(super) fn after(&self, changes: &Changes) -> Self {
        let mut next = self.clone();
        if let Some(StateValue::Parameters(parameters)) = changes.value(&StateKey::Parameters) {
            next.parameters = Arc::new(parameters.clone());
        }
        if let Some((epoch, validators)) = next_epoch(changes) {
            next.epoch = epoch;
            next.validators_hash = validators.hash();
            next.validators = Arc::new(validators.clone());
        }
        next
    }
}

/// A block executed on its parent's state but not committed.
pub(super) struct Overlay {
    pub(super) parent: BlockHash,
    pub(super) version: Version,
    pub(super) receipts: Vec<Receipt>,
    pub(super) executed: Executed,
    /// For its children.
    pub(super) context: Context,
    pub(super) block: Block,
    /// Number of the last execution or look-up.
    used: u64,
}

/// Executed blocks above the tip.
pub(super) type Overlays = BTreeMap<BlockHash, Overlay>;

impl Overlay {
    pub(super) const fn height(&self) -> Height {
        self.block.header.height
    }
}

/// The tip or an executed block, as what its children build on.
pub(super) struct Base<'a> {
    pub(super) version: &'a Version,
    pub(super) context: &'a Context,
    parent: Parent,
    /// It ends its epoch and is not committed: it has no children yet (R45).
    ending: bool,
}

/// Reads entries of a version: what it and its unstored ancestors changed, else the store.
pub struct VersionReader<'a> {
    pub(super) version: &'a Version,
    pub(super) shared: &'a Shared,
}

impl StateReader for VersionReader<'_> {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        match self.version.overlaid(key) {
            Some(change) => Ok(change.value.clone()),
            None => self.shared.read(None, key),
        }
    }
}

impl Ledger {
    fn base(&self, block: BlockHash) -> Option<Base<'_>> {
        let (version, context, height, timestamp_ms, executed) = if block == self.tip.block {
            let executed = Executed { result: self.tip.result, ends_epoch: false };
            (&self.version, &self.context, self.tip.height, self.tip.timestamp_ms, executed)
        } else {
            let overlay = self.overlays.get(&block)?;
            let header = &overlay.block.header;
            (&overlay.version, &overlay.context, header.height, header.timestamp_ms, overlay.executed)
        };
        let parent = Parent { height, block, timestamp_ms, result: executed.hash(), epoch: context.epoch };
        Some(Base { version, context, parent, ending: executed.ends_epoch })
    }

    /// The parameters in the state after the tip or an executed block: those of its children.
    #[must_use]
    pub fn parameters_at(&self, block: BlockHash) -> Option<&Parameters> {
        self.base(block).map(|base| &*base.context.parameters)
    }

    /// R6 against the parent's state. `authentic` says which transactions' signatures are known to hold.
    ///
    /// # Errors
    /// What is wrong with the block, or with the own disk. [`BlockError::EpochEnd`] when the block is of the
    /// epoch that starts after a parent that is not committed yet.
    pub fn validate(
        &self,
        block: &Block,
        authentic: impl Fn(TransactionId) -> bool,
    ) -> Result<(), BlockError> {
        let Some(base) = self.base(block.header.parent) else {
            return Err(BlockError::Header("parent"));
        };
        let reader = VersionReader { version: base.version, shared: &self.shared };
        validate_block(&reader, &base.context.parameters, self.chain, &base.parent, block, authentic)?;
        if base.ending { Err(BlockError::EpochEnd(block.header.parent)) } else { Ok(()) }
    }

    /// Executes a block on its parent's state and keeps the outcome beside the tip. Again is a look-up. At most
    /// [`OVERLAYS_MAX`] outcomes are kept.
    ///
    /// # Errors
    /// [`LedgerError::NotExecuted`] when the parent was not, [`LedgerError::EpochEnd`] when the parent ends
    /// its epoch and is not committed, [`LedgerError::OverlaysFull`] when there is no room; else the disk's.
    pub fn execute(&mut self, block: &Block) -> Result<Executed, LedgerError> {
        let (hash, parent) = (block.hash(), block.header.parent);
        self.executions += 1;
        self.shared.check()?;
        if let Some(overlay) = self.overlays.get_mut(&hash) {
            overlay.used = self.executions;
            return Ok(overlay.executed);
        }
        let base = self.base(parent).ok_or(LedgerError::NotExecuted(parent))?;
        if base.ending {
            return Err(LedgerError::EpochEnd(parent));
        }
        let displaced = self.displaced(parent)?;
        let reader = VersionReader { version: base.version, shared: &self.shared };
        let execution = execute_block(&reader, &base.context.parameters, block)?;
        let mut changes = execution.changes;
        for (key, value) in self.set_changes(block, &base)? {
            changes.set(key, value);
        }
        let version = self.child(base.version, changes)?;
        let context = base.context.after(version.changes());
        let result = BlockResult {
            state_root: version.root(),
            receipts_root: receipts_root(&execution.receipts),
            next_set_hash: context.validators_hash,
        };
        let executed = Executed { result, ends_epoch: next_epoch(version.changes()).is_some() };
        let overlay = Overlay {
            parent,
            version,
            receipts: execution.receipts,
            executed,
            context,
            block: block.clone(),
            used: self.executions,
        };
        if let Some(displaced) = displaced {
            self.overlays.remove(&displaced);
        }
        self.overlays.insert(hash, overlay);
        Ok(executed)
    }

    #[cfg(not(feature = "mistakes"))]
    fn child(&self, parent: &Version, changes: Changes) -> Result<Version, StateError> {
        parent.child(&super::leaves::Leaves { shared: &self.shared, height: None }, changes)
    }

    /// What goes for a child of `parent` when there is no room: of the blocks that nothing builds on, the one
    /// executed or asked for longest ago.
    fn displaced(&self, parent: BlockHash) -> Result<Option<BlockHash>, LedgerError> {
        if self.overlays.len() < OVERLAYS_MAX {
            return Ok(None);
        }
        let mut needed: BTreeSet<_> = self.overlays.values().map(|overlay| overlay.parent).collect();
        needed.insert(parent);
        let spare = self.overlays.iter().filter(|(hash, _)| !needed.contains(hash));
        let oldest = spare.min_by_key(|(_, overlay)| overlay.used).map(|(hash, _)| *hash);
        oldest.map(Some).ok_or(LedgerError::OverlaysFull(self.overlays.len()))
    }

    /// What executing the tip or an executed block gave.
    #[must_use]
    pub fn executed(&self, block: BlockHash) -> Option<Executed> {
        if block == self.tip.block {
            return Some(Executed { result: self.tip.result, ends_epoch: self.tip.ends_epoch });
        }
        self.overlays.get(&block).map(|overlay| overlay.executed)
    }

    /// Reads the state after the tip or an executed block.
    #[must_use]
    pub fn reader_at(&self, block: BlockHash) -> Option<VersionReader<'_>> {
        let base = self.base(block)?;
        Some(VersionReader { version: base.version, shared: &self.shared })
    }

    /// R23: forgets what executing a block that a view dropped gave, and all that was executed on top of it.
    /// Their bodies stay, so they can be executed again. The tip and unknown blocks are left alone.
    pub fn discard(&mut self, block: BlockHash) {
        if !self.overlays.contains_key(&block) {
            return;
        }
        let mut dropped = BTreeSet::from([block]);
        for (hash, overlay) in self.take_overlays() {
            if dropped.contains(&hash) || dropped.contains(&overlay.parent) {
                dropped.insert(hash);
            } else {
                self.overlays.insert(hash, overlay);
            }
        }
    }

    /// All overlays, parents before children.
    fn take_overlays(&mut self) -> Vec<(BlockHash, Overlay)> {
        let mut overlays: Vec<_> = std::mem::take(&mut self.overlays).into_iter().collect();
        overlays.sort_unstable_by_key(|(_, overlay)| overlay.height());
        overlays
    }

    /// Puts what builds on the new tip onto the version that the store now holds, so that neither versions nor
    /// leaves pile up however long blocks are in flight. R23: what does not build on it can never be committed
    /// and is dropped.
    pub(super) fn rebase_overlays(&mut self, committed: &Version) {
        for (hash, mut overlay) in self.take_overlays() {
            let parent = if overlay.parent == self.tip.block {
                Some(&self.version)
            } else {
                self.overlays.get(&overlay.parent).map(|parent| &parent.version)
            };
            if let Some(parent) = parent {
                overlay.version = overlay.version.rebased(parent, committed);
                self.overlays.insert(hash, overlay);
            }
        }
    }
}
