//! A chain that is written down once and then told again and again, to disks that lose power and rot.

use super::truth::Truth;
use quorate_chain::ledger::{GenesisState, Ledger, LedgerError};
use quorate_chain::validator::SetChange;
use quorate_chain::{Block, Height};
use std::collections::BTreeMap;

/// Why a story could not be written.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a story is, and how often things happen in it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The same seed gives the same story.
    pub seed: u64,
    /// Blocks that are committed.
    pub heights: u64,
    /// So many of a hundred heights are followed by a checkpoint.
    pub checkpoint_percent: u64,
    /// Every so many heights end an epoch.
    pub epoch_heights: u64,
}

/// One thing that is done to the ledger.
#[derive(Clone, Debug)]
pub enum Step {
    /// A block's body is appended; it may be one that is never committed.
    Body(Block),
    /// What was appended is made durable.
    Sync(Height),
    /// A block is executed; it may be one that is never committed.
    Execute(Block),
    /// The block of a height is committed.
    Commit(Height),
    /// So many entries of what the store lacks are written.
    Write(Height, usize),
    /// So many steps of a scrub.
    Scrub(Height, usize),
    /// A checkpoint at a height.
    Checkpoint(Height),
}

impl Step {
    /// The height that the step is about.
    #[must_use]
    pub const fn height(&self) -> Height {
        match self {
            Self::Body(block) | Self::Execute(block) => block.header.height,
            Self::Sync(height) | Self::Commit(height) | Self::Checkpoint(height) => *height,
            Self::Write(height, _) | Self::Scrub(height, _) => *height,
        }
    }
}

/// What is done, and what must be there afterwards.
#[derive(Debug)]
pub struct Story {
    /// What the chain starts from.
    pub genesis: GenesisState,
    /// Set changes by the height that executes them.
    pub changes: BTreeMap<Height, SetChange>,
    /// Everything that is done, in order.
    pub steps: Vec<Step>,
    /// What a reader must find at each height.
    pub truth: Truth,
}

impl Story {
    /// Opens a ledger's eyes for what is to come: the set changes above its tip.
    pub fn prepare(&self, ledger: &mut Ledger) {
        let tip = ledger.tip().height;
        for (height, change) in self.changes.iter().filter(|(height, _)| **height > tip) {
            ledger.schedule_set_change(*height, change.clone());
        }
    }

    /// Commits the block of a height as the story has it; it must have been executed.
    ///
    /// # Errors
    /// The ledger's.
    pub fn commit(&self, ledger: &mut Ledger, height: Height) -> Result<(), LedgerError> {
        let Some(told) = self.truth.block(height) else {
            return Err(LedgerError::Damaged { height, what: "the story has no such height".into() });
        };
        ledger.commit(told.block.hash(), told.path.clone(), told.certificate.clone()).map(|_| ())
    }

    /// Does one step.
    ///
    /// # Errors
    /// The ledger's.
    pub fn tell(&self, ledger: &mut Ledger, step: &Step) -> Result<(), LedgerError> {
        match step {
            Step::Body(block) => ledger.append_body(block),
            Step::Sync(_) => ledger.sync(),
            Step::Execute(block) => ledger.execute(block).map(|_| ()),
            Step::Commit(height) => self.commit(ledger, *height),
            Step::Write(_, entries) => ledger.write_behind(*entries).map(|_| ()),
            Step::Scrub(_, steps) => (0..*steps).try_for_each(|_| ledger.scrub().map(|_| ())),
            Step::Checkpoint(_) => ledger.checkpoint(),
        }
    }

    /// Does every step above the tip.
    ///
    /// # Errors
    /// The ledger's.
    pub fn tell_rest(&self, ledger: &mut Ledger) -> Result<(), LedgerError> {
        self.prepare(ledger);
        let from = ledger.tip().height;
        self.steps.iter().filter(|step| step.height() > from).try_for_each(|step| self.tell(ledger, step))
    }
}
