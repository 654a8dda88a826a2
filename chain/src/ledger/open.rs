//! Opening: one process a folder, one chain a folder, replay of what the store lacks.

use super::apply::{apply, apply_changes, block_place, epoch_start, start_epoch};
use super::error::LedgerError;
use super::genesis::GenesisState;
use super::journal::{Disk, FsDisk, Journal, Options, Position, TornTail};
use super::overlay::Context;
use super::reader::{Reader, Shared};
use super::record::{self, CommitRecord, read_body, read_commit};
use super::store::{Applied, SledStore, Store, StoreError};
use super::{Ledger, Tip};
use crate::block::Block;
use crate::codec::decode;
use crate::ids::{BlockHash, Epoch, Height};
use crate::state::tree::Tree;
use crate::state::{StateError, StateKey, StateValue, Version};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest journal record: a full block's receipts and changes.
const RECORD_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Replayed blocks between two lines of progress in the log.
const PROGRESS_HEIGHTS: u64 = 10_000;

/// What opening did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Committed blocks whose changes were replayed from the journal.
    pub replayed: u64,
    /// Why the store was made again from the journal, if it was.
    pub rebuilt: Option<String>,
    /// Unsynced bytes that a crash left in the journal and that were discarded.
    pub torn_tail: Option<TornTail>,
}

/// An open ledger.
#[derive(Debug)]
pub struct Opened {
    /// The one writer.
    pub ledger: Ledger,
    /// For other threads.
    pub reader: Reader,
    /// Durable bodies above the tip, ascending (R43).
    pub uncommitted: Vec<Block>,
    /// What opening did.
    pub report: OpenReport,
}

/// Where the replay of the journal has come to.
struct Replay {
    tip: Tip,
    bodies: BTreeMap<BlockHash, (Height, Position)>,
    replayed: u64,
}

impl Ledger {
    /// Opens or makes the ledger in a node's data folder. A store that does not open, or does not fit the
    /// journal, is moved aside and made again.
    ///
    /// # Errors
    /// [`LedgerError::Locked`], [`LedgerError::OtherChain`], or what is damaged beyond repair.
    pub fn open(data: &Path, genesis: &GenesisState) -> Result<Opened, LedgerError> {
        std::fs::create_dir_all(data).map_err(|source| io(data, source))?;
        check_chain(data, genesis)?;
        let folder = data.join("state");
        let disk: Arc<dyn Disk> = Arc::new(FsDisk);
        // The journal's lock comes first: it guards the store too.
        let (journal, recovered) = Journal::open(disk, &data.join("journal/chain"), options())?;
        let mut rebuilt = None;
        let store = match SledStore::open(&folder) {
            Ok(store) => store,
            Err(error) => {
                tracing::warn!(%error, "the store does not open; making it again");
                rebuilt = Some(error.to_string());
                new_store(&folder)?
            }
        };
        // sled may be too damaged even to be emptied.
        let remake = |store: Box<dyn Store>| -> Result<Box<dyn Store>, LedgerError> {
            let _ = guarded(|| {
                drop(store);
                Ok(())
            });
            Ok(Box::new(new_store(&folder)?))
        };
        let mut opened = Self::start(journal, recovered.torn_tail, Box::new(store), remake, genesis)?;
        opened.report.rebuilt = rebuilt.or(opened.report.rebuilt);
        Ok(opened)
    }

    /// Opens a ledger on any disk and store, for instance in memory.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        disk: Arc<dyn Disk>,
        folder: &Path,
        store: Box<dyn Store>,
        genesis: &GenesisState,
    ) -> Result<Opened, LedgerError> {
        Self::open_with_segments(disk, folder, options(), store, genesis)
    }

    /// The same with segments of the caller's choice: small ones end often.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with_segments(
        disk: Arc<dyn Disk>,
        folder: &Path,
        segments: Options,
        store: Box<dyn Store>,
        genesis: &GenesisState,
    ) -> Result<Opened, LedgerError> {
        let (journal, recovered) = Journal::open(disk, folder, segments)?;
        let remake = |store: Box<dyn Store>| {
            store.clear()?;
            Ok(store)
        };
        Self::start(journal, recovered.torn_tail, store, remake, genesis)
    }

    fn start(
        journal: Journal,
        torn_tail: Option<TornTail>,
        mut store: Box<dyn Store>,
        remake: impl FnOnce(Box<dyn Store>) -> Result<Box<dyn Store>, LedgerError>,
        genesis: &GenesisState,
    ) -> Result<Opened, LedgerError> {
        let mut report = OpenReport { torn_tail, ..OpenReport::default() };
        let bring_up = |store: &dyn Store| {
            let replay = catch_up(&journal, store, genesis)?;
            let tree = checked_tree(store, &replay)?;
            Ok::<_, LedgerError>((replay, tree))
        };
        let (replay, tree) = match guarded(|| bring_up(store.as_ref())) {
            Err(error) if error.is_of_store() => {
                tracing::warn!(%error, "the store does not fit the journal; making it again");
                report.rebuilt = Some(error.to_string());
                store = remake(store)?;
                bring_up(store.as_ref())?
            }
            done => done?,
        };
        report.replayed = replay.replayed;
        let shared =
            Arc::new(Shared::new(genesis.chain, store, journal.reader(), replay.tip.clone(), tree.clone()));
        let parameters = match shared.stored(&StateKey::Parameters)? {
            Some(StateValue::Parameters(parameters)) => parameters,
            _ => return Err(damaged(replay.tip.height, "the state has no parameters")),
        };
        let reader = Reader::new(Arc::clone(&shared));
        let mut bodies: Vec<_> = replay.bodies.values().copied().collect();
        bodies.sort_unstable();
        let uncommitted: Result<Vec<_>, _> =
            bodies.iter().map(|(_, position)| read_body(&shared.journal, *position)).collect();
        let ledger = Self {
            chain: genesis.chain,
            context: Context {
                parameters: Arc::new(parameters),
                epoch: replay.tip.epoch,
                validators: Arc::clone(&replay.tip.validators),
                validators_hash: replay.tip.result.next_set_hash,
            },
            checkpoint: (replay.tip.height, journal.end()),
            journal,
            shared,
            version: Version::stored(tree),
            tip: replay.tip,
            overlays: BTreeMap::new(),
            executions: 0,
            #[cfg(feature = "mistakes")]
            skips_bucket: false,
            scheduled: BTreeMap::new(),
            bodies: replay.bodies,
        };
        let mut opened = Opened { ledger, reader, uncommitted: uncommitted?, report };
        if opened.report.replayed > 0 || opened.report.rebuilt.is_some() {
            opened.ledger.checkpoint()?;
        }
        Ok(opened)
    }
}

const fn options() -> Options {
    Options { record_bytes_max: RECORD_BYTES_MAX, ..Options::bodies() }
}

/// Runs what may panic inside of sled, which it does on some damage.
fn guarded<T>(run: impl FnOnce() -> Result<T, LedgerError>) -> Result<T, LedgerError> {
    let panicked = |_| Err(StoreError::Failed("sled panicked".into()).into());
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(panicked)
}

/// Moves what is in the folder aside and makes an empty store there.
fn new_store(folder: &Path) -> Result<SledStore, LedgerError> {
    let aside = SledStore::move_aside(folder).map_err(|source| io(folder, source))?;
    tracing::warn!(aside = %aside.display(), "moved the damaged store aside");
    Ok(SledStore::open(folder)?)
}

fn io(path: &Path, source: std::io::Error) -> LedgerError {
    LedgerError::Io { path: PathBuf::from(path), source }
}

/// One folder, one chain: the file `chain` holds its id and the format's version.
fn check_chain(data: &Path, genesis: &GenesisState) -> Result<(), LedgerError> {
    let path = data.join("chain");
    let expected = format!("{} format 2\n", genesis.chain);
    match std::fs::read_to_string(&path) {
        Ok(found) if found == expected => Ok(()),
        Ok(found) => Err(LedgerError::OtherChain {
            path: data.to_path_buf(),
            expected: genesis.chain,
            found: found.trim().chars().take(80).collect(),
        }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let write = || -> std::io::Result<()> {
                let new = data.join("chain.new");
                std::fs::write(&new, &expected)?;
                std::fs::File::open(&new)?.sync_all()?;
                std::fs::rename(&new, &path)?;
                std::fs::File::open(data)?.sync_all()
            };
            write().map_err(|source| io(&path, source))
        }
        Err(source) => Err(io(&path, source)),
    }
}

/// Brings the store to the journal's last commit.
fn catch_up(journal: &Journal, store: &dyn Store, genesis: &GenesisState) -> Result<Replay, LedgerError> {
    let applied = match store.applied() {
        Some(applied) => applied,
        None => {
            store.clear()?;
            let entries = genesis.entries.iter().map(|(key, value)| (key.clone(), Some(value.clone())));
            apply_changes(store, &entries.collect())?;
            start_epoch(store, Epoch::ZERO, Height::ZERO.next(), &genesis.validators)?;
            let applied = Applied { height: Height::ZERO, scan_from: journal.first() };
            store.checkpoint(applied)?;
            applied
        }
    };
    let mut replay = Replay {
        tip: tip_at(journal, store, genesis, applied.height)?,
        bodies: BTreeMap::new(),
        replayed: 0,
    };
    for entry in journal.scan(applied.scan_from) {
        let entry = entry?;
        match entry.kind {
            record::BODY => {
                let block: Block = decode(&entry.payload).map_err(|e| damaged(replay.tip.height, &e.0))?;
                replay.bodies.insert(block.hash(), (block.header.height, entry.position));
            }
            record::COMMIT => {
                let commit: CommitRecord =
                    decode(&entry.payload).map_err(|e| damaged(replay.tip.height, &e.0))?;
                if commit.height > applied.height {
                    replay.commit(journal, store, &commit, entry.position)?;
                }
            }
            kind => return Err(damaged(replay.tip.height, &format!("a journal record of kind {kind}"))),
        }
    }
    let tip = replay.tip.height;
    replay.bodies.retain(|_, (height, _)| *height > tip);
    Ok(replay)
}

fn damaged(height: Height, what: &str) -> LedgerError {
    LedgerError::Damaged { height, what: what.to_owned() }
}

impl Replay {
    fn commit(
        &mut self,
        journal: &Journal,
        store: &dyn Store,
        commit: &CommitRecord,
        position: Position,
    ) -> Result<(), LedgerError> {
        let block = read_body(&journal.reader(), commit.body)?;
        let header = &block.header;
        let follows = commit.height == self.tip.height.next()
            && header.parent == self.tip.block
            && header.epoch == self.tip.epoch
            && commit.certificate.epoch == self.tip.epoch;
        if !follows || block.hash() != commit.block {
            return Err(damaged(commit.height, "a commit does not follow the one before it"));
        }
        apply(store, commit, position, &block)?;
        self.tip = self.tip.after(&block.header, commit);
        self.replayed += 1;
        if self.replayed.is_multiple_of(PROGRESS_HEIGHTS) {
            tracing::info!(height = commit.height.0, "replaying the journal");
        }
        Ok(())
    }
}

/// The tip at a height whose changes are in the store.
fn tip_at(
    journal: &Journal,
    store: &dyn Store,
    genesis: &GenesisState,
    height: Height,
) -> Result<Tip, LedgerError> {
    let start = Tip {
        height: Height::ZERO,
        block: genesis.chain.genesis_block(),
        timestamp_ms: genesis.timestamp_ms,
        result: genesis.result().map_err(StateError::from)?,
        certificate: None,
        ends_epoch: false,
        epoch: Epoch::ZERO,
        validators: Arc::new(genesis.validators.clone()),
    };
    if height == Height::ZERO {
        return Ok(start);
    }
    let place = block_place(store, height)?.ok_or_else(|| damaged(height, "the applied block is missing"))?;
    let commit = read_commit(&journal.reader(), place.commit)?;
    let block = read_body(&journal.reader(), place.body)?;
    // Not from the state, which may hold later changes already.
    let epoch = block.header.epoch;
    let start_of_epoch = epoch_start(store, epoch)?;
    let validators = start_of_epoch.ok_or_else(|| damaged(height, "its epoch has no validators"))?.validators;
    let tip = Tip { epoch, validators: Arc::new(validators), ..start };
    Ok(tip.after(&block.header, &commit))
}

/// The tree over the store's state, whose root must be the one that the tip's certificate binds.
fn checked_tree(store: &dyn Store, replay: &Replay) -> Result<Tree, LedgerError> {
    let tree = Tree::try_build(super::reader::state_pairs(store)).map_err(StateError::from)?;
    if tree.root() == replay.tip.result.state_root.0 {
        Ok(tree)
    } else {
        Err(damaged(replay.tip.height, "the state does not have the certified root"))
    }
}
