//! Which runs there are.

use super::Index;
use crate::ids::Height;
use crate::ledger::options::IndexLevel;
use crate::ledger::store::StoreError;
use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;

/// What the blocks of some consecutive heights have entered into an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Run {
    /// The index.
    pub index: Index,
    /// The first height.
    pub first: Height,
    /// The last one.
    pub last: Height,
    /// How often its entries were merged.
    pub level: u8,
    /// How many there are.
    pub entries: u64,
}

/// Bytes before the first key in the key of a page.
pub(super) const NAME_BYTES: usize = 17;

impl Run {
    /// What the keys of its pages begin with; the first key of the page follows, but for the first page.
    pub(in crate::ledger) fn name(&self) -> [u8; NAME_BYTES] {
        let mut name = [self.index.tag(); NAME_BYTES];
        name[1..9].copy_from_slice(&self.first.0.to_be_bytes());
        name[9..].copy_from_slice(&self.last.0.to_be_bytes());
        name
    }

    /// The run and the first key of a stored page; `None` if this is no page's key. Level and entries are not known.
    pub(super) fn named(key: &[u8]) -> Option<(Self, &[u8])> {
        let (name, first_key) = key.split_first_chunk::<NAME_BYTES>()?;
        let index = Index::ALL.into_iter().find(|index| index.tag() == name[0])?;
        let height = |at: usize| Some(Height(u64::from_be_bytes(name.get(at..at + 8)?.try_into().ok()?)));
        Some((Self { index, first: height(1)?, last: height(9)?, level: 0, entries: 0 }, first_key))
    }

    /// The key of the page with a first key.
    pub(super) fn page(&self, first_key: &[u8]) -> Vec<u8> {
        [&self.name(), first_key].concat()
    }

    /// Above the keys of all its pages.
    pub(super) fn end(&self) -> Vec<u8> {
        [&self.name()[..], &[u8::MAX; 64]].concat()
    }

    fn is_same(&self, other: &Self) -> bool {
        (self.index, self.first, self.last) == (other.index, other.first, other.last)
    }

    /// A page of it that should be there is not.
    pub(super) fn lost(&self, key: &[u8]) -> StoreError {
        StoreError::Failed(format!("a page of {self} is missing: {}", hex::encode(key)))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the index {} of heights {} to {}", self.index.name(), self.first, self.last)
    }
}

/// The runs of all indexes, each index's ascending by heights and without a gap from height 1 on. Noted with each
/// checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Manifest(Vec<Run>);

impl Manifest {
    /// The runs of an index, oldest first.
    pub fn of(&self, index: Index) -> impl DoubleEndedIterator<Item = &Run> {
        self.0.iter().filter(move |run| run.index == index)
    }

    /// All runs.
    #[must_use]
    pub fn runs(&self) -> &[Run] {
        &self.0
    }

    /// The last height whose block is in an index.
    pub(super) fn last(&self, index: Index) -> Height {
        self.of(index).next_back().map_or(Height::ZERO, |run| run.last)
    }

    /// Whether a run with this index and these heights is in it.
    pub(super) fn has(&self, run: &Run) -> bool {
        self.0.iter().any(|one| one.is_same(run))
    }

    /// Adds the run of the next heights.
    pub(super) fn add(&mut self, run: Run) {
        self.0.push(run);
        self.0.sort_unstable();
    }

    /// Puts one run in the place of those that it was merged of.
    pub(super) fn merged(&mut self, inputs: &[Run], run: Run) {
        self.0.retain(|one| !inputs.contains(one));
        self.add(run);
    }

    /// Takes out everything that is not kept at a level.
    pub(super) fn lower(&mut self, level: IndexLevel) -> Vec<Run> {
        self.0.extract_if(.., |run| !run.index.is_kept(level)).collect()
    }

    /// The oldest runs of a level that are to be merged, if so many are there.
    pub(super) fn due(&self, index: Index, level: u8, count: usize) -> Option<Vec<Run>> {
        let runs: Vec<Run> = self.of(index).filter(|run| run.level == level).take(count).copied().collect();
        (runs.len() == count).then_some(runs)
    }

    /// Whether it holds the indexes of a level up to a height, no more and no less.
    ///
    /// # Errors
    /// What is missing, or too much.
    pub(in crate::ledger) fn check(&self, level: IndexLevel, height: Height) -> Result<(), StoreError> {
        for index in Index::ALL {
            let mut last = Some(Height::ZERO);
            for run in self.of(index) {
                let follows = last.is_some_and(|last| last.next() == run.first) && run.first <= run.last;
                last = follows.then_some(run.last);
            }
            let expected = if index.is_kept(level) { height } else { Height::ZERO };
            if last != Some(expected) {
                let what = format!("the runs of the index {} do not reach to height {height}", index.name());
                return Err(StoreError::Failed(what));
            }
        }
        Ok(())
    }
}
