//! What a reader must find at each height, and the comparison.

use super::story::{Failure, accounts, keys};
use quorate_chain::ledger::{AccountRecord, CommittedBlock, Ledger, LedgerError, Opened, Reader, Tip};
use quorate_chain::state::{StateKey, StateValue, value_hash};
use quorate_chain::{AccountId, Epoch, Height};
use std::collections::BTreeMap;
use std::fmt::{self, Debug, Display};
use std::sync::Arc;

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

/// A height as the story has it.
#[derive(Debug)]
struct Moment {
    tip: Tip,
    /// `None` at genesis.
    block: Option<Arc<CommittedBlock>>,
    state: BTreeMap<StateKey, Option<StateValue>>,
    accounts: BTreeMap<AccountId, Option<AccountRecord>>,
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
        let mut all = keys();
        all.extend([StateKey::Parameters, StateKey::Validators]);
        let state = all.into_iter().map(|key| Ok((key.clone(), reader.get(&key)?)));
        let records = accounts().into_iter().map(|id| Ok((id, reader.account(id)?)));
        self.0.push(Moment {
            tip: ledger.tip().clone(),
            block: reader.block(ledger.tip().height)?,
            state: state.collect::<Result<_, LedgerError>>()?,
            accounts: records.collect::<Result<_, LedgerError>>()?,
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
        check_state(&reader, moment)
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

fn check_state(reader: &Reader, moment: &Moment) -> Result<(), Trouble> {
    let root = moment.tip.result.state_root.0;
    for (key, expected) in &moment.state {
        same(format_args!("{key:?}"), &reader.get(key)?, expected)?;
        let proof = reader.prove(key)?;
        same(format_args!("the proven {key:?}"), &proof.value, expected)?;
        let proven = proof.proof.verify(&root, &key.hash());
        let hash = expected.as_ref().map(|value| value_hash(key, value));
        match proven {
            Ok(proven) => same(format_args!("the proof of {key:?}"), &proven, &hash)?,
            Err(error) => return Err(Trouble::Wrong(format!("the proof of {key:?}: {error}"))),
        }
    }
    for (id, expected) in &moment.accounts {
        same(format_args!("account {id}"), &reader.account(*id)?, expected)?;
    }
    Ok(())
}
