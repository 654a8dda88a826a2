//! Append-only, checksummed, power-loss-safe record log.
//!
//! A journal is a directory of preallocated segments `NNNNNNNNNN.journal` and a `lock` file. It stores opaque
//! records (`kind`, payload) in order and knows nothing of what they mean.
//!
//! ```text
//! segment   | header, one sector | record | record | ... | zeros up to the preallocated size |
//! record    | header, 48 bytes | payload | zeros up to a multiple of 8 |
//! ```
//!
//! - `writer`: [`Journal`], append and group commit, creation and pruning of segments
//! - `recovery`: what opening does with what a crash left
//! - `reader`: [`Reader`] and [`Scan`], usable from any thread beside the writer
//! - `survey`: [`Survey`], a look through all files that changes nothing and goes past damage
//! - `format`: the bytes
//! - `owner`: [`Owner`], whose a journal is
//! - `disk`, `fs_disk`, `mem_disk`: the files behind a trait; the real ones, and ones that can lose power
//!
//! # What can be relied on
//! A record is durable when a [`Journal::sync`] called after its [`Journal::append`] returned `Ok` (R10, R11).
//! Storage is taken to write 512-byte sectors whole or not at all, in any order, until it is synced. Under that:
//!
//! - after a power loss every synced record is there, and of the unsynced ones a prefix. The rest of the unsynced
//!   tail is discarded and reported as a [`TornTail`].
//! - a record that can't be read though it was synced is [`Error::Corrupt`], with file and offset, never dropped.
//!   Two proofs of that are used: a later record that says it was appended after the unreadable one was synced
//!   (each record carries the highest sequence number known durable at its append); and damage that no lost
//!   sector explains, because none of the record's sectors reads as the zeros that were there before.
//! - files of another [`Owner`] are [`Error::Foreign`] before any payload of theirs is used: another chain's, another
//!   key's votes, votes where the chain should be. A segment's header is durable before its first record, and says
//!   it.
//! - what the one cannot tell from the other is the loss of the last synced batch as a whole, as by restoring an
//!   older copy of the file. Whoever needs to know keeps a witness elsewhere (R47).
//!
//! # Why the segments are preallocated with `fallocate`
//! 1,000-byte appends, each synced, on ext4, p50/p99 in µs: growing file 171/270, `fallocate` 113/189, file filled
//! with zeros 111/168. Filling costs 12 ms for 4 MiB and 35–190 ms for 64 MiB, `fallocate` under 0.2 ms.

mod disk;
mod error;
mod format;
mod fs_disk;
mod mem_disk;
mod owner;
mod reader;
mod recovery;
mod survey;
#[cfg(test)]
mod tests;
mod writer;

pub use disk::{Disk, DiskFile, DiskLock};
pub use error::{Corruption, Error};
pub use format::{Position, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, VERSION};
pub use fs_disk::FsDisk;
pub use mem_disk::{MemDisk, PowerLoss};
pub use owner::Owner;
pub use reader::{Entry, Reader, SCAN_WINDOW_BYTES, SEGMENTS_OPEN_MAX, Scan};
pub use recovery::{Recovered, TornTail};
pub use survey::{Found, Survey};
pub use writer::{BODIES_SEGMENT_BYTES, Journal, Options, RECORD_BYTES_MAX, VOTES_SEGMENT_BYTES};
