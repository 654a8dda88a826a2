//! The vote journal of a simulated node: real records in a real journal on its disk (R10–R14).

use super::slip::Slip;
use quorate_chain::Height;
use quorate_chain::codec::{decode, encode};
use quorate_chain::ledger::LedgerError;
use quorate_chain::ledger::journal::{Disk, Journal, Options, Owner};
use quorate_consensus::{DurableState, Record};
use std::path::Path;
use std::sync::Arc;

/// Kind of the journal's only records.
const RECORD: u8 = 1;
/// Records after which the state is written as one and what was before is pruned.
const SNAPSHOT_RECORDS: usize = 150;

/// Whose votes these are; a simulated disk is one replica's alone.
const RECORD_ID: [u8; 16] = [1; 16];

/// The journal with the state that its records add up to.
pub(super) struct VoteJournal {
    journal: Journal,
    state: DurableState,
    records: usize,
}

impl VoteJournal {
    /// Opens or makes the journal and reads it.
    pub(super) fn open(disk: Arc<dyn Disk>, folder: &Path, options: Options) -> Result<Self, LedgerError> {
        let (journal, recovered) = Journal::open(disk, folder, Owner::Votes(RECORD_ID), options)?;
        let mut state = DurableState::default();
        let mut records = 0;
        for entry in journal.scan(recovered.first) {
            let entry = entry?;
            let record: Record = decode(&entry.payload).map_err(|error| LedgerError::Damaged {
                height: Height::ZERO,
                what: format!("vote journal at {}: {error}", entry.position),
            })?;
            state.apply(record);
            records += 1;
        }
        Ok(Self { journal, state, records })
    }

    /// What a restarted process makes of its records.
    pub(super) fn recall(&self, slip: Option<Slip>) -> DurableState {
        let state = self.state.clone();
        match slip {
            Some(slip) => slip.forget(state),
            None => state,
        }
    }

    /// Number of the last record that is known to be durable.
    pub(super) const fn synced(&self) -> u64 {
        self.journal.synced_sequence()
    }

    pub(super) fn append(&mut self, record: Record) -> Result<(), LedgerError> {
        self.journal.append(RECORD, &encode(&record))?;
        self.state.apply(record);
        self.records += 1;
        Ok(())
    }

    /// Makes everything appended durable, and the journal short now and then, as a node does.
    pub(super) fn sync(&mut self) -> Result<(), LedgerError> {
        self.journal.sync()?;
        if self.records >= SNAPSHOT_RECORDS { self.snapshot() } else { Ok(()) }
    }

    fn snapshot(&mut self) -> Result<(), LedgerError> {
        if let Some((height, _)) = self.state.commits.last_key_value() {
            let height = *height;
            self.state.forget(height);
        }
        let snapshot = Record::Snapshot(Box::new(self.state.clone()));
        let position = self.journal.append(RECORD, &encode(&snapshot))?;
        self.journal.sync()?;
        self.journal.prune_before(position)?;
        self.records = 1;
        Ok(())
    }
}
