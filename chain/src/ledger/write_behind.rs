//! Writing the tail into the store, in slices beside everything else.

use super::Ledger;
use super::error::LedgerError;
use super::runs::Writer;
use super::shared::{Inner, Shared, lock};
use super::store::{StoreError, TreeFile};
use super::tail::{Batch, Cursor};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Entries that are written at once, about a millisecond's work.
const SLICE_ENTRIES: usize = 128;
/// Between two slices while commits have room: others get disk and processor.
const PAUSE: Duration = Duration::from_millis(1);
/// How long a batch waits for more commits to come into it: an entry that changes meanwhile is written once, and
/// fewer runs are to be merged.
const LINGER: Duration = Duration::from_secs(2);
/// Heights after which a checkpoint is due.
pub(super) const CHECKPOINT_HEIGHTS: u64 = 2_000;
/// Journal bytes after which a checkpoint is due.
pub(super) const CHECKPOINT_BYTES: u64 = 64 * 1024 * 1024;
/// A tree is written at a checkpoint if it takes no more than this, or than what was committed since the last.
const TREE_FILE_BYTES: u64 = 1024 * 1024;
/// Bytes of a key in the tree's file, about: 33 a leaf, and leaves are a third full.
const TREE_KEY_BYTES: u64 = 4;

/// What the thread does next.
enum Work {
    /// A slice of a batch.
    Write,
    /// A slice of merges, while the next batch still grows.
    Merge,
}

/// Who holds it writes into the store.
#[derive(Debug, Default)]
pub(super) struct Pen {
    at: Cursor,
    runs: Writer,
    /// Height and journal bytes of the last checkpoint.
    checkpointed: (u64, u64),
    /// Journal bytes at the last tree that was written.
    tree_at: Option<u64>,
}

impl Pen {
    /// Of who goes on with these runs.
    pub(super) fn new(runs: Writer) -> Self {
        Self { runs, ..Self::default() }
    }
}

impl Inner {
    /// Whether the active batch takes half of what the store may lack.
    pub(super) fn is_full(&self, shared: &Shared) -> bool {
        self.active.as_ref().is_some_and(|batch| {
            u64::from(batch.heights) * 2 >= u64::from(shared.options.lag_heights)
                || batch.bytes as u64 * 2 >= shared.options.lag_bytes
        })
    }

    fn seal(&mut self) {
        if self.sealed.is_none() {
            self.sealed = self.active.take().map(Arc::new);
        }
    }
}

impl Shared {
    /// Writes at most `max` entries of what the store lacks, and merges runs meanwhile; whether there is more.
    pub(super) fn write_slice(&self, max: usize) -> Result<bool, LedgerError> {
        self.check()?;
        let mut pen = self.pen.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = {
            let mut inner = self.inner();
            inner.seal();
            inner.sealed.clone()
        };
        let Some(batch) = batch else { return self.merge(&mut pen, max) };
        let written = guarded::<_, StoreError>(|| {
            let Pen { at, runs, .. } = &mut *pen;
            batch.write(self.store.as_ref(), runs, at, max)
        });
        let done = written.inspect_err(|error| self.fail(&error.to_string()))?;
        let merges = self.merge(&mut pen, max)?;
        if !done {
            return Ok(true);
        }
        pen.at = Cursor::Start;
        let more = {
            let mut inner = self.inner();
            inner.sealed = None;
            merges || inner.active.is_some()
        };
        self.room.notify_all();
        let (height, bytes) = pen.checkpointed;
        let due = batch.applied.height.0 >= height + CHECKPOINT_HEIGHTS
            || batch.journal_bytes >= bytes + CHECKPOINT_BYTES;
        if due {
            self.checkpoint_at(&mut pen, &batch)?;
        }
        Ok(more)
    }

    /// Merges runs by at most `max` entries each, and shows readers the runs that there are now; whether there is more
    /// to merge or remove.
    fn merge(&self, pen: &mut Pen, max: usize) -> Result<bool, LedgerError> {
        let show = |runs: &Arc<_>| self.show_runs(runs);
        let merged = guarded::<_, StoreError>(|| pen.runs.work(self.store.as_ref(), max, show));
        merged.inspect_err(|error| self.fail(&error.to_string()))?;
        let busy = pen.runs.is_busy();
        self.inner().merging = busy;
        Ok(busy)
    }

    /// The store is durable up to a batch that is in it.
    fn checkpoint_at(&self, pen: &mut Pen, batch: &Batch) -> Result<(), LedgerError> {
        let bytes = batch.tree.len().saturating_mul(TREE_KEY_BYTES);
        let since = pen.tree_at.map_or(u64::MAX, |at| batch.journal_bytes - at);
        let tree = (bytes <= since.max(TREE_FILE_BYTES))
            .then_some(TreeFile { applied: batch.applied, tree: batch.tree.clone() });
        let save = || {
            self.store.checkpoint(batch.applied, pen.runs.manifest())?;
            tree.as_ref().map_or(Ok(()), |tree| self.store.save_tree(tree))
        };
        guarded::<_, StoreError>(save).inspect_err(|error| self.fail(&error.to_string()))?;
        pen.runs.noted();
        pen.checkpointed = (batch.applied.height.0, batch.journal_bytes);
        if tree.is_some() {
            pen.tree_at = Some(batch.journal_bytes);
        }
        Ok(())
    }

    /// Writes everything and makes it durable; `current` stands for a tail without commits.
    fn checkpoint(&self, current: Batch) -> Result<(), LedgerError> {
        while self.inner().batches().next().is_some() {
            self.write_slice(SLICE_ENTRIES)?;
        }
        self.checkpoint_at(&mut self.pen.lock().unwrap_or_else(PoisonError::into_inner), &current)
    }

    /// Waits, or writes itself, until the tail has room for a commit.
    pub(super) fn make_room(&self) -> Result<(), LedgerError> {
        loop {
            self.check()?;
            let mut inner = self.inner();
            if !inner.is_full(self) {
                return Ok(());
            }
            if inner.sealed.is_none() {
                inner.seal();
                self.work.notify_all();
                return Ok(());
            }
            if self.options.background {
                drop(self.room.wait_timeout(inner, LINGER).unwrap_or_else(PoisonError::into_inner));
            } else {
                drop(inner);
                self.write_slice(SLICE_ENTRIES)?;
            }
        }
    }

    /// Waits for something to do; `None` when the ledger closes.
    fn wait_for_work(&self) -> Option<Work> {
        let mut inner = self.inner();
        while !inner.closing && self.failure().is_none() {
            if inner.sealed.is_some() || inner.is_full(self) {
                return Some(Work::Write);
            }
            if inner.merging {
                return Some(Work::Merge);
            }
            let (next, waited) =
                self.work.wait_timeout(inner, LINGER).unwrap_or_else(PoisonError::into_inner);
            inner = next;
            if waited.timed_out() && inner.active.is_some() && !inner.closing {
                return Some(Work::Write);
            }
        }
        None
    }

    fn write_behind(&self) {
        while let Some(work) = self.wait_for_work() {
            let done = match work {
                Work::Write => self.write_slice(SLICE_ENTRIES),
                Work::Merge => self.merge(&mut lock(&self.pen), SLICE_ENTRIES),
            };
            // What it failed at is remembered, and stops the ledger.
            let Ok(_) = done else { return };
            if !self.inner().is_full(self) {
                std::thread::sleep(PAUSE);
            }
        }
    }
}

/// Runs what may panic inside of sled, which it does on some damage.
pub(super) fn guarded<T, E: From<StoreError>>(run: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let panicked = |_| Err(StoreError::Failed("sled panicked".into()).into());
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(panicked)
}

/// The ledger's own threads; they end when this is dropped, after the slice or step that they are at.
pub(super) struct Threads {
    shared: Arc<Shared>,
    running: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Starts them, if the ledger is to have any.
    pub(super) fn start(shared: &Arc<Shared>) -> Result<Self, LedgerError> {
        let mut threads = Self { shared: Arc::clone(shared), running: Vec::new() };
        if shared.options.background {
            threads.spawn("write-behind", Shared::write_behind)?;
            if !shared.options.scrub_interval.is_zero() {
                threads.spawn("scrub", Shared::scrub_for_ever)?;
            }
        }
        Ok(threads)
    }

    fn spawn(&mut self, name: &str, run: fn(&Shared)) -> Result<(), LedgerError> {
        let shared = Arc::clone(&self.shared);
        let spawned = std::thread::Builder::new().name(name.into()).spawn(move || run(&shared));
        self.running.push(spawned.map_err(|error| LedgerError::Failed(format!("no thread: {error}")))?);
        Ok(())
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.shared.inner().closing = true;
        self.shared.work.notify_all();
        self.shared.closes.notify_all();
        for thread in self.running.drain(..) {
            // A panic of sled's was caught and is remembered already.
            let _ = thread.join();
        }
    }
}

impl Ledger {
    /// Writes at most `entries` of what the store lacks; whether there is more. A ledger with threads of its
    /// own does that by itself.
    ///
    /// # Errors
    /// When the store fails; the node must then stop.
    pub fn write_behind(&self, entries: usize) -> Result<bool, LedgerError> {
        self.shared.write_slice(entries)
    }

    /// Makes the store durable up to the tip, so that opening starts there.
    ///
    /// # Errors
    /// When anything could not be synced; the node must then stop.
    pub fn checkpoint(&mut self) -> Result<(), LedgerError> {
        let applied = self.applied();
        let journal_bytes = self.shared.inner().journal_bytes;
        self.shared.checkpoint(Batch::new(applied, self.version.tree().clone(), journal_bytes))
    }
}
