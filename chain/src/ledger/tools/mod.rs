//! What an operator does with the ledger of a stopped node. Each takes the ledger's lock.
//!
//! | file | what |
//! | --- | --- |
//! | `verify/` | finds everything that is damaged; changes nothing |
//! | `stats.rs` | what a ledger holds; changes nothing |
//! | `repair.rs` | the store made again from the journal |
//! | `archive/` | blocks with their certificates as a stream: format, export, import |
//! | `link.rs` | what a block must follow from |
//! | `pages.rs` | all entries of a table, past damaged ones |
//! | `error.rs` | why a tool ends early |

mod archive;
mod error;
mod link;
mod pages;
mod repair;
mod stats;
mod verify;

pub use archive::{
    ARCHIVE_RECORD_BYTES_MAX, ARCHIVE_VERSION, ArchiveError, ArchiveFault, ArchiveReader, ArchiveWriter,
    ArchivedBlock, Exported, Imported, Range, export, import, resume_export,
};
pub use error::ToolError;
pub use link::LinkError;
pub use repair::{Repaired, repair_index};
pub use stats::{KindStats, Stats, stats};
pub use verify::{
    DAMAGE_LISTED_MAX, Damage, Findings, Part, Remedy, StateVerdict, Verified, VerifyOptions, verify,
    verify_with,
};

use super::GenesisState;
use super::error::LedgerError;
use super::folder;
use super::journal::{self, Disk, FsDisk, Owner, Survey};
use crate::ids::ChainId;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Memory that a tool gives to the store's own cache.
const CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// What a tool is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking through the journal, bytes.
    Journal,
    /// Looking through the store, entries.
    Store,
    /// Making the store again, blocks.
    Rebuild,
    /// Writing blocks into an archive, blocks.
    Export,
    /// Reading what an archive holds already, bytes.
    Archive,
    /// Executing and committing blocks of an archive, bytes of it.
    Import,
}

/// Hears how far a tool has come, and may stop it.
pub trait Progress {
    /// `done` of `total` of a stage, in the stage's unit; a `total` of 0 is not known. `Break` stops the tool at
    /// a point where nothing is half-written.
    fn at(&mut self, stage: Stage, done: u64, total: u64) -> ControlFlow<()>;
}

impl<F: FnMut(Stage, u64, u64) -> ControlFlow<()>> Progress for F {
    fn at(&mut self, stage: Stage, done: u64, total: u64) -> ControlFlow<()> {
        self(stage, done, total)
    }
}

/// Says how far it is; an error when that stops the tool.
fn tell(progress: &mut dyn Progress, stage: Stage, done: u64, total: u64) -> Result<(), ToolError> {
    match progress.at(stage, done, total) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(ToolError::Interrupted),
    }
}

/// Where the chain's journal is in a data folder.
fn journal_folder(data: &Path) -> PathBuf {
    data.join("journal/chain")
}

/// Where the store is in a data folder.
fn store_folder(data: &Path) -> PathBuf {
    data.join("state")
}

/// Takes the lock of the ledger in a data folder, if there is one of this chain.
fn survey(data: &Path, genesis: &GenesisState) -> Result<Survey, ToolError> {
    let chain = genesis.chain;
    let folder = journal_folder(data);
    if !folder::is_of(data, chain)? || !folder.is_dir() {
        return Err(ToolError::NoLedger(data.to_path_buf()));
    }
    survey_on(Arc::new(FsDisk), &folder, chain)
}

fn survey_on(disk: Arc<dyn Disk>, folder: &Path, chain: ChainId) -> Result<Survey, ToolError> {
    Survey::open(disk, folder, Owner::Chain(chain))
        .map_err(|error: journal::Error| LedgerError::from(error).into())
}
