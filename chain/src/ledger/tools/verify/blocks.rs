//! The chain of blocks as the journal has it.

use super::execute::Execution;
use super::findings::{Findings, Part};
use super::store::StoreCheck;
use super::{ToolError, VerifyOptions};
use crate::block::{Block, Header};
use crate::codec::decode;
use crate::ids::{ChainId, Epoch, Height, StateRoot, TimestampMs};
use crate::ledger::BODIES_MAX;
use crate::ledger::apply::next_epoch;
use crate::ledger::genesis::GenesisState;
use crate::ledger::journal::{self, Entry, Position, Survey};
use crate::ledger::record::{self, CommitRecord, read_body};
use crate::ledger::tools::link::{Link, Proof};
use crate::receipt::receipts_root;
use crate::state::tree;
use borsh::BorshDeserialize;
use std::collections::BTreeMap;

/// Follows the commits.
pub(super) struct Blocks {
    chain: ChainId,
    journal: journal::Reader,
    link: Link,
    from: Height,
    to: Height,
    state_root: Option<StateRoot>,
    time_ms: TimestampMs,
    proven: u64,
    transactions: u64,
    epochs: u64,
    /// Bodies that no commit made final yet.
    bodies: BTreeMap<Position, Height>,
    execution: Option<Execution>,
}

impl Blocks {
    pub(super) fn new(
        genesis: &GenesisState,
        options: &VerifyOptions,
        journal: journal::Reader,
    ) -> Result<Self, tree::Error> {
        Ok(Self {
            chain: genesis.chain,
            journal,
            link: Link::genesis(genesis)?,
            from: options.from.unwrap_or(Height(1)),
            to: options.to.unwrap_or(Height(u64::MAX)),
            state_root: Some(genesis.result()?.state_root),
            time_ms: genesis.timestamp_ms,
            proven: 0,
            transactions: 0,
            epochs: 0,
            bodies: BTreeMap::new(),
            execution: options.execute_in.as_deref().map(|folder| Execution::new(folder, genesis)),
        })
    }

    pub(super) const fn tip(&self) -> Height {
        self.link.height
    }

    pub(super) const fn next_height(&self) -> Height {
        self.link.height.next()
    }

    pub(super) const fn tip_time_ms(&self) -> TimestampMs {
        self.time_ms
    }

    /// The state's root after the tip.
    pub(super) const fn tip_result(&self) -> Option<StateRoot> {
        self.state_root
    }

    pub(super) const fn proven(&self) -> u64 {
        self.proven
    }

    pub(super) const fn transactions(&self) -> u64 {
        self.transactions
    }

    pub(super) const fn epochs(&self) -> u64 {
        self.epochs
    }

    pub(super) fn uncommitted(&self) -> u64 {
        self.bodies.len() as u64
    }

    pub(super) fn executed(&self) -> Option<Height> {
        self.execution.as_ref().map(Execution::height)
    }

    /// Records were lost: what follows may belong to later heights.
    pub(super) fn lose_track(&mut self) {
        if let Some(execution) = &mut self.execution {
            execution.stop();
        }
    }

    /// Takes the next record of the journal.
    pub(super) fn record(
        &mut self,
        entry: &Entry,
        survey: &Survey,
        store: &mut StoreCheck,
        findings: &mut Findings,
    ) -> Result<(), ToolError> {
        let place = || format!("{} at byte {}", survey.path(entry.position).display(), entry.position.offset);
        let next = self.next_height();
        match entry.kind {
            record::BODY => match Header::deserialize(&mut entry.payload.as_slice()) {
                Ok(header) => {
                    if self.bodies.len() >= BODIES_MAX {
                        self.bodies.pop_first();
                    }
                    self.bodies.insert(entry.position, header.height);
                }
                Err(_) => findings.add(Part::Journal, Some(next), format!("{}: no block", place())),
            },
            record::COMMIT => match decode::<CommitRecord>(&entry.payload) {
                Ok(commit) => return self.commit(&commit, entry.position, &place(), store, findings),
                Err(_) => findings.add(Part::Journal, Some(next), format!("{}: no commit", place())),
            },
            kind => {
                findings.add(Part::Journal, Some(next), format!("{}: a record of kind {kind}", place()));
            }
        }
        Ok(())
    }

    fn commit(
        &mut self,
        commit: &CommitRecord,
        position: Position,
        place: &str,
        store: &mut StoreCheck,
        findings: &mut Findings,
    ) -> Result<(), ToolError> {
        let (height, next) = (commit.height, self.next_height());
        let mut report = |height, what: String| {
            findings.add(Part::Journal, Some(height), format!("{place}: block {height}: {what}"));
        };
        if height < next {
            report(height, format!("it is committed again, {next} comes next"));
            return Ok(());
        }
        if height > next {
            report(next, format!("the journal goes on with {height}; the blocks between are missing"));
            // A change of the validators may be among what is missing.
            let same_epoch = |(epoch, _): &(Epoch, _)| *epoch == commit.certificate.epoch;
            let voters = self.link.voters.take().filter(same_epoch);
            self.link = Link { height: height.previous(), parent: None, voters };
            self.lose_track();
        }
        let body = read_body(&self.journal, commit.body).ok();
        let body = body.filter(|block| block.hash() == commit.block && block.header.height == height);
        let Some(block) = body else {
            report(height, format!("its body at {} is missing or another", commit.body));
            self.skip(commit);
            store.commit(commit);
            return Ok(());
        };
        if (self.from..=self.to).contains(&height) {
            match self.check(commit, &block) {
                Ok(()) => {
                    self.proven += 1;
                    self.transactions += block.transactions.len() as u64;
                }
                Err(what) => report(height, what),
            }
        }
        let change = next_epoch(&commit.changes).map(|(epoch, set)| (epoch, set.clone()));
        self.epochs += u64::from(change.is_some());
        if let Err(error) = self.link.follow(&block, &commit.result, change) {
            report(height, error.to_string());
        }
        self.settle(commit, block.header.timestamp_ms);
        if let Some(execution) = &mut self.execution
            && height <= self.to
            && let Some(what) = execution.block(&block, commit)?
        {
            report(height, what);
        }
        store.block(commit, position, &block, findings);
        Ok(())
    }

    /// Everything that must hold of one block.
    fn check(&self, commit: &CommitRecord, block: &Block) -> Result<(), String> {
        let CommitRecord { result, certificate, path, receipts, .. } = commit;
        let proof = Proof { block, result, path, certificate };
        self.link.check(self.chain, &proof).map_err(|error| error.to_string())?;
        if self.link.voters.is_none() {
            return Err("the validators of its epoch are not known because of earlier damage".into());
        }
        if receipts.len() != block.transactions.len() || receipts_root(receipts) != result.receipts_root {
            return Err("its receipts are not those that its result binds".into());
        }
        Ok(())
    }

    /// Past a block whose body is lost; its commit still binds the result.
    fn skip(&mut self, commit: &CommitRecord) {
        self.link.height = commit.height;
        self.link.parent = Some((commit.block, commit.result.hash()));
        if let Some((epoch, set)) = next_epoch(&commit.changes) {
            self.link.voters = Some((epoch, std::sync::Arc::new(set.clone())));
        }
        self.lose_track();
        let time_ms = self.time_ms;
        self.settle(commit, time_ms);
    }

    fn settle(&mut self, commit: &CommitRecord, time_ms: TimestampMs) {
        self.time_ms = time_ms;
        self.state_root = Some(commit.result.state_root);
        self.bodies.retain(|_, height| *height > commit.height);
    }
}
