//! The bytes of segments and records. All integers are little-endian.

use std::fmt;
use std::path::{Path, PathBuf};

use borsh::{BorshDeserialize, BorshSerialize};

use super::error::{Corruption, Error};
use super::owner::{OWNER_BYTES, Owner};

/// Format version this program writes and reads.
pub const VERSION: u16 = 2;
/// What storage writes whole or not at all.
pub(super) const SECTOR_BYTES: u64 = 512;
/// A segment's header has a sector of its own, so that no later write touches it.
pub const SEGMENT_HEADER_BYTES: u64 = SECTOR_BYTES;
/// Bytes before a record's payload.
pub const RECORD_HEADER_BYTES: u64 = 48;
/// Records start at multiples of this.
pub(super) const ALIGNMENT: u64 = 8;

const SEGMENT_MAGIC: &[u8; 8] = b"QUORJRNL";
const SEGMENT_CHECKED_BYTES: usize = 56 + OWNER_BYTES;
const SEGMENT_ENCODED_BYTES: usize = SEGMENT_CHECKED_BYTES + CHECKSUM_BYTES;
const RECORD_MARKER: [u8; 4] = *b"QREC";
const RECORD_CHECKED_BYTES: usize = 28;
const RECORD_HASHED_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 16;
const KEY_CONTEXT: &str = "quorate journal segment key 2";

const _: () = assert!(SEGMENT_ENCODED_BYTES as u64 <= SEGMENT_HEADER_BYTES);
const _: () = assert!((RECORD_HASHED_BYTES + CHECKSUM_BYTES) as u64 == RECORD_HEADER_BYTES);
const _: () =
    assert!(RECORD_HEADER_BYTES.is_multiple_of(ALIGNMENT) && SECTOR_BYTES.is_multiple_of(ALIGNMENT));

/// Where a record is. Later records have greater positions.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, BorshSerialize, BorshDeserialize,
)]
pub struct Position {
    /// Number of the segment, from 1.
    pub segment: u64,
    /// Byte offset in the segment's file.
    pub offset: u64,
}

impl Position {
    /// Where the first record of a segment is.
    #[must_use]
    pub const fn start_of(segment: u64) -> Self {
        Self { segment, offset: SEGMENT_HEADER_BYTES }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}

/// First sector of a segment: magic (8), version (2), zeros (6), segment number (8), segment bytes (8), first
/// sequence number (8), journal identity (16), owner (33), blake3 of all before (16), zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) number: u64,
    pub(super) bytes: u64,
    pub(super) first_sequence: u64,
    /// Random: no two journals have the same.
    pub(super) identity: [u8; 16],
    pub(super) owner: Owner,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES as usize] {
        let mut out = [0; SEGMENT_HEADER_BYTES as usize];
        out[0..8].copy_from_slice(SEGMENT_MAGIC);
        out[8..10].copy_from_slice(&VERSION.to_le_bytes());
        out[16..24].copy_from_slice(&self.number.to_le_bytes());
        out[24..32].copy_from_slice(&self.bytes.to_le_bytes());
        out[32..40].copy_from_slice(&self.first_sequence.to_le_bytes());
        out[40..56].copy_from_slice(&self.identity);
        out[56..SEGMENT_CHECKED_BYTES].copy_from_slice(&self.owner.encode());
        let checksum = blake3::hash(&out[..SEGMENT_CHECKED_BYTES]);
        out[SEGMENT_CHECKED_BYTES..SEGMENT_ENCODED_BYTES]
            .copy_from_slice(&checksum.as_bytes()[..CHECKSUM_BYTES]);
        out
    }

    /// Reads a header that isn't all zeros.
    pub(super) fn decode(path: &Path, sector: &[u8; SEGMENT_HEADER_BYTES as usize]) -> Result<Self, Error> {
        let damaged = || Error::corrupt(path, 0, Corruption::SegmentHeader);
        if &sector[0..8] != SEGMENT_MAGIC {
            return Err(damaged());
        }
        let version = u16::from_le_bytes([sector[8], sector[9]]);
        if version != VERSION {
            return Err(Error::Version { path: path.to_path_buf(), found: version });
        }
        let mut identity = [0; 16];
        identity.copy_from_slice(&sector[40..56]);
        let mut owner = [0; OWNER_BYTES];
        owner.copy_from_slice(&sector[56..SEGMENT_CHECKED_BYTES]);
        let header = Self {
            number: u64_at(sector, 16),
            bytes: u64_at(sector, 24),
            first_sequence: u64_at(sector, 32),
            identity,
            owner: Owner::decode(owner).ok_or_else(damaged)?,
        };
        // Encoding again checks the checksum and all the zeros.
        if header.encode() == *sector { Ok(header) } else { Err(damaged()) }
    }

    /// Key of the checksums of this segment's records. Another journal's bytes, or another segment's, that the
    /// file system shows here after a crash never verify.
    pub(super) fn key(&self) -> [u8; 32] {
        let mut material = [0; 24 + OWNER_BYTES];
        material[..16].copy_from_slice(&self.identity);
        material[16..24].copy_from_slice(&self.number.to_le_bytes());
        material[24..].copy_from_slice(&self.owner.encode());
        blake3::derive_key(KEY_CONTEXT, &material)
    }
}

/// Before each payload: marker (4), payload length (4), sequence (8), synced sequence (8), kind (1), zeros (3), keyed
/// blake3 of these (4), keyed blake3 of all that and the payload (16).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) length: u32,
    /// 1 for the first record of the journal, then one more for each.
    pub(super) sequence: u64,
    /// Highest sequence number known durable when this record was appended.
    pub(super) synced: u64,
    pub(super) kind: u8,
}

impl RecordHeader {
    /// Appends the whole record, padding included, to `out`.
    pub(super) fn encode(&self, key: &[u8; 32], payload: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&RECORD_MARKER);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.synced.to_le_bytes());
        out.extend_from_slice(&[self.kind, 0, 0, 0]);
        let check = header_check(key, &out[start..]);
        out.extend_from_slice(&check);
        let checksum = record_checksum(key, &out[start..], payload);
        out.extend_from_slice(&checksum);
        out.extend_from_slice(payload);
        out.resize(start + record_bytes(payload.len() as u64) as usize, 0);
    }

    /// Reads a header from its first `RECORD_HEADER_BYTES`; `None` when it isn't one.
    pub(super) fn decode(key: &[u8; 32], bytes: &[u8]) -> Option<Self> {
        let checked = &bytes[..RECORD_CHECKED_BYTES];
        if checked[..4] != RECORD_MARKER || checked[25..28] != [0; 3] {
            return None;
        }
        if bytes[RECORD_CHECKED_BYTES..RECORD_HASHED_BYTES] != header_check(key, checked) {
            return None;
        }
        Some(Self {
            length: u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
            sequence: u64_at(bytes, 8),
            synced: u64_at(bytes, 16),
            kind: bytes[24],
        })
    }

    /// Bytes of the whole record, padding included.
    pub(super) fn record_bytes(&self) -> u64 {
        record_bytes(u64::from(self.length))
    }

    /// Whether `record` (header, payload and padding, of which this is the decoded header) is undamaged.
    pub(super) fn verifies(&self, key: &[u8; 32], record: &[u8]) -> bool {
        let header = RECORD_HEADER_BYTES as usize;
        let (payload, padding) = record[header..].split_at(self.length as usize);
        record[RECORD_HASHED_BYTES..header] == record_checksum(key, &record[..RECORD_HASHED_BYTES], payload)
            && is_zero(padding)
    }
}

fn header_check(key: &[u8; 32], checked: &[u8]) -> [u8; 4] {
    let hash = blake3::keyed_hash(key, checked);
    let bytes = hash.as_bytes();
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

fn record_checksum(key: &[u8; 32], hashed_header: &[u8], payload: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = blake3::Hasher::new_keyed(key);
    hasher.update(hashed_header).update(payload);
    let mut checksum = [0; CHECKSUM_BYTES];
    checksum.copy_from_slice(&hasher.finalize().as_bytes()[..CHECKSUM_BYTES]);
    checksum
}

/// Bytes a record with a payload of `payload_bytes` takes.
pub(super) const fn record_bytes(payload_bytes: u64) -> u64 {
    (RECORD_HEADER_BYTES + payload_bytes).next_multiple_of(ALIGNMENT)
}

/// Bytes that are looked at together for one that is not zero.
const ZERO_CHUNK_BYTES: usize = 256;

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    // Without a way out in the middle of a chunk, the compiler takes many bytes at once.
    bytes.chunks(ZERO_CHUNK_BYTES).all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(out)
}

/// File of a segment.
pub(super) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:010}.journal"))
}

/// Number of the segment with this file name.
pub(super) fn segment_number(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".journal")?;
    let number = digits.parse().ok()?;
    (format!("{number:010}") == digits && number > 0).then_some(number)
}
