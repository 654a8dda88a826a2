//! Opening: what a crash may leave, what it can't, and how the tail is made clean.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, DiskLock, read_exact_at, write_all_at};
use super::error::{Corruption, Error};
use super::format::{ALIGNMENT, Position, RECORD_HEADER_BYTES, RecordHeader, SECTOR_BYTES};
use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader, is_zero, segment_number, segment_path};
use super::owner::Owner;
use super::reader::{Catalog, SCAN_WINDOW_BYTES, Segment, Shared, Slot, Window, slot};
use super::writer::{Opened, make_segment};

/// What opening found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// Where the first record is, if there is one; scan from here for all.
    pub first: Position,
    /// Behind the last record.
    pub end: Position,
    /// Records ever appended and kept by recovery, pruned ones included.
    pub records: u64,
    /// Unsynced bytes that were discarded.
    pub torn_tail: Option<TornTail>,
}

/// The unsynced tail that a crash left and opening discarded: nothing in it was ever acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TornTail {
    /// Where the first record was that is not complete.
    pub position: Position,
    /// From there to the last byte that wasn't zero.
    pub bytes: u64,
}

/// Takes the directory, checks all segments' headers, cleans the tail.
pub(super) fn open(
    disk: Arc<dyn Disk>,
    dir: &Path,
    owner: Owner,
    segment_bytes: u64,
) -> Result<(Opened, Recovered, DiskLock), Error> {
    disk.create_dir_all(dir).map_err(Error::io("create", dir))?;
    let lock = disk.lock(&dir.join("lock")).map_err(|source| match source.kind() {
        std::io::ErrorKind::WouldBlock => Error::Locked { path: dir.to_path_buf() },
        _ => Error::io("lock", dir)(source),
    })?;
    let headers = segment_headers(disk.as_ref(), dir, owner)?;
    let header = match headers.last() {
        Some(header) => header.clone(),
        None => first_segment(disk.as_ref(), dir, owner, segment_bytes)?,
    };
    let path = segment_path(dir, header.number);
    let file = disk.open(&path).map_err(Error::io("open", &path))?;
    let segment = Segment::of(&header);
    let tail = Tail { path, file: file.as_ref(), segment }.recover()?;
    // A process killed between making the last segment and syncing its name left that to us.
    disk.sync_dir(dir).map_err(Error::io("sync", dir))?;

    let end = Position { segment: header.number, offset: tail.offset };
    let torn_tail = (tail.discarded > 0).then_some(TornTail { position: end, bytes: tail.discarded });
    let mut segments: std::collections::BTreeMap<_, _> =
        headers.iter().map(|header| (header.number, Segment::of(header))).collect();
    segments.insert(header.number, segment);
    let first = segments.keys().next().map_or(end, |number| Position::start_of(*number));
    let shared = Arc::new(Shared::new(disk, dir, Catalog { segments, end }));
    let next_sequence = tail.next_sequence;
    let opened = Opened { shared, identity: header.identity, owner, file, segment, next_sequence };
    Ok((opened, Recovered { first, end, records: next_sequence - 1, torn_tail }, lock))
}

fn first_segment(disk: &dyn Disk, dir: &Path, owner: Owner, bytes: u64) -> Result<SegmentHeader, Error> {
    let identity = disk.fresh_identity().map_err(Error::io("read randomness for", dir))?;
    let header = SegmentHeader { number: 1, bytes, first_sequence: 1, identity, owner };
    make_segment(disk, dir, &header)?;
    Ok(header)
}

/// Headers of all segments in order, after removing one whose creation a crash cut short.
fn segment_headers(disk: &dyn Disk, dir: &Path, owner: Owner) -> Result<Vec<SegmentHeader>, Error> {
    let names = disk.list(dir).map_err(Error::io("list", dir))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    let mut headers: Vec<SegmentHeader> = Vec::with_capacity(numbers.len());
    for (index, number) in numbers.iter().enumerate() {
        let path = segment_path(dir, *number);
        if let Some(before) = headers.last()
            && before.number + 1 != *number
        {
            let missing = segment_path(dir, before.number + 1);
            return Err(Error::corrupt(&missing, 0, Corruption::MissingSegment));
        }
        let file = disk.open(&path).map_err(Error::io("open", &path))?;
        let is_last = index + 1 == numbers.len();
        if is_last && is_unfinished(file.as_ref(), &path)? {
            disk.remove(&path).map_err(Error::io("remove", &path))?;
            disk.sync_dir(dir).map_err(Error::io("sync", dir))?;
            break;
        }
        headers.push(segment_header(file.as_ref(), &path, (owner, *number), headers.last())?);
    }
    Ok(headers)
}

pub(super) fn segment_header(
    file: &dyn DiskFile,
    path: &Path,
    (owner, number): (Owner, u64),
    before: Option<&SegmentHeader>,
) -> Result<SegmentHeader, Error> {
    let bytes = file.len().map_err(Error::io("stat", path))?;
    if bytes < SEGMENT_HEADER_BYTES {
        return Err(Error::corrupt(path, bytes, Corruption::SegmentLength));
    }
    let mut sector = [0; SEGMENT_HEADER_BYTES as usize];
    read_exact_at(file, 0, &mut sector).map_err(Error::io("read", path))?;
    let header = SegmentHeader::decode(path, &sector)?;
    if header.owner != owner {
        return Err(Error::Foreign { path: path.to_path_buf(), found: header.owner, expected: owner });
    }
    let follows = before.is_none_or(|before| {
        before.identity == header.identity && before.first_sequence <= header.first_sequence
    });
    if header.number != number || header.first_sequence == 0 || !follows {
        return Err(Error::corrupt(path, 0, Corruption::ForeignSegment));
    }
    if header.bytes != bytes {
        return Err(Error::corrupt(path, bytes, Corruption::SegmentLength));
    }
    Ok(header)
}

/// Whether the power went while this last segment was made. Its header is durable before its first record is
/// written, so then there are none, and header or length is missing.
pub(super) fn is_unfinished(file: &dyn DiskFile, path: &Path) -> Result<bool, Error> {
    let bytes = file.len().map_err(Error::io("stat", path))?;
    let mut sector = [0; SEGMENT_HEADER_BYTES as usize];
    if bytes < SEGMENT_HEADER_BYTES {
        return Ok(bytes == 0);
    }
    read_exact_at(file, 0, &mut sector).map_err(Error::io("read", path))?;
    let header_is_whole = match SegmentHeader::decode(path, &sector) {
        Ok(header) => header.bytes <= bytes,
        Err(_) => !is_zero(&sector),
    };
    if header_is_whole {
        return Ok(false);
    }
    let mut at = SEGMENT_HEADER_BYTES;
    let mut chunk = vec![0; SCAN_WINDOW_BYTES];
    while at < bytes {
        let count = (bytes - at).min(chunk.len() as u64) as usize;
        read_exact_at(file, at, &mut chunk[..count]).map_err(Error::io("read", path))?;
        if !is_zero(&chunk[..count]) {
            return Ok(false);
        }
        at += count as u64;
    }
    Ok(true)
}

/// The last segment while it is recovered, or looked at.
pub(super) struct Tail<'a> {
    pub(super) path: PathBuf,
    pub(super) file: &'a dyn DiskFile,
    pub(super) segment: Segment,
}

/// What the last segment holds, as opening judges it.
pub(super) struct Examined {
    /// Behind its last record.
    pub(super) offset: u64,
    next_sequence: u64,
    /// Where the first record is that no later one tells to have been synced; `offset` if there is none.
    doubtful: u64,
}

struct CleanTail {
    offset: u64,
    next_sequence: u64,
    discarded: u64,
}

impl Tail<'_> {
    fn recover(&self) -> Result<CleanTail, Error> {
        let Examined { offset, next_sequence, doubtful } = self.examine()?;
        let discarded = self.erase(offset)?;
        // Without a proof even of the first record, the header is as doubtful.
        self.make_durable(if doubtful == SEGMENT_HEADER_BYTES { 0 } else { doubtful }, offset)?;
        Ok(CleanTail { offset, next_sequence, discarded })
    }

    /// Finds the end of the records, or what is corrupt before it. Changes nothing.
    pub(super) fn examine(&self) -> Result<Examined, Error> {
        let mut window = Window::default();
        let mut offset = SEGMENT_HEADER_BYTES;
        let mut next_sequence = self.segment.first_sequence;
        // Sequence and offset of the records that no later record tells to have been synced.
        let mut unproven: VecDeque<(u64, u64)> = VecDeque::new();
        let after = loop {
            let found = slot(&mut window, self.file, &self.segment, offset, SCAN_WINDOW_BYTES)
                .map_err(Error::io("read", &self.path))?;
            match found {
                Slot::Record(header, _) => {
                    if header.sequence != next_sequence || header.synced >= next_sequence {
                        return Err(self.corrupt(offset, Corruption::Sequence));
                    }
                    while unproven.front().is_some_and(|(sequence, _)| *sequence <= header.synced) {
                        unproven.pop_front();
                    }
                    unproven.push_back((next_sequence, offset));
                    next_sequence += 1;
                    offset += header.record_bytes();
                }
                Slot::Empty => break offset,
                Slot::BadHeader => {
                    let bytes = offset..offset + RECORD_HEADER_BYTES;
                    self.check_sector_lost(bytes, offset, Corruption::RecordHeader)?;
                    break offset + ALIGNMENT;
                }
                Slot::BadRecord(header) => {
                    let end = offset + RECORD_HEADER_BYTES + u64::from(header.length);
                    if end > self.segment.bytes {
                        // A whole header says it, and no writer ever wrote it.
                        return Err(self.corrupt(offset, Corruption::RecordHeader));
                    }
                    self.check_sector_lost(offset..end, offset, Corruption::RecordPayload)?;
                    break (offset + header.record_bytes()).min(self.segment.bytes);
                }
            }
        };
        self.check_no_later_record(after, offset, next_sequence)?;
        let doubtful = unproven.front().map_or(offset, |(_, first)| *first);
        Ok(Examined { offset, next_sequence, doubtful })
    }

    /// Behind the tail everything was zero before it was written, and storage loses whole sectors: in a torn record
    /// at least one sector's part still reads as zeros. Otherwise it was whole once, and is corrupt.
    fn check_sector_lost(
        &self,
        record: std::ops::Range<u64>,
        offset: u64,
        what: Corruption,
    ) -> Result<(), Error> {
        let mut at = record.start;
        let mut sector = [0; SECTOR_BYTES as usize];
        while at < record.end {
            let end = (at + 1).next_multiple_of(SECTOR_BYTES).min(record.end);
            let part = &mut sector[..(end - at) as usize];
            read_exact_at(self.file, at, part).map_err(Error::io("read", &self.path))?;
            if is_zero(part) {
                return Ok(());
            }
            at = end;
        }
        Err(self.corrupt(offset, what))
    }

    /// Looks from `from` on for a record which proves that the one missing at `offset`, with number `missing`, was
    /// durable. Unsynced writes reach the disk in any order, so a later record alone proves nothing.
    fn check_no_later_record(&self, from: u64, offset: u64, missing: u64) -> Result<(), Error> {
        let mut window = Window::default();
        let mut at = from;
        while at + RECORD_HEADER_BYTES <= self.segment.bytes {
            let reach = (SCAN_WINDOW_BYTES, self.segment.bytes);
            let count = (self.segment.bytes - at).min(SCAN_WINDOW_BYTES as u64) as usize;
            let bytes = window.bytes(self.file, (at, count), reach).map_err(Error::io("read", &self.path))?;
            let header_bytes = RECORD_HEADER_BYTES as usize;
            let last_start = if is_zero(bytes) { 0 } else { count - header_bytes };
            let candidates = (0..=last_start).step_by(ALIGNMENT as usize);
            let found: Vec<(u64, RecordHeader)> = candidates
                .filter_map(|start| {
                    let header =
                        RecordHeader::decode(&self.segment.key, &bytes[start..start + header_bytes])?;
                    Some((at + start as u64, header))
                })
                .collect();
            for (start, header) in found {
                let mut record = Window::default();
                let read = slot(&mut record, self.file, &self.segment, start, header_bytes);
                let whole = matches!(read.map_err(Error::io("read", &self.path))?, Slot::Record(..));
                if whole && (header.synced >= missing || header.sequence <= missing) {
                    return Err(self.corrupt(offset, Corruption::MissingRecord));
                }
            }
            // The next window begins with the first offset that had no room for a header in this one.
            at += (count - header_bytes) as u64 / ALIGNMENT * ALIGNMENT + ALIGNMENT;
        }
        Ok(())
    }

    /// Writes zeros from `offset` to the last byte that isn't one: a later append must not make an old record part
    /// of the journal again. Returns how many bytes.
    fn erase(&self, offset: u64) -> Result<u64, Error> {
        let end = offset + self.written_behind(offset)?;
        let chunk = vec![0; SCAN_WINDOW_BYTES];
        let mut at = offset;
        while at < end {
            let count = (end - at).min(chunk.len() as u64) as usize;
            self.write(at, &chunk[..count])?;
            at += count as u64;
        }
        Ok(end - offset)
    }

    /// Bytes from `offset` to the last one that isn't zero.
    pub(super) fn written_behind(&self, offset: u64) -> Result<u64, Error> {
        let mut chunk = vec![0; SCAN_WINDOW_BYTES];
        let mut end = offset;
        let mut at = offset;
        while at < self.segment.bytes {
            let count = (self.segment.bytes - at).min(chunk.len() as u64) as usize;
            read_exact_at(self.file, at, &mut chunk[..count]).map_err(Error::io("read", &self.path))?;
            if !is_zero(&chunk[..count])
                && let Some(last) = chunk[..count].iter().rposition(|byte| *byte != 0)
            {
                end = at + last as u64 + 1;
            }
            at += count as u64;
        }
        Ok(end - offset)
    }

    /// Makes the recovered records durable: they may be in the page cache only. What may not have been synced is
    /// written again, because after a failed sync the cache can hold what the disk does not, and look clean.
    fn make_durable(&self, from: u64, to: u64) -> Result<(), Error> {
        let mut chunk = vec![0; SCAN_WINDOW_BYTES];
        let mut at = from;
        while at < to {
            let count = (to - at).min(chunk.len() as u64) as usize;
            read_exact_at(self.file, at, &mut chunk[..count]).map_err(Error::io("read", &self.path))?;
            self.write(at, &chunk[..count])?;
            at += count as u64;
        }
        self.file.sync_all().map_err(Error::io("sync", &self.path))
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        write_all_at(self.file, offset, bytes).map_err(|(_, source)| Error::io("write", &self.path)(source))
    }

    fn corrupt(&self, offset: u64, what: Corruption) -> Error {
        Error::corrupt(&self.path, offset, what)
    }
}
