//! What a reader must find at each height, and the comparison.

use super::actors::{accounts, keys};
use super::story::Failure;
use quorate_chain::ledger::{
    AccountRecord, CommittedBlock, HISTORY_PAGE_MAX, Ledger, LedgerError, Opened, Reader, StateAt, Tip,
};
use quorate_chain::state::{StateKey, StateValue, value_hash};
use quorate_chain::{AccountId, Epoch, Height};
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display};
use std::sync::Arc;

/// How far below the tip states are looked at, beside the tip's own.
const EARLIER: [u64; 3] = [1, 3, 9];

/// Why a ledger is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It answered an error instead of a value.
    Refused(String),
    /// It answered something else than the truth.
    Wrong(String),
}

impl Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Wrong(what) => write!(f, "wrong: {what}"),
        }
    }
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::Refused(error.to_string())
    }
}

fn same<T: PartialEq + Debug>(what: impl Display, found: &T, expected: &T) -> Result<(), Trouble> {
    if found == expected {
        return Ok(());
    }
    Err(Trouble::Wrong(format!("{what}: {}, not {}", short(found), short(expected))))
}

/// As much of a value as fits a line.
fn short(value: &impl Debug) -> String {
    format!("{value:?}").chars().take(160).collect()
}

/// Height and index in the block.
type Place = (Height, u32);

/// A height as the story has it.
#[derive(Debug)]
struct Moment {
    tip: Tip,
    /// `None` at genesis.
    block: Option<Arc<CommittedBlock>>,
    state: BTreeMap<StateKey, Option<StateValue>>,
    accounts: BTreeMap<AccountId, Option<AccountRecord>>,
    /// Where the transactions of each account are, latest first.
    history: BTreeMap<AccountId, Vec<Place>>,
}

/// Every height of a story.
#[derive(Debug)]
pub struct Truth(Vec<Moment>);

impl Truth {
    pub(super) fn new(opened: &Opened) -> Result<Self, Failure> {
        let mut truth = Self(Vec::new());
        truth.record(&opened.ledger)?;
        Ok(truth)
    }

    /// Adds what the reference has at its tip.
    pub(super) fn record(&mut self, ledger: &Ledger) -> Result<(), Failure> {
        let reader = ledger.reader();
        let state = keys().into_iter().map(|key| Ok((key.clone(), reader.latest()?.get(&key)?)));
        let records = accounts().iter().map(|id| Ok((*id, reader.account(*id)?)));
        let history = accounts().iter().map(|id| Ok((*id, reader.history(*id, None, HISTORY_PAGE_MAX)?)));
        self.0.push(Moment {
            tip: ledger.tip().clone(),
            block: reader.block(ledger.tip().height)?,
            state: state.collect::<Result<_, LedgerError>>()?,
            accounts: records.collect::<Result<_, LedgerError>>()?,
            history: history.collect::<Result<_, LedgerError>>()?,
        });
        Ok(())
    }

    /// The last height.
    #[must_use]
    pub fn height(&self) -> Height {
        Height(self.0.len() as u64 - 1)
    }

    /// The block of a height; `None` for genesis and above the last.
    #[must_use]
    pub fn block(&self, height: Height) -> Option<&Arc<CommittedBlock>> {
        self.moment(height)?.block.as_ref()
    }

    /// The tip as it was at a height.
    #[must_use]
    pub fn tip(&self, height: Height) -> Option<&Tip> {
        self.moment(height).map(|moment| &moment.tip)
    }

    fn moment(&self, height: Height) -> Option<&Moment> {
        self.0.get(usize::try_from(height.0).ok()?)
    }

    /// Compares everything that can be asked with the truth at the ledger's tip.
    ///
    /// # Errors
    /// The first thing that differs or is refused.
    pub fn check(&self, ledger: &Ledger) -> Result<(), Trouble> {
        let (reader, tip) = (ledger.reader(), ledger.tip());
        let Some(moment) = self.moment(tip.height) else {
            return Err(Trouble::Wrong(format!("a tip at height {}, above the last", tip.height)));
        };
        same("the tip", tip, &moment.tip)?;
        same("the reader's tip", &*reader.tip(), &moment.tip)?;
        same("the root", &ledger.root(), &tip.result.state_root)?;
        self.check_blocks(&reader, tip.height)?;
        self.check_epochs(&reader, tip)?;
        for (id, expected) in &moment.history {
            let found = reader.history(*id, None, HISTORY_PAGE_MAX)?;
            same(format_args!("the transactions of {id}"), &found, expected)?;
        }
        self.check_states(&reader, tip.height)
    }

    /// The state at the tip, and at some earlier heights if they are kept.
    fn check_states(&self, reader: &Reader, tip: Height) -> Result<(), Trouble> {
        check_state(&reader.latest()?, &self.0[tip.0 as usize])?;
        for back in EARLIER.into_iter().filter(|back| *back <= tip.0) {
            let height = Height(tip.0 - back);
            match reader.at(height) {
                Ok(state) => check_state(&state, &self.0[height.0 as usize])?,
                Err(LedgerError::Pruned { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn check_blocks(&self, reader: &Reader, tip: Height) -> Result<(), Trouble> {
        for (height, moment) in (0..).map(Height).zip(&self.0) {
            let there = height <= tip;
            let expected = moment.block.clone().filter(|_| there);
            same(format_args!("block {height}"), &reader.block(height)?, &expected)?;
            let by_hash = reader.block_by_hash(moment.tip.block)?;
            same(format_args!("block {height} by hash"), &by_hash, &expected)?;
            let Some(block) = &moment.block else { continue };
            for (index, transaction) in (0u32..).zip(block.block.transactions.iter()) {
                let found = reader.transaction(transaction.id())?.map(|record| {
                    (record.height, record.index, record.transaction.id(), Some(record.receipt))
                });
                let receipt = block.receipts.get(index as usize).cloned();
                let expected = there.then(|| (height, index, transaction.id(), receipt));
                same(format_args!("transaction {} of block {height}", transaction.id()), &found, &expected)?;
            }
        }
        Ok(())
    }

    fn check_epochs(&self, reader: &Reader, tip: &Tip) -> Result<(), Trouble> {
        for height in (1..=tip.height.0 + 1).map(Height) {
            let before = self.tip(height.previous()).map(|t| (t.epoch, (*t.validators).clone()));
            same(format_args!("the validators of {height}"), &reader.validators_at(height)?, &before)?;
        }
        same("the validators at 0", &reader.validators_at(Height::ZERO)?, &None)?;
        let ends: Vec<_> = self.0.iter().filter(|m| m.tip.ends_epoch && m.tip.height <= tip.height).collect();
        for (epoch, end) in (0..).map(Epoch).zip(&ends) {
            same(format_args!("the end of epoch {epoch}"), &reader.epoch_end(epoch)?, &end.block)?;
        }
        same("the end of the last epoch", &reader.epoch_end(Epoch(ends.len() as u64))?, &None)
    }
}

fn check_state(state: &StateAt, moment: &Moment) -> Result<(), Trouble> {
    let root = moment.tip.result.state_root.0;
    for (key, expected) in &moment.state {
        same(format_args!("{key:?}"), &state.get(key)?, expected)?;
        let proof = state.prove(key)?;
        same(format_args!("the proven {key:?}"), &proof.value, expected)?;
        let proven = proof.proof.verify(&root, &key.hash());
        let hash = expected.as_ref().map(|value| value_hash(key, value));
        match proven {
            Ok(proven) => same(format_args!("the proof of {key:?}"), &proven, &hash)?,
            Err(error) => return Err(Trouble::Wrong(format!("the proof of {key:?}: {error}"))),
        }
    }
    for (id, expected) in &moment.accounts {
        same(format_args!("account {id}"), &state.account(*id)?, expected)?;
    }
    Ok(())
}
