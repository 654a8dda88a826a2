//! The bytes of an archive, and writing them.

use crate::block::{Block, BlockResult, Header};
use crate::certificate::{CommitCertificate, PATH_HEADERS_MAX};
use crate::codec::{List, encode};
use crate::ids::{ChainId, Height};
use crate::ledger::reader::CommittedBlock;
use borsh::{BorshDeserialize, BorshSerialize};
use std::io::{self, Write};

/// Format version this program writes and reads.
pub const ARCHIVE_VERSION: u16 = 1;
/// Longest payload of a record, bytes: a full block with the longest path and the largest certificate fits.
pub const ARCHIVE_RECORD_BYTES_MAX: usize = 8 * 1024 * 1024;

pub(super) const MAGIC: &[u8; 8] = b"QUORARCH";
pub(super) const CHECKSUM_BYTES: usize = 16;
/// Bytes of the header that its checksum covers.
pub(super) const HEADER_CHECKED_BYTES: usize = 56;
pub(super) const HEADER_BYTES: usize = HEADER_CHECKED_BYTES + CHECKSUM_BYTES;
/// Bytes before a record's payload.
pub(super) const RECORD_HEADER_BYTES: usize = 8 + CHECKSUM_BYTES;
const KEY_CONTEXT: &str = "quorate archive record key 1";

/// Kind of a record with an [`ArchivedBlock`].
pub(super) const BLOCK: u8 = 1;
/// Kind of the last record: how many blocks there are.
pub(super) const END: u8 = 2;

/// A block with what proves it. Receipts and state follow from executing it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ArchivedBlock {
    /// The block.
    pub block: Block,
    /// The state after it.
    pub result: BlockResult,
    /// Its certificate, or that of the last header of `path`.
    pub certificate: CommitCertificate,
    /// Headers up to the certified descendant (R22); mostly empty.
    pub path: List<Header, 0, PATH_HEADERS_MAX>,
}

impl ArchivedBlock {
    pub(super) fn of(committed: &CommittedBlock) -> Self {
        let CommittedBlock { block, result, certificate, path, .. } = committed;
        Self { block: block.clone(), result: *result, certificate: certificate.clone(), path: path.clone() }
    }
}

pub(super) fn header(chain: ChainId, first: Height) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    out[..8].copy_from_slice(MAGIC);
    out[8..10].copy_from_slice(&ARCHIVE_VERSION.to_le_bytes());
    out[16..48].copy_from_slice(&chain.0);
    out[48..56].copy_from_slice(&first.0.to_le_bytes());
    let checksum = blake3::hash(&out[..HEADER_CHECKED_BYTES]);
    out[HEADER_CHECKED_BYTES..].copy_from_slice(&checksum.as_bytes()[..CHECKSUM_BYTES]);
    out
}

/// Key of the checksums of an archive's records.
pub(super) fn record_key(header: &[u8; HEADER_BYTES]) -> [u8; 32] {
    blake3::derive_key(KEY_CONTEXT, header)
}

/// Checksum of record `number`; `start` is its length and kind.
pub(super) fn record_checksum(
    key: &[u8; 32],
    number: u64,
    start: &[u8; 8],
    payload: &[u8],
) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(&number.to_le_bytes()).update(start).update(payload);
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&hasher.finalize().as_bytes()[..CHECKSUM_BYTES]);
    checksum
}

/// Writes an archive from front to back.
#[derive(Debug)]
pub struct ArchiveWriter<W> {
    sink: W,
    key: [u8; 32],
    number: u64,
    bytes: u64,
}

/// Bytes of the last record.
pub(super) const END_BYTES: u64 = (RECORD_HEADER_BYTES + 8) as u64;

impl<W: Write> ArchiveWriter<W> {
    /// Begins an archive whose first block has the height `first`.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn begin(mut sink: W, chain: ChainId, first: Height) -> io::Result<Self> {
        let header = header(chain, first);
        sink.write_all(&header)?;
        Ok(Self { sink, key: record_key(&header), number: 0, bytes: HEADER_BYTES as u64 })
    }

    /// Goes on behind `number` blocks that end at byte `bytes`, where the sink stands.
    pub(super) fn go_on(sink: W, key: [u8; 32], number: u64, bytes: u64) -> Self {
        Self { sink, key, number, bytes }
    }

    /// Appends a block. The caller keeps the order of heights.
    ///
    /// # Errors
    /// `InvalidInput` when it is longer than [`ARCHIVE_RECORD_BYTES_MAX`]; those of the sink.
    pub fn block(&mut self, block: &ArchivedBlock) -> io::Result<()> {
        self.record(BLOCK, &encode(block))
    }

    /// Ends the archive and hands the sink back, flushed.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn end(mut self) -> io::Result<W> {
        self.record(END, &self.number.to_le_bytes())?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    /// Without an end: what was written is a valid beginning.
    ///
    /// # Errors
    /// Those of the sink.
    pub(super) fn leave(mut self) -> io::Result<W> {
        self.sink.flush()?;
        Ok(self.sink)
    }

    /// Hands what was written so far to `sync`.
    pub(super) fn settle(&mut self, sync: &mut dyn FnMut(&mut W) -> io::Result<()>) -> io::Result<()> {
        self.sink.flush()?;
        sync(&mut self.sink)
    }

    /// Bytes written so far, those before `go_on` included.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn record(&mut self, kind: u8, payload: &[u8]) -> io::Result<()> {
        if payload.len() > ARCHIVE_RECORD_BYTES_MAX {
            let what = format!("a block of {} bytes does not fit into an archive", payload.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
        }
        let mut start = [0; 8];
        start[..4].copy_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
        start[4] = kind;
        self.sink.write_all(&start)?;
        self.sink.write_all(&record_checksum(&self.key, self.number, &start, payload))?;
        self.sink.write_all(payload)?;
        self.number += 1;
        self.bytes += (RECORD_HEADER_BYTES + payload.len()) as u64;
        Ok(())
    }
}
