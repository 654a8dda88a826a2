//! Finds everything that is damaged in a ledger, and changes nothing.
//!
//! ```text
//! journal ──► every record's checksum
//!    └──► commits in order ──► `blocks.rs`: links, roots, certificates, changes of the validators
//!                                  └──► `store.rs`: index entries of each block; then the state's root
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `findings.rs` | what is damaged, where, from which height on, and what to do |
//! | `blocks.rs` | the chain of blocks in the journal |
//! | `execute.rs` | every block once more, in a folder of its own |
//! | `store.rs` | state and indexes against the journal |
//! | `runs.rs` | the same for the indexes whose entries are set once |

mod blocks;
mod execute;
mod findings;
mod runs;
mod store;

pub use findings::{DAMAGE_LISTED_MAX, Damage, Findings, Part, Remedy};
pub use store::StateVerdict;

use super::error::ToolError;
use super::{Progress, Stage, pages, store_folder, survey, survey_on, tell};
use crate::ids::{Height, TimestampMs};
use crate::ledger::error::LedgerError;
use crate::ledger::genesis::GenesisState;
use crate::ledger::journal::{Disk, Found, Survey, TornTail};
use crate::ledger::store::{SledStore, Store};
use crate::state::StateError;
use blocks::Blocks;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::StoreCheck;

/// What is to be verified.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// The first height whose block is checked; those below are only read. All records' checksums are always
    /// checked.
    pub from: Option<Height>,
    /// The last one. Below the tip, the state is not checked: its root is the tip's.
    pub to: Option<Height>,
    /// A folder with room for a second ledger, in which all blocks are executed once more and which has nothing new
    /// in it afterwards. `None`: not executed.
    pub execute_in: Option<PathBuf>,
}

/// What verifying found.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The last block that the journal has; 0 is genesis.
    pub tip: Height,
    /// Its time.
    pub tip_time_ms: TimestampMs,
    /// Blocks whose links, roots and certificate hold.
    pub proven: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Changes of the validators that were followed.
    pub epochs: u64,
    /// Bodies above the tip, kept for the votes on them.
    pub uncommitted: u64,
    /// Unsynced bytes that a crash left, which the next start discards: no damage.
    pub torn_tail: Option<TornTail>,
    /// What is known of state and indexes.
    pub state: StateVerdict,
    /// Up to which height execution gave the certified results, if asked for.
    pub executed: Option<Height>,
    /// Everything damaged.
    pub findings: Findings,
}

/// Verifies the ledger in a node's data folder. Opening sled lets it recover its own log; nothing else is written.
///
/// # Errors
/// When it can't be looked at, not when it is damaged: that is in the answer.
pub fn verify(
    data: &Path,
    genesis: &GenesisState,
    options: &VerifyOptions,
    progress: &mut dyn Progress,
) -> Result<Verified, ToolError> {
    let survey = survey(data, genesis)?;
    let folder = store_folder(data);
    let store = if folder.join("sled").is_dir() {
        SledStore::open(&folder, super::CACHE_BYTES).map(|store| Box::new(store) as Box<dyn Store>)
    } else {
        Err(crate::ledger::StoreError::Failed(format!("there is no store in {}", folder.display())))
    };
    let verified = walk(survey, store.map_err(|error| error.to_string()), genesis, options, progress);
    if let Some(scratch) = &options.execute_in {
        execute::remove(&execute::scratch(scratch))?;
    }
    verified
}

/// Verifies a ledger on any disk and store.
///
/// # Errors
/// As [`verify`].
pub fn verify_with(
    disk: Arc<dyn Disk>,
    folder: &Path,
    store: Box<dyn Store>,
    genesis: &GenesisState,
    options: &VerifyOptions,
    progress: &mut dyn Progress,
) -> Result<Verified, ToolError> {
    walk(survey_on(disk, folder, genesis.chain)?, Ok(store), genesis, options, progress)
}

fn walk(
    mut survey: Survey,
    store: Result<Box<dyn Store>, String>,
    genesis: &GenesisState,
    options: &VerifyOptions,
    progress: &mut dyn Progress,
) -> Result<Verified, ToolError> {
    let mut findings = Findings::default();
    let mut store = StoreCheck::new(store, &mut findings);
    let mut blocks = Blocks::new(genesis, options, survey.reader())
        .map_err(|error| LedgerError::from(StateError::from(error)))?;
    let mut torn_tail = None;
    while let Some(found) = survey.next() {
        tell(progress, Stage::Journal, survey.done(), survey.bytes())?;
        match found {
            Found::Record(entry) => blocks.record(&entry, &survey, &mut store, &mut findings)?,
            Found::Damaged(error) => {
                findings.add(Part::Journal, Some(blocks.next_height()), error.to_string());
                blocks.lose_track();
            }
            Found::Torn(tail) => torn_tail = Some(tail),
        }
    }
    tell(progress, Stage::Journal, survey.bytes(), survey.bytes())?;
    let to_the_tip = options.to.is_none_or(|to| to >= blocks.tip());
    let state = if to_the_tip {
        store.finish(blocks.tip_result(), &mut findings, progress)?
    } else {
        StateVerdict::NotChecked("the tip was left out".into())
    };
    Ok(Verified {
        tip: blocks.tip(),
        tip_time_ms: blocks.tip_time_ms(),
        proven: blocks.proven(),
        transactions: blocks.transactions(),
        epochs: blocks.epochs(),
        uncommitted: blocks.uncommitted(),
        torn_tail,
        state,
        executed: blocks.executed(),
        findings,
    })
}
