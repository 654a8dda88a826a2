//! Files that are there after a power failure, or are not there at all.

use crate::GenesisError;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Writes a file that must not be there yet, and syncs it and its folder.
pub(crate) fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<(), GenesisError> {
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|error| {
            if error.kind() == ErrorKind::AlreadyExists {
                GenesisError::KeyExists { path: path.to_owned() }
            } else {
                GenesisError::file("make", path)(error)
            }
        })?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(GenesisError::file("write", path))?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Makes a folder with all above it, each entry synced in its parent.
pub(crate) fn make_folder(path: &Path, mode: u32) -> Result<(), GenesisError> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folder(parent, 0o755)?;
    }
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(GenesisError::file("make the folder", path)(error))
        }
        _ => path.parent().map_or(Ok(()), sync_folder),
    }
}

fn sync_folder(path: &Path) -> Result<(), GenesisError> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path).and_then(|folder| folder.sync_all()).map_err(GenesisError::file("sync the folder", path))
}

/// All of a text file that is at most `max` bytes long.
pub(crate) fn read_text(file: &mut File, path: &Path, max: usize) -> Result<String, GenesisError> {
    let mut text = String::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_string(&mut text).map_err(GenesisError::file("read", path))?;
    if text.len() > max { Err(GenesisError::TooLong { max }.in_file(path)) } else { Ok(text) }
}
