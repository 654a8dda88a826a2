//! What a simulated node has on its disk: the journals of chain and votes, and the store of the state.

use super::random::Random;
use super::votes::VoteJournal;
use quorate_chain::ledger::journal::{Disk, Journal, MemDisk, Options, Owner, PowerLoss};
use quorate_chain::ledger::{GenesisState, Ledger, LedgerError, MemoryStore, Opened};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CHAIN: &str = "/chain";
const VOTES: &str = "/votes";
/// Bytes of a segment that its longest record leaves free.
const SEGMENT_OVERHEAD_BYTES: u64 = 1_024;

/// A disk and a store. What is not durable is lost with the power.
pub(super) struct Storage {
    disk: MemDisk,
    store: MemoryStore,
    chain: Options,
    votes: Options,
}

const fn options(segment_bytes: u64) -> Options {
    Options { segment_bytes, record_bytes_max: segment_bytes - SEGMENT_OVERHEAD_BYTES }
}

impl Storage {
    /// An empty one, with segments as small as the records of so many replicas allow: a full segment is a
    /// chance for the disk to be full.
    pub(super) fn new(seed: u64, replicas: usize) -> Self {
        let scale = 1 + replicas as u64 / 16;
        Self {
            disk: MemDisk::new(seed),
            store: MemoryStore::default(),
            chain: options(scale * 256 * 1024),
            votes: options(scale * 32 * 1024),
        }
    }

    /// Opens ledger and vote journal as a node does.
    pub(super) fn open(&self, genesis: &GenesisState) -> Result<(Opened, VoteJournal), LedgerError> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let (chain, votes) = (Path::new(CHAIN), Path::new(VOTES));
        if self.disk.list(chain).is_ok_and(|names| names.is_empty()) {
            // The ledger's own first segment would have room for years, and opening it reads all of that.
            // Segments that are there keep their size.
            drop(Journal::open(Arc::clone(&disk), chain, Owner::Chain(genesis.chain), self.chain)?);
        }
        let opened = Ledger::open_with(Arc::clone(&disk), chain, Box::new(self.store.clone()), genesis)?;
        Ok((opened, VoteJournal::open(disk, votes, self.votes)?))
    }

    /// The process ends, and maybe the power with it. Faults that were ordered are forgotten.
    pub(super) fn lose_power(&self, loss: PowerLoss) {
        self.disk.power_loss(loss);
        match loss {
            PowerLoss::Keep => {}
            PowerLoss::Drop => self.store.lose_power(),
            PowerLoss::Tear { seed } => self.store.tear(seed),
        }
    }

    /// A copy as a backup makes it: of what a process sees in the files. The store is made again from it.
    pub(super) fn copy(&self, seed: u64) -> io::Result<Self> {
        let disk = MemDisk::new(seed);
        for folder in [CHAIN, VOTES].map(Path::new) {
            for path in self.paths(folder)? {
                let bytes = self.disk.contents(&path)?;
                let file = disk.create(&path, bytes.len() as u64)?;
                file.write_at(0, &bytes[..used(&bytes)])?;
                file.sync_all()?;
            }
            disk.sync_dir(folder)?;
        }
        Ok(Self { disk, store: MemoryStore::default(), chain: self.chain, votes: self.votes })
    }

    /// Removes the chain, and leaves the vote journal.
    pub(super) fn lose_chain(&mut self) -> io::Result<()> {
        let folder = Path::new(CHAIN);
        for path in self.paths(folder)? {
            self.disk.remove(&path)?;
        }
        self.store = MemoryStore::default();
        self.disk.sync_dir(folder)
    }

    /// Turns a bit of a record or of a segment's header: bit rot. `None` where there is nothing to damage.
    pub(super) fn flip_bit(&self, random: &mut Random) -> io::Result<Option<String>> {
        let folder = if random.chance(50) { CHAIN } else { VOTES };
        let paths = self.paths(Path::new(folder))?;
        let Some(path) = paths.last() else { return Ok(None) };
        let bytes = self.disk.contents(path)?;
        let used = used(&bytes);
        if used == 0 {
            return Ok(None);
        }
        // Zeros may be padding, which nothing is in.
        let start = random.below(used as u64) as usize;
        let at = (start..used).find(|at| bytes[*at] != 0).unwrap_or(used - 1);
        self.disk.damage(path, at as u64, &[bytes[at] ^ 1 << random.below(8)])?;
        Ok(Some(format!("byte {at} of {}", path.display())))
    }

    fn paths(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut names = self.disk.list(folder)?;
        names.sort_unstable();
        Ok(names.iter().map(|name| folder.join(name)).collect())
    }

    /// From now on the disk is full after so many more bytes.
    pub(super) fn fill(&self, more_bytes: u64) {
        self.disk.set_capacity(0);
        self.disk.fail_writes_after(Some(more_bytes));
    }

    /// There is space again, and nothing is ordered to fail.
    pub(super) fn repair(&self) {
        self.disk.set_capacity(u64::MAX);
        self.disk.fail_writes_after(None);
        self.disk.fail_syncs_after(None);
        self.disk.cut_power_after(None);
    }

    /// The next sync fails, and all after it until the process starts again.
    pub(super) fn fail_syncs(&self) {
        self.disk.fail_syncs_after(Some(0));
    }

    /// The power goes in the middle of the n-th operation from now on.
    pub(super) fn cut_power_after(&self, operations: u64) {
        self.disk.cut_power_after(Some(operations));
    }
}

/// Bytes up to the last one that isn't zero.
fn used(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}
