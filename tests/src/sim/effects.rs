//! What becomes of a core's effects: the duties of a driver.

use super::checker::Violation;
use super::disk::Queue;
use super::mutation::Mutation;
use super::wire::{Wire, short};
use super::world::{Event, World};
use quorate_chain::{BlockHash, CommitCertificate, Header, ValidatorIndex};
use quorate_consensus::message::{EpochContext, verify};
use quorate_consensus::{
    Effect, Input, Message, Outgoing, PersistId, Record, SealedBlock, Unsigned, Verified,
};

/// How late votes leave under the mutation of that name, milliseconds.
const LATE_MAX_MS: u64 = 1_500;
/// How late bodies become durable under the mutation of that name, milliseconds.
const BODY_LATE_MAX_MS: u64 = 5_000;
/// How long a process that crashed at an effect is down at most, milliseconds.
const FLAKY_DOWN_MAX_MS: u64 = 800;

/// An answer of a node's own driver.
pub(super) enum Answer {
    Input(Input),
    /// So many records are durable; told to the core under this number, or not.
    Synced(usize, Option<PersistId>),
    BodySynced(BlockHash, bool),
    BlocksSynced(usize),
    Pending,
    /// A message leaves only now.
    Send(Outgoing),
}

impl World {
    pub(super) fn answer(&mut self, node: usize, start: u64, answer: Answer) -> Result<(), Violation> {
        if self.nodes[node].start != start || self.nodes[node].replica.is_none() {
            return Ok(());
        }
        match answer {
            Answer::Input(input) => self.step(node, input),
            Answer::Synced(count, told) => {
                self.nodes[node].disk.sync_records(count);
                if let Some((_, down_ms)) = self.nodes[node].crash_at_persist.take_if(|(synced, _)| *synced) {
                    self.crash(node, down_ms);
                    return Ok(());
                }
                told.map_or(Ok(()), |id| self.step(node, Input::Persisted(id)))
            }
            Answer::BodySynced(hash, told) => {
                self.nodes[node].disk.sync_body(hash);
                if told { self.step(node, Input::BodyStored(hash)) } else { Ok(()) }
            }
            Answer::BlocksSynced(count) => {
                self.nodes[node].disk.sync_blocks(count);
                Ok(())
            }
            Answer::Pending => self.tell_pending(node),
            Answer::Send(outgoing) => self.broadcast(node, outgoing),
        }
    }

    fn reply_at(&mut self, node: usize, time_ms: u64, answer: Answer) {
        let start = self.nodes[node].start;
        self.at(time_ms, Event::Answer { node, start, answer });
    }

    fn reply(&mut self, node: usize, delay_ms: u64, answer: Answer) {
        self.reply_at(node, self.now_ms + delay_ms, answer);
    }

    fn mutated(&self, mutation: Mutation) -> bool {
        self.settings.mutation == Some(mutation)
    }

    /// When a sync that is asked for now is done.
    fn synced_at(&mut self, node: usize, queue: Queue) -> u64 {
        let queue = if self.one_disk { Queue::Votes } else { queue };
        let sync_ms = self.nodes[node].sync_ms(self.now_ms, &mut self.random);
        self.nodes[node].disk.done_at(queue, self.now_ms, sync_ms)
    }

    /// Carries out effects in order, until the process crashes.
    pub(super) fn carry_out(&mut self, node: usize, effects: Vec<Effect>) -> Result<(), Violation> {
        let start = self.nodes[node].start;
        for effect in effects {
            if self.weather.strikes(self.now_ms, &mut self.random) {
                // In the middle of a broadcast some have it and some do not.
                if let Effect::Broadcast(outgoing) = effect {
                    self.outgoing(node, outgoing, |world, wire| {
                        let reached = world.random.next();
                        let some = (0..world.nodes.len()).filter(|to| *to != node && reached >> to & 1 == 1);
                        some.for_each(|to| world.send(node, to, wire.clone()));
                    })?;
                }
                let down_ms = self.random.between(5, FLAKY_DOWN_MAX_MS);
                self.crash(node, down_ms);
                return Ok(());
            }
            self.effect(node, effect)?;
            if self.nodes[node].start != start {
                return Ok(());
            }
        }
        Ok(())
    }

    fn effect(&mut self, node: usize, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Persist(id, record) => self.persist(node, id, record),
            Effect::StoreBody(block) => self.store_body(node, &block),
            Effect::Broadcast(outgoing) => {
                let vote = matches!(&outgoing, Outgoing::Own(Unsigned::Prepare(_) | Unsigned::Commit(_)));
                if vote && self.mutated(Mutation::LateVotes) {
                    let delay = self.random.below(LATE_MAX_MS);
                    self.reply(node, delay, Answer::Send(outgoing));
                    return Ok(());
                }
                return self.broadcast(node, outgoing);
            }
            Effect::Send(ValidatorIndex(to), outgoing) => {
                return self.outgoing(node, outgoing, |world, wire| world.send(node, usize::from(to), wire));
            }
            Effect::Sign(unsigned) => drop(self.sign(node, unsigned)),
            Effect::Validate(block) => {
                let valid = self.nodes[node].is_valid(&block);
                if !valid {
                    self.note(|| format!("{node} finds h{} {} invalid", block.height(), short(block.hash())));
                }
                let delay = self.random.below(4);
                self.reply(node, delay, Answer::Input(Input::Validated { block: block.hash(), valid }));
            }
            Effect::Execute(block) => return self.execute(node, &block),
            Effect::Commit { block, certificate, path } => {
                return self.commit(node, block, certificate, &path);
            }
            Effect::RequestBatch { parent, .. } => {
                let transactions = self.nodes[node].batch(parent);
                let delay = self.random.below(4);
                self.reply(node, delay, Answer::Input(Input::Batch { parent, transactions }));
            }
            Effect::FetchBlock(hash) => self.send_all(node, &Wire::WantBody(hash)),
            Effect::Sync { peer, .. } => {
                let after = self.nodes[node].height();
                self.send(node, usize::from(peer.0), Wire::WantBlocks(after));
            }
            Effect::RelayTransactions => {
                let waiting: Vec<_> = self.nodes[node].pool().cloned().collect();
                if !waiting.is_empty() {
                    self.send_all(node, &Wire::Transactions(waiting));
                }
            }
            Effect::Evidence(evidence) => {
                return Err(Violation(format!("S4: evidence against an honest node: {evidence:?}")));
            }
            Effect::ResultsDiffer(votes) => return Err(Violation(format!("S2: results differ: {votes:?}"))),
            Effect::Halted(halt) => return Err(Violation(format!("S1: node {node} halted: {halt}"))),
        }
        Ok(())
    }

    fn persist(&mut self, node: usize, id: PersistId, record: Record) {
        let count = self.nodes[node].disk.write_record(record);
        if let Some((_, down_ms)) = self.nodes[node].crash_at_persist.take_if(|(synced, _)| !*synced) {
            self.crash(node, down_ms);
            return;
        }
        let done = self.synced_at(node, Queue::Votes);
        if self.mutated(Mutation::SendBeforePersist) {
            self.reply(node, 0, Answer::Input(Input::Persisted(id)));
            self.reply_at(node, done, Answer::Synced(count, None));
        } else {
            self.reply_at(node, done, Answer::Synced(count, Some(id)));
        }
    }

    fn store_body(&mut self, node: usize, block: &SealedBlock) {
        self.nodes[node].disk.write_body(block);
        let hash = block.hash();
        if self.mutated(Mutation::BodyBeforePersist) {
            let late = self.random.below(BODY_LATE_MAX_MS);
            self.reply(node, 0, Answer::Input(Input::BodyStored(hash)));
            self.reply(node, late, Answer::BodySynced(hash, false));
        } else {
            let done = self.synced_at(node, Queue::Bodies);
            self.reply_at(node, done, Answer::BodySynced(hash, true));
        }
    }

    fn execute(&mut self, node: usize, block: &SealedBlock) -> Result<(), Violation> {
        let Some(result) = self.nodes[node].execute(block) else {
            let height = block.height();
            return Err(Violation(format!("driver: node {node} executes {height} before its parent")));
        };
        let done = self.nodes[node].executed_at(self.now_ms, &mut self.random);
        self.reply_at(node, done, Answer::Input(Input::Executed { block: block.hash(), result }));
        Ok(())
    }

    fn commit(
        &mut self,
        node: usize,
        block: SealedBlock,
        certificate: CommitCertificate,
        path: &[Header],
    ) -> Result<(), Violation> {
        let (height, hash) = (block.height(), block.hash());
        self.hash(&[node as u64, height.0], &hash.0);
        self.note(|| format!("{node} commits h{height} {}", short(hash)));
        if height != self.nodes[node].height().next() {
            return Err(Violation(format!("driver: node {node} commits {height} out of order")));
        }
        let Some((result, count)) = self.nodes[node].commit(block.clone(), certificate.clone()) else {
            return Err(Violation(format!("driver: node {node} commits {height} before it is executed")));
        };
        self.checker.committed(node, (&block, result), &certificate, path)?;
        if height.0 > self.outcome.commits_ms.len() as u64 {
            self.outcome.commits_ms.push(self.now_ms);
        }
        let done = self.synced_at(node, Queue::Blocks);
        self.reply_at(node, done, Answer::BlocksSynced(count));
        self.reply(node, 0, Answer::Pending);
        Ok(())
    }

    /// Signs with the own key; a copy comes back as an input.
    fn sign(&mut self, node: usize, unsigned: Unsigned) -> Message {
        let message = self.nodes[node].signer.sign(unsigned);
        let own = Input::Message(Verified::vouched(message.clone()));
        self.reply(node, 0, Answer::Input(own));
        message
    }

    fn broadcast(&mut self, node: usize, outgoing: Outgoing) -> Result<(), Violation> {
        self.outgoing(node, outgoing, |world, wire| world.send_all(node, &wire))
    }

    /// Signs what is to be signed, shows it to the checker, verifies it as each receiver would, and sends it.
    fn outgoing(
        &mut self,
        node: usize,
        outgoing: Outgoing,
        send: impl FnOnce(&mut Self, Wire),
    ) -> Result<(), Violation> {
        let message = match outgoing {
            Outgoing::Own(unsigned) => self.sign(node, unsigned),
            Outgoing::Signed(message) => message,
        };
        if signer(&message, &self.context) == Some(node) {
            self.checker.signed(node, &message)?;
        }
        let verified = if self.settings.verify {
            verify(message, &self.context)
                .map_err(|error| Violation(format!("driver: an honest message is refused: {error}")))?
        } else {
            Verified::vouched(message)
        };
        send(self, Wire::Consensus(verified));
        Ok(())
    }
}

/// Whose signature is on a message.
fn signer(message: &Message, context: &EpochContext) -> Option<usize> {
    let primary = |view| context.set.primary(context.epoch, view);
    let index = match message {
        Message::Proposal(p) => primary(p.view),
        Message::NewView(n) => primary(n.contents.view),
        Message::Prepare(vote) => vote.signer,
        Message::Commit(vote) => vote.signer,
        Message::Ask(ask) => ask.signer,
        Message::ViewChange(v) => v.claims.signer,
        Message::Status(_) | Message::Certificate(_) => return None,
    };
    Some(usize::from(index.0))
}
