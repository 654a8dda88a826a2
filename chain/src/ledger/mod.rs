//! The committed chain on disk: a journal that is the truth, a store of state and indexes that follows it.
//!
//! ```text
//!              append_body ──► journal (bodies)
//!  execute ──► overlay (a state version in memory, by block hash)
//!   commit ──► journal (certificate, result, receipts, changes), sync_data
//!                └──► store (state, indexes) ──► readers ──► checkpoint: store durable, height noted
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `mod.rs` | [`Ledger`], the one writer: bodies, execution, commit |
//! | `open.rs` | opening: replay from the journal, rebuilding the store |
//! | `apply.rs` | a commit record's changes into the store |
//! | `reader.rs` | [`Reader`], for any thread |
//! | `record.rs` | what the journal's records hold |
//! | `store.rs` | the store's interface; sled and memory behind it |
//! | `journal/` | the append-only log |
//! | `genesis.rs` | what the chain starts from |
//!
//! What a crash leaves: the journal up to its last sync, and a store that holds at least everything up to its
//! last checkpoint. Replaying the changes of later commits, which are absolute values, in order gives the
//! state of the tip whatever else the store held. The root over it is then compared with the certified one.

mod apply;
mod error;
mod genesis;
pub mod journal;
mod open;
mod reader;
mod record;
mod store;
#[cfg(test)]
mod tests;

pub use error::LedgerError;
pub use genesis::GenesisState;
pub use open::{OpenReport, Opened};
pub use reader::{AccountRecord, CommittedBlock, Reader, StateProof, TransactionRecord};
pub use store::{Applied, MemoryStore, SledStore, Store, StoreError, Table};

use crate::block::{Block, BlockResult, Header};
use crate::certificate::{CommitCertificate, PATH_HEADERS_MAX};
use crate::codec::{List, encode};
use crate::execution::{BlockError, Parent, execute_block, validate_block};
use crate::ids::{
    BlockHash, ChainId, Epoch, Height, StateRoot, TimestampMs, TransactionId, ValidatorSetHash,
};
use crate::parameters::Parameters;
use crate::receipt::{Receipt, receipts_root};
use crate::state::tree::KeyHash;
use crate::state::{StateError, StateKey, StateReader, StateValue, Version};
use crate::validator::ValidatorSet;
use journal::{Journal, Position};
use reader::Shared;
use record::CommitRecord;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Heights after which a checkpoint is due.
const CHECKPOINT_HEIGHTS: u64 = 2_000;
/// Journal bytes after which a checkpoint is due.
const CHECKPOINT_BYTES: u64 = 64 * 1024 * 1024;

/// The committed tip.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its height; 0 is genesis.
    pub height: Height,
    /// The block; the chain id at height 0.
    pub block: BlockHash,
    /// The block's time; the genesis document's at height 0.
    pub timestamp_ms: TimestampMs,
    /// The state after it.
    pub result: BlockResult,
    /// Its certificate, or that of a descendant (R22); `None` at height 0.
    pub certificate: Option<CommitCertificate>,
    /// Epoch of the next height.
    pub epoch: Epoch,
    /// Validators of the next height.
    pub validators: Arc<ValidatorSet>,
}

/// A block executed on its parent's state but not committed.
struct Overlay {
    height: Height,
    parent: BlockHash,
    timestamp_ms: TimestampMs,
    version: Version,
    receipts: Vec<Receipt>,
    result: BlockResult,
    block: Block,
}

/// The ledger. Owned by one thread.
pub struct Ledger {
    chain: ChainId,
    parameters: Parameters,
    validators_hash: ValidatorSetHash,
    journal: Journal,
    shared: Arc<Shared>,
    tip: Tip,
    version: Version,
    overlays: BTreeMap<BlockHash, Overlay>,
    /// Durable or appended bodies above the tip.
    bodies: BTreeMap<BlockHash, (Height, Position)>,
    checkpoint: (Height, Position),
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("chain", &self.chain).field("tip", &self.tip.height).finish()
    }
}

/// Reads entries of a version: what it and its unstored ancestors changed, else the store.
pub struct VersionReader<'a> {
    version: &'a Version,
    shared: &'a Shared,
}

impl StateReader for VersionReader<'_> {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        match self.version.overlaid(key) {
            Some(change) => Ok(change.cloned()),
            None => self.shared.stored(key),
        }
    }
}

impl Ledger {
    /// The committed tip.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The chain's parameters.
    #[must_use]
    pub const fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// For readers on other threads.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// Appends a block's body; durable after [`Self::sync`]. A body that is there already is not written twice.
    ///
    /// # Errors
    /// When the journal fails.
    pub fn append_body(&mut self, block: &Block) -> Result<(), LedgerError> {
        let (hash, height) = (block.hash(), block.header.height);
        if height > self.tip.height && !self.bodies.contains_key(&hash) {
            let position = self.journal.append(record::BODY, &encode(block))?;
            self.bodies.insert(hash, (height, position));
        }
        Ok(())
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// When it could not be synced; the node must then stop.
    pub fn sync(&mut self) -> Result<(), LedgerError> {
        Ok(self.journal.sync()?)
    }

    /// The version, time, height and result of the tip or of an executed block.
    fn base(&self, block: BlockHash) -> Option<(&Version, Parent)> {
        let (version, height, timestamp_ms, result) = if block == self.tip.block {
            (&self.version, self.tip.height, self.tip.timestamp_ms, &self.tip.result)
        } else {
            let overlay = self.overlays.get(&block)?;
            (&overlay.version, overlay.height, overlay.timestamp_ms, &overlay.result)
        };
        let parent = Parent { height, block, timestamp_ms, result: result.hash(), epoch: self.tip.epoch };
        Some((version, parent))
    }

    /// R6 against the parent's state. `authentic` says which transactions' signatures are known to hold.
    ///
    /// # Errors
    /// What is wrong with the block, or with the own disk.
    pub fn validate(
        &self,
        block: &Block,
        authentic: impl Fn(TransactionId) -> bool,
    ) -> Result<(), BlockError> {
        let Some((version, parent)) = self.base(block.header.parent) else {
            return Err(BlockError::Header("parent"));
        };
        let reader = VersionReader { version, shared: &self.shared };
        validate_block(&reader, &self.parameters, self.chain, &parent, block, authentic)
    }

    /// Executes a block on its parent's state and keeps the outcome beside the tip. Again is a look-up.
    ///
    /// # Errors
    /// [`LedgerError::NotExecuted`] when the parent was not; else the disk's.
    pub fn execute(&mut self, block: &Block) -> Result<BlockResult, LedgerError> {
        let hash = block.hash();
        if let Some(overlay) = self.overlays.get(&hash) {
            return Ok(overlay.result);
        }
        let parent = block.header.parent;
        let (version, _) = self.base(parent).ok_or(LedgerError::NotExecuted(parent))?;
        let reader = VersionReader { version, shared: &self.shared };
        let executed = execute_block(&reader, &self.parameters, block)?;
        let version = version.child(&*self.shared, executed.changes)?;
        let result = BlockResult {
            state_root: version.root(),
            receipts_root: receipts_root(&executed.receipts),
            next_set_hash: match version.changes().get(&StateKey::Validators) {
                Some(Some(StateValue::Validators(_, set))) => set.hash(),
                _ => self.validators_hash,
            },
        };
        let overlay = Overlay {
            height: block.header.height,
            parent,
            timestamp_ms: block.header.timestamp_ms,
            version,
            receipts: executed.receipts,
            result,
            block: block.clone(),
        };
        self.overlays.insert(hash, overlay);
        Ok(result)
    }

    /// The result of the tip or of an executed block.
    #[must_use]
    pub fn executed(&self, block: BlockHash) -> Option<BlockResult> {
        if block == self.tip.block {
            return Some(self.tip.result);
        }
        self.overlays.get(&block).map(|overlay| overlay.result)
    }

    /// Reads the state after the tip or an executed block.
    #[must_use]
    pub fn reader_at(&self, block: BlockHash) -> Option<VersionReader<'_>> {
        let (version, _) = self.base(block)?;
        Some(VersionReader { version, shared: &self.shared })
    }

    /// Makes an executed child of the tip final. Its certificate is durable when this returns, and only then
    /// does anybody see it.
    ///
    /// # Errors
    /// [`LedgerError::NotExecuted`] and [`LedgerError::Certificate`] change nothing; after any other error
    /// the node must stop.
    pub fn commit(
        &mut self,
        hash: BlockHash,
        path: List<Header, 0, PATH_HEADERS_MAX>,
        certificate: CommitCertificate,
    ) -> Result<Arc<CommittedBlock>, LedgerError> {
        let overlay = self.overlays.get(&hash).filter(|overlay| overlay.parent == self.tip.block);
        let overlay = overlay.ok_or(LedgerError::NotExecuted(hash))?;
        let certified = match path.first() {
            None if certificate.block_hash == hash => certificate.result_hash,
            Some(child) if child.parent == hash => child.parent_result,
            _ => return Err(LedgerError::Certificate(hash)),
        };
        if certified != overlay.result.hash() {
            return Err(LedgerError::Certificate(hash));
        }
        let block = overlay.block.clone();
        self.append_body(&block)?;
        let (_, body) = self.bodies[&hash];
        let Some(overlay) = self.overlays.remove(&hash) else { return Err(LedgerError::NotExecuted(hash)) };
        let record = CommitRecord {
            height: overlay.height,
            block: hash,
            body,
            certificate,
            path,
            result: overlay.result,
            receipts: overlay.receipts,
            changes: overlay.version.changes().clone(),
        };
        let commit = self.journal.append(record::COMMIT, &encode(&record))?;
        self.journal.sync()?;
        self.install(record, commit, block, overlay.version)
    }

    /// The commit is durable: shows it.
    fn install(
        &mut self,
        record: CommitRecord,
        commit: Position,
        block: Block,
        version: Version,
    ) -> Result<Arc<CommittedBlock>, LedgerError> {
        let height = record.height;
        self.tip = self.tip.after(&block.header, &record);
        self.validators_hash = record.result.next_set_hash;
        if let Some(Some(StateValue::Parameters(parameters))) = record.changes.get(&StateKey::Parameters) {
            self.parameters = parameters.clone();
        }
        self.bodies.retain(|_, (at, _)| *at > height);
        let keys: Vec<KeyHash> = record.changes.keys().map(StateKey::hash).collect();
        self.version = version.evicted(keys.iter().copied());
        self.rebase_overlays(&version, &keys);
        let committed = Arc::new(CommittedBlock {
            block,
            result: record.result,
            certificate: record.certificate.clone(),
            path: record.path.clone(),
            receipts: record.receipts.clone(),
        });
        self.shared.install(&record, commit, &committed, self.tip.clone(), self.version.tree().clone())?;
        Ok(committed)
    }

    /// Puts what builds on the new tip onto the version that the store now holds, so that neither versions nor
    /// leaves pile up however long blocks are in flight. R23: what does not build on it can never be committed
    /// and is dropped.
    fn rebase_overlays(&mut self, committed: &Version, keys: &[KeyHash]) {
        let mut above: Vec<_> = std::mem::take(&mut self.overlays).into_iter().collect();
        above.sort_unstable_by_key(|(_, overlay)| overlay.height);
        for (hash, mut overlay) in above {
            let parent = if overlay.parent == self.tip.block {
                Some(&self.version)
            } else {
                self.overlays.get(&overlay.parent).map(|parent| &parent.version)
            };
            if let Some(parent) = parent {
                overlay.version = overlay.version.rebased(parent, committed, keys);
                self.overlays.insert(hash, overlay);
            }
        }
    }

    /// A block above the tip whose body is here, or a committed one.
    ///
    /// # Errors
    /// When the journal is damaged.
    pub fn body(&self, hash: BlockHash) -> Result<Option<Block>, LedgerError> {
        match self.bodies.get(&hash) {
            Some((_, position)) => Ok(Some(record::read_body(&self.shared.journal, *position)?)),
            None => Ok(self.reader().block_by_hash(hash)?.map(|committed| committed.block.clone())),
        }
    }

    /// Whether so much has been committed since the last checkpoint that opening would take long.
    #[must_use]
    pub fn checkpoint_due(&self) -> bool {
        let (height, position) = self.checkpoint;
        let end = self.journal.end();
        let bytes =
            if end.segment == position.segment { end.offset - position.offset } else { CHECKPOINT_BYTES };
        self.tip.height.0 >= height.0 + CHECKPOINT_HEIGHTS || bytes >= CHECKPOINT_BYTES
    }

    /// Makes the store durable up to the tip, so that opening starts there.
    ///
    /// # Errors
    /// When anything could not be synced; the node must then stop.
    pub fn checkpoint(&mut self) -> Result<(), LedgerError> {
        let end = self.journal.end();
        let scan_from = self.bodies.values().map(|(_, position)| *position).min().unwrap_or(end).min(end);
        self.shared.store.checkpoint(Applied { height: self.tip.height, scan_from })?;
        self.checkpoint = (self.tip.height, end);
        Ok(())
    }

    /// Root of the committed state.
    #[must_use]
    pub fn root(&self) -> StateRoot {
        self.version.root()
    }
}

impl Tip {
    /// The tip after a block is committed on it.
    fn after(&self, header: &Header, record: &CommitRecord) -> Self {
        let next = match record.changes.get(&StateKey::Validators) {
            Some(Some(StateValue::Validators(epoch, set))) => (*epoch, Arc::new(set.clone())),
            _ => (self.epoch, Arc::clone(&self.validators)),
        };
        Self {
            height: record.height,
            block: record.block,
            timestamp_ms: header.timestamp_ms,
            result: record.result,
            certificate: Some(record.certificate.clone()),
            epoch: next.0,
            validators: next.1,
        }
    }
}
