//! What becomes of a core's effects: the duties of a driver.

use super::chart::Mark;
use super::checker::Violation;
use super::describe::short;
use super::executor::Job;
use super::node::{Fetch, Standing};
use super::signing::check;
use super::slip::Slip;
use super::wire::Wire;
use super::world::{Event, World};
use quorate_chain::{CommitCertificate, Epoch, Header, Height};
use quorate_consensus::message::verify_by;
use quorate_consensus::{
    Effect, EvidenceKind, Input, Lost, Message, OldEpoch, Outgoing, Peer, SealedBlock, Unsigned, Verified,
};
use std::sync::Arc;

/// How late votes leave with the slip of that name, milliseconds.
const LATE_MAX_MS: u64 = 1_500;
/// How late bodies become durable with the slip of that name, milliseconds.
const BODY_LATE_MAX_MS: u64 = 5_000;
/// How long a process that crashed at an effect is down at most, milliseconds.
const FLAKY_DOWN_MAX_MS: u64 = 800;
/// A transaction that so many primaries passed over that nobody is suspected for it any more, for counting.
const EXCUSED: &str = "excused transaction";
/// Its kind, for counting.
const FLAKY: &str = "crashes at any effect";

/// What is counted when a double signature is proven.
const fn name_of(evidence: EvidenceKind) -> &'static str {
    match evidence {
        EvidenceKind::Proposal => "evidence of two proposals",
        EvidenceKind::Prepare => "evidence of two Prepares",
        EvidenceKind::Commit => "evidence of two Commits",
        EvidenceKind::ViewChange => "evidence of two ViewChanges",
        EvidenceKind::NewView => "evidence of two NewViews",
    }
}

/// Something that a node's driver does later.
pub(super) enum Answer {
    Input(Box<Input>),
    Pending,
    /// A message leaves only now.
    Send(Box<Outgoing>),
    /// A body is stored only now.
    Store(SealedBlock),
}

impl World {
    pub(super) fn answer(&mut self, node: usize, start: u64, answer: Answer) -> Result<(), Violation> {
        if self.nodes[node].start != start {
            return Ok(());
        }
        match answer {
            Answer::Input(input) => self.step(node, *input),
            Answer::Pending => self.tell_pending(node),
            Answer::Send(outgoing) => self.broadcast(node, *outgoing),
            Answer::Store(block) => self.push_job(node, Job::Store(block, false)),
        }
    }

    pub(super) fn reply(&mut self, node: usize, delay_ms: u64, answer: Answer) {
        let start = self.nodes[node].start;
        self.after(delay_ms, Event::Answer { node, start, answer });
    }

    pub(super) fn pending_later(&mut self, node: usize) {
        self.reply(node, 0, Answer::Pending);
    }

    /// Carries out effects in order, until the process ends.
    pub(super) fn carry_out(&mut self, node: usize, effects: Vec<Effect>) -> Result<(), Violation> {
        let start = self.nodes[node].start;
        for effect in effects {
            if self.weather.strikes(self.now_ms, &mut self.random) {
                // In the middle of a broadcast some have it and some do not.
                if let Effect::Broadcast(outgoing) = effect {
                    self.outgoing(node, outgoing, |world, wire| {
                        for to in world.validators(node) {
                            if world.random.chance(50) {
                                world.send(node, to, wire.clone());
                            }
                        }
                    })?;
                }
                let down_ms = self.random.between(5, FLAKY_DOWN_MAX_MS);
                if self.crash(node, down_ms) {
                    self.fired(FLAKY);
                }
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
            Effect::StoreBody(block) => self.store_body(node, block),
            Effect::Broadcast(outgoing) => {
                if let Some(trap) = self.gaps.spring(node, &outgoing) {
                    let sent = if trap.sent { self.broadcast(node, outgoing) } else { Ok(()) };
                    return sent.and_then(|()| self.spring(&trap));
                }
                let vote = matches!(&outgoing, Outgoing::Own(Unsigned::Prepare(_) | Unsigned::Commit(_)));
                if vote && self.settings.slip() == Some(Slip::LateVotes) {
                    let delay = self.random.below(LATE_MAX_MS);
                    self.reply(node, delay, Answer::Send(Box::new(outgoing)));
                    return Ok(());
                }
                self.broadcast(node, outgoing)
            }
            Effect::Send(seat, outgoing) => match self.roster.node(self.epoch(node), seat) {
                Some(to) => self.outgoing(node, outgoing, |world, wire| world.send(node, to, wire)),
                None => {
                    Err(Violation(format!("driver: node {node} sends to seat {seat}, which is nobody's")))
                }
            },
            Effect::Sign(unsigned) => {
                let unsigned = self.lie(node, unsigned);
                self.sign(node, unsigned);
                Ok(())
            }
            Effect::Validate(block) => self.push_job(node, Job::Validate(block)),
            Effect::Execute(block) => self.push_job(node, Job::Execute(block)),
            Effect::Commit { block, certificate, path } => self.commit(node, block, certificate, path),
            Effect::RequestBatch { parent, height } => self.push_job(node, Job::Batch(parent, height)),
            Effect::Discard(block) => self.push_job(node, Job::Discard(block)),
            effect => self.ask_or_report(node, effect),
        }
    }

    /// Effects that ask others for something, or say that something is wrong.
    fn ask_or_report(&mut self, node: usize, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::FetchBlock(hash) => self.send_to_validators(node, &Wire::WantBody(hash)),
            Effect::Sync { peer, to } => {
                let above = self.nodes[node].height();
                if let Some(peer) = self.roster.node(self.epoch(node), peer) {
                    if let Some(process) = &mut self.nodes[node].process {
                        process.fetch = Some(Fetch { peer, to, brought: Height::ZERO });
                    }
                    self.send(node, peer, Wire::WantBlocks(above));
                }
            }
            Effect::SyncWithPeer { peer: Peer(peer) } => {
                let above = self.nodes[node].height();
                self.send(node, peer as usize, Wire::WantBlocks(above));
            }
            Effect::ShowEpochEnd { peer: Peer(peer), epoch } => {
                return self.show_epoch_end(node, peer as usize, epoch);
            }
            Effect::RelayTransactions { first } => {
                let waiting = self.executor(node).map(|executor| executor.relayed(first)).unwrap_or_default();
                if !waiting.is_empty() {
                    self.send_to_validators(node, &Wire::Transactions(waiting.into()));
                }
            }
            Effect::Excuse(transaction) => {
                self.fired(EXCUSED);
                if let Some(executor) = self.executor(node) {
                    executor.excuse(transaction);
                }
                self.pending_later(node);
            }
            Effect::ReleaseOldEpoch(old) => self.release_old_epoch(node, old),
            Effect::RecordLost(lost) => return self.record_lost(node, lost),
            Effect::Evidence(evidence) => {
                let accused = self.roster.node(evidence.epoch(), evidence.accused());
                if accused.is_none_or(|accused| self.nodes[accused].standing == Standing::Honest) {
                    return Err(Violation(format!("S4: evidence against an honest node: {evidence:?}")));
                }
                self.fired(name_of(evidence.kind()));
            }
            Effect::ResultsDiffer(votes) => return Err(Violation(format!("S2: results differ: {votes:?}"))),
            Effect::Halted(_) if self.is_byzantine(node) => {}
            Effect::Halted(halt) => return Err(Violation(format!("S1: node {node} halted: {halt}"))),
            _ => {}
        }
        Ok(())
    }

    /// The epoch that a node is in.
    pub(super) fn epoch(&self, node: usize) -> Epoch {
        self.nodes[node].replica().map_or(Epoch::ZERO, quorate_consensus::Replica::epoch)
    }

    fn store_body(&mut self, node: usize, block: SealedBlock) -> Result<(), Violation> {
        if self.settings.slip() == Some(Slip::BodyBeforePersist) {
            let late = self.random.below(BODY_LATE_MAX_MS);
            self.reply(node, 0, Answer::Input(Box::new(Input::BodyStored(block.hash()))));
            self.reply(node, late, Answer::Store(block));
            return Ok(());
        }
        self.push_job(node, Job::Store(block, true))
    }

    fn commit(
        &mut self,
        node: usize,
        block: SealedBlock,
        certificate: CommitCertificate,
        path: Vec<Header>,
    ) -> Result<(), Violation> {
        let (height, hash) = (block.height(), block.hash());
        self.hash(&[node as u64, height.0], &hash.0);
        self.note(Mark::Commit(node), || format!("commits h{height} {}", short(hash)));
        let certified = path.first().map_or(certificate.result_hash, |child| child.parent_result);
        let result = self.executor(node).and_then(|executor| {
            // An execution that was dropped and asked for again may still wait, before the commit.
            executor.result(hash).or_else(|| executor.will_execute(hash).then_some(certified))
        });
        let Some(result) = result else {
            return Err(Violation(format!("driver: node {node} commits {height} before it is executed")));
        };
        self.checker.committed(node, (&block, result), &certificate, &path)?;
        if height.0 > self.outcome.commits_ms.len() as u64 {
            self.outcome.commits_ms.push(self.now_ms);
        }
        self.push_job(node, Job::Commit(block, certificate, path))
    }

    /// R46: whoever is behind is shown the C that ended its epoch.
    fn show_epoch_end(&mut self, node: usize, peer: usize, epoch: Epoch) -> Result<(), Violation> {
        let reader = self.executor(node).map(|executor| executor.reader().clone());
        match reader.map(|reader| reader.epoch_end(epoch)) {
            Some(Ok(Some(committed))) => {
                let message = Message::Certificate(Arc::new(committed.certificate.clone()));
                self.outgoing(node, Outgoing::Signed(message), |world, wire| world.send(node, peer, wire))
            }
            Some(Err(error)) => self.storage_failed(node, &error),
            _ => Ok(()),
        }
    }

    /// R46: from now on the node could not sign with the key of an earlier epoch.
    fn release_old_epoch(&mut self, node: usize, old: OldEpoch) {
        if old == OldEpoch::Key {
            let epoch = self.epoch(node);
            self.note(Mark::At(node), || format!("erases the keys of epochs below {epoch}"));
            self.nodes[node].keys_erased_below = epoch;
        }
    }

    fn record_lost(&mut self, node: usize, lost: Lost) -> Result<(), Violation> {
        if self.nodes[node].standing == Standing::Honest {
            return Err(Violation(format!("R47: node {node} takes its whole record for lost: {lost}")));
        }
        self.fired("old disk noticed");
        self.note(Mark::At(node), || format!("has lost its record: {lost}"));
        Ok(())
    }

    /// Signs with the key of the message's epoch, if the node has it; a copy comes back as an input.
    fn sign(&mut self, node: usize, unsigned: Unsigned) -> Option<Message> {
        let unsigned = self.liar_signs(node, unsigned);
        let epoch = self.epoch(node);
        let seat =
            self.roster.seat(epoch, self.identity(node)).filter(|_| self.nodes[node].holds_key(epoch))?;
        let message = self.nodes[node].signer.sign(seat, unsigned);
        let own = Input::Message(Verified::vouched(message.clone()));
        self.reply(node, 0, Answer::Input(Box::new(own)));
        Some(message)
    }

    pub(super) fn broadcast(&mut self, node: usize, outgoing: Outgoing) -> Result<(), Violation> {
        self.outgoing(node, outgoing, |world, wire| world.send_to_validators(node, &wire))
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
            Outgoing::Signed(message) => Some(message),
        };
        let Some(message) = message else { return Ok(()) };
        let Some(context) = self.contexts.get(message.epoch().0 as usize) else {
            return Err(Violation(format!(
                "driver: node {node} sends something of an epoch that nobody is in"
            )));
        };
        let signer = message.signer(context);
        let own = self.own_seat(node, context.epoch);
        if let Some(seat) = signer.filter(|signer| Some(*signer) == own) {
            let honest = self.nodes[node].standing == Standing::Honest;
            self.checker.signed(seat, &message, honest)?;
        }
        let verified = if self.is_taken_unverified(&message) {
            Verified::vouched(message)
        } else {
            verify_by(message, context, check(self.settings.verify))
                .map_err(|error| Violation(format!("driver: an honest message is refused: {error}")))?
        };
        let message = Arc::new(verified);
        send(self, Wire::Consensus(Arc::clone(&message)));
        self.liar_says(node, message.get())
    }
}
