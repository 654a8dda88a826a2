//! The committed chain on disk: a journal that is the truth, a store of state and indexes that follows it.
//!
//! ```text
//!              append_body ──► journal (bodies)
//!  execute ──► overlay (a state version in memory, by block hash)
//!   commit ──► journal (certificate, result, receipts, changes), sync_data
//!                └──► published: tip, history, cache, tail ──► readers
//!                                                  └──► slices ──► store ──► checkpoint: durable, height noted
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `mod.rs` | [`Ledger`], the one writer: bodies |
//! | `options.rs` | [`LedgerOptions`], what an operator chooses |
//! | `overlay.rs` | execution beside the tip, by the parent's state |
//! | `commit.rs` | what makes an executed block final |
//! | `set_change.rs` | the end of an epoch |
//! | `open.rs`, `replay.rs` | opening: journal and store; replay from the journal, rebuilding the store |
//! | `folder.rs` | whose the data folder is |
//! | `shared.rs` | what readers and writer share, and reading an entry at a height |
//! | `leaves.rs` | the same for the tree: leaf by leaf |
//! | `indexes.rs` | reading the indexes; that what the store does not have was never there |
//! | `history.rs` | the last states: trees, and what blocks overwrote |
//! | `tail.rs` | commits that the store lacks |
//! | `write_behind.rs` | the tail into the store, checkpoints |
//! | `cache.rs` | a cache bounded in bytes |
//! | `apply.rs`, `accounts.rs` | what a commit writes: state, indexes |
//! | `reader.rs`, `state_at.rs` | [`Reader`] and [`StateAt`], for any thread |
//! | `scrub.rs` | a walk over everything that is stored |
//! | `record.rs` | what the journal's records hold |
//! | `runs/` | indexes whose entries are set once |
//! | `store.rs` | the store's interface; sled and memory behind it |
//! | `journal/` | the append-only log |
//! | `genesis.rs` | what the chain starts from |
//! | `fixture.rs` | the next block without consensus, for tests and benches |
//! | `tools/` | what an operator does with a stopped node's ledger: verify, repair, archives, statistics |
//!
//! What a crash leaves: the journal up to its last sync, and a store that holds at least everything up to its
//! last checkpoint, and of what was written later any part. Replaying the changes of later commits, which are
//! absolute values, in order gives the state of the tip whatever else the store held. The root over it is then
//! compared with the certified one.

mod accounts;
mod apply;
mod cache;
mod commit;
mod error;
pub mod fixture;
mod folder;
mod genesis;
mod history;
mod indexes;
pub mod journal;
mod leaves;
#[cfg(feature = "mistakes")]
mod mistakes;
mod open;
mod options;
mod overlay;
mod reader;
mod record;
mod replay;
mod runs;
mod scrub;
mod set_change;
mod shared;
mod state_at;
mod store;
mod tail;
#[cfg(test)]
mod tests;
pub mod tools;
mod write_behind;

pub use accounts::accounts_of;
pub use error::LedgerError;
pub use genesis::GenesisState;
pub use open::{OpenReport, Opened};
pub use options::{IndexLevel, LAG_BYTES_MAX, LAG_HEIGHTS_MAX, LedgerOptions, Probe, RETAIN_STATES_MAX};
pub use overlay::{OVERLAYS_MAX, VersionReader};
pub use reader::{AccountRecord, CommittedBlock, HISTORY_PAGE_MAX, Reader, StateProof, TransactionRecord};
pub use runs::{Index, Manifest, Run};
pub use scrub::ScrubStatus;
pub use state_at::StateAt;
pub use store::{Applied, MemoryStore, SledStore, Store, StoreError, Table, TreeFile};

use crate::block::{Block, BlockResult};
use crate::certificate::CommitCertificate;
use crate::codec::encode;
use crate::ids::{BlockHash, ChainId, Epoch, Height, ResultHash, StateRoot, TimestampMs};
use crate::parameters::{Parameters, WINDOW_MAX};
use crate::state::Version;
use crate::validator::{SetChange, ValidatorSet};
use journal::{Journal, Position};
use overlay::{Context, Overlays};
use shared::Shared;
use std::collections::BTreeMap;
use std::sync::Arc;
use write_behind::Threads;

/// Most bodies above the tip. Each may have been Prepared in some view, so none is dropped (R43).
pub const BODIES_MAX: usize = 1_024;
const _: () = assert!(BODIES_MAX >= 4 * WINDOW_MAX as usize, "several windows, and one or two more a view");

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
    /// Whether it was the last block of its epoch (R45).
    pub ends_epoch: bool,
    /// Epoch of the next height.
    pub epoch: Epoch,
    /// Validators of the next height.
    pub validators: Arc<ValidatorSet>,
}

/// What executing a block gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The state after it.
    pub result: BlockResult,
    /// Whether it is the last block of its epoch: its execution changed the validators (R45).
    pub ends_epoch: bool,
}

impl Executed {
    /// The result's hash, as votes and headers carry it.
    #[must_use]
    pub fn hash(&self) -> ResultHash {
        self.result.hash()
    }
}

/// The ledger. Owned by one thread.
pub struct Ledger {
    /// First, so that they have ended when the journal's lock is let go.
    _threads: Threads,
    chain: ChainId,
    /// What the tip lays down for its children.
    context: Context,
    journal: Journal,
    shared: Arc<Shared>,
    tip: Tip,
    version: Version,
    overlays: Overlays,
    /// How often a block was executed or looked up.
    executions: u64,
    #[cfg(feature = "mistakes")]
    skips_bucket: bool,
    /// Set changes by the height that executes them.
    scheduled: BTreeMap<Height, SetChange>,
    /// Durable or appended bodies above the tip.
    bodies: BTreeMap<BlockHash, (Height, Position)>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").field("chain", &self.chain).field("tip", &self.tip.height).finish()
    }
}

impl Ledger {
    /// The committed tip.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The parameters in the tip's state; for other parents see [`Self::parameters_at`].
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.context.parameters
    }

    /// For readers on other threads.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(Arc::clone(&self.shared))
    }

    /// Appends a block's body; durable after [`Self::sync`]. A body that is there already is not written twice.
    ///
    /// # Errors
    /// [`LedgerError::BodiesFull`] changes nothing: a commit makes room. Else when the journal fails.
    pub fn append_body(&mut self, block: &Block) -> Result<(), LedgerError> {
        let hash = block.hash();
        if block.header.height <= self.tip.height || self.bodies.contains_key(&hash) {
            return Ok(());
        }
        if self.bodies.len() >= BODIES_MAX {
            return Err(LedgerError::BodiesFull(self.bodies.len()));
        }
        self.write_body(hash, block).map(|_| ())
    }

    /// Where the body is in the journal; writes it if it is not there.
    fn write_body(&mut self, hash: BlockHash, block: &Block) -> Result<Position, LedgerError> {
        if let Some((_, position)) = self.bodies.get(&hash) {
            return Ok(*position);
        }
        let position = self.journal.append(record::BODY, &encode(block))?;
        self.bodies.insert(hash, (block.header.height, position));
        Ok(position)
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// When it could not be synced; the node must then stop.
    pub fn sync(&mut self) -> Result<(), LedgerError> {
        Ok(self.journal.sync()?)
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

    /// Root of the committed state.
    #[must_use]
    pub fn root(&self) -> StateRoot {
        self.version.root()
    }
}
