//! Power loss for real processes: what was written and not synced goes away.
//!
//! [`preload`] makes a command run under the shim (`tests/shim`), which keeps a *shadow* of what is durable. When the
//! process is dead, [`restore`] puts the file tree into the state that a power loss would have left. Then the
//! process can be started again, under the shim as before.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::UNIX_EPOCH;

use layout::{Entry, INODES, Key, NAMES};

#[path = "../shim/src/layout.rs"]
mod layout;

/// What storage writes whole or not at all.
const SECTOR_BYTES: usize = 512;

/// What is left of unsynced writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing.
    Drop,
    /// Each sector that differs from its durable content keeps either, each unsynced creation or removal of a name
    /// happened or not, a rename happened or not.
    Tear {
        /// The same seed on the same files gives the same result.
        seed: u64,
    },
}

/// Path of the shim, built on first use.
///
/// # Errors
/// When cargo can't be run or the build fails.
pub fn shim_library() -> io::Result<PathBuf> {
    static LIBRARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| build_shim().map_err(|error| error.to_string()));
    library.clone().map_err(io::Error::other)
}

fn build_shim() -> io::Result<PathBuf> {
    // target/<profile>/deps/<test> or target/<profile>/<binary>
    let program = std::env::current_exe()?;
    let mut folder = program.parent().ok_or(io::ErrorKind::NotFound)?;
    if folder.ends_with("deps") {
        folder = folder.parent().ok_or(io::ErrorKind::NotFound)?;
    }
    let target = folder.parent().ok_or(io::ErrorKind::NotFound)?;
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--package", "quorate-shim", "--target-dir"]).arg(target);
    cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    let built = cargo.output()?;
    if !built.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&built.stderr).into_owned()));
    }
    fs::canonicalize(folder.join("libquorate_shim.so"))
}

/// Makes `command` run under the shim: it follows the files below `root` in `shadow`. Both are made when they are
/// not there; what `root` holds when `shadow` is made counts as durable. `shadow` must lie outside `root`.
///
/// # Errors
/// Those of the file system and of [`shim_library`].
pub fn preload(command: &mut Command, root: &Path, shadow: &Path) -> io::Result<()> {
    fs::create_dir_all(root)?;
    if !shadow.exists() {
        baseline(root, shadow)?;
    }
    command.env("LD_PRELOAD", shim_library()?);
    command.env("QUORATE_SHIM_ROOT", fs::canonicalize(root)?);
    command.env("QUORATE_SHIM_SHADOW", fs::canonicalize(shadow)?);
    Ok(())
}

/// Makes the shadow anew, with all that `root` holds as durable.
///
/// # Errors
/// Those of the file system.
pub fn baseline(root: &Path, shadow: &Path) -> io::Result<()> {
    if shadow.exists() {
        fs::remove_dir_all(shadow)?;
    }
    fs::create_dir_all(shadow.join(INODES))?;
    fs::create_dir_all(shadow.join(NAMES))?;
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = live_entries(&folder)?;
        for entry in &entries {
            let path = folder.join(OsStr::from_bytes(&entry.name));
            if entry.directory {
                folders.push(path);
            } else {
                let mut copy = Copy::create(&durable_file(shadow, entry.key))?;
                copy.append(&fs::read(path)?)?;
                copy.finish()?;
            }
        }
        fs::write(shadow.join(NAMES).join(key_of(&folder)?.to_string()), layout::encode(&entries))?;
    }
    Ok(())
}

/// Takes the power from the tree `live`, whose processes are all dead: it becomes what `shadow` says is durable, and
/// what `loss` lets survive beside that. The shadow starts anew from there.
///
/// # Errors
/// Those of the file system; `InvalidData` for a damaged shadow. The tree may then be incomplete.
pub fn restore(live: &Path, shadow: &Path, loss: Loss) -> io::Result<()> {
    let random = match loss {
        Loss::Drop => None,
        Loss::Tear { seed } => Some(seed),
    };
    let mut index = BTreeMap::new();
    let mut folders = vec![live.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in live_entries(&folder)? {
            let path = folder.join(OsStr::from_bytes(&entry.name));
            if entry.directory {
                folders.push(path.clone());
            }
            index.insert(entry.key, path);
        }
    }
    let mut after = live.as_os_str().to_owned();
    after.push(".after-power-loss");
    let after = PathBuf::from(after);
    if after.exists() {
        fs::remove_dir_all(&after)?;
    }
    let root = key_of(live)?;
    index.insert(root, live.to_path_buf());
    Restore { shadow, live: index, random }.directory(root, &after)?;
    fs::remove_dir_all(live)?;
    fs::rename(&after, live)?;
    baseline(live, shadow)
}

struct Restore<'a> {
    shadow: &'a Path,
    /// Where each file that a process would still see is.
    live: BTreeMap<Key, PathBuf>,
    /// State of the random choices; `None` drops everything unsynced.
    random: Option<u64>,
}

impl Restore<'_> {
    fn directory(&mut self, key: Key, out: &Path) -> io::Result<()> {
        fs::create_dir(out)?;
        let durable = match fs::read(self.shadow.join(NAMES).join(key.to_string())) {
            Ok(bytes) => layout::decode(&bytes).ok_or(io::ErrorKind::InvalidData)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let live = match self.live.get(&key) {
            Some(path) => live_entries(path)?,
            None => Vec::new(),
        };
        for entry in self.names(durable, live) {
            let path = out.join(OsStr::from_bytes(&entry.name));
            if entry.directory {
                self.directory(entry.key, &path)?;
            } else {
                self.file(entry.key, &path)?;
            }
        }
        Ok(())
    }

    /// The entries that a directory has after the loss.
    fn names(&mut self, durable: Vec<Entry>, live: Vec<Entry>) -> Vec<Entry> {
        if self.random.is_none() {
            return durable;
        }
        let by_name = |entries: Vec<Entry>| -> BTreeMap<Vec<u8>, Entry> {
            entries.into_iter().map(|entry| (entry.name.clone(), entry)).collect()
        };
        let (durable, live) = (by_name(durable), by_name(live));
        let mut kept = BTreeMap::new();
        for name in durable.keys().chain(live.keys()).collect::<BTreeSet<_>>() {
            let (before, after) = (durable.get(name), live.get(name));
            let chosen = if before == after || self.choose() { after } else { before };
            if let Some(entry) = chosen {
                kept.insert(name.clone(), entry.clone());
            }
        }
        // A rename happens or not; it does not lose the file.
        for entry in live.values().filter(|entry| durable.values().any(|before| before.key == entry.key)) {
            if !kept.values().any(|other| other.key == entry.key) {
                kept.insert(entry.name.clone(), entry.clone());
            }
        }
        kept.into_values().collect()
    }

    fn file(&mut self, key: Key, out: &Path) -> io::Result<()> {
        let durable = match fs::read(durable_file(self.shadow, key)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let live = match self.live.get(&key) {
            Some(path) if self.random.is_some() => fs::read(path)?,
            _ => durable.clone(),
        };
        let bytes = if live.len() == durable.len() || self.choose() { live.len() } else { durable.len() };
        let mut copy = Copy::create(out)?;
        for start in (0..bytes).step_by(SECTOR_BYTES) {
            let end = bytes.min(start + SECTOR_BYTES);
            let (before, after) = (sector(&durable, start, end), sector(&live, start, end));
            let chosen = if before == after || self.choose() { after } else { before };
            copy.append(&chosen[..end - start])?;
        }
        copy.finish()
    }

    /// SplitMix64.
    fn choose(&mut self) -> bool {
        let Some(state) = &mut self.random else { return false };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) & 1 == 1
    }
}

/// Bytes of a file from `start` to `end`, zeros behind its end.
fn sector(bytes: &[u8], start: usize, end: usize) -> [u8; SECTOR_BYTES] {
    let mut out = [0; SECTOR_BYTES];
    if let Some(there) = bytes.get(start..bytes.len().min(end)) {
        out[..there.len()].copy_from_slice(there);
    }
    out
}

/// Writes a file and leaves out what is zero: preallocated segments stay sparse.
struct Copy {
    file: File,
    bytes: u64,
}

impl Copy {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create(path)?, bytes: 0 })
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        for part in bytes.chunks(64 * 1024) {
            if part.iter().any(|byte| *byte != 0) {
                self.file.write_all_at(part, self.bytes)?;
            }
            self.bytes += part.len() as u64;
        }
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        self.file.set_len(self.bytes)
    }
}

fn durable_file(shadow: &Path, key: Key) -> PathBuf {
    shadow.join(INODES).join(key.to_string())
}

/// Regular files and directories of a directory.
fn live_entries(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() || kind.is_dir() {
            let name = entry.file_name().as_bytes().to_vec();
            entries.push(Entry { directory: kind.is_dir(), key: key_of(&entry.path())?, name });
        }
    }
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(entries)
}

fn key_of(path: &Path) -> io::Result<Key> {
    let metadata = fs::symlink_metadata(path)?;
    let born =
        metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    Ok(Key { inode: metadata.ino(), born_seconds: born.as_secs(), born_nanoseconds: born.subsec_nanos() })
}
