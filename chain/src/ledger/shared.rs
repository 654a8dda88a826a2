//! What readers and the one writer share, and how an entry is read at a height.
//!
//! ```text
//!   changed since the height? ──► history: what the first later block found there
//!   else the value at the tip ──► cache, tail (active, sealed), store
//! ```
//!
//! No lock is held while the store is read. What is read there may already be a later block's: but a block's
//! changes go to the store only after it is published, with what it overwrote. So history is asked again
//! afterwards, for the blocks that were published meanwhile.

use super::Tip;
use super::apply::{Commit, state_value, state_value_hash};
use super::cache::Cache;
use super::error::LedgerError;
use super::history::{Before, History, Past};
use super::journal;
use super::leaves::Seeing;
use super::options::LedgerOptions;
use super::reader::{CACHED_BLOCK_TRANSACTIONS_MAX, CACHED_BLOCKS_MAX, CommittedBlock};
use super::runs::{Manifest, Writer};
use super::scrub::Scrub;
use super::store::{Applied, Store, StoreError};
use super::tail::{Batch, IndexKey, RunKey};
use super::write_behind::Pen;
use crate::ids::{ChainId, Height};
use crate::state::tree::{Digest, KeyHash, Pair, Tree};
use crate::state::{Entry, StateError, StateKey, StateValue, Version};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

/// What readers and the one writer share.
pub(super) struct Shared {
    pub(super) chain: ChainId,
    pub(super) store: Box<dyn Store>,
    pub(super) journal: journal::Reader,
    pub(super) options: LedgerOptions,
    inner: Mutex<Inner>,
    /// Signalled when a batch is in the store, and when nothing more will come.
    pub(super) room: Condvar,
    /// Signalled when there is enough to write behind, or the ledger closes.
    pub(super) work: Condvar,
    /// Signalled when the ledger closes.
    pub(super) closes: Condvar,
    pub(super) scrub: Mutex<Scrub>,
    /// Held by who writes into the store.
    pub(super) pen: Mutex<Pen>,
    /// The tip for those who want nothing else: they wait for nobody.
    tip: RwLock<Arc<Tip>>,
    /// Leaves by their digests.
    pub(super) leaves: Mutex<Cache<(Digest, Arc<[Pair]>)>>,
    blocks: Mutex<VecDeque<Arc<CommittedBlock>>>,
    /// The runs that are in the store.
    pub(super) manifest: RwLock<Arc<Manifest>>,
    failure: OnceLock<String>,
}

/// What changes with each commit, as a whole.
pub(super) struct Inner {
    pub(super) history: History,
    pub(super) active: Option<Batch>,
    pub(super) sealed: Option<Arc<Batch>>,
    /// Entries at the tip.
    values: Cache<Entry>,
    /// Bytes committed to the journal since it was opened.
    pub(super) journal_bytes: u64,
    /// Whether runs are to be merged or removed.
    pub(super) merging: bool,
    pub(super) closing: bool,
}

/// A durable commit, to be shown.
pub(super) struct Publication<'a> {
    pub(super) commit: Commit<'a>,
    pub(super) version: &'a Version,
    /// The new tip's, its leaves given back.
    pub(super) tree: Tree,
    pub(super) before: Vec<Before>,
    pub(super) tip: Tip,
    pub(super) applied: Applied,
    pub(super) bytes: u64,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an entry takes, about.
pub(super) fn weight(entry: &Entry) -> usize {
    let elsewhere = match &entry.value {
        None | Some(StateValue::Seated(_) | StateValue::Balance(_)) => 0,
        Some(StateValue::Account(account)) => size_of_val(&*account.keys),
        // At most what it is as bytes.
        Some(value) => borsh::object_length(value).unwrap_or(0),
    };
    let name = if let StateKey::Data(_, key) = &entry.key { key.len() } else { 0 };
    size_of::<Entry>() + elsewhere + name
}

impl Shared {
    pub(super) fn new(
        chain: ChainId,
        store: Box<dyn Store>,
        runs: Writer,
        journal: journal::Reader,
        tip: Tip,
        tree: Tree,
        options: LedgerOptions,
    ) -> Self {
        let tip = Arc::new(tip);
        let (value_bytes, leaf_bytes) = (options.value_cache_bytes(), options.leaf_cache_bytes());
        let inner = Inner {
            history: History::new(Arc::clone(&tip), tree, options.states()),
            active: None,
            sealed: None,
            values: Cache::new(value_bytes),
            journal_bytes: 0,
            merging: runs.is_busy(),
            closing: false,
        };
        Self {
            chain,
            store,
            journal,
            options,
            inner: Mutex::new(inner),
            room: Condvar::new(),
            work: Condvar::new(),
            closes: Condvar::new(),
            scrub: Mutex::default(),
            manifest: RwLock::new(Arc::clone(runs.manifest())),
            pen: Mutex::new(Pen::new(runs)),
            tip: RwLock::new(tip),
            leaves: Mutex::new(Cache::new(leaf_bytes)),
            blocks: Mutex::default(),
            failure: OnceLock::new(),
        }
    }

    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    pub(super) fn tip(&self) -> Arc<Tip> {
        Arc::clone(&self.tip.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Why the ledger must not be used any more, if so.
    pub(super) fn check(&self) -> Result<(), LedgerError> {
        self.failure.get().map_or(Ok(()), |what| Err(LedgerError::Failed(what.clone())))
    }

    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.get().map(String::as_str)
    }

    /// Something stored is damaged: the ledger stops, and the next opening makes the store again.
    pub(super) fn fail(&self, what: &str) {
        if self.stop(what) {
            tracing::error!("the store is made again at the next start");
            if let Err(error) = self.store.mark_damaged(what) {
                tracing::error!(%error, "and could not be marked so; move the folder data/state away");
            }
        }
    }

    /// The ledger must not be used any more; whether this is the first reason.
    pub(super) fn stop(&self, what: &str) -> bool {
        let first = self.failure.set(what.to_owned()).is_ok();
        if first {
            tracing::error!(what, "the ledger is damaged");
        }
        self.room.notify_all();
        self.work.notify_all();
        first
    }

    pub(super) fn failed(&self, error: StoreError) -> StateError {
        self.fail(&error.to_string());
        StateError::Store(error.to_string())
    }

    /// An entry at a height, or at the tip.
    pub(super) fn read(
        &self,
        height: Option<Height>,
        key: &StateKey,
    ) -> Result<Option<StateValue>, StateError> {
        let (hash, seen, tree) = {
            let mut inner = self.inner();
            let last = inner.history.last();
            let height = height.unwrap_or(last);
            let mut hash = None;
            if height != last {
                inner.history.at(height)?;
                let hash = hash.insert(key.hash());
                if let Some(old) = inner.history.before(height, hash) {
                    return Ok(old.value.clone());
                }
            }
            if let Some(entry) = inner.values.get(key) {
                return Ok(entry.value.clone());
            }
            let hash = hash.unwrap_or_else(|| key.hash());
            if let Some(entry) = inner.unwritten(&hash).cloned() {
                inner.keep(&entry);
                return Ok(entry.value);
            }
            (hash, last, inner.history.at(last)?.tree.clone())
        };
        let value = self.stored(seen, &tree, key, &hash);
        let mut inner = self.inner();
        if let Some(old) = inner.history.since(seen, &hash)? {
            return Ok(old.value.clone());
        }
        let entry = match value {
            Ok(value) => Entry { key: key.clone(), value },
            Err(what) => {
                drop(inner);
                return Err(self.failed(StoreError::Failed(what)));
            }
        };
        inner.keep(&entry);
        Ok(entry.value)
    }

    /// What the store has at a key, which must be what the tree of a height has. If the height's entry was changed
    /// since, both may differ and either may be another's.
    fn stored(
        &self,
        height: Height,
        tree: &Tree,
        key: &StateKey,
        hash: &KeyHash,
    ) -> Result<Option<StateValue>, String> {
        let leaf = Seeing::new(self, height, *hash);
        let Some(expected) = tree.get(&leaf, hash).map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        let entry = leaf.entry().map_err(|error| error.to_string())?;
        let entry = entry.filter(|entry| state_value_hash(entry) == expected);
        let value = entry.and_then(|entry| state_value(key, &entry));
        value.map(Some).ok_or_else(|| format!("the entry at {key:?} does not fit the state root"))
    }

    /// What a block is about to overwrite at the tip.
    pub(super) fn before(&self, version: &Version) -> Result<Vec<Before>, LedgerError> {
        let before = version.hashed().map(|(hash, Entry { key, .. })| {
            let value = self.read(None, key)?;
            Ok((*hash, Entry { key: key.clone(), value }))
        });
        before.collect()
    }

    /// Shows a durable commit, whole and at once.
    pub(super) fn publish(&self, new: Publication<'_>) {
        let Publication { commit, version, tree, before, tip, applied, bytes } = new;
        let tip = Arc::new(tip);
        let mut inner = self.inner();
        let inner = &mut *inner;
        inner.journal_bytes += bytes;
        let journal_bytes = inner.journal_bytes;
        let batch = inner.active.get_or_insert_with(|| Batch::new(applied, tree.clone(), journal_bytes));
        (batch.applied, batch.tree, batch.journal_bytes) = (applied, tree.clone(), journal_bytes);
        let (mut old_bytes, mut removed) = (0, Vec::new());
        batch.set(version.changes(), version.places().iter().copied());
        for ((_, entry), (_, old)) in version.hashed().zip(&before) {
            inner.values.insert(entry.clone(), weight(entry));
            old_bytes += weight(old);
            if let (StateKey::Balance(account, asset), None) = (&entry.key, &entry.value) {
                removed.push((*account, *asset));
            }
        }
        batch.index(&commit, self.options.index);
        let past = Past::new(Arc::clone(&tip), tree, before, old_bytes).removing(removed);
        inner.history.push(past);
        *self.tip.write().unwrap_or_else(PoisonError::into_inner) = tip;
        if inner.is_full(self) {
            self.work.notify_all();
        }
    }

    /// Keeps the leaves that a version is about to give back, in the place of those that it replaces.
    pub(super) fn keep_leaves(&self, replaced: &Tree, version: &Version) {
        let mut leaves = lock(&self.leaves);
        for (hash, _) in version.places() {
            if let Some(digest) = replaced.leaf_digest(hash) {
                leaves.remove(&digest);
            }
            if let Some((digest, pairs)) = version.tree().loaded_leaf(hash) {
                leaves.insert((*digest, Arc::clone(pairs)), size_of_val::<[Pair]>(pairs));
            }
        }
    }

    /// Keeps a block in memory, unless it is large.
    pub(super) fn remember(&self, block: &Arc<CommittedBlock>) {
        if block.block.transactions.len() > CACHED_BLOCK_TRANSACTIONS_MAX {
            return;
        }
        let mut blocks = lock(&self.blocks);
        if blocks.len() >= CACHED_BLOCKS_MAX {
            blocks.pop_front();
        }
        blocks.push_back(Arc::clone(block));
    }

    /// A block that is in memory.
    pub(super) fn remembered(&self, height: Height) -> Option<Arc<CommittedBlock>> {
        lock(&self.blocks).iter().rev().find(|block| block.block.header.height == height).cloned()
    }

    #[cfg(test)]
    pub(super) fn remembered_count(&self) -> usize {
        lock(&self.blocks).len()
    }
}

impl Inner {
    /// The batches that the store lacks, later ones last.
    pub(super) fn batches(&self) -> impl DoubleEndedIterator<Item = &Batch> {
        self.sealed.as_deref().into_iter().chain(&self.active)
    }

    fn unwritten(&self, hash: &KeyHash) -> Option<&Entry> {
        self.batches().rev().find_map(|batch| batch.state(hash))
    }

    pub(super) fn unwritten_index(&self, key: &IndexKey) -> Option<&Option<Vec<u8>>> {
        self.batches().rev().find_map(|batch| batch.indexed(key))
    }

    pub(super) fn unwritten_entry(&self, key: &RunKey) -> Option<&Vec<u8>> {
        self.batches().rev().find_map(|batch| batch.entered(key))
    }

    fn keep(&mut self, entry: &Entry) {
        self.values.insert(entry.clone(), weight(entry));
    }
}
