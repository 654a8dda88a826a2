//! State and indexes by key. Everything in a store can be made again from the journal.
//!
//! Two stores: sled in a folder, and memory for the simulator. Every value carries a checksum over its table,
//! key and bytes, checked when it is read.

mod entries;
mod memory;
mod sled_store;
mod tree_file;

pub(super) use entries::{Entries, PAGE, behind};
pub use memory::MemoryStore;
pub use sled_store::SledStore;
pub use tree_file::TreeFile;

use super::journal::Position;
use super::options::IndexLevel;
use super::runs::Manifest;
use crate::ids::Height;
use borsh::{BorshDeserialize, BorshSerialize};

/// What an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Key hash → state key and value.
    State,
    /// Account and asset of every balance there is.
    Holdings,
    /// Height (big endian) → where the block is in the journal.
    Blocks,
    /// Epoch (big endian) → its first height and its validators.
    Epochs,
    /// Index, heights, first key → a page of a run.
    Runs,
}

impl Table {
    pub(super) const ALL: [Self; 5] = [Self::State, Self::Holdings, Self::Blocks, Self::Epochs, Self::Runs];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Holdings => "holdings",
            Self::Blocks => "blocks",
            Self::Epochs => "epochs",
            Self::Runs => "runs",
        }
    }
}

/// Up to where the journal's commits are durably in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Applied {
    /// The last block whose changes are in the store.
    pub height: Height,
    /// Where to read the journal from: everything later, and every body that was not committed yet.
    pub scan_from: Position,
    /// What is indexed.
    pub index: IndexLevel,
}

/// A store that failed, or a value that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store's own failure.
    #[error("store: {0}")]
    Failed(String),
    /// A value that does not fit its checksum.
    #[error("store: the value at {table} {key} is damaged")]
    Damaged {
        /// Which table.
        table: &'static str,
        /// The key, hex.
        key: String,
    },
}

/// A key and its value.
pub(super) type Pair = (Vec<u8>, Vec<u8>);

/// Ordered tables of bytes. Values are checked as they are read.
pub trait Store: Send + Sync {
    /// The value at a key.
    ///
    /// # Errors
    /// When the store fails or the value is damaged.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Sets or, with `None`, removes a value. Not durable before [`Store::checkpoint`].
    ///
    /// # Errors
    /// When the store fails.
    fn set(&self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError>;

    /// The pairs from `first` to `last`, both included, ascending, at most `max`.
    ///
    /// # Errors
    /// When the store fails or a value is damaged.
    fn range(&self, table: Table, first: &[u8], last: &[u8], max: usize) -> Result<Vec<Pair>, StoreError>;

    /// The last pairs from `first` to `last`, both included, descending, at most `max`.
    ///
    /// # Errors
    /// When the store fails or a value is damaged.
    fn last(&self, table: Table, first: &[u8], last: &[u8], max: usize) -> Result<Vec<Pair>, StoreError>;

    /// Makes everything so far durable, then `applied` itself and which runs there are.
    ///
    /// # Errors
    /// When anything could not be synced: the caller must not rely on the store after a crash.
    fn checkpoint(&self, applied: Applied, manifest: &Manifest) -> Result<(), StoreError>;

    /// The last checkpoint; `None` in a new store, or where it can't be believed.
    fn applied(&self) -> Option<Applied>;

    /// The runs that there were at the last checkpoint.
    fn manifest(&self) -> Manifest;

    /// Keeps a tree, durably, in the place of the one before.
    ///
    /// # Errors
    /// When it could not be written.
    fn save_tree(&self, tree: &TreeFile) -> Result<(), StoreError>;

    /// The tree that was kept last; `None` if there is none that can be believed.
    fn saved_tree(&self) -> Option<TreeFile>;

    /// Notes, durably, that the store is damaged and must be made again.
    ///
    /// # Errors
    /// When it could not be written.
    fn mark_damaged(&self, what: &str) -> Result<(), StoreError>;

    /// What was noted as damaged.
    fn damaged(&self) -> Option<String>;

    /// Removes everything, what [`Store::damaged`] and [`Store::saved_tree`] tell as well.
    ///
    /// # Errors
    /// When the store fails.
    fn clear(&self) -> Result<(), StoreError>;
}

const CHECKSUM_BYTES: usize = 8;

fn checksum(table: Table, key: &[u8], value: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(table.name().as_bytes()).update(&[0]).update(&(key.len() as u64).to_le_bytes());
    hasher.update(key).update(value);
    let mut sum = [0; CHECKSUM_BYTES];
    sum.copy_from_slice(&hasher.finalize().as_bytes()[..CHECKSUM_BYTES]);
    sum
}

/// A value as it is stored: its bytes, then their checksum.
fn seal(table: Table, key: &[u8], value: &[u8]) -> Vec<u8> {
    [value, &checksum(table, key, value)].concat()
}

fn open(table: Table, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
    let damaged = || StoreError::Damaged { table: table.name(), key: hex::encode(key) };
    let at = sealed.len().checked_sub(CHECKSUM_BYTES).ok_or_else(damaged)?;
    let (value, sum) = sealed.split_at(at);
    if checksum(table, key, value) == sum { Ok(value.to_vec()) } else { Err(damaged()) }
}
