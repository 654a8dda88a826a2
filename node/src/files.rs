//! Files that are written as a whole.

use crate::error::NodeError;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Writes a file so that readers see the old content or the new, and nothing between.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<(), NodeError> {
    let new = path.with_extension("new");
    let write = || {
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    write().map_err(NodeError::file("write", path))
}
