//! The devnet's folder: whose it is, whether it is complete, whether it is in use.

use super::plan::Plan;
use crate::error::NodeError;
use crate::files::replace;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Marks the folder as a devnet's; locked while one runs.
const LOCK: &str = "devnet.lock";
/// Says that generation is complete, and what was generated.
const MARKER: &str = "generated.json";

/// A devnet's folder, locked for this process.
#[derive(Debug)]
pub(super) struct Folder {
    given: PathBuf,
    absolute: PathBuf,
    _lock: File,
}

impl Folder {
    /// Locks the folder, made if it is not there. With `fresh`, all that a devnet left in it is deleted.
    pub(super) fn open(dir: &Path, fresh: bool) -> Result<Self, NodeError> {
        std::fs::create_dir_all(dir).map_err(NodeError::file("make the folder", dir))?;
        let lock_path = dir.join(LOCK);
        let is_devnet = lock_path.try_exists().map_err(NodeError::file("look for", &lock_path))?;
        if !is_devnet && !entries(dir)?.is_empty() {
            return Err(NodeError::Devnet(format!(
                "{} is not empty and was not made by a devnet; choose another folder with --dir",
                dir.display()
            )));
        }
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let lock = lock.map_err(NodeError::file("make", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(NodeError::Devnet(format!(
                    "a devnet is running on {}; stop it, or choose another --dir and --base-port",
                    dir.display()
                )));
            }
            Err(TryLockError::Error(error)) => return Err(NodeError::file("lock", &lock_path)(error)),
        }
        let absolute = dir.canonicalize().map_err(NodeError::file("find", dir))?;
        let folder = Self { given: dir.to_owned(), absolute, _lock: lock };
        if fresh {
            folder.clear()?;
        }
        Ok(folder)
    }

    /// The folder as it was named on the command line.
    pub(super) fn given(&self) -> &Path {
        &self.given
    }

    /// The folder from the root of the file system.
    pub(super) fn absolute(&self) -> &Path {
        &self.absolute
    }

    /// The marker goes first: a folder that is deleted in part counts as half-written.
    fn clear(&self) -> Result<(), NodeError> {
        let marker = self.absolute.join(MARKER);
        match std::fs::remove_file(&marker) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(NodeError::file("delete", &marker)(error));
            }
            _ => {}
        }
        for path in entries(&self.absolute)?.into_iter().filter(|path| !path.ends_with(LOCK)) {
            let kind = path.symlink_metadata().map_err(NodeError::file("look at", &path))?;
            let deleted =
                if kind.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            deleted.map_err(NodeError::file("delete", &path))?;
        }
        Ok(())
    }

    /// What was generated earlier; `None` where nothing was.
    pub(super) fn generated(&self) -> Result<Option<Plan>, NodeError> {
        let path = self.absolute.join(MARKER);
        match std::fs::read_to_string(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .map_err(|error| NodeError::Config { path, message: error.to_string() }),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(NodeError::file("read", &path)(error)),
            Err(_) if entries(&self.absolute)?.iter().all(|path| path.ends_with(LOCK)) => Ok(None),
            Err(_) => Err(NodeError::Devnet(format!(
                "{} is half-written: an earlier start was interrupted before its keys and genesis were \
                 complete. Start again with --fresh, which deletes what is there",
                self.given.display()
            ))),
        }
    }

    /// Notes that generation is complete.
    pub(super) fn mark_generated(&self, plan: Plan) -> Result<(), NodeError> {
        let json = serde_json::to_vec(&plan).map_err(|error| NodeError::Devnet(error.to_string()))?;
        replace(&self.absolute.join(MARKER), &json)
    }
}

fn entries(dir: &Path) -> Result<Vec<PathBuf>, NodeError> {
    let entries = std::fs::read_dir(dir).map_err(NodeError::file("list", dir))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    paths.collect::<Result<_, _>>().map_err(NodeError::file("list", dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { version: 1, validators: 1, base_port: 26600 };

    #[test]
    fn a_folder_has_one_devnet_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), false).unwrap();
        let error = Folder::open(dir.path(), true).unwrap_err().to_string();
        assert!(error.contains("is running"), "{error}");
        drop(folder);
        assert!(Folder::open(dir.path(), false).is_ok());
    }

    #[test]
    fn fresh_deletes_a_devnet_only() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("thesis.tex"), "precious").unwrap();
        assert!(Folder::open(dir.path(), true).is_err());
        assert!(dir.path().join("thesis.tex").exists());
        std::fs::remove_file(dir.path().join("thesis.tex")).unwrap();
        let folder = Folder::open(dir.path(), false).unwrap();
        folder.mark_generated(PLAN).unwrap();
        assert_eq!(folder.generated().unwrap(), Some(PLAN));
        std::fs::create_dir_all(dir.path().join("validator-0/keys")).unwrap();
        drop(folder);
        let folder = Folder::open(dir.path(), true).unwrap();
        assert_eq!(folder.generated().unwrap(), None);
        assert_eq!(entries(dir.path()).unwrap(), [dir.path().join(LOCK)]);
    }

    #[test]
    fn a_half_written_folder_says_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), false).unwrap();
        std::fs::create_dir_all(dir.path().join("validator-0/keys")).unwrap();
        let error = folder.generated().unwrap_err().to_string();
        assert!(error.contains("half-written") && error.contains("--fresh"), "{error}");
    }
}
