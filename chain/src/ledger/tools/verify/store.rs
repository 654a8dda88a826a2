//! State and indexes against what the journal says they must be.

use super::findings::{Findings, Part};
use super::pages::Pages;
use super::runs::RunCheck;
use super::{Progress, Stage, ToolError, tell};
use crate::block::Block;
use crate::codec::decode;
use crate::ids::{Height, StateRoot};
use crate::ledger::apply::{Commit, EpochStart, index_entries, run_entries, state_value_hash};
use crate::ledger::journal::Position;
use crate::ledger::record::CommitRecord;
use crate::ledger::store::{Applied, Store, StoreError, Table};
use crate::ledger::write_behind::guarded;
use crate::state::tree::{KeyHash, Pair, Tree, ValueHash};
use crate::state::{Entry, StateKey, StateValue, value_hash};
use std::collections::BTreeMap;

/// Entries between two reports of progress.
const PROGRESS_ENTRIES: u64 = 4_096;

/// What is known of state and indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateVerdict {
    /// The state has the certified root.
    Whole {
        /// Entries of the state.
        entries: u64,
        /// Up to here the store was made durable; later blocks' changes were taken from the journal.
        applied: Height,
    },
    /// It has not, or can't be read.
    Damaged,
    /// Nobody looked, and why.
    NotChecked(String),
}

/// Compares a store with the blocks that went into it.
pub(super) struct StoreCheck {
    /// `None` when it can't be read.
    store: Option<(Box<dyn Store>, Applied)>,
    runs: Option<RunCheck>,
    /// What blocks above the applied height change: the store may have some of it.
    later: BTreeMap<KeyHash, Option<ValueHash>>,
    /// Entries that the indexes must have up to the applied height.
    expected: BTreeMap<Table, u64>,
}

impl StoreCheck {
    pub(super) fn new(store: Result<Box<dyn Store>, String>, findings: &mut Findings) -> Self {
        let store = store.and_then(|store| {
            let applied = store.applied().ok_or("the store has no checkpoint that can be believed")?;
            Ok((store, applied))
        });
        let store = store.map_err(|what: String| findings.add(Part::Store, None, what)).ok();
        let runs = store.as_ref().map(|(store, applied)| RunCheck::new(store.as_ref(), *applied, findings));
        // The first epoch begins with the chain.
        Self { store, runs, later: BTreeMap::new(), expected: BTreeMap::from([(Table::Epochs, 1)]) }
    }

    /// A block whose body is lost.
    pub(super) fn commit(&mut self, commit: &CommitRecord) {
        let Some((_, applied)) = &self.store else { return };
        if commit.height > applied.height {
            let changes = commit.changes.iter();
            let hashed = |Entry { key, value }: &Entry| {
                (key.hash(), value.as_ref().map(|value| value_hash(key, value)))
            };
            self.later.extend(changes.map(hashed));
        }
    }

    /// The block that the commit record at `position` makes final.
    pub(super) fn block(
        &mut self,
        commit: &CommitRecord,
        position: Position,
        block: &Block,
        findings: &mut Findings,
    ) {
        self.commit(commit);
        let Some((store, applied)) = &self.store else { return };
        if commit.height > applied.height {
            return;
        }
        let (height, store) = (commit.height, store.as_ref());
        let commit = Commit { record: commit.as_ref(), position, block };
        if let Some(runs) = &mut self.runs {
            runs.block(height, run_entries(&commit, applied.index));
        }
        for ((table, key), value) in index_entries(&commit) {
            // Who holds what is of the state as it is now.
            if table == Table::Holdings {
                continue;
            }
            *self.expected.entry(table).or_default() += 1;
            let what = match guarded::<_, StoreError>(|| Ok(store.get(table, &key)? == value)) {
                Ok(true) => continue,
                Ok(false) => format!("the index {} leads elsewhere, or nowhere", table.name()),
                Err(error) => error.to_string(),
            };
            findings.add(Part::Store, Some(height), format!("block {height}: {what}"));
        }
    }

    /// Compares the state with its root, and looks for entries that no block made.
    pub(super) fn finish(
        self,
        root: Option<StateRoot>,
        findings: &mut Findings,
        progress: &mut dyn Progress,
    ) -> Result<StateVerdict, ToolError> {
        let Self { store, runs, later, expected } = self;
        let Some((store, applied)) = store else { return Ok(StateVerdict::Damaged) };
        let (before, journal_is_whole) = (findings.count(), findings.in_journal() == 0);
        let mut walk = Walk { store: store.as_ref(), findings, progress, done: 0, holdings: 0 };
        let verdict = walk.tree(&later)?;
        // What the journal or the state has lost, the indexes may still have.
        let holdings = (verdict.is_some() && later.is_empty()).then_some(walk.holdings);
        let expected = journal_is_whole.then_some(&expected);
        walk.extra(expected, applied.height, holdings)?;
        if let Some(runs) = runs {
            walk.runs(runs)?;
        }
        tell(walk.progress, Stage::Store, walk.done, walk.done)?;
        // A damaged sled may panic even when it is closed.
        let closed = guarded::<_, StoreError>(|| {
            drop(store);
            Ok(())
        });
        if let Err(error) = closed {
            findings.add(Part::Store, None, error.to_string());
        }
        let Some(tree) = verdict else { return Ok(StateVerdict::Damaged) };
        match root {
            Some(root) if !journal_is_whole && tree.root() != root.0 => {
                let why = "what the journal has lost may have changed the state";
                Ok(StateVerdict::NotChecked(why.into()))
            }
            Some(root) if findings.count() == before && tree.root() != root.0 => {
                let what = "the state does not have the root that the tip's certificate binds";
                findings.add(Part::Store, None, what.into());
                Ok(StateVerdict::Damaged)
            }
            Some(_) if findings.count() == before => {
                Ok(StateVerdict::Whole { entries: tree.len(), applied: applied.height })
            }
            _ => Ok(StateVerdict::Damaged),
        }
    }
}

/// Goes through a store's tables.
struct Walk<'a> {
    store: &'a dyn Store,
    findings: &'a mut Findings,
    progress: &'a mut dyn Progress,
    done: u64,
    /// Balances in the state.
    holdings: u64,
}

impl Walk<'_> {
    /// One more entry.
    fn step(&mut self) -> Result<(), ToolError> {
        self.done += 1;
        if self.done.is_multiple_of(PROGRESS_ENTRIES) {
            tell(self.progress, Stage::Store, self.done, 0)?;
        }
        Ok(())
    }

    fn damaged(&mut self, what: String) {
        self.findings.add(Part::Store, None, what);
    }

    /// The tree over the state with the later blocks' changes; `None` if entries are damaged.
    fn tree(&mut self, later: &BTreeMap<KeyHash, Option<ValueHash>>) -> Result<Option<Tree>, ToolError> {
        let mut stored = Pages::new(self.store, Table::State).peekable();
        let mut later = later.iter().peekable();
        let (mut stopped, mut whole) = (None, true);
        let pairs = std::iter::from_fn(|| {
            loop {
                let key = match stored.peek() {
                    Some(Ok((key, _))) => key_hash(key),
                    Some(Err(_)) => None,
                    None => Some(KeyHash([0xff; 32])),
                };
                let behind = stored.peek().is_none();
                if let Some((changed, value)) = later.peek().copied()
                    && key.is_some_and(|key| *changed <= key || behind)
                {
                    later.next();
                    if key == Some(*changed) && !behind {
                        stored.next();
                    }
                    if let Some(value) = value {
                        return Some(Ok((*changed, *value)));
                    }
                    continue;
                }
                let next = stored.next()?;
                if let Err(error) = self.step() {
                    stopped = Some(error);
                    return None;
                }
                match next.map_err(|error| error.to_string()).and_then(|pair| self.entry(&pair)) {
                    Ok(pair) => return Some(Ok(pair)),
                    Err(what) => {
                        whole = false;
                        self.damaged(what);
                    }
                }
            }
        });
        let built = Tree::try_build(pairs);
        if let Some(error) = stopped {
            return Err(error);
        }
        match built {
            Ok(tree) => Ok(whole.then_some(tree)),
            Err(error) => {
                self.damaged(error.to_string());
                Ok(None)
            }
        }
    }

    /// An entry of the state as a pair of the tree.
    fn entry(&mut self, (key, entry): &(Vec<u8>, Vec<u8>)) -> Result<Pair, String> {
        let place = || format!("store: the state entry {}", hex::encode(key));
        let hash = key_hash(key).ok_or_else(|| format!("{} has no key", place()))?;
        let (state_key, _) = decode::<(StateKey, StateValue)>(entry)
            .map_err(|error| format!("{} can't be decoded: {error}", place()))?;
        if state_key.hash() != hash {
            return Err(format!("{} is of another key", place()));
        }
        if let StateKey::Balance(account, asset) = state_key {
            self.holdings += 1;
            let holding = [account.0, asset.0].concat();
            let listed = guarded(|| self.store.get(Table::Holdings, &holding));
            if !matches!(listed, Ok(Some(_))) {
                return Err(format!("{} is a balance that no index leads to", place()));
            }
        }
        Ok((hash, state_value_hash(entry)))
    }

    /// Reads the indexes, and looks for entries that no block made; those of blocks above the applied height may be
    /// there. `None` is not compared.
    fn extra(
        &mut self,
        expected: Option<&BTreeMap<Table, u64>>,
        applied: Height,
        holdings: Option<u64>,
    ) -> Result<(), ToolError> {
        for table in [Table::Holdings, Table::Blocks, Table::Epochs] {
            let mut found = 0;
            for pair in Pages::new(self.store, table) {
                self.step()?;
                match pair {
                    Ok((key, value)) => found += u64::from(is_applied(table, &key, &value, applied)),
                    Err(error) => self.damaged(error.to_string()),
                }
            }
            let expected = match table {
                Table::Holdings => holdings,
                _ => expected.map(|expected| expected.get(&table).copied().unwrap_or_default()),
            };
            if let Some(expected) = expected.filter(|expected| found > *expected) {
                let name = table.name();
                self.damaged(format!(
                    "store: the index {name} has {found} entries, of which {expected} belong"
                ));
            }
        }
        Ok(())
    }

    /// Reads the runs, and compares them with what blocks entered.
    fn runs(&mut self, runs: RunCheck) -> Result<(), ToolError> {
        let Self { store, findings, progress, done, .. } = self;
        runs.finish(*store, findings, || {
            *done += 1;
            if done.is_multiple_of(PROGRESS_ENTRIES) {
                tell(*progress, Stage::Store, *done, 0)
            } else {
                Ok(())
            }
        })
    }
}

/// A key of the state's table.
fn key_hash(key: &[u8]) -> Option<KeyHash> {
    key.try_into().ok().map(KeyHash)
}

/// Whether an index entry is of a block up to the applied height. What can't be decoded counts.
fn is_applied(table: Table, key: &[u8], value: &[u8], applied: Height) -> bool {
    let height = match table {
        Table::Blocks => key.try_into().ok().map(|key| Height(u64::from_be_bytes(key))),
        Table::Epochs => decode::<EpochStart>(value).ok().map(|start| start.first.previous()),
        Table::State | Table::Holdings | Table::Runs => None,
    };
    height.is_none_or(|height| height <= applied)
}
