//! The store made again from the journal.

use super::error::ToolError;
use super::{Progress, Stage, store_folder, survey, tell};
use crate::ids::Height;
use crate::ledger::error::LedgerError;
use crate::ledger::genesis::GenesisState;
use crate::ledger::journal::Found;
use crate::ledger::store::SledStore;
use crate::ledger::{LedgerOptions, OpenReport, open, record};
use std::path::{Path, PathBuf};

/// What a repair did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// The ledger's tip.
    pub tip: Height,
    /// Where the old store was moved; it may be removed. `None` if there was none.
    pub aside: Option<PathBuf>,
    /// What opening did.
    pub report: OpenReport,
}

/// Moves state and indexes aside and makes them again from the journal, which is looked through first: a store
/// is never given up for a journal that can't replace it. Ended early, the next start or repair does the rest.
///
/// # Errors
/// [`ToolError::JournalDamaged`] changes nothing.
pub fn repair_index(
    data: &Path,
    genesis: &GenesisState,
    progress: &mut dyn Progress,
) -> Result<Repaired, ToolError> {
    let mut survey = survey(data, genesis)?;
    let (mut places, mut first, mut blocks) = (0, None, 0);
    while let Some(found) = survey.next() {
        tell(progress, Stage::Journal, survey.done(), survey.bytes())?;
        match found {
            Found::Damaged(error) => {
                places += 1;
                first.get_or_insert_with(|| error.to_string());
            }
            Found::Record(entry) => blocks += u64::from(entry.kind == record::COMMIT),
            Found::Torn(_) => {}
        }
    }
    if let Some(first) = first {
        return Err(ToolError::JournalDamaged { places, first });
    }
    tell(progress, Stage::Rebuild, 0, blocks)?;
    let folder = store_folder(data);
    let move_aside = || SledStore::move_aside(&folder);
    let aside = folder.is_dir().then(move_aside).transpose();
    let aside = aside.map_err(|source| LedgerError::Io { path: folder.clone(), source })?;
    // Opening takes the lock itself. A node that gets in between does the same.
    drop(survey);
    let mut watch = |height: Height| progress.at(Stage::Rebuild, height.0, blocks);
    let opened = open::open(data, genesis, &LedgerOptions::default(), &mut watch);
    let opened = opened.map_err(|error| match error {
        LedgerError::Interrupted => ToolError::Interrupted,
        other => other.into(),
    })?;
    let tip = opened.ledger.tip().height;
    Ok(Repaired { tip, aside, report: opened.report })
}
