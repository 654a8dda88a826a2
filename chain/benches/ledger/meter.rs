//! Clocks, and a disk that notes when it is synced.

use quorate_chain::ledger::journal::{Disk, DiskFile, DiskLock, FsDisk};
use rustix::time::{ClockId, clock_gettime};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// A moment: time on the wall, and processor time of all threads.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    wall: Instant,
    cpu_us: f64,
}

impl Moment {
    pub(crate) fn now() -> Self {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        let cpu_us = cpu.tv_sec as f64 * 1e6 + cpu.tv_nsec as f64 / 1e3;
        Self { wall: Instant::now(), cpu_us }
    }

    pub(crate) fn until(self, end: Self) -> Span {
        let wall_us = (end.wall - self.wall).as_secs_f64() * 1e6;
        Span { wall_us, cpu_us: end.cpu_us - self.cpu_us }
    }
}

/// How long something took.
#[derive(Clone, Copy, Default)]
pub(crate) struct Span {
    pub(crate) wall_us: f64,
    pub(crate) cpu_us: f64,
}

impl Span {
    pub(crate) fn per(self, count: usize) -> Self {
        let count = count as f64;
        Self { wall_us: self.wall_us / count, cpu_us: self.cpu_us / count }
    }

    pub(crate) fn less(self, part: Self) -> Self {
        Self { wall_us: self.wall_us - part.wall_us, cpu_us: self.cpu_us - part.cpu_us }
    }
}

/// What a call gave and how long it took.
pub(crate) fn timed<T>(call: impl FnOnce() -> T) -> (T, Span) {
    let start = Moment::now();
    let value = call();
    (value, start.until(Moment::now()))
}

/// When a file was synced since the last [`Marks::take`].
#[derive(Clone, Default)]
pub(crate) struct Marks(Arc<Mutex<Option<Moment>>>);

impl std::fmt::Debug for Marks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Marks")
    }
}

impl Marks {
    /// The end of the last sync of a file.
    pub(crate) fn take(&self) -> Option<Moment> {
        self.0.lock().unwrap().take()
    }

    fn synced(&self) {
        *self.0.lock().unwrap() = Some(Moment::now());
    }
}

/// The real disk.
#[derive(Debug)]
pub(crate) struct MarkedDisk(pub(crate) Marks);

#[derive(Debug)]
struct MarkedFile(Arc<dyn DiskFile>, Marks);

impl Disk for MarkedDisk {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        FsDisk.create_dir_all(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        FsDisk.list(dir)
    }
    fn create(&self, path: &Path, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(MarkedFile(FsDisk.create(path, bytes)?, self.0.clone())))
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(MarkedFile(FsDisk.open(path)?, self.0.clone())))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        FsDisk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        FsDisk.sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<DiskLock> {
        FsDisk.lock(path)
    }
    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        FsDisk.free_bytes(dir)
    }
    fn fresh_identity(&self) -> io::Result<[u8; 16]> {
        FsDisk.fresh_identity()
    }
}

impl DiskFile for MarkedFile {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, into)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.0.write_at(offset, bytes)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()?;
        self.1.synced();
        Ok(())
    }
    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()?;
        self.1.synced();
        Ok(())
    }
}
