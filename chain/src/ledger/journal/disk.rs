//! The files a journal stands on.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A disk: directories and files. [`FsDisk`](super::FsDisk) is the real one, [`MemDisk`](super::MemDisk) one that
/// can lose power.
///
/// A name that was created or removed is durable only after [`sync_dir`](Self::sync_dir) of its directory.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes a directory and its parents, durably. Does nothing when it is there.
    ///
    /// # Errors
    /// Those of the file system.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// The names of the files in a directory, in no order.
    ///
    /// # Errors
    /// Those of the file system.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes a file of `bytes` bytes that read as zero, with its space reserved. A file of that name is removed
    /// first.
    ///
    /// # Errors
    /// `StorageFull` when the space isn't there; a file may then be left behind. Others of the file system.
    fn create(&self, path: &Path, bytes: u64) -> io::Result<Arc<dyn DiskFile>>;

    /// Opens a file that is there, for reading and writing.
    ///
    /// # Errors
    /// `NotFound`; others of the file system.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound`; others of the file system.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// Those of the file system; the names may then be durable or not.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock file at `path` for this process, until the result is dropped.
    ///
    /// # Errors
    /// `WouldBlock` when it is taken; others of the file system.
    fn lock(&self, path: &Path) -> io::Result<DiskLock>;

    /// Bytes that can still be written in the file system of `dir`.
    ///
    /// # Errors
    /// Those of the file system.
    fn free_bytes(&self, dir: &Path) -> io::Result<u64>;

    /// Bytes that no other journal got: the identity of a new one.
    ///
    /// # Errors
    /// Those of the source of randomness.
    fn fresh_identity(&self) -> io::Result<[u8; 16]>;
}

/// An open file of a [`Disk`].
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Length in bytes.
    ///
    /// # Errors
    /// Those of the file system.
    fn len(&self) -> io::Result<u64>;

    /// Whether it has no bytes.
    ///
    /// # Errors
    /// Those of the file system.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Reads at an offset; returns how many bytes, 0 at the end of the file.
    ///
    /// # Errors
    /// Those of the file system.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes at an offset; returns how many bytes, which may be fewer than given.
    ///
    /// # Errors
    /// Those of the file system.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;

    /// Makes the content durable.
    ///
    /// # Errors
    /// Those of the file system; what was written since the last sync may then be durable or not, and a second
    /// sync that succeeds proves nothing.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes content and metadata durable.
    ///
    /// # Errors
    /// As [`sync_data`](Self::sync_data).
    fn sync_all(&self) -> io::Result<()>;
}

/// A directory held by this process; dropping it lets go.
#[derive(Debug)]
pub struct DiskLock {
    _file: Option<File>,
}

impl DiskLock {
    pub(super) fn new(file: Option<File>) -> Self {
        Self { _file: file }
    }
}

/// Reads exactly `into.len()` bytes.
pub(super) fn read_exact_at(file: &dyn DiskFile, mut offset: u64, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        match file.read_at(offset, into) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                into = into.split_at_mut(read).1;
                offset += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes all of `bytes`; on failure also tells how many bytes were written.
pub(super) fn write_all_at(file: &dyn DiskFile, offset: u64, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match file.write_at(offset + written as u64, &bytes[written..]) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}
