//! What a node's threads do beside its core: the executor, job by job, and the vote journal, group by group.
//! What is written is in the files at once, and durable when the sync that began after it has ended.

use super::chart::Mark;
use super::checker::Violation;
use super::clients::{self, BATCH_MAX};
use super::effects::Answer;
use super::executor::{Executor, Job};
use super::fault::Fault;
use super::node::{DiskFault, Process};
use super::slip::Slip;
use super::world::{Event, World};
use quorate_chain::ledger::LedgerError;
use quorate_chain::{CommitCertificate, Epoch, Header};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{Input, PersistId, Record, SealedBlock};
use std::sync::Arc;

/// The writer of a store writes fewer entries than this after a commit.
const SLICE_ENTRIES: usize = 23;
/// Of a hundred commits, after how many the store is made durable.
const CHECKPOINT_PERCENT: u64 = 5;

/// A sync takes less than so long when nothing is wrong, milliseconds.
const SYNC_MS: u64 = 3;
/// An execution takes less than so long when nothing is wrong, milliseconds.
const EXECUTE_MS: u64 = 3;

/// What has ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Done {
    Job,
    Sync,
}

impl World {
    pub(super) fn executor(&mut self, node: usize) -> Option<&mut Executor> {
        self.nodes[node].process.as_mut().map(|process| &mut process.executor)
    }

    /// When a sync that begins now is done.
    fn synced_at(&mut self, node: usize) -> u64 {
        let slow_disk = &mut self.nodes[node].slow_disk;
        let (sync_ms, felt) = slow_disk.draw(self.now_ms, SYNC_MS, &mut self.random);
        if felt {
            self.fired(Fault::SlowDisk { node, sync_ms, for_ms: 0 }.kind());
        }
        if !self.one_disk {
            return self.now_ms + sync_ms;
        }
        let busy = &mut self.nodes[node].disk_busy_until_ms;
        *busy = self.now_ms.max(*busy) + sync_ms;
        *busy
    }

    pub(super) fn push_job(&mut self, node: usize, job: Job) -> Result<(), Violation> {
        if let Some(executor) = self.executor(node) {
            executor.jobs.push_back(job);
        }
        self.begin_job(node)
    }

    /// Begins the next job if none runs.
    fn begin_job(&mut self, node: usize) -> Result<(), Violation> {
        let Some(executor) = self.executor(node).filter(|executor| executor.running.is_none()) else {
            return Ok(());
        };
        let Some(job) = executor.jobs.pop_front() else { return Ok(()) };
        if let Job::Store(block, _) = &job
            && let Err(error) = executor.append_body(block)
        {
            return self.storage_failed(node, &error);
        }
        let done_ms = match &job {
            Job::Store(..) | Job::Commit(..) => self.synced_at(node),
            Job::Execute(_) => {
                let slow_executor = &mut self.nodes[node].slow_executor;
                let (execute_ms, felt) = slow_executor.draw(self.now_ms, EXECUTE_MS, &mut self.random);
                if felt {
                    self.fired(Fault::SlowExecutor { node, execute_ms, for_ms: 0 }.kind());
                }
                self.now_ms + execute_ms
            }
            Job::Validate(_) | Job::Batch(..) => self.now_ms + self.random.below(2),
            Job::Discard(_) => self.now_ms,
        };
        if let Some(executor) = self.executor(node) {
            executor.running = Some(job);
        }
        self.done_at(node, done_ms, Done::Job);
        Ok(())
    }

    fn done_at(&mut self, node: usize, time_ms: u64, done: Done) {
        let start = self.nodes[node].start;
        self.at(time_ms, Event::Done { node, start, done });
    }

    pub(super) fn done(&mut self, node: usize, start: u64, done: Done) -> Result<(), Violation> {
        if self.nodes[node].start != start {
            return Ok(());
        }
        match done {
            Done::Sync => self.sync_done(node),
            Done::Job => {
                let job = self.executor(node).and_then(|executor| executor.running.take());
                let Some(job) = job else { return Ok(()) };
                match self.finish(node, job) {
                    Ok(Ok(answer)) => {
                        self.begin_job(node)?;
                        answer.map_or(Ok(()), |input| self.step(node, input))
                    }
                    Ok(Err(error)) => self.storage_failed(node, &error),
                    Err(violation) => Err(violation),
                }
            }
        }
    }

    /// The job's work and its answer. The inner result is the disk's.
    fn finish(&mut self, node: usize, job: Job) -> Result<Result<Option<Input>, LedgerError>, Violation> {
        let verify = self.settings.verify;
        let Some(executor) = self.executor(node) else { return Ok(Ok(None)) };
        let answer = match job {
            Job::Store(block, told) => {
                executor.sync().map(|()| told.then(|| Input::BodyStored(block.hash())))
            }
            Job::Validate(block) => {
                let verdict = executor.validate(&block, verify);
                if let Err(error) = &verdict {
                    self.note(Mark::At(node), || format!("finds h{} invalid: {error}", block.height()));
                }
                Ok(Some(Input::Validated { block: block.hash(), valid: verdict.is_ok() }))
            }
            Job::Execute(block) => executor.execute(&block).map(|executed| {
                let executed = executed?;
                let (result, ends_epoch) = (executed.hash(), executed.ends_epoch);
                Some(Input::Executed { block: block.hash(), result, ends_epoch })
            }),
            Job::Batch(parent, height) => {
                let transactions = executor.batch(parent, height);
                Ok(Some(Input::Batch { parent, transactions }))
            }
            Job::Discard(block) => {
                executor.discard(block);
                Ok(None)
            }
            Job::Commit(block, certificate, path) => return self.commit_job(node, &block, certificate, path),
        };
        Ok(answer)
    }

    fn commit_job(
        &mut self,
        node: usize,
        block: &SealedBlock,
        certificate: CommitCertificate,
        path: Vec<Header>,
    ) -> Result<Result<Option<Input>, LedgerError>, Violation> {
        let checkpoint = self.random.chance(CHECKPOINT_PERCENT);
        let Some(process) = &mut self.nodes[node].process else { return Ok(Ok(None)) };
        let Process { replica, executor, .. } = process;
        let committed = executor.commit(block, certificate, path);
        // Somewhere within what blocks have changed, another place each time.
        let entries = (block.height().0 as usize * 7 + node) % SLICE_ENTRIES;
        let committed = committed.and_then(|one| executor.write_behind(entries).map(|()| one));
        let committed =
            committed.and_then(|one| if checkpoint { executor.checkpoint().map(|()| one) } else { Ok(one) });
        if let Err(error) = committed {
            return Ok(Err(error));
        }
        let tip = executor.tip().clone();
        if tip.height > self.balanced {
            self.balanced = tip.height;
            let (held, total) = clients::balances(executor.reader());
            if held != total {
                let height = tip.height;
                return Err(Violation(format!("S5: all accounts hold {held} at {height}, not {total}")));
            }
        }
        let ended = tip.epoch > replica.epoch();
        self.nodes[node].durable.0 = tip.height;
        if block.block().transactions.len() < BATCH_MAX {
            self.reply(node, 0, Answer::Input(Box::new(Input::Room(block.height()))));
        }
        self.pending_later(node);
        self.fetch_more(node);
        if !ended {
            return Ok(Ok(None));
        }
        let context = EpochContext {
            chain: clients::CHAIN,
            epoch: tip.epoch,
            set: Arc::clone(&tip.validators),
            start_height: tip.height,
            start_block: tip.block,
            start_result: tip.result.hash(),
        };
        self.note(Mark::At(node), || format!("starts epoch {}", context.epoch));
        self.learn(&context)?;
        let me = self.seat(node, context.epoch);
        Ok(Ok(Some(Input::EpochStarted { context, me })))
    }

    /// The first node in an epoch shows where it starts; all others must agree.
    fn learn(&mut self, context: &EpochContext) -> Result<(), Violation> {
        let Epoch(epoch) = context.epoch;
        if self.contexts.len() as u64 == epoch {
            self.contexts.push(context.clone());
        }
        let known = self.contexts.get(epoch as usize);
        let agrees = known.is_some_and(|known| {
            (known.start_block, known.start_result, &known.set)
                == (context.start_block, context.start_result, &context.set)
        });
        let planned = self.roster.end(Epoch(epoch - 1)) == Some(context.start_height.0)
            && **self.roster.set(context.epoch) == *context.set;
        if agrees && planned {
            Ok(())
        } else {
            Err(Violation(format!("S2: epoch {epoch} starts elsewhere, or with another set")))
        }
    }

    pub(super) fn persist(&mut self, node: usize, id: PersistId, record: Record) -> Result<(), Violation> {
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        process.votes.waiting.push((id, record));
        if self.settings.slip() == Some(Slip::SendsBeforePersist) {
            self.reply(node, 0, Answer::Input(Box::new(Input::Persisted(id))));
        }
        self.begin_sync(node)
    }

    /// Writes what waits, if no sync runs, and begins one.
    fn begin_sync(&mut self, node: usize) -> Result<(), Violation> {
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        let votes = &mut process.votes;
        if votes.syncing.is_some() || votes.waiting.is_empty() {
            return Ok(());
        }
        votes.syncing = votes.waiting.last().map(|(id, _)| *id);
        for (_, record) in std::mem::take(&mut votes.waiting) {
            if let Err(error) = votes.journal.append(record) {
                return self.storage_failed(node, &error);
            }
        }
        if let Some((_, down_ms)) = self.nodes[node].crash_at_persist.take_if(|(synced, _)| !*synced) {
            self.crash_at_persist(node, down_ms);
            return Ok(());
        }
        let done_ms = self.synced_at(node);
        self.done_at(node, done_ms, Done::Sync);
        Ok(())
    }

    fn sync_done(&mut self, node: usize) -> Result<(), Violation> {
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        let votes = &mut process.votes;
        if let Err(error) = votes.journal.sync() {
            return self.storage_failed(node, &error);
        }
        let (synced, done) = (votes.journal.synced(), votes.syncing.take());
        self.nodes[node].durable.1 = synced;
        if let Some((_, down_ms)) = self.nodes[node].crash_at_persist.take_if(|(synced, _)| *synced) {
            self.crash_at_persist(node, down_ms);
            return Ok(());
        }
        self.begin_sync(node)?;
        let told = done.filter(|_| self.settings.slip() != Some(Slip::SendsBeforePersist));
        told.map_or(Ok(()), |id| self.step(node, Input::Persisted(id)))
    }

    fn crash_at_persist(&mut self, node: usize, down_ms: u64) {
        self.fired(Fault::CrashAtPersist { node, synced: false, down_ms }.kind());
        self.crash(node, down_ms);
    }

    /// Ledger or vote journal can't go on: the node stops, for a reason that was ordered.
    pub(super) fn storage_failed(&mut self, node: usize, error: &LedgerError) -> Result<(), Violation> {
        let ordered = self.nodes[node].disk_fault;
        let is_full = error.to_string().contains("no storage space");
        let (kind, down_ms) = match ordered {
            Some(DiskFault::Full(until_ms)) if is_full => {
                let for_ms = until_ms.saturating_sub(self.now_ms);
                (Fault::FullDisk { node, more_bytes: 0, for_ms }.kind(), self.random.between(10, 1_000))
            }
            Some(DiskFault::Sync(down_ms)) if !is_full => {
                (Fault::FailedSync { node, down_ms }.kind(), down_ms)
            }
            Some(DiskFault::PowerCut(down_ms)) if !is_full => {
                (Fault::PowerCut { node, operation: 0, down_ms }.kind(), down_ms)
            }
            _ => return Err(Violation(format!("F: node {node} stops, and nothing is wrong: {error}"))),
        };
        self.fired(kind);
        self.note(Mark::At(node), || format!("stops: {error}"));
        self.crash(node, down_ms);
        Ok(())
    }
}
