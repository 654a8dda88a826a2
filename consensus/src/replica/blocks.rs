//! Blocks above the tip: what of each is known, stored, valid and executed.

use crate::message::SealedBlock;
use crate::time::Time;
use quorate_chain::{BlockHash, Height, ResultHash};
use std::collections::{BTreeMap, BTreeSet};

/// Most blocks above the tip. A block is only taken in for a slot of the window, for an anchor or because it
/// was asked for, so only many failed views in a row come near.
pub(super) const BLOCKS_MAX: usize = 1024;

/// A question to the driver and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked<T> {
    No,
    Waiting,
    Answer(T),
}

/// What executing a block gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Execution {
    pub(super) result: ResultHash,
    /// R45: it changed the validator set.
    pub(super) ends_epoch: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) block: SealedBlock,
    pub(super) stored: Asked<()>,
    pub(super) valid: Asked<bool>,
    pub(super) executed: Asked<Execution>,
    /// R43: prepared by this replica in some view; stays until a commit at or above its height.
    pub(super) prepared: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Blocks {
    entries: BTreeMap<BlockHash, Entry>,
    /// Bodies asked for, and when.
    fetching: BTreeMap<BlockHash, Time>,
}

impl Blocks {
    pub(super) fn get(&self, hash: BlockHash) -> Option<&Entry> {
        self.entries.get(&hash)
    }

    pub(super) fn get_mut(&mut self, hash: BlockHash) -> Option<&mut Entry> {
        self.entries.get_mut(&hash)
    }

    /// Takes in a block; false when there is no room.
    pub(super) fn insert(&mut self, block: &SealedBlock) -> bool {
        if self.entries.len() >= BLOCKS_MAX && !self.entries.contains_key(&block.hash()) {
            return false;
        }
        self.fetching.remove(&block.hash());
        self.entries.entry(block.hash()).or_insert_with(|| Entry {
            block: block.clone(),
            stored: Asked::No,
            valid: Asked::No,
            executed: Asked::No,
            prepared: false,
        });
        true
    }

    pub(super) fn stored(&mut self, hash: BlockHash) {
        if let Some(entry) = self.entries.get_mut(&hash) {
            entry.stored = Asked::Answer(());
        }
    }

    pub(super) fn executed(&mut self, hash: BlockHash, execution: Execution) {
        // An answer to a question that was withdrawn (R23) is of an execution that is gone.
        if let Some(entry) = self.entries.get_mut(&hash).filter(|e| e.executed == Asked::Waiting) {
            entry.executed = Asked::Answer(execution);
        }
    }

    pub(super) fn execution(&self, hash: BlockHash) -> Option<Execution> {
        match self.entries.get(&hash)?.executed {
            Asked::Answer(execution) => Some(execution),
            _ => None,
        }
    }

    /// Whether a block above the tip and all its ancestors down to the tip are durable.
    pub(super) fn is_stored(&self, tip: (Height, BlockHash), mut hash: BlockHash) -> bool {
        while let Some(entry) = self.entries.get(&hash).filter(|e| e.stored == Asked::Answer(())) {
            hash = entry.block.header().parent;
            if entry.block.height() <= tip.0.next() {
                return hash == tip.1;
            }
        }
        false
    }

    /// The blocks from `tip + 1` up to `hash`, ascending.
    ///
    /// # Errors
    /// The hash of the first one missing on the way down, or of the one that should have been the tip.
    pub(super) fn path_from(
        &self,
        tip: (Height, BlockHash),
        hash: BlockHash,
    ) -> Result<Vec<SealedBlock>, Broken> {
        let mut path = Vec::new();
        let mut next = hash;
        loop {
            let entry = self.entries.get(&next).ok_or(Broken::Missing(next))?;
            let (height, parent) = (entry.block.height(), entry.block.header().parent);
            path.push(entry.block.clone());
            if height <= tip.0.next() {
                if height == tip.0.next() && parent == tip.1 {
                    path.reverse();
                    return Ok(path);
                }
                return Err(Broken::Fork { height: height.previous(), other: parent });
            }
            next = parent;
        }
    }

    /// Whether a body should be asked for now; at most once every `again_ms`.
    pub(super) fn fetch(&mut self, hash: BlockHash, now: Time, again_ms: u64) -> bool {
        let due = match self.fetching.get(&hash) {
            Some(asked) => *asked + again_ms <= now,
            None => self.fetching.len() < BLOCKS_MAX,
        };
        if due {
            self.fetching.insert(hash, now);
        }
        due
    }

    pub(super) fn is_fetching(&self, hash: BlockHash) -> bool {
        self.fetching.contains_key(&hash)
    }

    pub(super) fn stop_fetching(&mut self) {
        self.fetching.clear();
    }

    /// R43: everything at or below the tip goes.
    pub(super) fn forget(&mut self, tip: Height) {
        self.entries.retain(|_, entry| entry.block.height() > tip);
    }

    /// R23: what is not in `keep` is dropped, but for bodies that were prepared (R43); gives the blocks whose
    /// executions go.
    pub(super) fn drop_others(&mut self, keep: &BTreeSet<BlockHash>) -> Vec<BlockHash> {
        let mut discarded = Vec::new();
        self.entries.retain(|hash, entry| {
            if keep.contains(hash) {
                return true;
            }
            if entry.executed != Asked::No {
                discarded.push(*hash);
                entry.executed = Asked::No;
            }
            entry.prepared
        });
        discarded
    }
}

/// Why there is no path from the tip up to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// This block is not here.
    Missing(BlockHash),
    /// The way down ends at another block than the tip.
    Fork {
        /// Height of the other block.
        height: Height,
        /// The other block.
        other: BlockHash,
    },
}
