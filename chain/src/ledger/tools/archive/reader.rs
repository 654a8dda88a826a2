//! Reading an archive that anybody may have written: every lie is an error with its place, and costs no memory.

use super::format::{
    ARCHIVE_RECORD_BYTES_MAX, ARCHIVE_VERSION, ArchivedBlock, BLOCK, CHECKSUM_BYTES, END, HEADER_BYTES,
    MAGIC, RECORD_HEADER_BYTES, header, record_checksum, record_key,
};
use crate::codec::{DecodeError, decode};
use crate::ids::{ChainId, Height};
use std::io::{self, Read};

/// Where and why an archive can't be read or written further.
#[derive(Debug, thiserror::Error)]
#[error("archive record {record} at byte {offset}: {fault}")]
pub struct ArchiveError {
    /// Number of the record, from 0; 0 for the header too.
    pub record: u64,
    /// Where the record begins in the stream.
    pub offset: u64,
    /// What is wrong.
    pub fault: ArchiveFault,
}

/// What is wrong with an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveFault {
    /// The stream failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It is no archive.
    #[error("this is no archive of Quorate")]
    Magic,
    /// Another program wrote it.
    #[error(
        "the archive has format {0}, this program reads {ARCHIVE_VERSION}; use the program that wrote it"
    )]
    Version(u16),
    /// The header is damaged.
    #[error("the header is damaged")]
    Header,
    /// The stream ends in the middle.
    #[error(
        "the archive is cut short here; every block before is whole. `quorate ledger export --resume` goes on, \
         and an import of the whole file takes up where it stopped"
    )]
    Cut,
    /// A length that no block has.
    #[error(
        "a record of {0} bytes, at most {ARCHIVE_RECORD_BYTES_MAX} may be; the archive is damaged or forged"
    )]
    TooLong(u64),
    /// The bytes are not what was written.
    #[error("the checksum does not fit: the archive is damaged here; fetch it again")]
    Checksum,
    /// A kind that there is not.
    #[error("a record of unknown kind {0}")]
    Kind(u8),
    /// A block that can't be decoded.
    #[error("{0}")]
    Content(DecodeError),
    /// A height out of order.
    #[error("a block of height {found}, {expected} comes next")]
    Height {
        /// Which comes next.
        expected: Height,
        /// The block's.
        found: Height,
    },
    /// The end says another number of blocks.
    #[error("the end says {said} blocks, there are {found}")]
    Count {
        /// What it says.
        said: u64,
        /// How many there are.
        found: u64,
    },
    /// Something stands behind the end.
    #[error("there are bytes behind the archive's end")]
    Trailing,
}

/// Reads an archive from front to back. Checksums and order are checked; what the blocks say is not.
#[derive(Debug)]
pub struct ArchiveReader<R> {
    source: R,
    chain: ChainId,
    first: Height,
    key: [u8; 32],
    number: u64,
    /// Behind the last whole block.
    offset: u64,
    /// Where the record that was read last begins.
    record_at: u64,
    ended: bool,
}

impl<R: Read> ArchiveReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is none, or none that this program reads.
    pub fn open(mut source: R) -> Result<Self, ArchiveError> {
        let fail = |fault| ArchiveError { record: 0, offset: 0, fault };
        let mut found = [0; HEADER_BYTES];
        let count = fill(&mut source, &mut found).map_err(|error| fail(error.into()))?;
        let magic = count.min(MAGIC.len());
        if found[..magic] != MAGIC[..magic] {
            return Err(fail(ArchiveFault::Magic));
        }
        if count < HEADER_BYTES {
            return Err(fail(ArchiveFault::Cut));
        }
        let version = u16::from_le_bytes([found[8], found[9]]);
        if version != ARCHIVE_VERSION {
            return Err(fail(ArchiveFault::Version(version)));
        }
        let (mut chain, mut first) = ([0; 32], [0; 8]);
        chain.copy_from_slice(&found[16..48]);
        first.copy_from_slice(&found[48..56]);
        let (chain, first) = (ChainId(chain), Height(u64::from_le_bytes(first)));
        // Making it again checks the checksum and all the zeros. No block has height 0, and none the last one.
        if header(chain, first) != found || first == Height::ZERO || first.0 == u64::MAX {
            return Err(fail(ArchiveFault::Header));
        }
        let (offset, key) = (HEADER_BYTES as u64, record_key(&found));
        Ok(Self { source, chain, first, key, number: 0, offset, record_at: offset, ended: false })
    }

    /// Whose blocks they are, as it says.
    #[must_use]
    pub const fn chain(&self) -> ChainId {
        self.chain
    }

    /// Height of the first block.
    #[must_use]
    pub const fn first(&self) -> Height {
        self.first
    }

    /// Blocks read so far.
    #[must_use]
    pub const fn blocks(&self) -> u64 {
        self.number
    }

    /// Bytes up to the end of the last whole block.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Number and place of the block that was read last.
    #[must_use]
    pub const fn place(&self) -> (u64, u64) {
        (self.number.saturating_sub(1), self.record_at)
    }

    pub(super) const fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// The next block; `None` behind the archive's end.
    ///
    /// # Errors
    /// Says where and what; nothing can be read after that.
    pub fn next_block(&mut self) -> Result<Option<ArchivedBlock>, ArchiveError> {
        if self.ended {
            return Ok(None);
        }
        let read = self.record();
        read.map_err(|fault| {
            self.ended = true;
            ArchiveError { record: self.number, offset: self.offset, fault }
        })
    }

    fn record(&mut self) -> Result<Option<ArchivedBlock>, ArchiveFault> {
        let mut found = [0; RECORD_HEADER_BYTES];
        if fill(&mut self.source, &mut found)? < RECORD_HEADER_BYTES {
            return Err(ArchiveFault::Cut);
        }
        let (mut start, mut checksum) = ([0; 8], [0; CHECKSUM_BYTES]);
        start.copy_from_slice(&found[..8]);
        checksum.copy_from_slice(&found[8..]);
        let length = u32::from_le_bytes([start[0], start[1], start[2], start[3]]);
        if length as usize > ARCHIVE_RECORD_BYTES_MAX {
            return Err(ArchiveFault::TooLong(length.into()));
        }
        // Room grows with the bytes that come, not with the length that is said.
        let mut payload = Vec::new();
        self.source.by_ref().take(length.into()).read_to_end(&mut payload)?;
        if payload.len() < length as usize {
            return Err(ArchiveFault::Cut);
        }
        if record_checksum(&self.key, self.number, &start, &payload) != checksum {
            return Err(ArchiveFault::Checksum);
        }
        match (start[4], &start[5..]) {
            (BLOCK, [0, 0, 0]) => self.block(&payload).map(Some),
            (END, [0, 0, 0]) => self.end(&payload),
            (kind, _) => Err(ArchiveFault::Kind(kind)),
        }
    }

    fn block(&mut self, payload: &[u8]) -> Result<ArchivedBlock, ArchiveFault> {
        let archived: ArchivedBlock = decode(payload).map_err(ArchiveFault::Content)?;
        let expected = Height(self.first.0.saturating_add(self.number));
        let found = archived.block.header.height;
        if found != expected {
            return Err(ArchiveFault::Height { expected, found });
        }
        self.number += 1;
        self.record_at = self.offset;
        self.offset += (RECORD_HEADER_BYTES + payload.len()) as u64;
        Ok(archived)
    }

    fn end(&mut self, payload: &[u8]) -> Result<Option<ArchivedBlock>, ArchiveFault> {
        let said: u64 = decode(payload).map_err(ArchiveFault::Content)?;
        if said != self.number {
            return Err(ArchiveFault::Count { said, found: self.number });
        }
        if fill(&mut self.source, &mut [0])? > 0 {
            return Err(ArchiveFault::Trailing);
        }
        self.ended = true;
        Ok(None)
    }
}

/// Reads until `into` is full or the stream ends; gives how many bytes came.
fn fill(source: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < into.len() {
        match source.read(&mut into[count..]) {
            Ok(0) => break,
            Ok(read) => count += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
