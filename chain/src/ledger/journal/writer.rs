//! Appending, syncing, pruning.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::disk::{Disk, DiskFile, DiskLock, write_all_at};
use super::error::Error;
use super::format::{ALIGNMENT, Position, RECORD_HEADER_BYTES, RecordHeader, SegmentHeader};
use super::format::{SEGMENT_HEADER_BYTES, record_bytes, segment_path};
use super::owner::Owner;
use super::reader::{Reader, Scan, Segment, Shared};
use super::recovery::{self, Recovered};

/// Default segment size of a journal of block bodies, certificates and state deltas.
pub const BODIES_SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Default segment size of a journal of votes.
pub const VOTES_SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// Default bound of a payload.
pub const RECORD_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// A record's length is a `u32` and a segment is read into memory in parts; more than this is a mistake.
const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Capacity the encoding buffer keeps between records.
const BUFFER_KEPT_BYTES: usize = 1024 * 1024;

/// Sizes of a journal. They may change between openings: segments that are there keep theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Bytes of a segment's file, reserved when it is made; a multiple of 512.
    pub segment_bytes: u64,
    /// Longest payload [`Journal::append`] takes, in bytes.
    pub record_bytes_max: u64,
}

impl Options {
    /// For block bodies, certificates with receipts, state deltas.
    #[must_use]
    pub const fn bodies() -> Self {
        Self { segment_bytes: BODIES_SEGMENT_BYTES, record_bytes_max: RECORD_BYTES_MAX }
    }

    /// For votes and view records.
    #[must_use]
    pub const fn votes() -> Self {
        Self { segment_bytes: VOTES_SEGMENT_BYTES, record_bytes_max: RECORD_BYTES_MAX }
    }

    fn check(&self) -> Result<(), Error> {
        if !self.segment_bytes.is_multiple_of(SEGMENT_HEADER_BYTES) || self.segment_bytes > SEGMENT_BYTES_MAX
        {
            return Err(Error::Options("segment_bytes must be a multiple of 512 and at most 1 GiB"));
        }
        let overhead = SEGMENT_HEADER_BYTES + RECORD_HEADER_BYTES + ALIGNMENT;
        if self.segment_bytes < overhead || self.record_bytes_max > self.segment_bytes - overhead {
            return Err(Error::Options("a record of record_bytes_max must fit into a segment"));
        }
        Ok(())
    }
}

/// The one writer of a journal's directory.
#[derive(Debug)]
pub struct Journal {
    reader: Reader,
    options: Options,
    identity: [u8; 16],
    owner: Owner,
    file: Arc<dyn DiskFile>,
    number: u64,
    segment: Segment,
    /// Where the next record goes, if it fits.
    tail: u64,
    next_sequence: u64,
    synced_sequence: u64,
    buffer: Vec<u8>,
    _lock: DiskLock,
}

/// What recovery hands to the writer.
pub(super) struct Opened {
    pub(super) shared: Arc<Shared>,
    pub(super) identity: [u8; 16],
    pub(super) owner: Owner,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) segment: Segment,
    pub(super) next_sequence: u64,
}

impl Journal {
    /// Opens the journal of `owner` in `dir`, or makes an empty one. All recovered records are durable when this returns.
    ///
    /// Every segment's header and the records of the last segment are checked; older records when they are read
    /// or scanned.
    ///
    /// # Errors
    /// [`Error::Locked`], [`Error::Corrupt`], [`Error::Foreign`], [`Error::Version`], [`Error::Options`],
    /// [`Error::Io`].
    pub fn open(
        disk: Arc<dyn Disk>,
        dir: &Path,
        owner: Owner,
        options: Options,
    ) -> Result<(Self, Recovered), Error> {
        options.check()?;
        let (opened, recovered, lock) = recovery::open(disk, dir, owner, options.segment_bytes)?;
        let journal = Self {
            reader: Reader { shared: opened.shared },
            options,
            identity: opened.identity,
            owner: opened.owner,
            file: opened.file,
            number: recovered.end.segment,
            segment: opened.segment,
            tail: recovered.end.offset,
            next_sequence: opened.next_sequence,
            synced_sequence: opened.next_sequence - 1,
            buffer: Vec::new(),
            _lock: lock,
        };
        Ok((journal, recovered))
    }

    /// Writes a record behind the last. It can be read at once; it is durable after the next [`sync`](Self::sync).
    /// Starting a new segment, now and then, syncs.
    ///
    /// # Errors
    /// After [`Error::TooLarge`] and [`Error::Io`] the journal is as before the call and can be used, for instance
    /// when there is space again; [`Error::Poisoned`] when it could not be brought back to that.
    pub fn append(&mut self, kind: u8, payload: &[u8]) -> Result<Position, Error> {
        self.shared().check_poison()?;
        let bytes = payload.len() as u64;
        let max = self.options.record_bytes_max;
        let length = match u32::try_from(bytes) {
            Ok(length) if bytes <= max => length,
            _ => return Err(Error::TooLarge { bytes, max }),
        };
        if self.tail + record_bytes(bytes) > self.segment.bytes {
            self.start_segment()?;
        }
        let header =
            RecordHeader { length, sequence: self.next_sequence, synced: self.synced_sequence, kind };
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_KEPT_BYTES);
        header.encode(&self.segment.key, payload, &mut self.buffer);
        if let Err((written, source)) = write_all_at(self.file.as_ref(), self.tail, &self.buffer) {
            self.erase(written);
            return Err(Error::io("write", &segment_path(&self.shared().dir, self.number))(source));
        }
        let position = Position { segment: self.number, offset: self.tail };
        self.tail += self.buffer.len() as u64;
        self.next_sequence += 1;
        self.publish_end();
        Ok(position)
    }

    /// Makes all appended records durable. Does nothing when they are.
    ///
    /// # Errors
    /// After [`Error::Io`] nothing is known of the records since the last sync, and every later call, of readers
    /// too, answers [`Error::Poisoned`]: the node must stop.
    pub fn sync(&mut self) -> Result<(), Error> {
        self.shared().check_poison()?;
        if self.synced_sequence + 1 == self.next_sequence {
            return Ok(());
        }
        let path = segment_path(&self.shared().dir, self.number);
        self.file.sync_data().map_err(|source| self.poison("sync", &path, source))?;
        self.synced_sequence = self.next_sequence - 1;
        Ok(())
    }

    /// Kind and payload of a record; see [`Reader::read`].
    ///
    /// # Errors
    /// Those of [`Reader::read`].
    pub fn read(&self, position: Position) -> Result<(u8, Vec<u8>), Error> {
        self.reader.read(position)
    }

    /// The records from a position on; see [`Reader::scan`].
    #[must_use]
    pub fn scan(&self, from: Position) -> Scan {
        self.reader.scan(from)
    }

    /// A reader for other threads.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// Where the first record is that wasn't pruned.
    #[must_use]
    pub fn first(&self) -> Position {
        self.reader.first()
    }

    /// Behind the last record. The next one may be at a later position: in a new segment.
    #[must_use]
    pub fn end(&self) -> Position {
        self.reader.end()
    }

    /// Number of the next record: 1 for the first of the journal, then one more for each.
    #[must_use]
    pub const fn next_sequence(&self) -> u64 {
        self.next_sequence
    }

    /// Number of the last record known to be durable, 0 if none.
    #[must_use]
    pub const fn synced_sequence(&self) -> u64 {
        self.synced_sequence
    }

    /// Bytes of all segments' files.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        let catalog = self.shared().catalog.read().unwrap_or_else(PoisonError::into_inner);
        catalog.segments.values().map(|segment| segment.bytes).sum()
    }

    /// Deletes the segments that lie before `position` as a whole; never the last one. Returns the bytes freed.
    ///
    /// # Errors
    /// [`Error::Io`]; some segments may then be gone. A failed sync of the directory poisons.
    pub fn prune_before(&mut self, position: Position) -> Result<u64, Error> {
        self.shared().check_poison()?;
        let last = position.segment.min(self.number);
        let doomed: Vec<(u64, Segment)> = {
            let catalog = self.shared().catalog.read().unwrap_or_else(PoisonError::into_inner);
            catalog.segments.range(..last).map(|(number, segment)| (*number, *segment)).collect()
        };
        let mut freed = 0;
        for (number, segment) in doomed {
            self.shared().forget_below(number + 1);
            let path = segment_path(&self.shared().dir, number);
            match self.shared().disk.remove(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    // The next call tries this one again first: there must be no gap.
                    let mut catalog = self.shared().catalog.write().unwrap_or_else(PoisonError::into_inner);
                    catalog.segments.insert(number, segment);
                    return Err(Error::io("remove", &path)(source));
                }
                _ => {}
            }
            // One by one: a power loss must not bring back an older segment without a younger one.
            self.sync_dir()?;
            freed += segment.bytes;
        }
        Ok(freed)
    }

    fn shared(&self) -> &Shared {
        &self.reader.shared
    }

    fn publish_end(&self) {
        let mut catalog = self.shared().catalog.write().unwrap_or_else(PoisonError::into_inner);
        catalog.end = Position { segment: self.number, offset: self.tail };
    }

    /// Ends the current segment, durably, and begins the next.
    fn start_segment(&mut self) -> Result<(), Error> {
        self.sync()?;
        let header = SegmentHeader {
            number: self.number + 1,
            bytes: self.options.segment_bytes,
            first_sequence: self.next_sequence,
            identity: self.identity,
            owner: self.owner,
        };
        let shared = self.shared();
        let file = make_segment(shared.disk.as_ref(), &shared.dir, &header).map_err(|failure| {
            match failure {
                // Nothing points there yet: the next attempt begins anew.
                MakeSegment::NotMade(error) => error,
                MakeSegment::NotSynced(error) => {
                    shared.poisoned.store(true, Ordering::Release);
                    error
                }
            }
        })?;
        self.file = file;
        self.number = header.number;
        self.segment = Segment::of(&header);
        self.tail = SEGMENT_HEADER_BYTES;
        let mut catalog = self.reader.shared.catalog.write().unwrap_or_else(PoisonError::into_inner);
        catalog.segments.insert(self.number, self.segment);
        catalog.end = Position::start_of(self.number);
        Ok(())
    }

    /// Puts zeros back where a failed append wrote, so that recovery finds what it expects behind the tail.
    fn erase(&self, written: usize) {
        if written == 0 {
            return;
        }
        let erased = write_all_at(self.file.as_ref(), self.tail, &vec![0; written]).is_ok();
        if !(erased && self.file.sync_data().is_ok()) {
            self.shared().poisoned.store(true, Ordering::Release);
        }
    }

    fn sync_dir(&self) -> Result<(), Error> {
        let dir = &self.shared().dir;
        self.shared().disk.sync_dir(dir).map_err(|source| self.poison("sync", dir, source))
    }

    fn poison(&self, operation: &'static str, path: &Path, source: std::io::Error) -> Error {
        self.shared().poisoned.store(true, Ordering::Release);
        Error::io(operation, path)(source)
    }
}

/// How making a segment failed.
pub(super) enum MakeSegment {
    NotMade(Error),
    NotSynced(Error),
}

impl From<MakeSegment> for Error {
    fn from(failure: MakeSegment) -> Self {
        match failure {
            MakeSegment::NotMade(error) | MakeSegment::NotSynced(error) => error,
        }
    }
}

/// Makes a segment's file, with header and name durable.
pub(super) fn make_segment(
    disk: &dyn Disk,
    dir: &Path,
    header: &SegmentHeader,
) -> Result<Arc<dyn DiskFile>, MakeSegment> {
    let path = segment_path(dir, header.number);
    let made = disk.create(&path, header.bytes).and_then(|file| {
        write_all_at(file.as_ref(), 0, &header.encode()).map_err(|(_, source)| source)?;
        Ok(file)
    });
    let file = match made {
        Ok(file) => file,
        Err(source) => {
            // It reserves space that may be short; what stays is removed by the next attempt or opening.
            let _ = disk.remove(&path);
            return Err(MakeSegment::NotMade(Error::io("create", &path)(source)));
        }
    };
    file.sync_all().map_err(|source| MakeSegment::NotSynced(Error::io("sync", &path)(source)))?;
    disk.sync_dir(dir).map_err(|source| MakeSegment::NotSynced(Error::io("sync", dir)(source)))?;
    Ok(file)
}
