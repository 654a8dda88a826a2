//! What can go wrong with the ledger, and whether the node can go on.

use super::journal;
use super::options::IndexLevel;
use super::store::StoreError;
use crate::ids::{BlockHash, ChainId, Height, ResultHash};
use crate::state::StateError;
use std::path::PathBuf;

/// Everything that can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Another process has the folder.
    #[error("{0} is in use by another process; stop that one, or use another folder")]
    Locked(PathBuf),
    /// The folder holds another chain.
    #[error("{path} holds the chain {found}, not {expected}; use another folder, or the other genesis")]
    OtherChain {
        /// The folder.
        path: PathBuf,
        /// The chain of the genesis document.
        expected: ChainId,
        /// The chain in the folder.
        found: String,
    },
    /// The file that says whose the data folder is says nothing that makes sense. It may be removed: the journal's
    /// files say it too.
    #[error(
        "{0} is damaged: it must hold the chain's id and the folder's format. Remove it: it is written again, and \
         the journal's own files show whether the folder is of this chain"
    )]
    ChainFile(PathBuf),
    /// The journal failed or is damaged.
    #[error("journal: {0}")]
    Journal(journal::Error),
    /// sled failed or holds a damaged value.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The state does not fit its root, or could not be read.
    #[error("{0}")]
    State(StateError),
    /// The state at a height that is not kept.
    #[error("the state is kept for heights {first} to {last} only; ask for one of these")]
    Pruned {
        /// The lowest height that can be read.
        first: Height,
        /// The highest: the tip's.
        last: Height,
    },
    /// This node does not index what is asked for.
    #[error("this node does not index {what} (index = {own}); ask one with index = {level}, or set it so")]
    NotIndexed {
        /// What was asked for.
        what: &'static str,
        /// The level that has it.
        level: IndexLevel,
        /// The node's.
        own: IndexLevel,
    },
    /// Something stored turned out damaged while the ledger was running. The next opening makes it again.
    #[error("the ledger has stopped: {0}; start the node again, it then mends what can be mended")]
    Failed(String),
    /// The folder is of an older program.
    #[error(
        "{path} has format {found}, this program has format {expected}; export the chain with the program that \
         made it (quorate ledger export) and import it into an empty folder (quorate ledger import)"
    )]
    OtherFormat {
        /// The folder.
        path: PathBuf,
        /// What is there.
        found: String,
        /// This program's.
        expected: u32,
    },
    /// Opening was stopped by who asked for it; the next one goes on.
    #[error("opening was interrupted; the next one goes on")]
    Interrupted,
    /// A file beside journal and store could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is stored contradicts itself, and a rebuild from the journal did not help.
    #[error("the ledger is damaged at height {height}: {what}")]
    Damaged {
        /// From which height on.
        height: Height,
        /// What is wrong.
        what: String,
    },
    /// The caller commits what it has not executed.
    #[error("block {0} was not executed on the committed tip")]
    NotExecuted(BlockHash),
    /// The parent ends its epoch and is not committed yet: no child is executed before (R45).
    #[error("block {0} ends its epoch and is not committed yet")]
    EpochEnd(BlockHash),
    /// The certificate, or the path of headers to its block, does not fit the block.
    #[error("the certificate does not fit block {0}")]
    Certificate(BlockHash),
    /// A quorum certified another result than the own execution gave (R36).
    #[error("the chain has the result {certified} at height {height}, this node has {own}")]
    Diverged {
        /// The height whose results differ.
        height: Height,
        /// The own result.
        own: ResultHash,
        /// The certified one.
        certified: ResultHash,
    },
    /// So many executed blocks wait for their commit, each needed by the next, that no more fit.
    #[error("{0} executed blocks wait for their commit; no more fit")]
    OverlaysFull(usize),
    /// So many bodies wait for a commit that no more fit.
    #[error("{0} bodies wait for a commit; no more fit")]
    BodiesFull(usize),
}

impl LedgerError {
    /// Whether the node must stop voting: going on could lose or fork. Refusals that changed nothing are not.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        !matches!(
            self,
            Self::NotExecuted(_)
                | Self::EpochEnd(_)
                | Self::Certificate(_)
                | Self::OverlaysFull(_)
                | Self::BodiesFull(_)
                | Self::Pruned { .. }
                | Self::NotIndexed { .. }
        )
    }

    /// Whether making the store again from the journal may help.
    pub(super) const fn is_of_store(&self) -> bool {
        matches!(self, Self::Store(_) | Self::State(_) | Self::Damaged { .. })
    }
}

impl From<StateError> for LedgerError {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Pruned { first, last } => Self::Pruned { first, last },
            other => Self::State(other),
        }
    }
}

impl From<journal::Error> for LedgerError {
    fn from(error: journal::Error) -> Self {
        match error {
            journal::Error::Locked { path } => Self::Locked(path),
            other => Self::Journal(other),
        }
    }
}
