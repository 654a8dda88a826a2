//! Carrying out what the replica asks for. Whatever a call wants durable becomes so by one sync; only then the
//! replica hears of it, and lets go what it withheld (R10–R12).

use super::host::{Alarm, Host, Output};
use super::operation;
use super::pool::Limits;
use super::reply::{Committed, Reply, ReplyProof, receipt_hash};
use super::storage::Key;
use super::wire::{
    BLOCK_BYTES_MAX, BLOCK_OPERATIONS_MAX, CertifiedBlock, RELAY_BYTES_MAX, RELAY_OPERATIONS_MAX, Wire,
};
use super::{Error, Service, Storage};
use crate::message::{Message, Outgoing, SealedBlock, Unsigned, Verified};
use crate::record::{PersistId, Record};
use crate::replica::{Effect, Input, Pending};
use quorate_chain::codec::{List, encode};
use quorate_chain::transaction::TRANSACTION_BYTES_MAX;
use quorate_chain::{BlockHash, CertifiedHeader, CommitCertificate, Header, Nonce, merkle};

/// Records after which the journal is written anew as one.
pub(super) const SNAPSHOT_RECORDS: u64 = 4096;
/// Committed blocks that can be asked for by their hash.
pub(super) const RECENT_MAX: usize = 128;

const BLOCK: Limits = Limits { operations_max: BLOCK_OPERATIONS_MAX, bytes_max: BLOCK_BYTES_MAX };
const RELAY: Limits = Limits { operations_max: RELAY_OPERATIONS_MAX, bytes_max: RELAY_BYTES_MAX };

impl<S: Service, D: Storage> Host<S, D> {
    /// Works until nothing is left to do but to wait.
    ///
    /// # Errors
    /// When the storage fails; then for ever.
    pub(super) fn run(&mut self) -> Result<(), Error> {
        let done = self.work();
        self.stop_if_fatal(done)
    }

    /// What cannot be made good ends the host.
    pub(super) fn stop_if_fatal<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        self.stopped |= done.as_ref().is_err_and(Error::is_fatal);
        done
    }

    fn work(&mut self) -> Result<(), Error> {
        if self.replica.deadline().is_some_and(|due| due <= self.now.time) {
            self.inputs.push_back(Input::Tick);
        }
        loop {
            while let Some(input) = self.inputs.pop_front() {
                for effect in self.replica.step(self.now, input) {
                    self.carry_out(effect)?;
                }
            }
            self.tell_pending();
            self.sync()?;
            if self.inputs.is_empty() {
                return Ok(());
            }
        }
    }

    pub(super) fn carry_out(&mut self, effect: Effect) -> Result<(), Error> {
        match effect {
            Effect::Persist(id, record) => self.persist(id, record),
            Effect::StoreBody(block) => self.store_body(block),
            Effect::Broadcast(outgoing) => {
                let message = self.signed(outgoing);
                self.broadcast(&Wire::Consensus(message));
            }
            Effect::Send(to, outgoing) => {
                let message = self.signed(outgoing);
                self.send(to, &Wire::Consensus(message));
            }
            Effect::Sign(unsigned) => drop(self.sign(unsigned)),
            Effect::RequestBatch { parent, height } => {
                let first = usize::try_from(height.0 % self.execution.next().len() as u64).unwrap_or(0);
                self.execution.reach(parent, &self.bodies);
                let next = self.execution.next_after(parent);
                let transactions = next.map(|next| self.pool.take(next, first, BLOCK)).unwrap_or_default();
                self.inputs.push_back(Input::Batch { parent, transactions });
            }
            Effect::Validate(block) => {
                self.execution.reach(block.header().parent, &self.bodies);
                let valid = self.execution.is_valid(&block, &self.pool);
                self.inputs.push_back(Input::Validated { block: block.hash(), valid });
            }
            Effect::Execute(block) => {
                if let Some(result) = self.execution.execute(&block, &self.bodies) {
                    let block = block.hash();
                    self.inputs.push_back(Input::Executed { block, result, ends_epoch: false });
                }
            }
            Effect::Commit { block, certificate, path } => self.commit(&block, certificate, path)?,
            Effect::FetchBlock(hash) => self.broadcast(&Wire::WantBody(hash)),
            Effect::Sync { peer, to } => self.ask_for_blocks(peer, to),
            Effect::RelayTransactions { first } => {
                let first = first.and_then(|first| self.pool.get(first)).cloned();
                let some = self.pool.take(self.execution.next(), usize::from(self.me.0), RELAY);
                let others = some.into_iter().filter(|other| Some(other) != first.as_ref());
                let waiting = first.iter().cloned().chain(others).take(RELAY_OPERATIONS_MAX).collect();
                if let Ok(waiting) = List::new(waiting) {
                    self.broadcast(&Wire::Operations(waiting));
                }
            }
            Effect::Excuse(operation) => {
                self.pool.excuse(operation);
                self.pool_changed = true;
            }
            Effect::Discard(block) => {
                self.execution.discard(block);
                self.pool_changed = true;
            }
            Effect::Evidence(evidence) => self.alarm(Alarm::Evidence(Box::new(evidence))),
            Effect::ResultsDiffer(votes) => self.alarm(Alarm::ResultsDiffer(votes)),
            Effect::Halted(halt) => self.alarm(Alarm::Halted(halt)),
            Effect::RecordLost(lost) => {
                self.lost = true;
                self.alarm(Alarm::RecordLost(lost));
            }
            // One set, one epoch.
            Effect::ShowEpochEnd { .. } | Effect::SyncWithPeer { .. } | Effect::ReleaseOldEpoch(_) => {}
        }
        Ok(())
    }

    fn alarm(&mut self, alarm: Alarm) {
        self.outputs.push(Output::Alarm(alarm));
    }

    /// Signs with the own key; a copy comes back as an input.
    fn sign(&mut self, unsigned: Unsigned) -> Message {
        let message = unsigned.sign(self.settings.chain, self.me, &self.key);
        self.inputs.push_back(Input::Message(Verified::vouched(message.clone())));
        message
    }

    fn signed(&mut self, outgoing: Outgoing) -> Message {
        match outgoing {
            Outgoing::Own(unsigned) => self.sign(unsigned),
            Outgoing::Signed(message) => message,
        }
    }

    fn append(&mut self, record: Record) {
        self.writes.push((Key::Record(self.records.1), encode(&record)));
        self.records.1 += 1;
        self.durable.apply(record);
    }

    fn persist(&mut self, id: PersistId, record: Record) {
        self.append(record);
        self.written.0 = Some(id);
    }

    fn store_body(&mut self, block: SealedBlock) {
        self.writes.push((Key::Body(block.hash()), encode(&block)));
        self.written.1.push(block.hash());
        self.bodies.insert(block.hash(), block);
    }

    /// Makes durable what was written since the last time, with one sync.
    fn sync(&mut self) -> Result<(), Error> {
        if self.writes.is_empty() {
            return Ok(());
        }
        if self.records.1 - self.records.0 >= SNAPSHOT_RECORDS {
            self.durable.forget(self.replica.tip().height);
            let old = self.records.0..self.records.1;
            self.records.0 = self.records.1;
            self.append(Record::Snapshot(Box::new(self.durable.clone())));
            self.removals.extend(old.map(Key::Record));
        }
        self.storage.put(&self.writes)?;
        self.writes.clear();
        let (record, bodies) = std::mem::take(&mut self.written);
        self.inputs.extend(record.map(Input::Persisted));
        self.inputs.extend(bodies.into_iter().map(Input::BodyStored));
        if !self.removals.is_empty() {
            self.storage.remove(&std::mem::take(&mut self.removals))?;
        }
        Ok(())
    }

    fn commit(
        &mut self,
        block: &SealedBlock,
        certificate: CommitCertificate,
        path: Vec<Header>,
    ) -> Result<(), Error> {
        let Some((result, replies)) = self.execution.commit(block) else {
            return Err(Error::Diverged(block.height()));
        };
        let path = List::new(path).map_err(|_| Error::LongProof(block.height()))?;
        let certified = CertifiedBlock { block: block.clone(), path, certificate };
        self.writes.push((Key::Block(block.height()), encode(&certified)));
        let CertifiedBlock { path, certificate, .. } = certified;
        self.remember(block);
        let header = block.header().clone();
        let proof = CertifiedHeader { header, result, path, commit: certificate };
        self.reply(block, &proof, replies);
        self.outputs.push(Output::Committed(Box::new(Committed { block: block.clone(), proof })));
        self.pool.settle(self.execution.next());
        self.renumber();
        self.pool_changed = true;
        let operations = &block.block().transactions;
        let bytes: usize = operations.iter().map(|operation| operation.bytes().len()).sum();
        if operations.len() < BLOCK.operations_max && bytes + TRANSACTION_BYTES_MAX <= BLOCK.bytes_max {
            self.inputs.push_back(Input::Room(block.height()));
        }
        Ok(())
    }

    /// R42, R43: bodies at or below the tip go.
    fn remember(&mut self, block: &SealedBlock) {
        let tip = block.height();
        self.recent.insert(block.hash(), tip);
        self.recent.retain(|_, height| height.0 + RECENT_MAX as u64 > tip.0);
        let settled: Vec<BlockHash> =
            self.bodies.values().filter(|body| body.height() <= tip).map(SealedBlock::hash).collect();
        for hash in settled {
            self.bodies.remove(&hash);
            self.removals.push(Key::Body(hash));
        }
    }

    /// Replies to those of a block's operations that were submitted here.
    fn reply(&mut self, block: &SealedBlock, proof: &CertifiedHeader, replies: Vec<Vec<u8>>) {
        let transactions = &block.block().transactions;
        let all = transactions.iter().zip(&replies);
        let receipts: Vec<_> =
            all.map(|(transaction, reply)| receipt_hash(transaction.id(), reply)).collect();
        for (place, (transaction, bytes)) in transactions.iter().zip(replies).enumerate() {
            let nonce = transaction.body().nonce;
            let ticket =
                self.own.get(&nonce).filter(|(_, own)| own == transaction).map(|(ticket, _)| *ticket);
            let Some((ticket, receipt)) = ticket.zip(merkle::prove(&receipts, place)) else { continue };
            self.own.remove(&nonce);
            let proof = ReplyProof { transaction: transaction.clone(), block: proof.clone(), receipt };
            self.outputs.push(Output::Reply(Box::new(Reply { ticket, bytes, proof })));
        }
    }

    /// An operation of an earlier run, still on its way then, has taken the nonce of one of this run: what that
    /// was signed for can never execute, so it is signed anew.
    fn renumber(&mut self) {
        let next = self.execution.next().get(usize::from(self.me.0)).copied().unwrap_or(Nonce::ZERO);
        while let Some(first) = self.own.first_entry().filter(|first| *first.key() < next) {
            let (ticket, transaction) = first.remove();
            if let Some(operation) = operation::read(&transaction, &self.settings.set, self.settings.chain) {
                self.displaced.push_back((ticket, operation.bytes.to_vec()));
            }
        }
        while let Some((ticket, operation)) = self.displaced.pop_front() {
            if self.lost || self.enqueue(ticket, &operation).is_err() {
                self.displaced.push_front((ticket, operation));
                return;
            }
        }
    }

    /// Tells the replica what waits: again after each commit, each arrival and each dropped block, as an empty
    /// batch makes it forget.
    fn tell_pending(&mut self) {
        let view = self.replica.view();
        if !self.pool_changed && view == self.told_view {
            return;
        }
        (self.pool_changed, self.told_view) = (false, view);
        let waits = self.pool.has_ready(self.execution.next());
        let pending = if waits {
            let oldest = self.pool.oldest(self.execution.next());
            Pending::Some { oldest, full: self.pool.fills(self.execution.next(), BLOCK) }
        } else {
            Pending::Nothing
        };
        if waits || self.told_pending {
            self.told_pending = waits;
            self.inputs.push_back(Input::Pending(pending));
        }
    }
}
