//! Bringing the store to the journal's last commit, and the tree over it.

use super::Tip;
use super::apply::{BlockPlace, Commit, EpochStart, decoded, epoch_entry, holding, run_entries, state_entry};
use super::error::LedgerError;
use super::genesis::GenesisState;
use super::journal::{Journal, Position};
use super::leaves::pair;
use super::options::IndexLevel;
use super::record::{self, CommitRecord, read_body, read_commit};
use super::runs::{Manifest, Writer};
use super::store::{Applied, Entries, Store, StoreError, Table, TreeFile};
use super::tail::{Batch, Cursor};
use crate::block::Block;
use crate::codec::decode;
use crate::ids::{BlockHash, Epoch, Height};
use crate::state::tree::{self, KeyHash, LEAF_KEYS_MAX, LeafSource, Pair, Prefix, RangeSource, Tree};
use crate::state::{StateError, StateKey};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Bytes of changes that are collected before they go into the store: a key is written once for all of them.
const REPLAY_BATCH_BYTES: usize = 16 * 1024 * 1024;
/// Entries of a batch that are written before merges go on.
const REPLAY_SLICE_ENTRIES: usize = 4_096;
/// Replayed blocks between two lines of progress in the log.
const PROGRESS_HEIGHTS: u64 = 10_000;

/// What a replay came to: the store holds everything up to the tip.
pub(super) struct Replayed {
    pub(super) tip: Tip,
    pub(super) tree: Tree,
    /// Who goes on with the indexes' runs.
    pub(super) runs: Writer,
    /// Durable bodies above the tip.
    pub(super) bodies: BTreeMap<BlockHash, (Height, Position)>,
    /// Commits whose changes were replayed.
    pub(super) replayed: u64,
    /// Whether the tree follows from the kept one, so that the state was not read.
    pub(super) from_kept_tree: bool,
}

/// Hears the height of each commit that is replayed, and may stop the opening; the next one goes on.
pub(super) type Watch<'a> = &'a mut dyn FnMut(Height) -> ControlFlow<()>;

struct Replay<'a> {
    journal: &'a Journal,
    store: &'a dyn Store,
    watch: Watch<'a>,
    level: IndexLevel,
    tip: Tip,
    bodies: BTreeMap<BlockHash, (Height, Position)>,
    replayed: u64,
    batch: Batch,
    runs: Writer,
    /// Keys that were changed since the kept tree, if there is one.
    touched: Option<BTreeSet<KeyHash>>,
}

pub(super) fn damaged(height: Height, what: &str) -> LedgerError {
    LedgerError::Damaged { height, what: what.to_owned() }
}

/// Brings the store to the journal's last commit.
pub(super) fn catch_up(
    journal: &Journal,
    store: &dyn Store,
    genesis: &GenesisState,
    level: IndexLevel,
    watch: Watch<'_>,
) -> Result<Replayed, LedgerError> {
    let applied = match store.applied() {
        Some(applied) => applied,
        None => begin(journal, store, genesis, level)?,
    };
    let kept = store.saved_tree().filter(|kept| kept.applied.scan_from >= journal.first());
    let manifest = store.manifest();
    manifest.check(applied.index, applied.height)?;
    let level = level.min(applied.index);
    let applied = Applied { index: level, ..applied };
    let mut replay = Replay {
        journal,
        store,
        watch,
        level,
        tip: tip_at(journal, store, genesis, applied.height)?,
        bodies: BTreeMap::new(),
        replayed: 0,
        batch: Batch::new(applied, Tree::EMPTY, 0),
        runs: Writer::new(store, manifest, level)?,
        // What is read first must be true: a lost neighbour of the parameters shows here, not behind the opening.
        touched: kept.as_ref().map(|_| BTreeSet::from([StateKey::Parameters.hash()])),
    };
    let from = kept.as_ref().map_or(applied.scan_from, |kept| kept.applied.scan_from.min(applied.scan_from));
    for entry in journal.scan(from) {
        let entry = entry?;
        let undecoded = |error: crate::codec::DecodeError| damaged(replay.tip.height, &error.0);
        match entry.kind {
            record::BODY => {
                let block: Block = decode(&entry.payload).map_err(undecoded)?;
                replay.bodies.insert(block.hash(), (block.header.height, entry.position));
            }
            record::COMMIT => {
                let commit: CommitRecord = decode(&entry.payload).map_err(undecoded)?;
                replay.touch(kept.as_ref(), &commit);
                if commit.height > applied.height {
                    replay.commit(&commit, entry.position)?;
                }
            }
            kind => return Err(damaged(replay.tip.height, &format!("a journal record of kind {kind}"))),
        }
    }
    replay.write()?;
    let tip = replay.tip.height;
    replay.bodies.retain(|_, (height, _)| *height > tip);
    let (tree, from_kept_tree) = replay.tree(kept)?;
    let Replay { tip, runs, bodies, replayed, .. } = replay;
    Ok(Replayed { tip, tree, runs, bodies, replayed, from_kept_tree })
}

/// The genesis state into an empty store.
fn begin(
    journal: &Journal,
    store: &dyn Store,
    genesis: &GenesisState,
    index: IndexLevel,
) -> Result<Applied, LedgerError> {
    store.clear()?;
    // In the order of the table: sled then has at hand what it adds to, however many there are.
    let mut entries: Vec<_> = genesis.entries.iter().map(|entry| (entry.0.hash(), entry)).collect();
    entries.sort_unstable_by_key(|(hash, _)| *hash);
    for (hash, (key, value)) in entries {
        store.set(Table::State, &hash.0, Some(&state_entry(key, value)))?;
        if let Some(((table, key), held)) = holding(key, true) {
            store.set(table, &key, held.as_deref())?;
        }
    }
    let ((table, key), start) = epoch_entry(Epoch::ZERO, Height::ZERO.next(), &genesis.validators);
    store.set(table, &key, start.as_deref())?;
    let applied = Applied { height: Height::ZERO, scan_from: journal.first(), index };
    store.checkpoint(applied, &Manifest::default())?;
    Ok(applied)
}

impl Replay<'_> {
    fn touch(&mut self, kept: Option<&TreeFile>, commit: &CommitRecord) {
        let later = kept.is_some_and(|kept| commit.height > kept.applied.height);
        if let Some(touched) = self.touched.as_mut().filter(|_| later) {
            touched.extend(commit.changes.iter().map(|entry| entry.key.hash()));
        }
    }

    fn commit(&mut self, commit: &CommitRecord, position: Position) -> Result<(), LedgerError> {
        let block = read_body(&self.journal.reader(), commit.body)?;
        let header = &block.header;
        let follows = commit.height == self.tip.height.next()
            && header.parent == self.tip.block
            && header.epoch == self.tip.epoch
            && commit.certificate.epoch == self.tip.epoch;
        if !follows || block.hash() != commit.block {
            return Err(damaged(commit.height, "a commit does not follow the one before it"));
        }
        let hashes = commit.changes.iter().map(|entry| entry.key.hash());
        self.batch.set(&Arc::new(commit.changes.clone()), hashes.zip(0..));
        let record = commit.as_ref();
        self.batch.index(&Commit { record, position, block: &block }, self.level);
        self.batch.applied.height = commit.height;
        self.tip = self.tip.after(&block.header, &record);
        self.replayed += 1;
        if self.batch.bytes >= REPLAY_BATCH_BYTES {
            self.write()?;
        }
        if self.replayed.is_multiple_of(PROGRESS_HEIGHTS) {
            tracing::info!(height = commit.height.0, "replaying the journal");
        }
        match (self.watch)(commit.height) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(LedgerError::Interrupted),
        }
    }

    /// What was collected into the store.
    fn write(&mut self) -> Result<(), LedgerError> {
        let next = Batch::new(self.batch.applied, Tree::EMPTY, 0);
        let batch = std::mem::replace(&mut self.batch, next);
        write(self.store, &mut self.runs, &batch)
    }

    /// The tree over the store's state, whose root must be the one that the tip's certificate binds; and
    /// whether the kept one served.
    fn tree(&mut self, kept: Option<TreeFile>) -> Result<(Tree, bool), LedgerError> {
        let certified = self.tip.result.state_root.0;
        if let (Some(kept), Some(touched)) = (kept, self.touched.take()) {
            match kept.tree.refreshed(&Stored(self.store), touched) {
                Ok(tree) if tree.root() == certified => return Ok((tree, true)),
                Ok(_) => {
                    tracing::warn!("the kept tree does not lead to the certified root; reading the state")
                }
                Err(error) => tracing::warn!(%error, "the kept tree does not fit; reading the state"),
            }
        }
        let tree = Tree::try_build(pairs_below(self.store, &Prefix::ROOT)).map_err(StateError::from)?;
        if tree.root() == certified {
            Ok((tree, false))
        } else {
            Err(damaged(self.tip.height, "the state does not have the certified root"))
        }
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
    let place: Option<BlockPlace> = stored(store, Table::Blocks, height.0)?;
    let place = place.ok_or_else(|| damaged(height, "the applied block is missing"))?;
    let commit = read_commit(&journal.reader(), place.commit)?;
    let block = read_body(&journal.reader(), place.body)?;
    // Not from the state, which may hold later changes already.
    let epoch = block.header.epoch;
    let begun: Option<EpochStart> = stored(store, Table::Epochs, epoch.0)?;
    let validators = begun.ok_or_else(|| damaged(height, "its epoch has no validators"))?.validators;
    let tip = Tip { epoch, validators: Arc::new(validators), ..start };
    Ok(tip.after(&block.header, &commit.as_ref()))
}

fn stored<T: borsh::BorshDeserialize>(
    store: &dyn Store,
    table: Table,
    key: u64,
) -> Result<Option<T>, StoreError> {
    let key = key.to_be_bytes();
    decoded(store.get(table, &key)?, table.name(), &key)
}

/// A batch into the store, with what is to be merged meanwhile.
fn write(store: &dyn Store, runs: &mut Writer, batch: &Batch) -> Result<(), LedgerError> {
    if batch.heights == 0 {
        return Ok(());
    }
    let mut at = Cursor::Start;
    while !batch.write(store, runs, &mut at, REPLAY_SLICE_ENTRIES)? {
        // Nobody reads yet.
        runs.work(store, REPLAY_SLICE_ENTRIES, |_| {})?;
    }
    Ok(())
}

/// Makes the indexes that a level has beyond another from the journal's commits.
pub(super) fn reindex(
    journal: &Journal,
    store: &dyn Store,
    runs: &mut Writer,
    tip: Height,
    (indexed, level): (IndexLevel, IndexLevel),
) -> Result<(), LedgerError> {
    tracing::info!(%level, heights = tip.0, "making the indexes from the journal");
    let batch = |height| {
        let applied = Applied { height: Height(height), scan_from: journal.first(), index: level };
        Batch::new(applied, Tree::EMPTY, 0)
    };
    let mut next = batch(0);
    for height in 1..=tip.0 {
        let place: Option<BlockPlace> = stored(store, Table::Blocks, height)?;
        let place = place.ok_or_else(|| damaged(Height(height), "the block is missing"))?;
        let record = read_commit(&journal.reader(), place.commit)?;
        let block = read_body(&journal.reader(), place.body)?;
        let commit = Commit { record: record.as_ref(), position: place.commit, block: &block };
        let entries = run_entries(&commit, level).into_iter();
        next.enter(entries.filter(|((index, _), _)| !index.is_kept(indexed)));
        next.applied.height = Height(height);
        if next.bytes >= REPLAY_BATCH_BYTES || height == tip.0 {
            write(store, runs, &std::mem::replace(&mut next, batch(height)))?;
        }
        if height.is_multiple_of(PROGRESS_HEIGHTS) {
            tracing::info!(height, of = tip.0, "making the indexes from the journal");
        }
    }
    Ok(())
}

/// The store's state, as the tree reads it while nothing else writes.
struct Stored<'a>(&'a dyn Store);

impl LeafSource for Stored<'_> {
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<Pair>, tree::Error> {
        // One more than a leaf holds shows that the store does not fit the tree.
        pairs_below(self.0, prefix).take(LEAF_KEYS_MAX + 1).collect()
    }
}

impl RangeSource for Stored<'_> {
    fn pairs_below(&self, prefix: &Prefix) -> Result<Vec<Pair>, tree::Error> {
        pairs_below(self.0, prefix).collect()
    }
}

/// The pairs below a prefix, in order.
fn pairs_below<'a>(
    store: &'a dyn Store,
    prefix: &Prefix,
) -> impl Iterator<Item = Result<Pair, tree::Error>> + 'a {
    let (first, last) = prefix.range();
    let entries = Entries::new(store, Table::State, &first.0, &last.0);
    entries.map(|entry| entry.and_then(|(key, entry)| pair(&key, &entry)).map_err(tree::Error::source))
}
