//! Several runs into one, in slices.

use super::build::Build;
use super::manifest::Run;
use super::read::Cursor;
use crate::ledger::store::{Store, StoreError};

/// Runs of consecutive heights that become one. They stay as they are.
#[derive(Debug)]
pub(super) struct Merge {
    inputs: Vec<Cursor>,
    /// `None` when it is done.
    build: Option<Build>,
}

impl Merge {
    /// Of runs of one index, ascending by heights and without a gap; `None` if there are none.
    ///
    /// # Errors
    /// When the store fails, is damaged or lacks a page.
    pub(super) fn new(store: &dyn Store, runs: &[Run]) -> Result<Option<Self>, StoreError> {
        let (Some(oldest), Some(newest)) = (runs.first(), runs.last()) else { return Ok(None) };
        let run = Run { last: newest.last, level: oldest.level.saturating_add(1), entries: 0, ..*oldest };
        let inputs = runs.iter().map(|run| Cursor::new(store, *run)).collect::<Result<_, _>>()?;
        Ok(Some(Self { inputs, build: Some(Build::new(run)) }))
    }

    /// The runs that it replaces.
    pub(super) fn inputs(&self) -> Vec<Run> {
        self.inputs.iter().map(|cursor| *cursor.run()).collect()
    }

    /// Whether it is of an index and a level.
    pub(super) fn is_of(&self, run: &Run) -> bool {
        self.inputs.iter().any(|cursor| (cursor.run().index, cursor.run().level) == (run.index, run.level))
    }

    /// Writes the next entries, at most `max`; the new run when that is all of it.
    ///
    /// # Errors
    /// When the store fails, is damaged or lacks a page, and when runs contradict each other.
    pub(super) fn step(&mut self, store: &dyn Store, max: usize) -> Result<Option<Run>, StoreError> {
        let Some(build) = &mut self.build else { return Ok(None) };
        for _ in 0..max {
            let lowest = self.inputs.iter_mut().filter(|cursor| cursor.peek().is_some());
            let lowest = lowest.min_by(|one, other| one.peek().cmp(&other.peek()));
            let Some(lowest) = lowest else {
                return self.build.take().map(|build| build.finish(store)).transpose();
            };
            if let Some(entry) = lowest.peek() {
                build.push(store, entry)?;
            }
            lowest.advance(store)?;
        }
        Ok(None)
    }
}
