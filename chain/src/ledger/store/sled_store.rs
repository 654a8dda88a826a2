//! sled 0.34.7 in a folder: the one file that knows it.
//!
//! What is done about what it does (measured): values are small and inserted one by one, as large batches
//! leak; its `flush` never syncs, so the files are synced through handles of our own and only then is the
//! applied height written; a left-over `snap.*.generating` makes every later `open` fail, so it is removed;
//! what does not open is moved aside by the caller and made again from the journal.

use super::{Applied, Pair, Store, StoreError, Table, TreeFile, open, seal};
use crate::ledger::runs::Manifest;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// While it is there the store is open, or was not closed.
const OPEN: &str = "open";
/// What was found damaged.
const DAMAGED: &str = "damaged";
/// The kept tree.
const TREE: &str = "tree";
/// Most bytes of the note on what is damaged.
const DAMAGED_BYTES_MAX: usize = 1_000;

/// The store of a node.
#[derive(Debug)]
pub struct SledStore {
    folder: PathBuf,
    database: sled::Db,
    tables: BTreeMap<Table, sled::Tree>,
    /// What the last checkpoint noted.
    noted: Mutex<Option<(Applied, Manifest)>>,
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Failed(error.to_string())
}

impl SledStore {
    /// Opens or makes the store in `folder`.
    ///
    /// # Errors
    /// When sled does not open what is there, a panic of its included.
    pub fn open(folder: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(failed)?;
        fs::write(folder.join(OPEN), b"").map_err(failed)?;
        remove_unfinished_snapshots(folder).map_err(failed)?;
        let path = folder.join("sled");
        let open = || -> Result<_, sled::Error> {
            let database = sled::Config::new()
                .path(&path)
                .cache_capacity(cache_bytes)
                .flush_every_ms(None)
                .mode(sled::Mode::HighThroughput)
                .open()?;
            let mut tables = BTreeMap::new();
            for table in Table::ALL {
                tables.insert(table, database.open_tree(table.name())?);
            }
            Ok((database, tables))
        };
        let opened = catch_unwind(AssertUnwindSafe(open));
        let (database, tables) =
            opened.map_err(|_| failed("sled panicked while opening"))?.map_err(failed)?;
        let noted = Mutex::new(read_applied(folder));
        Ok(Self { folder: folder.to_path_buf(), database, tables, noted })
    }

    /// Whether the store in `folder` was left open: by a crash, or by a process that still runs.
    #[must_use]
    pub fn was_left_open(folder: &Path) -> bool {
        folder.join(OPEN).exists()
    }

    /// Moves a folder that does not open aside, keeping it for inspection; gives its new name.
    ///
    /// # Errors
    /// When it can't be renamed.
    pub fn move_aside(folder: &Path) -> io::Result<PathBuf> {
        for number in 1..1000 {
            let aside = folder.with_extension(format!("damaged-{number}"));
            if !aside.exists() {
                fs::rename(folder, &aside)?;
                return Ok(aside);
            }
        }
        Err(io::Error::other("a thousand damaged stores lie beside this one; remove some"))
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        match fs::remove_file(self.folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }

    fn table(&self, table: Table) -> Result<&sled::Tree, StoreError> {
        self.tables.get(&table).ok_or_else(|| failed("no such table"))
    }

    fn noted(&self) -> MutexGuard<'_, Option<(Applied, Manifest)>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn opened(table: Table, pair: sled::Result<(sled::IVec, sled::IVec)>) -> Result<Pair, StoreError> {
    let (key, sealed) = pair.map_err(failed)?;
    let value = open(table, &key, &sealed)?;
    Ok((key.to_vec(), value))
}

/// sled panics on some damage.
fn guarded<T>(run: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(failed("sled panicked")))
}

impl Store for SledStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let tree = self.table(table)?;
        let sealed = guarded(|| tree.get(key).map_err(failed))?;
        sealed.map(|sealed| open(table, key, &sealed)).transpose()
    }

    fn set(&self, table: Table, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let tree = self.table(table)?;
        guarded(|| {
            match value {
                Some(value) => tree.insert(key, seal(table, key, value)).map_err(failed)?,
                None => tree.remove(key).map_err(failed)?,
            };
            Ok(())
        })
    }

    fn range(&self, table: Table, first: &[u8], last: &[u8], max: usize) -> Result<Vec<Pair>, StoreError> {
        let tree = self.table(table)?;
        let pairs = || tree.range(first.to_vec()..=last.to_vec()).take(max).map(|pair| opened(table, pair));
        guarded(|| pairs().collect())
    }

    fn last(&self, table: Table, first: &[u8], last: &[u8], max: usize) -> Result<Vec<Pair>, StoreError> {
        let tree = self.table(table)?;
        let pairs =
            || tree.range(first.to_vec()..=last.to_vec()).rev().take(max).map(|pair| opened(table, pair));
        guarded(|| pairs().collect())
    }

    fn checkpoint(&self, applied: Applied, manifest: &Manifest) -> Result<(), StoreError> {
        guarded(|| self.database.flush().map_err(failed))?;
        sync_folder(&self.folder.join("sled")).map_err(failed)?;
        write_applied(&self.folder, applied, manifest).map_err(failed)?;
        *self.noted() = Some((applied, manifest.clone()));
        Ok(())
    }

    fn applied(&self) -> Option<Applied> {
        self.noted().as_ref().map(|(applied, _)| *applied)
    }

    fn manifest(&self) -> Manifest {
        self.noted().as_ref().map(|(_, manifest)| manifest.clone()).unwrap_or_default()
    }

    fn save_tree(&self, tree: &TreeFile) -> Result<(), StoreError> {
        replace(&self.folder, TREE, |file| tree.write(BufWriter::new(file))).map_err(failed)
    }

    fn saved_tree(&self) -> Option<TreeFile> {
        let file = File::open(self.folder.join(TREE)).ok()?;
        let read = TreeFile::read(BufReader::new(file));
        read.inspect_err(|error| tracing::warn!(%error, "the kept tree can't be used")).ok()
    }

    fn mark_damaged(&self, what: &str) -> Result<(), StoreError> {
        let note: String = what.chars().take(DAMAGED_BYTES_MAX / 4).collect();
        replace(&self.folder, DAMAGED, |mut file| file.write_all(note.as_bytes())).map_err(failed)
    }

    fn damaged(&self) -> Option<String> {
        let mut note = Vec::new();
        let file = File::open(self.folder.join(DAMAGED)).ok()?;
        // A note that can't be read is a note too.
        let _ = file.take(DAMAGED_BYTES_MAX as u64).read_to_end(&mut note);
        Some(String::from_utf8_lossy(&note).into_owned())
    }

    fn clear(&self) -> Result<(), StoreError> {
        self.remove("applied")?;
        *self.noted() = None;
        self.remove(TREE)?;
        self.tables.values().try_for_each(|tree| tree.clear().map_err(failed))?;
        self.remove(DAMAGED)
    }
}

impl Drop for SledStore {
    fn drop(&mut self) {
        // Left behind it only costs a look at the next opening.
        let _ = self.remove(OPEN);
    }
}

/// sled#1527: with this file in place every later `open` answers Corruption; without it nothing is missing.
fn remove_unfinished_snapshots(folder: &Path) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder.join("sled")) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            tracing::warn!(path = %path.display(), "removing an unfinished snapshot of sled");
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Syncs every file below a folder, and the folders.
fn sync_folder(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_folder(&path)?;
        } else {
            match File::open(&path) {
                Ok(file) => file.sync_all()?,
                // sled may remove a file of its own meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
    }
    File::open(folder)?.sync_all()
}

fn write_applied(folder: &Path, applied: Applied, manifest: &Manifest) -> io::Result<()> {
    let body = crate::codec::encode(&(applied, manifest));
    let bytes = [&body[..], blake3::hash(&body).as_bytes()].concat();
    replace(folder, "applied", |mut file| file.write_all(&bytes))
}

/// Writes a file durably, whole or not at all.
fn replace(folder: &Path, name: &str, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let new = folder.join(format!("{name}.new"));
    let file = File::create(&new)?;
    write(&file)?;
    file.sync_all()?;
    fs::rename(&new, folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// What can't be read is as good as not there: the store is then made again.
fn read_applied(folder: &Path) -> Option<(Applied, Manifest)> {
    let bytes = fs::read(folder.join("applied")).ok()?;
    let (body, sum) = bytes.split_at_checked(bytes.len().checked_sub(32)?)?;
    if blake3::hash(body).as_bytes() != sum {
        return None;
    }
    crate::codec::decode(body).ok()
}
