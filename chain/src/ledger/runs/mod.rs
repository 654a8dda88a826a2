//! Indexes whose entries are set once and then stay, as sorted runs.
//!
//! ```text
//!   batch of heights 201–230 ──push──► level 0   [201–230]
//!                                      level 0   [161–200]      eight of a level are merged
//!                                      level 1   [121–160]      into one of the next
//!   lookup: the newest first           level 2   [  1–120]
//! ```
//!
//! A run holds what the blocks of some consecutive heights have entered into an index, ascending by key, in pages of
//! about 8 KiB: an insert into the store serves a page. Each page says where the next one begins, and the
//! [`Manifest`] which runs there are, so that a page that the store lost is noticed, and a key that is not found was
//! never there.
//!
//! A run is named after its heights, and these decide what is in it. So a page that a crash or rot brings back is the
//! same page, whenever it was written.
//!
//! | file | what |
//! | --- | --- |
//! | `page.rs` | sorted entries as bytes |
//! | `manifest.rs` | [`Run`] and [`Manifest`]: which runs there are |
//! | `read.rs` | finding a key, the latest keys, a run's entries in order |
//! | `build.rs` | a run page by page |
//! | `merge.rs` | several runs into one, in slices |
//! | `writer.rs` | [`Writer`]: runs of batches, merges, and the removal of what these replaced |

mod build;
mod manifest;
mod merge;
mod page;
#[cfg(test)]
mod page_tests;
mod read;
#[cfg(test)]
mod tests;
mod writer;

pub use manifest::{Manifest, Run};
pub(super) use read::Cursor;
pub(super) use writer::Writer;

use super::options::IndexLevel;
use borsh::{BorshDeserialize, BorshSerialize};

/// Runs of a level that are merged into one of the next.
const MERGED_RUNS: usize = 8;
/// Most runs of a level. Merges keep pace with what is written, so there are hardly more than half as many; if there
/// are, a merge is finished before anything else.
const RUNS_A_LEVEL_MAX: usize = 16;
/// Entries of a full page take no more: for each entry sled does least at this size. With another number a run's pages
/// would differ from those of the same run that are stored already: that is another format.
const PAGE_BYTES: usize = 8_192;

/// An index whose entries are set once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub enum Index {
    /// Block hash → height.
    Hashes,
    /// Transaction id → height and index in the block.
    Transactions,
    /// Account, height, index in the block (big endian): an account's transactions.
    History,
}

impl Index {
    pub(super) const ALL: [Self; 3] = [Self::Hashes, Self::Transactions, Self::History];

    /// As statistics and errors call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hashes => "hashes",
            Self::Transactions => "transactions",
            Self::History => "history",
        }
    }

    /// The first byte of its pages' keys.
    const fn tag(self) -> u8 {
        match self {
            Self::Hashes => 0,
            Self::Transactions => 1,
            Self::History => 2,
        }
    }

    /// Bytes of each key and of each value.
    const fn widths(self) -> (usize, usize) {
        match self {
            Self::Hashes => (32, 8),
            Self::Transactions => (32, 12),
            Self::History => (44, 0),
        }
    }

    /// Entries of a full page.
    const fn page_entries(self) -> usize {
        let (key, value) = self.widths();
        PAGE_BYTES / (key + value)
    }

    /// Whether it is kept at a level.
    pub(super) const fn is_kept(self, level: IndexLevel) -> bool {
        matches!(
            (self, level),
            (Self::Hashes, _)
                | (Self::Transactions, IndexLevel::Tx | IndexLevel::Full)
                | (Self::History, IndexLevel::Full)
        )
    }
}
