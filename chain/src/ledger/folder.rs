//! One data folder, one chain: its file `chain` holds the chain's id and the version of what is in the folder.

use super::error::LedgerError;
use crate::ids::ChainId;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Version of what is in the data folder.
const FORMAT: u32 = 5;
/// Bytes of the file that are looked at: more than it ever has.
const FILE_BYTES: u64 = 128;

fn text(chain: ChainId) -> String {
    format!("{chain} format {FORMAT}\n")
}

/// Whether the folder says that it is of this chain and format; not if it says nothing.
///
/// # Errors
/// [`LedgerError::OtherChain`], [`LedgerError::OtherFormat`], [`LedgerError::ChainFile`].
pub(super) fn is_of(data: &Path, chain: ChainId) -> Result<bool, LedgerError> {
    let path = data.join("chain");
    let read = || -> io::Result<Vec<u8>> {
        let mut found = Vec::new();
        File::open(&path)?.take(FILE_BYTES).read_to_end(&mut found)?;
        Ok(found)
    };
    let found = match read() {
        Ok(found) if found == text(chain).as_bytes() => return Ok(true),
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(LedgerError::Io { path, source }),
    };
    let parsed = std::str::from_utf8(&found).ok().and_then(|found| {
        let (id, format) = found.strip_suffix('\n')?.split_once(" format ")?;
        Some((id.parse::<ChainId>().ok()?, format.parse::<u32>().ok()?))
    });
    let data = data.to_path_buf();
    Err(match parsed {
        Some((id, format)) if id == chain => {
            LedgerError::OtherFormat { path: data, found: format.to_string(), expected: FORMAT }
        }
        Some((id, _)) => LedgerError::OtherChain { path: data, expected: chain, found: id.to_string() },
        None => LedgerError::ChainFile(path),
    })
}

/// Makes the file, durably, whole or not at all.
pub(super) fn claim(data: &Path, chain: ChainId) -> Result<(), LedgerError> {
    let (path, new) = (data.join("chain"), data.join("chain.new"));
    let write = || -> io::Result<()> {
        fs::write(&new, text(chain))?;
        File::open(&new)?.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(data)?.sync_all()
    };
    write().map_err(|source| LedgerError::Io { path: path.clone(), source })
}
