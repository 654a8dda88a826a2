//! Opening: one process a folder, one chain a folder, a store that is made again when it is damaged.

use super::error::LedgerError;
use super::folder;
use super::genesis::GenesisState;
use super::journal::{Disk, FsDisk, Journal, Owner, TornTail};
use super::options::{IndexLevel, LedgerOptions};
use super::overlay::Context;
use super::reader::Reader;
use super::record::read_body;
use super::replay::{Replayed, Watch, catch_up, damaged, reindex};
use super::shared::Shared;
use super::store::{SledStore, Store, StoreError, Table};
use super::write_behind::{Threads, guarded};
use super::{Ledger, Tip};
use crate::block::Block;
use crate::parameters::Parameters;
use crate::state::{StateKey, StateValue, Version};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What opening did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// Committed blocks whose changes were replayed from the journal.
    pub replayed: u64,
    /// Why the store was made again from the journal, if it was.
    pub rebuilt: Option<String>,
    /// Whether the tree came from a checkpoint, so that the state was not read.
    pub from_kept_tree: bool,
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

impl Ledger {
    /// Opens or makes the ledger in a node's data folder, with the defaults of [`LedgerOptions`]. A store that
    /// does not open, or does not fit the journal, is moved aside and made again.
    ///
    /// # Errors
    /// [`LedgerError::Locked`], [`LedgerError::OtherChain`], [`LedgerError::OtherFormat`], or what is damaged
    /// beyond repair.
    pub fn open(data: &Path, genesis: &GenesisState) -> Result<Opened, LedgerError> {
        LedgerOptions::default().open(data, genesis)
    }

    /// Opens a ledger on any disk and store, for instance in memory: with the defaults, but without threads.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(
        disk: Arc<dyn Disk>,
        folder: &Path,
        store: Box<dyn Store>,
        genesis: &GenesisState,
    ) -> Result<Opened, LedgerError> {
        let options = LedgerOptions { background: false, ..LedgerOptions::default() };
        options.open_with(disk, folder, store, genesis)
    }
}

pub(super) fn open(
    data: &Path,
    genesis: &GenesisState,
    options: &LedgerOptions,
    watch: Watch<'_>,
) -> Result<Opened, LedgerError> {
    std::fs::create_dir_all(data).map_err(|source| io(data, source))?;
    let claimed = folder::is_of(data, genesis.chain)?;
    let folder = data.join("state");
    let disk: Arc<dyn Disk> = Arc::new(FsDisk);
    // The journal's lock comes first: it guards the store too.
    let (journal, recovered) =
        Journal::open(disk, &data.join("journal/chain"), owner(genesis), options.segments)?;
    if !claimed {
        folder::claim(data, genesis.chain)?;
    }
    let cache_bytes = options.store_cache_bytes();
    let mut rebuilt = None;
    let store = match probed(&folder, options).and_then(|()| SledStore::open(&folder, cache_bytes)) {
        Ok(store) => store,
        Err(error) => {
            tracing::warn!(%error, "the store does not open; making it again");
            rebuilt = Some(error.to_string());
            new_store(&folder, cache_bytes)?
        }
    };
    // sled may be too damaged even to be emptied.
    let remake = |store: Box<dyn Store>| -> Result<Box<dyn Store>, LedgerError> {
        let _ = guarded::<_, StoreError>(|| {
            drop(store);
            Ok(())
        });
        Ok(Box::new(new_store(&folder, cache_bytes)?))
    };
    let mut opened = start(journal, Box::new(store), remake, genesis, options, watch)?;
    opened.report.torn_tail = recovered.torn_tail;
    opened.report.rebuilt = rebuilt.or(opened.report.rebuilt);
    Ok(opened)
}

const fn owner(genesis: &GenesisState) -> Owner {
    Owner::Chain(genesis.chain)
}

/// Whether a store that a crash left can be opened without harm.
fn probed(folder: &Path, options: &LedgerOptions) -> Result<(), StoreError> {
    match &options.probe {
        Some(probe) if SledStore::was_left_open(folder) => probe(folder).map_err(StoreError::Failed),
        _ => Ok(()),
    }
}

pub(super) fn open_with(
    disk: Arc<dyn Disk>,
    folder: &Path,
    store: Box<dyn Store>,
    genesis: &GenesisState,
    options: &LedgerOptions,
) -> Result<Opened, LedgerError> {
    let (journal, recovered) = Journal::open(disk, folder, owner(genesis), options.segments)?;
    let remake = |store: Box<dyn Store>| {
        store.clear()?;
        Ok(store)
    };
    let mut opened = start(journal, store, remake, genesis, options, &mut |_| ControlFlow::Continue(()))?;
    opened.report.torn_tail = recovered.torn_tail;
    Ok(opened)
}

fn start(
    journal: Journal,
    store: Box<dyn Store>,
    remake: impl FnOnce(Box<dyn Store>) -> Result<Box<dyn Store>, LedgerError>,
    genesis: &GenesisState,
    options: &LedgerOptions,
    watch: Watch<'_>,
) -> Result<Opened, LedgerError> {
    let level = options.index;
    let (store, mut replayed, rebuilt) = bring_up(&journal, store, remake, (genesis, level), watch)?;
    let report = OpenReport {
        replayed: replayed.replayed,
        from_kept_tree: replayed.from_kept_tree,
        rebuilt,
        torn_tail: None,
    };
    let indexed = store.applied().map_or(level, |applied| applied.index);
    if indexed < level {
        let levels = (indexed, level);
        guarded(|| reindex(&journal, store.as_ref(), &mut replayed.runs, replayed.tip.height, levels))?;
    }
    let Replayed { tip, tree, runs, bodies, .. } = replayed;
    let reader = journal.reader();
    let shared = Shared::new(genesis.chain, store, runs, reader, tip.clone(), tree.clone(), options.clone());
    let shared = Arc::new(shared);
    let mut positions: Vec<_> = bodies.values().copied().collect();
    positions.sort_unstable();
    let uncommitted: Result<Vec<_>, _> =
        positions.iter().map(|(_, position)| read_body(&shared.journal, *position)).collect();
    let mut ledger = Ledger {
        chain: genesis.chain,
        context: context(&tip, parameters(&shared, &tip)?),
        journal,
        version: Version::stored(tree),
        tip,
        overlays: BTreeMap::new(),
        executions: 0,
        #[cfg(feature = "mistakes")]
        skips_bucket: false,
        scheduled: BTreeMap::new(),
        bodies,
        _threads: Threads::start(&shared)?,
        shared,
    };
    if report.replayed > 0 || report.rebuilt.is_some() || indexed != level || !report.from_kept_tree {
        ledger.checkpoint()?;
    }
    Ok(Opened { reader: ledger.reader(), ledger, uncommitted: uncommitted?, report })
}

/// A store, where its replay has come to, and why it was made again, if it was.
type BroughtUp = (Box<dyn Store>, Replayed, Option<String>);

/// The store at the journal's last commit, made again if that is what it takes.
fn bring_up(
    journal: &Journal,
    mut store: Box<dyn Store>,
    remake: impl FnOnce(Box<dyn Store>) -> Result<Box<dyn Store>, LedgerError>,
    (genesis, level): (&GenesisState, IndexLevel),
    watch: Watch<'_>,
) -> Result<BroughtUp, LedgerError> {
    let found = match store.damaged() {
        Some(what) => Err(StoreError::Failed(what).into()),
        None => guarded(|| {
            check_noted(store.as_ref())?;
            catch_up(journal, store.as_ref(), genesis, level, watch)
        }),
    };
    match found {
        Err(error) if error.is_of_store() => {
            tracing::warn!(%error, "the store does not fit the journal; making it again");
            store = remake(store)?;
            let replayed = catch_up(journal, store.as_ref(), genesis, level, watch)?;
            Ok((store, replayed, Some(error.to_string())))
        }
        done => done.map(|replayed| (store, replayed, None)),
    }
}

/// That a store with blocks knows of a checkpoint: the first one comes before the first block. A store that lost
/// only that would be emptied and filled again without a word.
fn check_noted(store: &dyn Store) -> Result<(), StoreError> {
    let heights = (0u64.to_be_bytes(), u64::MAX.to_be_bytes());
    if store.applied().is_none() && !store.range(Table::Blocks, &heights.0, &heights.1, 1)?.is_empty() {
        return Err(StoreError::Failed(
            "`applied`, the note of its last checkpoint, is damaged or missing".into(),
        ));
    }
    Ok(())
}

fn parameters(shared: &Shared, tip: &Tip) -> Result<Parameters, LedgerError> {
    match shared.read(None, &StateKey::Parameters)? {
        Some(StateValue::Parameters(parameters)) => Ok(parameters),
        _ => Err(damaged(tip.height, "the state has no parameters")),
    }
}

fn context(tip: &Tip, parameters: Parameters) -> Context {
    Context {
        parameters: Arc::new(parameters),
        epoch: tip.epoch,
        validators: Arc::clone(&tip.validators),
        validators_hash: tip.result.next_set_hash,
    }
}

/// Moves what is in the folder aside and makes an empty store there.
fn new_store(folder: &Path, cache_bytes: u64) -> Result<SledStore, LedgerError> {
    let aside = SledStore::move_aside(folder).map_err(|source| io(folder, source))?;
    tracing::warn!(aside = %aside.display(), "moved the damaged store aside");
    Ok(SledStore::open(folder, cache_bytes)?)
}

fn io(path: &Path, source: std::io::Error) -> LedgerError {
    LedgerError::Io { path: PathBuf::from(path), source }
}
