//! Evidence against validators, kept as files that anybody can verify (R37).

use quorate_chain::codec::encode;
use quorate_consensus::Evidence;
use std::io;
use std::path::{Path, PathBuf};

/// Most files of evidence that are kept: one for each epoch, validator and kind.
const FILES_MAX: usize = 1_024;

/// Writes evidence beside the ledger, off the async threads.
pub(super) fn keep(folder: PathBuf, evidence: Evidence) {
    tokio::task::spawn_blocking(move || match write(&folder, &evidence) {
        Ok(Some(path)) => tracing::info!(path = %path.display(), "kept the evidence"),
        Ok(None) => {}
        Err(error) => tracing::error!(folder = %folder.display(), %error, "cannot keep evidence"),
    });
}

fn write(folder: &Path, evidence: &Evidence) -> io::Result<Option<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let (validator, kind, epoch) = (evidence.accused(), evidence.kind(), evidence.epoch());
    let name = format!("epoch-{epoch}-validator-{validator}-{kind:?}.borsh");
    let path = folder.join(name.to_lowercase());
    if path.exists() || std::fs::read_dir(folder)?.count() >= FILES_MAX {
        return Ok(None);
    }
    std::fs::write(&path, encode(evidence))?;
    std::fs::File::open(&path)?.sync_all()?;
    Ok(Some(path))
}
