//! What a ledger holds, and how much room that takes.

use super::error::ToolError;
use super::pages::Pages;
use super::{Progress, Stage, store_folder, survey, tell};
use crate::codec::decode;
use crate::ids::{Epoch, Height, TimestampMs};
use crate::ledger::apply::next_epoch;
use crate::ledger::error::LedgerError;
use crate::ledger::genesis::GenesisState;
use crate::ledger::journal::{Found, Survey};
use crate::ledger::record::{self, CommitRecord, read_body};
use crate::ledger::store::{SledStore, Store, Table};
use crate::receipt::ReceiptStatus;
use crate::state::{StateKey, StateValue};
use std::collections::BTreeMap;
use std::path::Path;

/// Entries between two reports of progress.
const PROGRESS_ENTRIES: u64 = 4_096;

/// What a kind of entries takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KindStats {
    /// How many.
    pub entries: u64,
    /// Bytes of keys and values, without what the store adds.
    pub bytes: u64,
}

/// What a ledger holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// The last block.
    pub height: Height,
    /// The epoch of the next one.
    pub epoch: Epoch,
    /// Committed transactions.
    pub transactions: u64,
    /// Committed transactions that failed.
    pub failed: u64,
    /// The first block's time; `None` if there is none.
    pub first_ms: Option<TimestampMs>,
    /// The last block's.
    pub last_ms: Option<TimestampMs>,
    /// Height up to which the store was made durable last.
    pub checkpoint: Option<Height>,
    /// Journal files.
    pub segments: usize,
    /// Their bytes, preallocated ones included.
    pub journal_bytes: u64,
    /// Bytes of bodies in them, of blocks that were never committed too.
    pub body_bytes: u64,
    /// Bytes of commits in them: certificates, results, receipts, changes.
    pub commit_bytes: u64,
    /// Bytes of the store's files.
    pub store_bytes: u64,
    /// Entries of the state by kind.
    pub state: BTreeMap<String, KindStats>,
    /// Entries of the indexes by name.
    pub indexes: BTreeMap<String, KindStats>,
    /// Places that could not be read; `verify` says which.
    pub damaged: u64,
}

impl Stats {
    /// Bytes in all files for each committed transaction; `None` without one.
    #[must_use]
    pub const fn bytes_per_transaction(&self) -> Option<u64> {
        (self.journal_bytes + self.store_bytes).checked_div(self.transactions)
    }

    /// Bytes of bodies and commits for each committed transaction; `None` without one.
    #[must_use]
    pub const fn journal_bytes_per_transaction(&self) -> Option<u64> {
        (self.body_bytes + self.commit_bytes).checked_div(self.transactions)
    }
}

/// Counts what the ledger in a data folder holds. What is damaged is left out.
///
/// # Errors
/// When it can't be looked at.
pub fn stats(data: &Path, genesis: &GenesisState, progress: &mut dyn Progress) -> Result<Stats, ToolError> {
    let mut survey = survey(data, genesis)?;
    let mut stats = Stats { segments: survey.segments(), journal_bytes: survey.bytes(), ..Stats::default() };
    journal(&mut stats, &mut survey, progress)?;
    let folder = store_folder(data);
    stats.store_bytes = folder_bytes(&folder)?;
    match folder.join("sled").is_dir().then(|| SledStore::open(&folder, super::CACHE_BYTES)) {
        Some(Ok(store)) => tables(&mut stats, &store, progress)?,
        Some(Err(_)) => stats.damaged += 1,
        None => {}
    }
    Ok(stats)
}

fn journal(stats: &mut Stats, survey: &mut Survey, progress: &mut dyn Progress) -> Result<(), ToolError> {
    let mut places = None;
    while let Some(found) = survey.next() {
        tell(progress, Stage::Journal, survey.done(), survey.bytes())?;
        let entry = match found {
            Found::Record(entry) => entry,
            Found::Damaged(_) => {
                stats.damaged += 1;
                continue;
            }
            Found::Torn(_) => continue,
        };
        let bytes = entry.payload.len() as u64;
        match (entry.kind, decode::<CommitRecord>(&entry.payload)) {
            (record::COMMIT, Ok(commit)) => {
                stats.commit_bytes += bytes;
                stats.height = commit.height;
                stats.transactions += commit.receipts.len() as u64;
                stats.failed +=
                    commit.receipts.iter().filter(|receipt| receipt.status != ReceiptStatus::Success).count()
                        as u64;
                stats.epoch = next_epoch(&commit.changes).map_or(stats.epoch, |(epoch, _)| epoch);
                places = Some((places.map_or(commit.body, |(first, _)| first), commit.body));
            }
            (record::BODY, _) => stats.body_bytes += bytes,
            _ => stats.damaged += 1,
        }
    }
    if let Some((first, last)) = places {
        let time = |place| read_body(&survey.reader(), place).ok().map(|block| block.header.timestamp_ms);
        (stats.first_ms, stats.last_ms) = (time(first), time(last));
    }
    Ok(())
}

fn tables(stats: &mut Stats, store: &dyn Store, progress: &mut dyn Progress) -> Result<(), ToolError> {
    stats.checkpoint = store.applied().map(|applied| applied.height);
    let manifest = store.manifest();
    let mut done = 0;
    for table in Table::ALL {
        for pair in Pages::new(store, table) {
            done += 1;
            if done % PROGRESS_ENTRIES == 0 {
                tell(progress, Stage::Store, done, 0)?;
            }
            let Ok((key, value)) = pair else {
                stats.damaged += 1;
                continue;
            };
            let found = match table {
                Table::State => decode::<(StateKey, StateValue)>(&value).ok().map(|(key, _)| (kind(&key), 1)),
                Table::Runs => match manifest.entries_of(&key, &value) {
                    // Merged meanwhile, or not complete.
                    Ok(None) => continue,
                    Ok(Some((index, entries))) => Some((index.name().to_owned(), entries)),
                    Err(_) => None,
                },
                _ => Some((table.name().to_owned(), 1)),
            };
            let Some((kind, entries)) = found else {
                stats.damaged += 1;
                continue;
            };
            let by_kind = if table == Table::State { &mut stats.state } else { &mut stats.indexes };
            let sum = by_kind.entry(kind).or_default();
            sum.entries += entries;
            sum.bytes += (key.len() + value.len()) as u64;
        }
    }
    tell(progress, Stage::Store, done, done)
}

/// What a kind of state entries is called: its variant's name, in lower case.
fn kind(key: &StateKey) -> String {
    let name = format!("{key:?}");
    name.chars().take_while(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Bytes of all files below a folder; none if it is not there.
fn folder_bytes(folder: &Path) -> Result<u64, ToolError> {
    let failed = |source| ToolError::from(LedgerError::Io { path: folder.to_path_buf(), source });
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(failed)?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let metadata = entry.metadata().map_err(failed)?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}
