//! A walk over everything that is stored, to find damage before it is needed: leaf after leaf of the state
//! against its digest, then block after block against its hashes, its certificate and the indexes.

use super::Ledger;
use super::error::LedgerError;
use super::leaves::Leaves;
use super::options::IndexLevel;
use super::record::{CommitRecord, read_body, read_commit};
use super::shared::Shared;
use crate::block::{Block, transactions_root};
use crate::ids::Height;
use crate::receipt::receipts_root;
use crate::state::StateError;
use crate::state::tree::{self, KeyHash, LeafSource, Pair, Prefix};
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// For each unit of time that the scrub takes, so many go by without it.
const PAUSE_FACTOR: u32 = 20;
/// Shortest pause between two steps.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// What a scrub is at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScrubStatus {
    /// Whether one is under way.
    pub running: bool,
    /// How far the walk over the state is, in percent.
    pub state_percent: u8,
    /// The last block that was checked; 0 before the first.
    pub height: Height,
    /// Walks that came to their end since the ledger was opened.
    pub rounds: u64,
}

/// Where the walk goes on.
#[derive(Debug, Default)]
enum Place {
    #[default]
    Start,
    Leaf(KeyHash),
    Block(Height),
}

/// The walk's own state.
#[derive(Debug, Default)]
pub(super) struct Scrub {
    place: Place,
    status: ScrubStatus,
}

/// The state as it is in store and tail: nothing is taken from the cache of leaves.
struct Bare<'a>(Leaves<'a>);

impl LeafSource for Bare<'_> {
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<Pair>, tree::Error> {
        self.0.leaf(prefix)
    }
}

impl Shared {
    fn scrubbing(&self) -> MutexGuard<'_, Scrub> {
        self.scrub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn scrub_status(&self) -> ScrubStatus {
        self.scrubbing().status
    }

    /// The next leaf or block; whether the walk goes on after it.
    pub(super) fn scrub_step(&self) -> Result<bool, LedgerError> {
        self.check()?;
        let mut scrub = self.scrubbing();
        match scrub.place {
            Place::Start => {
                let rounds = scrub.status.rounds;
                scrub.status = ScrubStatus { running: true, rounds, ..ScrubStatus::default() };
                scrub.place = Place::Leaf(KeyHash([0; 32]));
            }
            Place::Leaf(from) => match self.scrub_leaf(&from)? {
                Some(next) => {
                    scrub.status.state_percent = (u16::from(next.0[0]) * 100 / 256) as u8;
                    scrub.place = Place::Leaf(next);
                }
                None => {
                    scrub.status.state_percent = 100;
                    scrub.place = Place::Block(Height::ZERO.next());
                }
            },
            Place::Block(height) if height <= self.tip().height => {
                self.scrub_block(height).inspect_err(|error| self.fail_by(error))?;
                scrub.status.height = height;
                scrub.place = Place::Block(height.next());
            }
            Place::Block(_) => {
                scrub.place = Place::Start;
                scrub.status.running = false;
                scrub.status.rounds += 1;
                tracing::info!(height = scrub.status.height.0, "the scrub found no damage");
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Checks the first leaf at or above a key hash; where the next one may begin.
    fn scrub_leaf(&self, from: &KeyHash) -> Result<Option<KeyHash>, LedgerError> {
        let (height, tree) = {
            let inner = self.inner();
            let past = inner.history.at(inner.history.last())?;
            (past.tip.height, past.tree.clone())
        };
        let Some(prefix) = tree.leaf_from(from) else { return Ok(None) };
        let bare = Bare(Leaves { shared: self, height: Some(height) });
        if let Err(error) = tree.leaf(&bare, &prefix) {
            if self.inner().history.at(height).is_err() {
                // Given up meanwhile: the same leaf again, at a later height.
                return Ok(Some(*from));
            }
            let error = LedgerError::State(StateError::from(error));
            self.fail_by(&error);
            return Err(error);
        }
        Ok(prefix.range().1.successor())
    }

    fn scrub_block(&self, height: Height) -> Result<(), LedgerError> {
        let damaged = |what: &str| LedgerError::Damaged { height, what: what.to_owned() };
        let place = self.block_place(height)?.ok_or_else(|| damaged("the block is not indexed"))?;
        let commit = read_commit(&self.journal, place.commit)?;
        let block = read_body(&self.journal, place.body)?;
        if block.hash() != place.hash || commit.block != place.hash || commit.height != height {
            return Err(damaged("the journal has another block"));
        }
        if self.block_height(place.hash)? != Some(height) {
            return Err(damaged("the block's hash leads elsewhere"));
        }
        if !fits(&block, &commit) {
            return Err(damaged("the block's parts do not fit each other"));
        }
        if self.options.index >= IndexLevel::Tx {
            for (transaction, index) in block.transactions.iter().zip(0u32..) {
                let found = self.transaction_place(transaction.id())?;
                if found.is_none_or(|found| (found.height, found.index) != (height, index)) {
                    return Err(damaged("the index leads to another transaction"));
                }
            }
        }
        Ok(())
    }

    /// Stops the ledger. What only the journal has can't be made again from it, so that gets no mark.
    fn fail_by(&self, error: &LedgerError) {
        let what = error.to_string();
        if error.is_of_store() {
            self.fail(&what);
        } else {
            self.stop(&what);
        }
    }

    /// One walk, paced; `false` when the ledger closes or has failed.
    fn scrub_round(&self) -> bool {
        tracing::info!("the scrub begins");
        let mut told = 0;
        loop {
            let began = Instant::now();
            match self.scrub_step() {
                Ok(true) => {}
                Ok(false) => return true,
                // Remembered, and stops the ledger.
                Err(_) => return false,
            }
            let ScrubStatus { state_percent, height, .. } = self.scrub_status();
            if state_percent / 10 > told {
                told = state_percent / 10;
                tracing::info!(state_percent, height = height.0, "scrubbing");
            }
            if !self.pause((began.elapsed() * PAUSE_FACTOR).max(PAUSE_MIN)) {
                return false;
            }
        }
    }

    /// Walks again and again, until the ledger closes.
    pub(super) fn scrub_for_ever(&self) {
        while self.scrub_round() && self.pause(self.options.scrub_interval) {}
    }

    /// Waits; `false` when the ledger closes.
    fn pause(&self, pause: Duration) -> bool {
        let closes = self.closes.wait_timeout_while(self.inner(), pause, |inner| !inner.closing);
        !closes.unwrap_or_else(PoisonError::into_inner).0.closing
    }
}

/// Whether header, transactions, receipts, result and certificate are of one block.
fn fits(block: &Block, commit: &CommitRecord) -> bool {
    let certified = commit.path.first().map_or(commit.certificate.result_hash, |child| child.parent_result);
    block.header.transactions_root == transactions_root(&block.transactions)
        && commit.result.receipts_root == receipts_root(&commit.receipts)
        && commit.result.hash() == certified
}

impl Ledger {
    /// The next step of a scrub, a leaf or a block; whether the walk goes on after it. A ledger with threads
    /// of its own does that by itself.
    ///
    /// # Errors
    /// What is damaged; the node must then stop.
    pub fn scrub(&self) -> Result<bool, LedgerError> {
        self.shared.scrub_step()
    }
}
