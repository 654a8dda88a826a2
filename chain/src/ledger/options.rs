//! What a node's operator may choose about the ledger.

use super::error::LedgerError;
use super::genesis::GenesisState;
use super::journal::{Disk, Options};
use super::open::{self, Opened};
use super::store::Store;
use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// Most states that [`LedgerOptions::retain_states`] keeps readable.
pub const RETAIN_STATES_MAX: u32 = 4_096;
/// Fewest: one who reads the tip must be able to finish while the next block is committed.
const RETAIN_STATES_MIN: u32 = 2;
/// Heights that the store may lack if nothing says otherwise.
pub const LAG_HEIGHTS_MAX: u32 = 512;
/// Bytes in memory that the store may lack if nothing says otherwise.
pub const LAG_BYTES_MAX: u64 = 32 * MIB;
const MIB: u64 = 1024 * 1024;
/// Longest journal record: a full block's receipts and changes.
const RECORD_BYTES_MAX: u64 = 32 * MIB;

/// How much is indexed beside blocks by height and hash, and epochs. Ordered: more includes less.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum IndexLevel {
    /// Nothing.
    None,
    /// Transactions by id.
    Tx,
    /// Transactions by id, and by the accounts that they act for or touch.
    #[default]
    Full,
}

impl fmt::Display for IndexLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Tx => "tx",
            Self::Full => "full",
        })
    }
}

impl FromStr for IndexLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "none" => Ok(Self::None),
            "tx" => Ok(Self::Tx),
            "full" => Ok(Self::Full),
            _ => Err(format!("index level {text:?}: not full, tx or none")),
        }
    }
}

/// Runs in another process, or wherever a crash does no harm, whether the store in a folder opens.
pub type Probe = Arc<dyn Fn(&Path) -> Result<(), String> + Send + Sync>;

/// What can be chosen about a ledger. None of it changes what the chain is.
#[derive(Clone)]
pub struct LedgerOptions {
    /// Committed heights whose state can be read, the tip's included: 2 to [`RETAIN_STATES_MAX`]. They are in
    /// memory, so fewer are kept when they take too many bytes, and after a start only the tip's is there.
    pub retain_states: u32,
    /// Memory for caches in bytes: half for the store's pages, an eighth for decoded values, the rest for leaves.
    pub cache_bytes: u64,
    /// Commits that the store may lack, in heights; a commit then waits for the store.
    pub lag_heights: u32,
    /// Commits that the store may lack, in bytes; a commit then waits for the store.
    pub lag_bytes: u64,
    /// What is indexed.
    pub index: IndexLevel,
    /// Time between two walks over everything that is stored; zero: never.
    pub scrub_interval: Duration,
    /// Whether threads of the ledger's own write behind and scrub. Without, both are done by explicit calls,
    /// and when a commit has no room, so that a run can be repeated.
    pub background: bool,
    /// Asked before a store that was not closed is opened.
    pub probe: Option<Probe>,
    /// Of the journal's new segments; their longest record must be as long as a block's receipts and changes are.
    pub segments: Options,
}

impl Default for LedgerOptions {
    fn default() -> Self {
        Self {
            retain_states: 32,
            cache_bytes: 512 * MIB,
            lag_heights: LAG_HEIGHTS_MAX,
            lag_bytes: LAG_BYTES_MAX,
            index: IndexLevel::default(),
            scrub_interval: Duration::from_hours(24),
            background: true,
            probe: None,
            segments: Options { record_bytes_max: RECORD_BYTES_MAX, ..Options::bodies() },
        }
    }
}

impl fmt::Debug for LedgerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { retain_states, cache_bytes, index, background, .. } = self;
        write!(f, "LedgerOptions {{ {retain_states} states, {cache_bytes} bytes, {index}, {background} }}")
    }
}

impl LedgerOptions {
    /// Opens or makes the ledger in a node's data folder, as [`Ledger::open`](super::Ledger::open) does.
    ///
    /// # Errors
    /// As there.
    pub fn open(&self, data: &Path, genesis: &GenesisState) -> Result<Opened, LedgerError> {
        open::open(data, genesis, self, &mut |_| ControlFlow::Continue(()))
    }

    /// Opens a ledger on any disk and store, as [`Ledger::open_with`](super::Ledger::open_with) does.
    ///
    /// # Errors
    /// As there.
    pub fn open_with(
        &self,
        disk: Arc<dyn Disk>,
        folder: &Path,
        store: Box<dyn Store>,
        genesis: &GenesisState,
    ) -> Result<Opened, LedgerError> {
        open::open_with(disk, folder, store, genesis, self)
    }

    pub(super) fn states(&self) -> usize {
        self.retain_states.clamp(RETAIN_STATES_MIN, RETAIN_STATES_MAX) as usize
    }

    /// Bytes of the store's own cache.
    pub(super) const fn store_cache_bytes(&self) -> u64 {
        let half = self.cache_bytes / 2;
        // sled needs room for some pages.
        if half < MIB { MIB } else { half }
    }

    /// Bytes of the cache of decoded values.
    pub(super) fn value_cache_bytes(&self) -> usize {
        usize::try_from(self.cache_bytes / 8).unwrap_or(usize::MAX)
    }

    /// Bytes of the cache of leaves: beside a value that changes lie some ten others.
    pub(super) fn leaf_cache_bytes(&self) -> usize {
        self.value_cache_bytes().saturating_mul(3)
    }
}
