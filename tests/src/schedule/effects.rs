//! What becomes of a core's effects: the duties of a driver, and how it may fail in them.

use super::actor::Actor;
use super::disk::Committed;
use super::letter::{Content, Letter};
use super::setup::Slip;
use super::stage::Stage;
use quorate_chain::{CommitCertificate, Epoch, Header, ValidatorIndex};
use quorate_consensus::message::{Invalid, verify};
use quorate_consensus::{
    Effect, Input, Message, OldEpoch, Outgoing, Peer, PersistId, Phase, Record, Replica, SealedBlock,
    Unsigned, Verified,
};

/// Blocks that one answer to a question for blocks holds.
const SYNC_BLOCKS_MAX: usize = 16;

impl Stage {
    fn slips(&self, slip: Slip) -> bool {
        self.setup.slips.contains(&slip)
    }

    /// Tells a core something, and everything that follows from it at once.
    pub(super) fn step(&mut self, seat: usize, input: Input) {
        self.actor(seat).inputs.push_back(input);
        self.work(seat);
    }

    pub(super) fn work(&mut self, seat: usize) {
        loop {
            let actor = self.actor(seat);
            let now = actor.now();
            let (Some(input), Some(replica)) = (actor.inputs.pop_front(), actor.replica.as_mut()) else {
                return;
            };
            let effects = replica.step(now, input);
            self.carry_out(seat, effects);
        }
    }

    pub(super) fn carry_out(&mut self, seat: usize, effects: Vec<Effect>) {
        for effect in effects {
            self.effect(seat, effect);
        }
    }

    fn effect(&mut self, seat: usize, effect: Effect) {
        match effect {
            Effect::Persist(id, record) => self.persist(seat, id, record),
            Effect::StoreBody(block) => self.store_body(seat, &block),
            Effect::Broadcast(outgoing) => self.outgoing(seat, None, outgoing),
            Effect::Send(to, outgoing) => self.outgoing(seat, Some(to), outgoing),
            Effect::Sign(unsigned) => drop(self.sign(seat, unsigned)),
            Effect::RequestBatch { parent, .. } => {
                let checker = &self.checker;
                let transactions = self.actors[&seat].batch(parent, |hash| checker.block(hash));
                self.actor(seat).inputs.push_back(Input::Batch { parent, transactions });
            }
            Effect::Validate(block) => {
                let valid = self.slips(Slip::AllValid) || self.actor(seat).executor.is_valid(&block);
                self.actor(seat).inputs.push_back(Input::Validated { block: block.hash(), valid });
            }
            Effect::Execute(block) => {
                let actor = self.actor(seat);
                actor.executing.push(block);
                self.execute(seat);
            }
            Effect::Commit { block, certificate, path } => self.commit(seat, &block, &certificate, &path),
            Effect::FetchBlock(hash) => self.mail_all(seat, &Content::WantBody(hash)),
            Effect::Sync { peer, .. } => self.want_blocks(seat, usize::from(peer.0)),
            Effect::SyncWithPeer { peer: Peer(peer) } => {
                self.want_blocks(seat, usize::try_from(peer).unwrap_or(usize::MAX));
            }
            Effect::RelayTransactions { .. } => {
                let pool = self.actor(seat).pool.clone();
                if !pool.is_empty() {
                    self.mail_all(seat, &Content::Transactions(pool));
                }
            }
            Effect::ShowEpochEnd { peer: Peer(peer), epoch } => self.show_epoch_end(seat, peer, epoch),
            Effect::ReleaseOldEpoch(what) => {
                self.note(|| format!("{seat} may let go of the old {what:?}"));
                if what == OldEpoch::Key {
                    self.actor(seat).erase_old_key();
                }
                self.actor(seat).alarms.push(effect);
            }
            Effect::Excuse(transaction) => {
                self.note(|| format!("{seat} excuses {transaction:?}"));
                let actor = self.actor(seat);
                actor.excused.insert(transaction);
                actor.inputs.push_back(Input::Pending(actor.pending()));
            }
            Effect::Discard(_) => {}
            Effect::Evidence(_) | Effect::ResultsDiffer(_) | Effect::RecordLost(_) | Effect::Halted(_) => {
                self.note(|| format!("{seat} {effect:?}"));
                self.actor(seat).alarms.push(effect);
            }
        }
    }

    fn persist(&mut self, seat: usize, id: PersistId, record: Record) {
        let forgotten = self.slips(Slip::ForgetsEntered) && matches!(record, Record::Entered(_));
        let early = self.slips(Slip::AnswersBeforeSync);
        let actor = self.actor(seat);
        actor.disk.write_record(actor.context.epoch, id, Some(record).filter(|_| !forgotten));
        if early {
            actor.inputs.push_back(Input::Persisted(id));
        }
        self.sync_unless_held(seat);
    }

    fn store_body(&mut self, seat: usize, block: &SealedBlock) {
        if self.slips(Slip::BodyNotDurable) {
            self.actor(seat).inputs.push_back(Input::BodyStored(block.hash()));
            return;
        }
        let early = self.slips(Slip::AnswersBeforeSync);
        let actor = self.actor(seat);
        actor.disk.write_body(block);
        if early {
            actor.inputs.push_back(Input::BodyStored(block.hash()));
        }
        self.sync_unless_held(seat);
    }

    fn sync_unless_held(&mut self, seat: usize) {
        let actor = self.actor(seat);
        if !actor.disk.held {
            actor.sync();
        }
    }

    /// Executes whatever is not held, in order.
    pub(super) fn execute(&mut self, seat: usize) {
        let ends_at = self.setup.epoch_end.as_ref().map(|end| end.height);
        let actor = self.actor(seat);
        let slow = &actor.slow_blocks;
        let (wait, ready) = actor.executing.drain(..).partition(|block| slow.contains(&block.hash()));
        actor.executing = wait;
        let ready: Vec<SealedBlock> = ready;
        for block in ready {
            let result = actor.executor.execute(&block);
            let ends_epoch = ends_at == Some(block.height());
            actor.inputs.push_back(Input::Executed { block: block.hash(), result, ends_epoch });
        }
    }

    fn commit(&mut self, seat: usize, block: &SealedBlock, certificate: &CommitCertificate, path: &[Header]) {
        self.note(|| format!("{seat} commits h{} {:?}", block.height(), block.hash()));
        self.checker.committed(block.height(), block.hash());
        let early = self.slips(Slip::ErasesOldKeyEarly);
        let setup = self.setup.clone();
        let actor = self.actor(seat);
        let result = actor.executor.commit(block, certificate, path);
        let committed = Committed { block: block.clone(), certificate: certificate.clone(), result };
        actor.disk.commit(committed.clone());
        actor.pool.retain(|waiting| !block.block().transactions.contains(waiting));
        // One transaction a block: its blocks are full only for this stage's primaries.
        actor.inputs.push_back(Input::Room(block.height()));
        actor.inputs.push_back(Input::Pending(actor.pending()));
        if let Some(context) = actor.epoch_after(&setup, &committed) {
            actor.context = context.clone();
            if early {
                actor.erase_old_key();
            }
            let me = actor.me().map(ValidatorIndex);
            actor.inputs.push_back(Input::EpochStarted { context, me });
        }
    }

    fn show_epoch_end(&mut self, seat: usize, peer: u64, epoch: Epoch) {
        let blocks = self.actor(seat).disk.blocks();
        let last = blocks.iter().rev().find(|c| c.certificate.epoch == epoch);
        if let Some(certificate) = last.map(|c| c.certificate.clone()) {
            let content = Content::Message(Message::Certificate(certificate.into()));
            self.mail_to(seat, usize::try_from(peer).unwrap_or(usize::MAX), content);
        }
    }

    fn want_blocks(&mut self, seat: usize, peer: usize) {
        let after = self.actor(seat).disk.height();
        self.mail_to(seat, peer, Content::WantBlocks(after));
    }

    /// Signs with the key of the epoch, shows it to the checker, and feeds it back; `None` without a key.
    fn sign(&mut self, seat: usize, unsigned: Unsigned) -> Option<Message> {
        let actor = self.actor(seat);
        let epoch = actor.context.epoch;
        let key = actor.keys.get(&epoch)?;
        let phase = actor.replica.as_ref().map(Replica::phase);
        let index = ValidatorIndex(u16::try_from(seat).unwrap_or(u16::MAX));
        let message = unsigned.sign(actor.context.chain, index, key);
        actor.inputs.push_back(Input::Message(Verified::vouched(message.clone())));
        if let Some(Phase::Changing { target }) = phase {
            self.checker.leaves(seat, epoch, target);
        }
        self.checker.signed(seat, true, &message);
        Some(message)
    }

    fn outgoing(&mut self, seat: usize, to: Option<ValidatorIndex>, outgoing: Outgoing) {
        let message = match outgoing {
            Outgoing::Own(unsigned) => self.sign(seat, unsigned),
            Outgoing::Signed(message) => Some(message),
        };
        let Some(message) = message else { return };
        if let Message::NewView(n) = &message {
            // A NewView is signed apart from being sent.
            let primary =
                usize::from(self.actor(seat).context.set.primary(n.contents.epoch, n.contents.view).0);
            self.checker.signed(primary, self.actors.contains_key(&primary), &message);
        }
        match to {
            Some(to) => self.mail_to(seat, usize::from(to.0), Content::Message(message)),
            None => self.mail_all(seat, &Content::Message(message)),
        }
    }

    pub(super) fn mail_to(&mut self, from: usize, to: usize, content: Content) {
        if self.actors.contains_key(&to) {
            let own = matches!(&content, Content::Message(Message::Proposal(_)));
            let late_ms = self.actors.get(&from).filter(|_| own).map_or(0, |actor| actor.late_ms);
            let due_ms = self.elapsed_ms + self.setup.latency_ms + late_ms;
            self.mail.push(Letter { from, to, content, due_ms });
        }
    }

    pub(super) fn mail_all(&mut self, from: usize, content: &Content) {
        for to in (0..self.setup.n()).filter(|to| *to != from) {
            self.mail_to(from, to, content.clone());
        }
    }

    /// A letter arrives.
    pub(super) fn arrive(&mut self, letter: Letter) {
        let Letter { from, to, content, .. } = letter.clone();
        if self.actor(to).replica.is_none() {
            return;
        }
        self.note(|| letter.describe());
        match content {
            Content::Message(message) => self.hear(to, from, message),
            Content::WantBody(hash) => {
                if let Some(body) = self.actor(to).disk.body(hash) {
                    self.mail_to(to, from, Content::Body(body));
                }
            }
            Content::Body(body) => self.step(to, Input::Block(body)),
            Content::WantBlocks(after) => {
                let after = usize::try_from(after.0).unwrap_or(usize::MAX);
                let blocks = self.actor(to).disk.blocks().iter().skip(after);
                let some: Vec<_> = blocks.take(SYNC_BLOCKS_MAX).cloned().collect();
                if !some.is_empty() {
                    self.mail_to(to, from, Content::Blocks(some));
                }
            }
            Content::Blocks(blocks) => {
                for Committed { block, certificate, .. } in blocks {
                    let certificate = Verified::vouched(certificate);
                    self.step(to, Input::Certified { block, certificate });
                }
            }
            Content::Transactions(transactions) => self.take_in(to, &transactions),
        }
    }

    /// A validator hears a message, as it would from its network: verified first.
    pub(super) fn hear(&mut self, seat: usize, from: usize, message: Message) {
        let (unverified, context) = (self.slips(Slip::Unverified), &self.actor(seat).context);
        let verified = if unverified && message.epoch() == context.epoch {
            Ok(Verified::vouched(message))
        } else {
            verify(message, context)
        };
        match verified {
            Ok(message) => self.step(seat, Input::Message(message)),
            Err(Invalid::Epoch(epoch)) => {
                let peer = Peer(u64::try_from(from).unwrap_or(u64::MAX));
                self.step(seat, Input::OtherEpoch { peer, epoch });
            }
            Err(error) => self.note(|| format!("{seat} refuses it: {error}")),
        }
    }
}

impl Actor {
    /// Everything written is durable, and the core is told.
    pub(super) fn sync(&mut self) {
        let (record, bodies) = self.disk.sync();
        self.inputs.extend(record.map(Input::Persisted));
        self.inputs.extend(bodies.into_iter().map(Input::BodyStored));
    }

    /// R46: the key of the epoch before goes.
    fn erase_old_key(&mut self) {
        let epoch = self.context.epoch;
        self.keys.retain(|of, _| *of >= epoch);
    }
}
