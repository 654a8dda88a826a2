//! The one who writes runs.

use super::build::Build;
use super::manifest::{Manifest, Run};
use super::merge::Merge;
use super::read::pages;
use super::{Index, MERGED_RUNS, RUNS_A_LEVEL_MAX};
use crate::ids::Height;
use crate::ledger::options::IndexLevel;
use crate::ledger::store::{Store, StoreError, Table};
use std::sync::Arc;

/// Makes a run of each batch, merges runs, and removes those that were merged.
///
/// A merged run that the last checkpoint names stays until the next one: a crash before needs it.
#[derive(Debug, Default)]
pub(in crate::ledger) struct Writer {
    manifest: Arc<Manifest>,
    /// The manifest of the last checkpoint.
    noted: Arc<Manifest>,
    /// Runs of the batch that is written.
    builds: Vec<Build>,
    merges: Vec<Merge>,
    /// Runs that only the manifest of the last checkpoint names.
    replaced: Vec<Run>,
    /// Runs that nothing names any more.
    unused: Vec<Run>,
}

impl Writer {
    /// Goes on where a checkpoint noted `manifest`, at the same or a lower level. Removes what was written after it:
    /// that is not complete, and will be written again.
    ///
    /// # Errors
    /// When the store fails.
    pub(in crate::ledger) fn new(
        store: &dyn Store,
        mut manifest: Manifest,
        level: IndexLevel,
    ) -> Result<Self, StoreError> {
        remove_others(store, &manifest)?;
        let noted = Arc::new(manifest.clone());
        let replaced = manifest.lower(level);
        let mut writer = Self { manifest: Arc::new(manifest), noted, replaced, ..Self::default() };
        writer.begin_merges(store)?;
        Ok(writer)
    }

    /// The runs that are there: what a reader may look at from now on.
    pub(in crate::ledger) const fn manifest(&self) -> &Arc<Manifest> {
        &self.manifest
    }

    /// Adds an entry of a batch that ends at a height. Those of an index come in ascending order.
    ///
    /// # Errors
    /// When the store fails, or the entry does not follow.
    pub(in crate::ledger) fn push(
        &mut self,
        store: &dyn Store,
        last: Height,
        index: Index,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreError> {
        self.build(index, last).push(store, (key, value))
    }

    fn build(&mut self, index: Index, last: Height) -> &mut Build {
        let at = self.builds.iter().position(|build| build.run().index == index);
        let at = at.unwrap_or_else(|| {
            let first = self.manifest.last(index).next();
            self.builds.push(Build::new(Run { index, first, last, level: 0, entries: 0 }));
            self.builds.len() - 1
        });
        &mut self.builds[at]
    }

    /// Ends a batch: its runs are complete and in the manifest, for every index that a level keeps.
    ///
    /// # Errors
    /// When the store fails.
    pub(in crate::ledger) fn seal(
        &mut self,
        store: &dyn Store,
        level: IndexLevel,
        last: Height,
    ) -> Result<(), StoreError> {
        for index in Index::ALL {
            // One that is made anew ends with the batch that it is at; the others are there already.
            if index.is_kept(level) && self.manifest.last(index) < last {
                self.build(index, last);
            }
        }
        for build in std::mem::take(&mut self.builds) {
            let run = build.finish(store)?;
            Arc::make_mut(&mut self.manifest).add(run);
        }
        self.begin_merges(store)?;
        self.bound(store)
    }

    /// Begins the merges for which there are enough runs: at most one for a level of an index.
    fn begin_merges(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        for run in self.manifest.runs() {
            if self.merges.iter().any(|merge| merge.is_of(run)) {
                continue;
            }
            if let Some(runs) = self.manifest.due(run.index, run.level, MERGED_RUNS) {
                self.merges.extend(Merge::new(store, &runs)?);
            }
        }
        Ok(())
    }

    /// Finishes merges of levels that have too many runs.
    fn bound(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        while let Some(at) = self.merges.iter().position(|merge| self.is_full(merge)) {
            while !self.step(store, at, usize::MAX)? {}
            self.begin_merges(store)?;
        }
        Ok(())
    }

    fn is_full(&self, merge: &Merge) -> bool {
        let of = |run: &&Run| merge.is_of(run);
        self.manifest.runs().iter().filter(of).count() > RUNS_A_LEVEL_MAX
    }

    /// The next entries of a merge; whether it is done, and its run in the manifest.
    fn step(&mut self, store: &dyn Store, at: usize, max: usize) -> Result<bool, StoreError> {
        let Some(run) = self.merges[at].step(store, max)? else { return Ok(false) };
        let inputs = self.merges.swap_remove(at).inputs();
        Arc::make_mut(&mut self.manifest).merged(&inputs, run);
        for input in inputs {
            if self.noted.has(&input) { self.replaced.push(input) } else { self.unused.push(input) }
        }
        Ok(true)
    }

    /// Whether there are merges under way, or runs to remove.
    pub(in crate::ledger) fn is_busy(&self) -> bool {
        !self.merges.is_empty() || !self.unused.is_empty()
    }

    /// Goes on with every merge by at most `max` entries, shows which runs there are now, and only then removes about
    /// as many entries of every run that nothing names any more: who looks by what was shown finds it, or finds that
    /// something else is shown. With as many as a batch writes at a time both keep pace with batches: an entry is merged
    /// once a level.
    ///
    /// # Errors
    /// When the store fails, is damaged or lacks a page.
    pub(in crate::ledger) fn work(
        &mut self,
        store: &dyn Store,
        max: usize,
        show: impl FnOnce(&Arc<Manifest>),
    ) -> Result<(), StoreError> {
        let mut done = false;
        for at in (0..self.merges.len()).rev() {
            done |= self.step(store, at, max)?;
        }
        if done {
            self.begin_merges(store)?;
        }
        show(&self.manifest);
        let mut unused = Vec::new();
        for run in std::mem::take(&mut self.unused) {
            if !remove(store, &run, max.div_ceil(run.index.page_entries()))? {
                unused.push(run);
            }
        }
        self.unused = unused;
        Ok(())
    }

    /// The manifest is noted durably: what only the one before named may go.
    pub(in crate::ledger) fn noted(&mut self) {
        self.noted = Arc::clone(&self.manifest);
        self.unused.append(&mut self.replaced);
    }
}

/// Removes pages of a run, at most `max`; whether that was all of them.
fn remove(store: &dyn Store, run: &Run, max: usize) -> Result<bool, StoreError> {
    let found = pages(store, run, max)?;
    found.iter().try_for_each(|(key, _)| store.set(Table::Runs, key, None))?;
    Ok(found.len() < max)
}

/// Pages that are removed at once.
const REMOVED_PAGES: usize = 64;

/// Removes the pages of all runs that a manifest does not name.
fn remove_others(store: &dyn Store, manifest: &Manifest) -> Result<(), StoreError> {
    let mut from = Vec::new();
    let end = [u8::MAX; 80];
    while let Some((key, _)) = store.range(Table::Runs, &from, &end, 1)?.pop() {
        match Run::named(&key) {
            Some((run, _)) => {
                while !manifest.has(&run) && !remove(store, &run, REMOVED_PAGES)? {}
                from = run.end();
            }
            None => {
                store.set(Table::Runs, &key, None)?;
                from = key;
            }
        }
    }
    Ok(())
}
