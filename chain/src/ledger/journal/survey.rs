//! Looking through a journal's files without changing them: every whole record, and everything that is damaged.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, DiskFile, DiskLock, read_exact_at};
use super::error::{Corruption, Error};
use super::format::{ALIGNMENT, Position, RECORD_HEADER_BYTES, RecordHeader};
use super::format::{SEGMENT_HEADER_BYTES, SegmentHeader, is_zero, segment_number, segment_path};
use super::owner::Owner;
use super::reader::{Catalog, Entry, Reader, SCAN_WINDOW_BYTES, Segment, Shared, Slot, Window, slot};
use super::recovery::{Tail, TornTail, is_unfinished, segment_header};

/// Something that a [`Survey`] comes across.
#[derive(Debug)]
pub enum Found {
    /// A whole record.
    Record(Entry),
    /// Something that is not what was written; the survey goes on behind it.
    Damaged(Error),
    /// The unsynced tail that opening would discard: no damage.
    Torn(TornTail),
}

/// Holds a journal's lock and goes through its records in order, past whatever is damaged.
///
/// [`Journal::open`](super::Journal::open) cleans the tail, and stops at damage. This changes nothing, and finds
/// all of it.
pub struct Survey {
    reader: Reader,
    parts: VecDeque<Part>,
    segments: usize,
    bytes: u64,
    /// Bytes of the parts that are done.
    done: u64,
    offset: u64,
    /// Sequence number that the next record should have; unknown behind damage.
    sequence: Option<u64>,
    /// Damage of the current part was told.
    told: bool,
    entered: bool,
    waiting: VecDeque<Found>,
    window: Window,
    _lock: DiskLock,
}

/// A segment as it is found.
struct Part {
    number: u64,
    path: PathBuf,
    segment: Segment,
    /// The header says so; not if the header is damaged.
    first_sequence: Option<u64>,
    /// What is wrong with the file as a whole.
    damage: Vec<Error>,
    /// How the last segment ends.
    tail: Option<Result<u64, Error>>,
}

impl fmt::Debug for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Survey").field("dir", &self.reader.shared.dir).field("done", &self.done).finish()
    }
}

impl Survey {
    /// Takes the lock of the journal of `owner` that is there and looks at its segments' headers.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Version`]; [`Error::Io`] when the folder can't be read.
    pub fn open(disk: Arc<dyn Disk>, dir: &Path, owner: Owner) -> Result<Self, Error> {
        let lock = disk.lock(&dir.join("lock")).map_err(|source| match source.kind() {
            std::io::ErrorKind::WouldBlock => Error::Locked { path: dir.to_path_buf() },
            _ => Error::io("lock", dir)(source),
        })?;
        let parts = parts(disk.as_ref(), dir, owner)?;
        let segments: BTreeMap<_, _> = parts.iter().map(|part| (part.number, part.segment)).collect();
        let end = parts.back().map_or(Position::default(), |part| Position {
            segment: part.number,
            offset: match part.tail {
                Some(Ok(offset)) => offset,
                _ => part.segment.bytes,
            },
        });
        let bytes = parts.iter().map(|part| part.segment.bytes).sum();
        let shared = Arc::new(Shared::new(disk, dir, Catalog { segments, end }));
        Ok(Self {
            reader: Reader { shared },
            segments: parts.len(),
            parts,
            bytes,
            done: 0,
            offset: SEGMENT_HEADER_BYTES,
            sequence: None,
            told: false,
            entered: false,
            waiting: VecDeque::new(),
            window: Window::default(),
            _lock: lock,
        })
    }

    /// For reading single records, behind the survey or before it.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// How many segments there are.
    #[must_use]
    pub const fn segments(&self) -> usize {
        self.segments
    }

    /// Bytes of all segments, preallocated ones included.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that the survey is past.
    #[must_use]
    pub fn done(&self) -> u64 {
        if self.parts.is_empty() { self.bytes } else { self.done + self.offset }
    }

    /// The file that a position is in.
    #[must_use]
    pub fn path(&self, position: Position) -> PathBuf {
        segment_path(&self.reader.shared.dir, position.segment)
    }

    /// One step in the first of the parts; `None` when nothing was found by it.
    fn step(&mut self) -> Result<Option<Found>, Error> {
        let Some(part) = self.parts.front_mut() else { return Ok(None) };
        if !self.entered {
            self.entered = true;
            self.told = !part.damage.is_empty();
            self.waiting.extend(part.damage.drain(..).map(Found::Damaged));
            self.sequence = part.first_sequence.or(self.sequence);
            return Ok(None);
        }
        if matches!(part.tail, Some(Ok(end)) if self.offset >= end) {
            return self.leave();
        }
        let file = self.reader.shared.file(part.number)?;
        let (segment, at) = (part.segment, self.offset);
        let found = slot(&mut self.window, file.as_ref(), &segment, at, SCAN_WINDOW_BYTES)
            .map_err(Error::io("read", &part.path))?;
        let (damage, next) = match found {
            Slot::Record(header, record) => {
                let entry = Entry {
                    position: Position { segment: part.number, offset: at },
                    sequence: header.sequence,
                    kind: header.kind,
                    payload: record[RECORD_HEADER_BYTES as usize..][..header.length as usize].to_vec(),
                };
                let expected = self.sequence.replace(header.sequence + 1);
                self.offset += header.record_bytes();
                if let Some(wrong) = misplaced(expected, header.sequence) {
                    self.told = true;
                    self.waiting.push_back(Found::Damaged(Error::corrupt(&part.path, at, wrong)));
                }
                self.waiting.push_back(Found::Record(entry));
                return Ok(None);
            }
            Slot::Empty => (Corruption::MissingRecord, None),
            Slot::BadHeader => (Corruption::RecordHeader, None),
            Slot::BadRecord(header) => {
                let end = at + header.record_bytes();
                (Corruption::RecordPayload, (end <= segment.bytes).then_some((end, header.sequence)))
            }
        };
        let empty = damage == Corruption::MissingRecord;
        let path = part.path.clone();
        if let Some((end, sequence)) = next {
            (self.offset, self.sequence) = (end, Some(sequence + 1));
        } else if let Some(offset) =
            next_record(file.as_ref(), &segment, at + ALIGNMENT).map_err(Error::io("read", &path))?
        {
            (self.offset, self.sequence) = (offset, None);
        } else if empty {
            return self.leave();
        } else {
            (self.offset, self.sequence) = (segment.bytes, None);
        }
        self.told = true;
        Ok(Some(Found::Damaged(Error::corrupt(&path, at, damage))))
    }

    /// On to the next segment.
    fn leave(&mut self) -> Result<Option<Found>, Error> {
        let Some(part) = self.parts.pop_front() else { return Ok(None) };
        let at = std::mem::replace(&mut self.offset, SEGMENT_HEADER_BYTES);
        self.done += part.segment.bytes;
        self.window = Window::default();
        self.entered = false;
        let missing = || Error::corrupt(&part.path, at, Corruption::MissingRecord);
        match part.tail {
            // What opening objects to, and the survey saw nothing of.
            Some(Err(error)) if !self.told => return Ok(Some(Found::Damaged(error))),
            Some(Ok(end)) => {
                let file = self.reader.shared.file(part.number)?;
                let (path, segment) = (part.path.clone(), part.segment);
                let bytes = Tail { path, file: file.as_ref(), segment }.written_behind(end)?;
                let position = Position { segment: part.number, offset: end };
                return Ok((bytes > 0).then_some(Found::Torn(TornTail { position, bytes })));
            }
            _ => {}
        }
        // A segment that is missing between is told of with the next one.
        let next = self.parts.front().filter(|next| next.number == part.number + 1);
        let follows = next.and_then(|next| next.first_sequence);
        match (self.sequence, follows) {
            (Some(own), Some(next)) if own != next && !self.told => Ok(Some(Found::Damaged(missing()))),
            _ => Ok(None),
        }
    }
}

impl Iterator for Survey {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.waiting.pop_front() {
                return Some(found);
            }
            self.parts.front()?;
            match self.step() {
                Ok(Some(found)) => return Some(found),
                Ok(None) => {}
                Err(error) => {
                    // The rest of a file that can't be read is given up.
                    (self.told, self.sequence) = (true, None);
                    if let Some(part) = self.parts.pop_front() {
                        self.done += part.segment.bytes;
                    }
                    (self.offset, self.entered) = (SEGMENT_HEADER_BYTES, false);
                    self.window = Window::default();
                    return Some(Found::Damaged(error));
                }
            }
        }
    }
}

fn misplaced(expected: Option<u64>, found: u64) -> Option<Corruption> {
    match expected {
        Some(expected) if found > expected => Some(Corruption::MissingRecord),
        Some(expected) if found < expected => Some(Corruption::Sequence),
        _ => None,
    }
}

/// All segments in order, each with what is wrong with it.
fn parts(disk: &dyn Disk, dir: &Path, owner: Owner) -> Result<VecDeque<Part>, Error> {
    let names = disk.list(dir).map_err(Error::io("list", dir))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| segment_number(name)).collect();
    numbers.sort_unstable();
    let mut parts: VecDeque<Part> = VecDeque::new();
    let mut before: Option<SegmentHeader> = None;
    let mut last = None;
    for (index, number) in numbers.iter().enumerate() {
        let path = segment_path(dir, *number);
        let is_last = index + 1 == numbers.len();
        let mut damage = Vec::new();
        if let Some(missing) = last.map(|last| last + 1).filter(|missing| missing != number) {
            let path = segment_path(dir, missing);
            damage.push(Error::corrupt(&path, 0, Corruption::MissingSegment));
        }
        last = Some(*number);
        let file = disk.open(&path).map_err(Error::io("open", &path))?;
        if is_last && is_unfinished(file.as_ref(), &path)? {
            break;
        }
        let mut part = match segment_header(file.as_ref(), &path, (owner, *number), before.as_ref()) {
            Ok(header) => {
                let (segment, first_sequence) = (Segment::of(&header), Some(header.first_sequence));
                before = Some(header);
                Part { number: *number, path, segment, first_sequence, damage, tail: None }
            }
            Err(error @ Error::Version { .. }) => return Err(error),
            Err(error) => {
                damage.push(error);
                let segment = guessed(file.as_ref(), (owner, *number), before.as_ref())?;
                Part { number: *number, path, segment, first_sequence: None, damage, tail: None }
            }
        };
        if is_last && part.first_sequence.is_some() {
            let tail = Tail { path: part.path.clone(), file: file.as_ref(), segment: part.segment };
            part.tail = Some(tail.examine().map(|examined| examined.offset));
        }
        parts.push_back(part);
    }
    Ok(parts)
}

/// A segment whose header is damaged: its records are whole by the journal's identity, which is that of the
/// segment before, or what still stands in the header.
fn guessed(
    file: &dyn DiskFile,
    (owner, number): (Owner, u64),
    before: Option<&SegmentHeader>,
) -> Result<Segment, Error> {
    let path = Path::new("segment");
    let bytes = file.len().map_err(Error::io("stat", path))?;
    let mut identity = [0; 16];
    if let Some(before) = before {
        identity = before.identity;
    } else if bytes >= SEGMENT_HEADER_BYTES {
        read_exact_at(file, 40, &mut identity).map_err(Error::io("read", path))?;
    }
    Ok(Segment::of(&SegmentHeader { number, bytes, first_sequence: 1, identity, owner }))
}

/// Where the first whole record at or behind `from` is.
fn next_record(file: &dyn DiskFile, segment: &Segment, from: u64) -> std::io::Result<Option<u64>> {
    let header_bytes = RECORD_HEADER_BYTES as usize;
    let mut at = from;
    let mut buffer = vec![0; SCAN_WINDOW_BYTES];
    while at + RECORD_HEADER_BYTES <= segment.bytes {
        let count = (segment.bytes - at).min(SCAN_WINDOW_BYTES as u64) as usize;
        let bytes = &mut buffer[..count];
        read_exact_at(file, at, bytes)?;
        let last_start = if is_zero(bytes) { 0 } else { count - header_bytes };
        for start in (0..=last_start).step_by(ALIGNMENT as usize) {
            if RecordHeader::decode(&segment.key, &bytes[start..start + header_bytes]).is_none() {
                continue;
            }
            let offset = at + start as u64;
            let mut window = Window::default();
            if matches!(slot(&mut window, file, segment, offset, header_bytes)?, Slot::Record(..)) {
                return Ok(Some(offset));
            }
        }
        // The next window begins with the first offset that had no room for a header in this one.
        at += (count - header_bytes) as u64 / ALIGNMENT * ALIGNMENT + ALIGNMENT;
    }
    Ok(None)
}
