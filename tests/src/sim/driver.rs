//! A node's driver: what becomes of effects, and how their answers come back.

use super::checker::Violation;
use super::network::Wire;
use super::world::{Event, World};
use quorate_chain::{BlockHash, CommitCertificate, Height, Transaction, ValidatorIndex};
use quorate_consensus::message::EpochContext;
use quorate_consensus::{
    Effect, Input, Message, Outgoing, PersistId, Record, SealedBlock, Unsigned, Verified,
};

/// What a node's own threads answer.
pub(super) enum Answer {
    Input(Input),
    Synced { id: PersistId, records: usize },
    BodySynced(BlockHash),
    BlocksSynced(usize),
}

impl World {
    pub(super) fn answer(&mut self, node: usize, start: u64, answer: Answer) -> Result<(), Violation> {
        if self.nodes[node].start != start || self.nodes[node].replica.is_none() {
            return Ok(());
        }
        match answer {
            Answer::Input(input) => self.step(node, input),
            Answer::Synced { id, records } => {
                self.nodes[node].sync_records(id, records);
                if let Some((_, down_ms)) = self.crash_at_persist[node].take_if(|(synced, _)| *synced) {
                    self.crash(node, down_ms);
                    return Ok(());
                }
                self.step(node, Input::Persisted(id))
            }
            Answer::BodySynced(hash) => {
                self.nodes[node].sync_body(hash);
                self.step(node, Input::BodyStored(hash))
            }
            Answer::BlocksSynced(count) => {
                self.nodes[node].sync_blocks(count);
                Ok(())
            }
        }
    }

    pub(super) fn submit(&mut self, node: usize, transactions: &[Transaction]) -> Result<(), Violation> {
        if self.nodes[node].replica.is_none() || self.silent.contains(&node) {
            return Ok(());
        }
        let mut new = Vec::new();
        for transaction in transactions {
            if self.nodes[node].submit(transaction) {
                new.push(transaction.clone());
            }
        }
        // Gossip: whoever takes a transaction in for the first time passes it on.
        if !new.is_empty() {
            self.send_all(node, &Wire::Transactions(new));
        }
        self.tell_pending(node)
    }

    fn tell_pending(&mut self, node: usize) -> Result<(), Violation> {
        let pending = !self.nodes[node].pool.is_empty();
        if pending || self.pending[node] {
            self.pending[node] = pending;
            return self.step(node, Input::Pending(pending));
        }
        Ok(())
    }

    pub(super) fn step(&mut self, node: usize, input: Input) -> Result<(), Violation> {
        let now = self.nodes[node].now(self.now_ms);
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        let effects = replica.step(now, input);
        self.outcome.view = self.outcome.view.max(replica.view().0);
        self.carry_out(node, effects)?;
        self.schedule_tick(node);
        Ok(())
    }

    pub(super) fn schedule_tick(&mut self, node: usize) {
        let Some(due) = self.nodes[node].replica.as_ref().and_then(|r| r.deadline()) else { return };
        if self.ticks[node].is_none_or(|at| due.0 < at) {
            self.ticks[node] = Some(due.0);
            let start = self.nodes[node].start;
            self.at(due.0, Event::Tick { node, start });
        }
    }

    fn reply(&mut self, node: usize, delay_ms: u64, answer: Answer) {
        let start = self.nodes[node].start;
        self.after(delay_ms, Event::Answer { node, start, answer });
    }

    /// When a sync that is asked for now is done: one after the other.
    fn disk_delay(&mut self, node: usize) -> u64 {
        let busy = self.nodes[node].disk_free_at.max(self.now_ms);
        let sync_ms = self.nodes[node].sync_ms;
        let done = busy + self.random.below(3) + if sync_ms > 0 { self.random.below(sync_ms) } else { 0 };
        self.nodes[node].disk_free_at = done;
        done - self.now_ms
    }

    pub(super) fn carry_out(&mut self, node: usize, effects: Vec<Effect>) -> Result<(), Violation> {
        for effect in effects {
            if self.nodes[node].replica.is_none() {
                return Ok(());
            }
            self.effect(node, effect)?;
        }
        Ok(())
    }

    fn effect(&mut self, node: usize, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Persist(id, record) => self.persist(node, id, record)?,
            Effect::StoreBody(block) => {
                self.nodes[node].write_body(&block);
                let delay = self.disk_delay(node);
                self.reply(node, delay, Answer::BodySynced(block.hash()));
            }
            Effect::Broadcast(outgoing) => {
                let message = self.outgoing(node, outgoing)?;
                self.send_all(node, &Wire::Consensus(message));
            }
            Effect::Send(to, outgoing) => {
                let message = self.outgoing(node, outgoing)?;
                self.send(node, usize::from(to.0), Wire::Consensus(message));
            }
            Effect::Sign(unsigned) => drop(self.sign(node, unsigned)?),
            Effect::Validate(block) => {
                let valid = self.nodes[node].valid(&block);
                let input = Input::Validated { block: block.hash(), valid };
                self.reply(node, 1, Answer::Input(input));
            }
            Effect::Execute(block) => {
                if let Some(result) = self.nodes[node].execute(&block) {
                    let delay = self.random.between(0, 4);
                    let input = Input::Executed { block: block.hash(), result };
                    self.reply(node, delay, Answer::Input(input));
                }
            }
            Effect::Commit { block, certificate, .. } => self.commit(node, block, certificate)?,
            Effect::RequestBatch { parent, .. } => {
                let transactions = self.nodes[node].batch(parent);
                self.reply(node, 1, Answer::Input(Input::Batch { parent, transactions }));
            }
            Effect::FetchBlock(hash) => self.send_all(node, &Wire::WantBody(hash)),
            Effect::Sync { peer, .. } => {
                let after = Height(self.nodes[node].height() as u64);
                self.send(node, usize::from(peer.0), Wire::WantBlocks(after));
            }
            Effect::RelayTransactions => {
                let waiting: Vec<_> = self.nodes[node].pool.values().cloned().collect();
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

    fn persist(&mut self, node: usize, id: PersistId, record: Record) -> Result<(), Violation> {
        self.nodes[node].write_record(id, record);
        if let Some((_, down_ms)) = self.crash_at_persist[node].take_if(|(synced, _)| !*synced) {
            self.crash(node, down_ms);
            return Ok(());
        }
        if self.settings.send_before_persist {
            return self.step(node, Input::Persisted(id));
        }
        let (delay, records) = (self.disk_delay(node), self.nodes[node].record_count());
        self.reply(node, delay, Answer::Synced { id, records });
        Ok(())
    }

    fn commit(
        &mut self,
        node: usize,
        block: SealedBlock,
        certificate: CommitCertificate,
    ) -> Result<(), Violation> {
        self.note(|| format!("node {node} commits height {}", block.height()));
        self.checker.committed(node, block.height(), block.hash())?;
        self.nodes[node].commit(block, certificate);
        let (delay, count) = (self.disk_delay(node), self.nodes[node].height());
        self.reply(node, delay, Answer::BlocksSynced(count));
        let pending = !self.nodes[node].pool.is_empty();
        self.reply(node, 0, Answer::Input(Input::Pending(pending)));
        Ok(())
    }

    fn sign(&mut self, node: usize, unsigned: Unsigned) -> Result<Message, Violation> {
        let message = self.nodes[node].sign(unsigned);
        let own = Input::Message(Verified::vouched(message.clone()));
        self.reply(node, 0, Answer::Input(own));
        Ok(message)
    }

    fn outgoing(&mut self, node: usize, outgoing: Outgoing) -> Result<Message, Violation> {
        let message = match outgoing {
            Outgoing::Own(unsigned) => self.sign(node, unsigned)?,
            Outgoing::Signed(message) => message,
        };
        if signer(&message, &self.context) == Some(node) {
            self.checker.signed(node, &message)?;
        }
        Ok(message)
    }
}

/// Whose signature is on a message.
fn signer(message: &Message, context: &EpochContext) -> Option<usize> {
    let primary = |view| context.set.primary(context.epoch, view);
    let index: ValidatorIndex = match message {
        Message::Proposal(p) => primary(p.view),
        Message::NewView(n) => primary(n.contents.view),
        Message::Prepare(vote) => vote.signer,
        Message::Commit(vote) => vote.signer,
        Message::ViewChange(v) => v.claims.signer,
        Message::Ask(_) | Message::Status(_) | Message::Certificate(_) => return None,
    };
    Some(usize::from(index.0))
}
