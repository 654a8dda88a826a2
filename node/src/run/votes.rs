//! The vote journal: a thread that makes records durable in order and says so (R10–R14).

use super::Fatal;
use super::metrics::{Metrics, Stage};
use quorate_chain::Height;
use quorate_chain::codec::{decode, encode};
use quorate_chain::ledger::LedgerError;
use quorate_chain::ledger::journal::{FsDisk, Journal, Options, Owner, Position};
use quorate_consensus::{DurableState, Input, PersistId, Record};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::mpsc;

/// Kind of the journal's only records.
const RECORD: u8 = 1;
/// Records after which the state is written as one and what was before is pruned.
const SNAPSHOT_RECORDS: usize = 50_000;
/// Most records of one sync.
const GROUP_MAX: usize = 256;

/// The journal with the state that its records add up to.
pub(super) struct VoteJournal {
    journal: Journal,
    state: DurableState,
    records: usize,
}

impl VoteJournal {
    /// Opens or makes the journal of a vote record and reads it.
    pub(super) fn open(folder: &Path, owner: Owner) -> Result<Self, LedgerError> {
        let (journal, recovered) = Journal::open(Arc::new(FsDisk), folder, owner, Options::votes())?;
        if let Some(torn) = recovered.torn_tail {
            tracing::warn!(position = %torn.position, bytes = torn.bytes, "discarded unsynced votes");
        }
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

    /// What the records add up to.
    pub(super) fn state(&self) -> DurableState {
        self.state.clone()
    }

    fn append(&mut self, record: Record) -> Result<Position, LedgerError> {
        let position = self.journal.append(RECORD, &encode(&record))?;
        self.state.apply(record);
        self.records += 1;
        Ok(position)
    }

    fn snapshot(&mut self) -> Result<(), LedgerError> {
        if let Some((height, _)) = self.state.commits.last_key_value() {
            let height = *height;
            self.state.forget(height);
        }
        let snapshot = Record::Snapshot(Box::new(self.state.clone()));
        let position = self.append(snapshot)?;
        self.journal.sync()?;
        self.journal.prune_before(position)?;
        self.records = 1;
        Ok(())
    }

    /// Makes what comes in durable, as many records with one sync as are there, until the core is gone.
    pub(super) fn run(
        mut self,
        mut records: mpsc::UnboundedReceiver<(PersistId, Record)>,
        core: &mpsc::UnboundedSender<Input>,
        fatal: &Fatal,
        metrics: &Metrics,
    ) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while records.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            let began = Instant::now();
            match self.write(&mut group) {
                Ok(last) => {
                    metrics.stage(Stage::Persist, began);
                    let _ = core.send(Input::Persisted(last));
                }
                Err(error) => return fatal.stop(format!("the vote journal failed: {error}")),
            }
        }
    }

    fn write(&mut self, group: &mut Vec<(PersistId, Record)>) -> Result<PersistId, LedgerError> {
        let mut last = PersistId(0);
        for (id, record) in group.drain(..) {
            self.append(record)?;
            last = id;
        }
        self.journal.sync()?;
        if self.records >= SNAPSHOT_RECORDS {
            self.snapshot()?;
        }
        Ok(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::certificate::PrepareVote;
    use quorate_chain::{BlockHash, Epoch, View};

    const OWNER: Owner = Owner::Votes([7; 16]);

    #[test]
    fn a_sync_makes_so_many_records_durable_and_the_next_waits_for_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let votes = VoteJournal::open(folder.path(), OWNER).unwrap();
        let (records, queue) = mpsc::unbounded_channel();
        for number in 1..=GROUP_MAX as u64 + 1 {
            records.send((PersistId(number), Record::Start(number))).unwrap();
        }
        drop(records);
        let ((core, mut told), (fatal, mut failed)) = (mpsc::unbounded_channel(), mpsc::channel(1));
        votes.run(queue, &core, &Fatal(fatal), &Metrics::new());
        for number in [GROUP_MAX as u64, GROUP_MAX as u64 + 1] {
            assert!(matches!(told.try_recv(), Ok(Input::Persisted(PersistId(last))) if last == number));
        }
        assert!(told.try_recv().is_err() && failed.try_recv().is_err());
        let again = VoteJournal::open(folder.path(), OWNER).unwrap();
        assert_eq!(again.state().starts, GROUP_MAX as u64 + 1, "all are there");
    }

    #[test]
    fn what_is_said_to_be_durable_is_there_again_and_snapshots_keep_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut votes = VoteJournal::open(folder.path(), OWNER).unwrap();
        let vote = |height| PrepareVote {
            epoch: Epoch(0),
            view: View(0),
            height: Height(height),
            block: BlockHash([u8::try_from(height).unwrap(); 32]),
        };
        let mut group = vec![(PersistId(1), Record::Start(1)), (PersistId(2), Record::Prepare(vote(1)))];
        assert_eq!(votes.write(&mut group).unwrap(), PersistId(2));
        votes.snapshot().unwrap();
        votes.write(&mut vec![(PersistId(3), Record::Prepare(vote(2)))]).unwrap();
        let state = votes.state();
        drop(votes);
        let again = VoteJournal::open(folder.path(), OWNER).unwrap();
        assert_eq!(again.state(), state);
        assert_eq!((again.state().starts, again.state().prepares.len()), (1, 2));
    }
}
