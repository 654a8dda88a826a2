//! Every block once more, in a ledger of its own: what a new member would get.

use super::ToolError;
use crate::block::Block;
use crate::ids::Height;
use crate::ledger::error::LedgerError;
use crate::ledger::genesis::GenesisState;
use crate::ledger::record::CommitRecord;
use crate::ledger::{Ledger, Opened};
use std::path::{Path, PathBuf};

/// A ledger beside the one that is verified. It needs as much room on the disk.
pub(super) struct Execution {
    folder: PathBuf,
    genesis: GenesisState,
    opened: Option<Opened>,
    height: Height,
    stopped: bool,
}

impl Execution {
    pub(super) fn new(folder: &Path, genesis: &GenesisState) -> Self {
        let (folder, genesis) = (scratch(folder), genesis.clone());
        Self { folder, genesis, opened: None, height: Height::ZERO, stopped: false }
    }

    /// Up to where execution gave what is certified.
    pub(super) const fn height(&self) -> Height {
        self.height
    }

    /// A block is missing: the next one has no state to execute on.
    pub(super) fn stop(&mut self) {
        self.stopped = true;
    }

    /// Executes the next block; says what is wrong if it gives another result.
    pub(super) fn block(
        &mut self,
        block: &Block,
        commit: &CommitRecord,
    ) -> Result<Option<String>, ToolError> {
        if self.stopped {
            return Ok(None);
        }
        let opened = match &mut self.opened {
            Some(opened) => opened,
            None => {
                remove(&self.folder)?;
                self.opened.insert(Ledger::open(&self.folder, &self.genesis)?)
            }
        };
        let ledger = &mut opened.ledger;
        let done = ledger
            .execute(block)
            .and_then(|_| ledger.commit(block.hash(), commit.path.clone(), commit.certificate.clone()));
        match done {
            Ok(_) => self.height = commit.height,
            Err(error @ (LedgerError::Io { .. } | LedgerError::Journal(_) | LedgerError::Store(_))) => {
                return Err(error.into());
            }
            Err(error) => {
                self.stopped = true;
                return Ok(Some(format!("executed again: {error}; no later block was executed")));
            }
        }
        Ok(None)
    }
}

/// Where blocks are executed: a name of its own, because what is there is removed.
pub(super) fn scratch(folder: &Path) -> PathBuf {
    folder.join("verify-scratch")
}

/// Removes what an execution left.
pub(super) fn remove(folder: &Path) -> Result<(), ToolError> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(LedgerError::Io { path: folder.to_path_buf(), source }.into())
        }
        _ => Ok(()),
    }
}
