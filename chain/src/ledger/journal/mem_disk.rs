//! A disk in memory that keeps apart what was written and what is durable, and can lose power.

mod file;

use super::disk::{Disk, DiskFile, DiskLock};
use super::format::SECTOR_BYTES;
use file::FileState;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SECTOR: usize = SECTOR_BYTES as usize;

type Sector = [u8; SECTOR];
/// `None` reads as zeros.
type Content = Option<Box<Sector>>;

/// What survives when the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerLoss {
    /// Only what was synced.
    Drop,
    /// Everything written, still unsynced: a killed process, not a power loss.
    Keep,
    /// Each unsynced sector takes any of the contents it had since the last sync, each unsynced name is there or
    /// not, as the seed wants.
    Tear {
        /// The same seed on the same disk gives the same result.
        seed: u64,
    },
}

/// A simulated disk. Clones share it.
///
/// Its names, like its sectors, are durable only when synced. It can be told to be full, to fail syncs, to lose
/// power in the middle of the n-th operation, and to rot. Directories are durable as soon as they are made. Locks
/// always succeed.
#[derive(Debug, Clone)]
pub struct MemDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    random: u64,
    /// Handles of an earlier power cycle don't work any more.
    cycle: u64,
    next_file: u64,
    files: BTreeMap<u64, FileState>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    capacity_bytes: u64,
    write_budget_bytes: Option<u64>,
    sync_budget: Option<u64>,
    operation_budget: Option<u64>,
    operations: u64,
}

impl MemDisk {
    /// An empty disk without limits. The seed makes the identities of its journals.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let state = State {
            random: seed,
            cycle: 0,
            next_file: 0,
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            capacity_bytes: u64::MAX,
            write_budget_bytes: None,
            sync_budget: None,
            operation_budget: None,
            operations: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Turns the power off and on again, or just ends the process. Open files stop working; faults that were
    /// ordered are forgotten.
    pub fn power_loss(&self, loss: PowerLoss) {
        let mut state = self.lock_state();
        state.cycle += 1;
        state.write_budget_bytes = None;
        state.sync_budget = None;
        state.operation_budget = None;
        let mut random = match loss {
            PowerLoss::Keep => return,
            PowerLoss::Drop => None,
            PowerLoss::Tear { seed } => Some(seed),
        };
        let mut keep = |choices: usize| match &mut random {
            None => 0,
            Some(random) => (next_random(random) % choices as u64) as usize,
        };
        for file in state.files.values_mut() {
            file.power_loss(&mut keep);
        }
        let mut names = state.durable_names.clone();
        for (name, file) in &state.names {
            if state.durable_names.get(name) != Some(file) && keep(2) == 1 {
                names.insert(name.clone(), *file);
            }
        }
        for name in state.durable_names.keys() {
            if !state.names.contains_key(name) && keep(2) == 1 {
                names.remove(name);
            }
        }
        state.names.clone_from(&names);
        state.durable_names = names;
    }

    /// Bounds the sum of all files' lengths. Growing beyond it answers `StorageFull`.
    pub fn set_capacity(&self, bytes: u64) {
        self.lock_state().capacity_bytes = bytes;
    }

    /// After this many more bytes, writes are cut short at a sector and then answer `StorageFull`; `None`: never.
    pub fn fail_writes_after(&self, bytes: Option<u64>) {
        self.lock_state().write_budget_bytes = bytes;
    }

    /// After this many more syncs that work, all fail; `None`: never. As on Linux, what a failed sync did not write
    /// stays readable, and no later sync writes it.
    pub fn fail_syncs_after(&self, syncs: Option<u64>) {
        self.lock_state().sync_budget = syncs;
    }

    /// After this many more changing operations the next one happens, unsynced, and it and all after it answer an
    /// error until [`power_loss`](Self::power_loss); `None`: never.
    pub fn cut_power_after(&self, operations: Option<u64>) {
        self.lock_state().operation_budget = operations;
    }

    /// One more changing operation, of something else that runs on the same power: a store.
    ///
    /// # Errors
    /// When the power goes with it, or has gone; with it the operation happens, unsynced.
    pub fn operate(&self) -> io::Result<()> {
        if self.lock_state().operate()? { Ok(()) } else { Err(power_is_off()) }
    }

    /// Changing operations (create, remove, write, sync) so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.lock_state().operations
    }

    /// The content of a file, as a process sees it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn contents(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.lock_state();
        let file = state.file(path)?;
        let mut out = vec![0; file.bytes as usize];
        file.read(0, &mut out);
        Ok(out)
    }

    /// Overwrites part of a file behind everyone's back, durably: bit rot.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn damage(&self, path: &Path, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.lock_state();
        let number = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        let file = state.files.get_mut(&number).ok_or(io::ErrorKind::NotFound)?;
        let pending = (std::mem::take(&mut file.unsynced), std::mem::take(&mut file.given_up));
        file.write(offset, bytes);
        (file.unsynced, file.given_up) = pending;
        Ok(())
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn file(&self, path: &Path) -> io::Result<&FileState> {
        let number = self.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        self.files.get(number).ok_or(io::ErrorKind::NotFound.into())
    }

    /// Counts a changing operation; `false` when this one happens and then the power goes.
    fn operate(&mut self) -> io::Result<bool> {
        match &mut self.operation_budget {
            None => {}
            Some(0) => return Err(power_is_off()),
            Some(budget) => {
                *budget -= 1;
                self.operations += 1;
                return Ok(*budget > 0);
            }
        }
        self.operations += 1;
        Ok(true)
    }

    fn sync_allowed(&mut self) -> io::Result<()> {
        match &mut self.sync_budget {
            None => Ok(()),
            Some(0) => Err(io::Error::other("simulated sync error")),
            Some(budget) => {
                *budget -= 1;
                Ok(())
            }
        }
    }

    fn used_bytes(&self) -> u64 {
        self.names.values().filter_map(|number| self.files.get(number)).map(|file| file.bytes).sum()
    }
}

impl Disk for MemDisk {
    fn create_dir_all(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.lock_state();
        let names = state.names.keys().filter(|path| path.parent() == Some(dir));
        Ok(names.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn create(&self, path: &Path, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.lock_state();
        let stays_on = state.operate()?;
        state.names.remove(path);
        let number = state.next_file;
        state.next_file += 1;
        state.names.insert(path.to_path_buf(), number);
        let fits = state.used_bytes().saturating_add(bytes) <= state.capacity_bytes;
        let length = if fits { bytes } else { 0 };
        state.files.insert(number, FileState { bytes: length, ..FileState::default() });
        let file = MemFile { disk: self.clone(), number, cycle: state.cycle };
        match (stays_on, fits) {
            (false, _) => Err(power_is_off()),
            (true, false) => Err(io::ErrorKind::StorageFull.into()),
            (true, true) => Ok(Arc::new(file)),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.lock_state();
        let number = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(MemFile { disk: self.clone(), number, cycle: state.cycle }))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        let stays_on = state.operate()?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        if stays_on { Ok(()) } else { Err(power_is_off()) }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.lock_state();
        if !state.operate()? {
            return Err(power_is_off());
        }
        state.sync_allowed()?;
        let current: Vec<_> = state.names.iter().filter(|(path, _)| path.parent() == Some(dir)).collect();
        let current: Vec<_> = current.into_iter().map(|(path, file)| (path.clone(), *file)).collect();
        state.durable_names.retain(|path, _| path.parent() != Some(dir));
        state.durable_names.extend(current);
        // What no name leads to, now or after a power loss, is gone.
        let named: Vec<u64> = state.names.values().chain(state.durable_names.values()).copied().collect();
        state.files.retain(|number, _| named.contains(number));
        Ok(())
    }

    fn lock(&self, _path: &Path) -> io::Result<DiskLock> {
        Ok(DiskLock::new(None))
    }

    fn free_bytes(&self, _dir: &Path) -> io::Result<u64> {
        let state = self.lock_state();
        Ok(state.capacity_bytes.saturating_sub(state.used_bytes()))
    }

    fn fresh_identity(&self) -> io::Result<[u8; 16]> {
        let mut state = self.lock_state();
        let mut identity = [0; 16];
        identity[..8].copy_from_slice(&next_random(&mut state.random).to_le_bytes());
        identity[8..].copy_from_slice(&next_random(&mut state.random).to_le_bytes());
        Ok(identity)
    }
}

#[derive(Debug)]
struct MemFile {
    disk: MemDisk,
    number: u64,
    cycle: u64,
}

impl MemFile {
    fn with<T>(&self, act: impl FnOnce(&mut State, u64) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.disk.lock_state();
        if state.cycle != self.cycle {
            return Err(power_is_off());
        }
        act(&mut state, self.number)
    }

    fn sync(&self) -> io::Result<()> {
        self.with(|state, number| {
            if !state.operate()? {
                return Err(power_is_off());
            }
            let allowed = state.sync_allowed();
            let file = state.files.get_mut(&number).ok_or(io::ErrorKind::NotFound)?;
            if allowed.is_ok() {
                file.sync()
            } else {
                file.give_up()
            }
            allowed
        })
    }
}

impl DiskFile for MemFile {
    fn len(&self) -> io::Result<u64> {
        self.with(|state, number| Ok(state.files.get(&number).ok_or(io::ErrorKind::NotFound)?.bytes))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.with(|state, number| {
            Ok(state.files.get(&number).ok_or(io::ErrorKind::NotFound)?.read(offset, into))
        })
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.with(|state, number| {
            let stays_on = state.operate()?;
            let mut count = bytes.len() as u64;
            if let Some(budget) = &mut state.write_budget_bytes {
                if *budget < count {
                    // A kernel stops at a page; what is cut is never in the middle of a sector.
                    let end = (offset + *budget) / SECTOR_BYTES * SECTOR_BYTES;
                    count = end.saturating_sub(offset);
                    *budget = 0;
                } else {
                    *budget -= count;
                }
            }
            let file = state.files.get_mut(&number).ok_or(io::ErrorKind::NotFound)?;
            file.write(offset, &bytes[..count as usize]);
            match (stays_on, count) {
                (false, _) => Err(power_is_off()),
                (true, 0) if !bytes.is_empty() => Err(io::ErrorKind::StorageFull.into()),
                (true, _) => Ok(count as usize),
            }
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync()
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("simulated power loss")
}

/// SplitMix64: reproducible, which is all that is asked of it.
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
