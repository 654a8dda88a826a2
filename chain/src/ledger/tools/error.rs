//! Why a tool ends early.

use super::archive::ArchiveError;
use super::link::LinkError;
use crate::ids::{BlockHash, ChainId, Height};
use crate::ledger::error::LedgerError;
use std::path::PathBuf;

/// Why a tool ends early. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// The ledger failed, is locked, or is of another chain.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// There is nothing to look at.
    #[error("there is no ledger in {0}; is it the `data` folder of a node that has run?")]
    NoLedger(PathBuf),
    /// [`Progress`](super::Progress) said so.
    #[error("stopped before the end; nothing is half-written")]
    Interrupted,
    /// The archive can't be read, or not written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A block of the archive does not prove itself.
    #[error("archive record {record} at byte {offset}: block {height} is refused: {why}")]
    Refused {
        /// Number of the record, from 0.
        record: u64,
        /// Where it begins in the stream.
        offset: u64,
        /// The block's height.
        height: Height,
        /// What does not hold.
        why: LinkError,
    },
    /// The own execution of a certified block gave something else, or the ledger failed with it.
    #[error("archive record {record} at byte {offset}: block {height}: {source}")]
    Import {
        /// Number of the record, from 0.
        record: u64,
        /// Where it begins in the stream.
        offset: u64,
        /// The block's height.
        height: Height,
        /// What the ledger said.
        source: LedgerError,
    },
    /// The archive is of another chain.
    #[error("the archive is of chain {found}, the ledger of {expected}")]
    OtherChain {
        /// The ledger's.
        expected: ChainId,
        /// The archive's.
        found: ChainId,
    },
    /// The archive has another block at a height of the ledger: one of the two is not of this chain.
    #[error("at height {height} the archive has the block {archived}, the ledger {own}")]
    Fork {
        /// Where they differ.
        height: Height,
        /// The archive's block.
        archived: BlockHash,
        /// The ledger's block.
        own: BlockHash,
    },
    /// The archive begins above what the ledger can take next.
    #[error("the archive begins at height {first}, the ledger needs {next}; import an earlier part first")]
    Gap {
        /// The archive's first height.
        first: Height,
        /// The height that the ledger can take.
        next: Height,
    },
    /// The heights that are asked for are not there.
    #[error("there are no heights {from} to {to}; the ledger has 1 to {tip}")]
    Heights {
        /// The first one asked for.
        from: Height,
        /// The last one.
        to: Height,
        /// The ledger's last.
        tip: Height,
    },
    /// A block of the own ledger does not prove itself: it is not handed on.
    #[error("block {height} of this ledger does not hold ({why}); run `quorate ledger verify`")]
    Unproven {
        /// Which one.
        height: Height,
        /// What does not hold.
        why: LinkError,
    },
    /// The journal, which the store would be made from, is damaged.
    #[error(
        "the journal is damaged in {places} places, the first is: {first}; the store was left as it is. Run \
         `quorate ledger verify`, then import a peer's export"
    )]
    JournalDamaged {
        /// How many places.
        places: u64,
        /// The first of them.
        first: String,
    },
}
