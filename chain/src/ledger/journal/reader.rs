//! Reading records: by position, and in order.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::disk::{Disk, DiskFile, read_exact_at};
use super::error::{Corruption, Error};
use super::format::{ALIGNMENT, Position, RECORD_HEADER_BYTES, RecordHeader, SegmentHeader};
use super::format::{SEGMENT_HEADER_BYTES, is_zero, segment_path};

/// Files of older segments that readers keep open, at most.
pub const SEGMENTS_OPEN_MAX: usize = 32;
/// Bytes a [`Scan`] reads at once.
pub const SCAN_WINDOW_BYTES: usize = 256 * 1024;
/// Bytes a read of one record fetches at first; a longer record takes a second read.
const READ_WINDOW_BYTES: usize = 4 * 1024;

/// What writer and readers share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) poisoned: AtomicBool,
    pub(super) catalog: RwLock<Catalog>,
    /// Least recently used first.
    open_files: Mutex<Vec<(u64, Arc<dyn DiskFile>)>>,
}

/// Which segments there are, and where the last record ends.
#[derive(Debug, Clone)]
pub(super) struct Catalog {
    pub(super) segments: BTreeMap<u64, Segment>,
    pub(super) end: Position,
}

/// A segment as readers see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub(super) bytes: u64,
    pub(super) first_sequence: u64,
    pub(super) key: [u8; 32],
}

impl Segment {
    pub(super) fn of(header: &SegmentHeader) -> Self {
        Self { bytes: header.bytes, first_sequence: header.first_sequence, key: header.key() }
    }
}

impl Shared {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path, catalog: Catalog) -> Self {
        Self {
            disk,
            dir: dir.to_path_buf(),
            poisoned: AtomicBool::new(false),
            catalog: RwLock::new(catalog),
            open_files: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn check_poison(&self) -> Result<(), Error> {
        if self.poisoned.load(Ordering::Acquire) { Err(Error::Poisoned) } else { Ok(()) }
    }

    pub(super) fn end(&self) -> Position {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner).end
    }

    pub(super) fn first(&self) -> Position {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        // There is always a last segment.
        catalog.segments.keys().next().map_or(catalog.end, |number| Position::start_of(*number))
    }

    /// The segment of a position, and the one after it.
    fn segment(&self, position: Position) -> Result<(Segment, Option<Segment>), Error> {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        let mut from = catalog.segments.range(position.segment..);
        match from.next() {
            Some((number, segment)) if *number == position.segment => {
                Ok((*segment, from.next().map(|(_, next)| *next)))
            }
            Some((number, _)) => Err(Error::Pruned { position, first: Position::start_of(*number) }),
            None => Err(Error::OutOfRange { position, end: catalog.end }),
        }
    }

    pub(super) fn file(&self, number: u64) -> Result<Arc<dyn DiskFile>, Error> {
        let mut files = self.open_files.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match files.iter().position(|(open, _)| *open == number) {
            Some(index) => files.remove(index).1,
            None => {
                let path = segment_path(&self.dir, number);
                match self.disk.open(&path) {
                    Ok(file) => file,
                    Err(error) => {
                        // Pruned since the caller looked?
                        self.segment(Position::start_of(number))?;
                        return Err(Error::io("open", &path)(error));
                    }
                }
            }
        };
        if files.len() >= SEGMENTS_OPEN_MAX {
            files.remove(0);
        }
        files.push((number, Arc::clone(&found)));
        Ok(found)
    }

    /// Takes segments below `number` out of reach of readers.
    pub(super) fn forget_below(&self, number: u64) {
        let mut catalog = self.catalog.write().unwrap_or_else(PoisonError::into_inner);
        catalog.segments = catalog.segments.split_off(&number);
        drop(catalog);
        let mut files = self.open_files.lock().unwrap_or_else(PoisonError::into_inner);
        files.retain(|(open, _)| *open >= number);
    }
}

/// Part of a file in memory.
#[derive(Debug, Default)]
pub(super) struct Window {
    buffer: Vec<u8>,
    start: u64,
}

impl Window {
    /// `length` bytes at `offset`. Reads at least `chunk` bytes when it has to read, none at or after `limit`.
    /// The caller has checked that `offset + length <= limit`.
    pub(super) fn bytes(
        &mut self,
        file: &dyn DiskFile,
        (offset, length): (u64, usize),
        (chunk, limit): (usize, u64),
    ) -> io::Result<&[u8]> {
        let held = self.start..self.start + self.buffer.len() as u64;
        if offset < held.start || offset + length as u64 > held.end {
            let count = (length.max(chunk) as u64).min(limit - offset) as usize;
            self.buffer.resize(count, 0);
            self.start = offset;
            if let Err(error) = read_exact_at(file, offset, &mut self.buffer) {
                self.buffer.clear();
                return Err(error);
            }
        }
        Ok(&self.buffer[(offset - self.start) as usize..][..length])
    }
}

/// What is at an offset of a segment.
#[derive(Debug)]
pub(super) enum Slot<'a> {
    /// An undamaged record: header, payload and padding.
    Record(RecordHeader, &'a [u8]),
    /// Zeros where a header would be, or too few bytes for one.
    Empty,
    /// Neither a header nor zeros.
    BadHeader,
    /// A header whose record is damaged, or too long for the segment.
    BadRecord(RecordHeader),
}

/// Reads what is at `offset`.
pub(super) fn slot<'a>(
    window: &'a mut Window,
    file: &dyn DiskFile,
    segment: &Segment,
    offset: u64,
    chunk: usize,
) -> io::Result<Slot<'a>> {
    let room = segment.bytes.saturating_sub(offset);
    if room < RECORD_HEADER_BYTES {
        return Ok(Slot::Empty);
    }
    let reach = (chunk, segment.bytes);
    let bytes = window.bytes(file, (offset, RECORD_HEADER_BYTES as usize), reach)?;
    let Some(header) = RecordHeader::decode(&segment.key, bytes) else {
        return Ok(if is_zero(bytes) { Slot::Empty } else { Slot::BadHeader });
    };
    if header.record_bytes() > room {
        return Ok(Slot::BadRecord(header));
    }
    let record = window.bytes(file, (offset, header.record_bytes() as usize), reach)?;
    Ok(if header.verifies(&segment.key, record) {
        Slot::Record(header, record)
    } else {
        Slot::BadRecord(header)
    })
}

/// Reads a journal beside its writer. Cheap to clone, usable from any thread.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) shared: Arc<Shared>,
}

/// A record of a [`Scan`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub position: Position,
    /// 1 for the journal's first record, then one more for each.
    pub sequence: u64,
    /// As appended.
    pub kind: u8,
    /// As appended.
    pub payload: Vec<u8>,
}

impl Reader {
    /// Kind and payload of the record at a position, appended or recovered, durable or not.
    ///
    /// # Errors
    /// [`Error::Pruned`], [`Error::OutOfRange`], [`Error::Corrupt`] (also for a position that none of the
    /// journal's calls returned), [`Error::Io`], [`Error::Poisoned`].
    pub fn read(&self, position: Position) -> Result<(u8, Vec<u8>), Error> {
        self.shared.check_poison()?;
        let end = self.shared.end();
        let aligned = position.offset.is_multiple_of(ALIGNMENT) && position.offset >= SEGMENT_HEADER_BYTES;
        if !aligned || position >= end {
            return Err(Error::OutOfRange { position, end });
        }
        let (segment, _) = self.shared.segment(position)?;
        if position.offset >= segment.bytes {
            return Err(Error::OutOfRange { position, end });
        }
        let file = self.shared.file(position.segment)?;
        let path = segment_path(&self.shared.dir, position.segment);
        let mut window = Window::default();
        let found = slot(&mut window, file.as_ref(), &segment, position.offset, READ_WINDOW_BYTES)
            .map_err(Error::io("read", &path))?;
        let damage = match found {
            Slot::Record(header, record) => return Ok((header.kind, payload(&header, record))),
            Slot::Empty => Corruption::MissingRecord,
            Slot::BadHeader => Corruption::RecordHeader,
            Slot::BadRecord(_) => Corruption::RecordPayload,
        };
        Err(Error::corrupt(&path, position.offset, damage))
    }

    /// All records from `from` (a position that was returned, [`first`](Self::first), or an [`end`](Self::end)) to
    /// what is the end now. A position before the first gives [`Error::Pruned`] as first item.
    #[must_use]
    pub fn scan(&self, from: Position) -> Scan {
        Scan {
            end: self.shared.end(),
            shared: Arc::clone(&self.shared),
            at: from,
            from,
            sequence: None,
            open: None,
            window: Window::default(),
            failed: false,
        }
    }

    /// Where the first record is that wasn't pruned.
    #[must_use]
    pub fn first(&self) -> Position {
        self.shared.first()
    }

    /// Behind the last record.
    #[must_use]
    pub fn end(&self) -> Position {
        self.shared.end()
    }
}

fn payload(header: &RecordHeader, record: &[u8]) -> Vec<u8> {
    record[RECORD_HEADER_BYTES as usize..][..header.length as usize].to_vec()
}

/// Iterator over records in order; ends at the first error.
#[derive(Debug)]
pub struct Scan {
    shared: Arc<Shared>,
    at: Position,
    from: Position,
    end: Position,
    /// Sequence number the next record must have, once known.
    sequence: Option<u64>,
    open: Option<OpenSegment>,
    window: Window,
    failed: bool,
}

#[derive(Debug, Clone)]
struct OpenSegment {
    number: u64,
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    segment: Segment,
    next: Option<Segment>,
}

impl Scan {
    fn step(&mut self) -> Result<Option<Entry>, Error> {
        self.shared.check_poison()?;
        while self.at < self.end {
            let open = self.open_segment()?;
            let found =
                slot(&mut self.window, open.file.as_ref(), &open.segment, self.at.offset, SCAN_WINDOW_BYTES)
                    .map_err(Error::io("read", &open.path))?;
            let damage = match found {
                Slot::Record(header, record) if self.sequence.is_none_or(|next| next == header.sequence) => {
                    let position = self.at;
                    self.sequence = Some(header.sequence + 1);
                    self.at.offset += header.record_bytes();
                    if position < self.from {
                        continue;
                    }
                    let payload = payload(&header, record);
                    return Ok(Some(Entry {
                        position,
                        sequence: header.sequence,
                        kind: header.kind,
                        payload,
                    }));
                }
                Slot::Record(..) => Corruption::Sequence,
                Slot::Empty => match open.next {
                    Some(next) if self.sequence == Some(next.first_sequence) => {
                        self.at = Position::start_of(self.at.segment + 1);
                        continue;
                    }
                    // `from` was the end before a new segment began, if the records before it are complete.
                    Some(_) if self.sequence.is_none() => {
                        self.at = Position::start_of(self.at.segment);
                        self.sequence = Some(open.segment.first_sequence);
                        continue;
                    }
                    _ => Corruption::MissingRecord,
                },
                Slot::BadHeader => Corruption::RecordHeader,
                Slot::BadRecord(_) => Corruption::RecordPayload,
            };
            return Err(Error::corrupt(&open.path, self.at.offset, damage));
        }
        Ok(None)
    }

    /// The segment of `self.at`.
    fn open_segment(&mut self) -> Result<OpenSegment, Error> {
        if let Some(open) = self.open.as_ref().filter(|open| open.number == self.at.segment) {
            return Ok(open.clone());
        }
        let (segment, next) = self.shared.segment(self.at)?;
        let open = OpenSegment {
            number: self.at.segment,
            path: segment_path(&self.shared.dir, self.at.segment),
            file: self.shared.file(self.at.segment)?,
            segment,
            next,
        };
        if self.at.offset == SEGMENT_HEADER_BYTES {
            // The first record of a segment has the number its header says, whatever came before.
            if self.sequence.is_some_and(|next| next != segment.first_sequence) {
                return Err(Error::corrupt(&open.path, 0, Corruption::Sequence));
            }
            self.sequence = Some(segment.first_sequence);
        }
        self.window = Window::default();
        self.open = Some(open.clone());
        Ok(open)
    }
}

impl Iterator for Scan {
    type Item = Result<Entry, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.step().transpose();
        self.failed = matches!(item, None | Some(Err(_)));
        item
    }
}
