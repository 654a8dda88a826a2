//! What can go wrong with a journal.

use std::io;
use std::path::{Path, PathBuf};

use super::{Owner, Position};

/// Why a journal call failed. None of these is a peer's fault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system refused.
    #[error("{operation} {}: {source}", path.display())]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The answer.
        source: io::Error,
    },
    /// Bytes that were durable are not what was written. Repair from peers, or retire (R47).
    #[error("{} is corrupt at byte {offset}: {what}", path.display())]
    Corrupt {
        /// The segment's file.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
        /// What was found.
        what: Corruption,
    },
    /// A segment was written by a version that this one can't read.
    #[error("{} has journal format {found}, this program reads {}", path.display(), super::VERSION)]
    Version {
        /// The segment's file.
        path: PathBuf,
        /// Its format version.
        found: u16,
    },
    /// A segment of another journal is where this one's should be. Put the right file back.
    #[error(
        "{} is of the journal of {found}; here belongs that of {expected}. Put the right file back", path.display()
    )]
    Foreign {
        /// The segment's file.
        path: PathBuf,
        /// Whose it is.
        found: Owner,
        /// Whose it should be.
        expected: Owner,
    },
    /// The options contradict each other.
    #[error("journal options: {0}")]
    Options(&'static str),
    /// A payload is longer than `record_bytes_max`.
    #[error("record of {bytes} bytes, at most {max} fit")]
    TooLarge {
        /// Its length.
        bytes: u64,
        /// The bound.
        max: u64,
    },
    /// A sync failed before, so nothing is known to be durable any more: the node must stop.
    #[error("an earlier sync of the journal failed")]
    Poisoned,
    /// The position was pruned.
    #[error("position {position} was pruned, the first is {first}")]
    Pruned {
        /// What was asked for.
        position: Position,
        /// The first one there.
        first: Position,
    },
    /// No record starts at or can start at this position.
    #[error("no record at position {position}, the journal ends at {end}")]
    OutOfRange {
        /// What was asked for.
        position: Position,
        /// Where the journal ends.
        end: Position,
    },
    /// Another process, or another `Journal` of this one, has the directory.
    #[error("{} is in use by another process", path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
    },
}

/// What is wrong with a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Corruption {
    /// The segment's header is damaged.
    #[error("segment header is damaged")]
    SegmentHeader,
    /// The segment is of another journal of the same owner, or its first sequence number doesn't follow.
    #[error("segment does not belong here")]
    ForeignSegment,
    /// A segment between others is missing.
    #[error("segment is missing")]
    MissingSegment,
    /// The file doesn't have the length its header says.
    #[error("segment has the wrong length")]
    SegmentLength,
    /// The record's header is damaged.
    #[error("record header is damaged")]
    RecordHeader,
    /// The record's payload is damaged.
    #[error("record payload is damaged")]
    RecordPayload,
    /// Records that were durable are missing here.
    #[error("record is missing")]
    MissingRecord,
    /// The record's sequence number doesn't follow the one before.
    #[error("record is out of sequence")]
    Sequence,
}

impl Error {
    pub(super) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { operation, path, source }
    }

    pub(super) fn corrupt(path: &Path, offset: u64, what: Corruption) -> Self {
        Self::Corrupt { path: path.to_path_buf(), offset, what }
    }

    /// Whether the same call may succeed later, on the same `Journal`, with nothing repaired.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Locked { .. } => true,
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }

    /// Whether a peer caused it: never.
    #[must_use]
    pub const fn is_peer_fault(&self) -> bool {
        false
    }

    /// Whether stored bytes were found damaged.
    #[must_use]
    pub const fn is_corruption(&self) -> bool {
        matches!(self, Self::Corrupt { .. })
    }
}
