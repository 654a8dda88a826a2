//! What becomes of a core's effects: the duties of a driver, and what each of them must not show.

use super::disk::Committed;
use super::node::{Answer, Wire};
use super::signing::Signing;
use super::world::World;
use quorate_chain::certificate::CommitVote;
use quorate_chain::{BlockHash, CommitCertificate, Header, ValidatorIndex};
use quorate_consensus::{Effect, Input, Message, Outgoing, Pending, SealedBlock, Unsigned, Verified};
use std::sync::Arc;

impl World {
    /// Carries out the effects of a step, in order.
    pub(super) fn carry_out(&mut self, node: usize, effects: Vec<Effect>) {
        self.account(&effects);
        for effect in effects {
            self.effect(node, effect);
        }
    }

    fn effect(&mut self, node: usize, effect: Effect) {
        match effect {
            Effect::Persist(id, record) => {
                let count = self.nodes[node].disk.write_record(record);
                self.reply(node, Answer::Synced(count, id));
            }
            Effect::StoreBody(block) => {
                self.nodes[node].disk.write_body(&block);
                self.reply(node, Answer::BodySynced(block.hash()));
            }
            Effect::Broadcast(outgoing) => self.outgoing(node, outgoing, None),
            Effect::Send(to, outgoing) => self.outgoing(node, outgoing, Some(to)),
            Effect::Sign(unsigned) => {
                self.sign(node, unsigned);
            }
            Effect::RequestBatch { parent, .. } => {
                let transactions = self.batch();
                self.reply_with(node, Input::Batch { parent, transactions });
            }
            Effect::Validate(block) => {
                let valid = !std::mem::take(&mut self.nodes[node].refuses);
                self.reply_with(node, Input::Validated { block: block.hash(), valid });
            }
            Effect::Execute(block) => self.execute_at(node, &block),
            Effect::Commit { block, certificate, path } => self.commit_at(node, block, certificate, &path),
            Effect::FetchBlock(hash) => self.fetch(node, hash),
            Effect::Sync { peer, .. } => {
                if let Some(from) = self.in_seat(peer) {
                    self.send_certified(from, node);
                }
            }
            Effect::SyncWithPeer { peer } => {
                if let Some(from) = u16::try_from(peer.0).ok().and_then(|s| self.in_seat(ValidatorIndex(s))) {
                    self.send_certified(from, node);
                }
            }
            Effect::RelayTransactions { .. } => {
                let pending = self.nodes[node].pending;
                for other in self.masked(0).filter(|other| *other != node) {
                    self.nodes[other].pending = pending;
                    self.reply(other, Answer::Pending);
                }
            }
            Effect::Excuse(id) => {
                let pending = &mut self.nodes[node].pending;
                if let Pending::Some { oldest, .. } = pending {
                    *oldest = oldest.filter(|oldest| *oldest != id);
                }
                self.reply(node, Answer::Pending);
            }
            Effect::Discard(block) => {
                self.nodes[node].executed.remove(&block);
            }
            Effect::ShowEpochEnd { peer, epoch } => self.show_epoch_end(node, peer.0, epoch),
            Effect::ReleaseOldEpoch(_) => {}
            Effect::Evidence(evidence) => {
                self.reach.evidence += 1;
                let accused = usize::from(evidence.accused().0);
                assert_eq!(accused, self.byzantine, "evidence against an honest replica: {evidence:?}");
                if self.signing == Signing::Real {
                    let verdict = evidence.verify(self.nodes[node].context());
                    assert_eq!(verdict, Ok(evidence.accused()), "{evidence:?}");
                }
            }
            Effect::RecordLost(lost) => panic!("R47: {node} has lost nothing, and says: {lost}"),
            Effect::ResultsDiffer(votes) => panic!("R37: all results are equal: {votes:?}"),
            Effect::Halted(halt) => panic!("R36: {node} halts: {halt}"),
        }
    }

    fn reply(&mut self, node: usize, answer: Answer) {
        self.nodes[node].answers.push_back(answer);
    }

    fn reply_with(&mut self, node: usize, input: Input) {
        self.reply(node, Answer::Input(Box::new(input)));
    }

    /// Signs with the own key; a copy comes back as an input.
    fn sign(&mut self, node: usize, unsigned: Unsigned) -> Message {
        let message = self.signing.sign(self.nodes[node].seat, unsigned);
        if let Message::Proposal(proposal) = &message {
            self.know(&proposal.block.clone());
        }
        self.reply_with(node, Input::Message(Verified::vouched(message.clone())));
        message
    }

    /// Sends to one or to all, after the checks of what must be true before.
    fn outgoing(&mut self, node: usize, outgoing: Outgoing, to: Option<ValidatorIndex>) {
        let message = match outgoing {
            Outgoing::Own(unsigned) => self.sign(node, unsigned),
            Outgoing::Signed(message) => message,
        };
        let seat = self.nodes[node].seat;
        let is_own =
            message.signer(self.nodes[node].context()).is_some_and(|signer| usize::from(signer.0) == seat);
        // Who has no seat gives no word that it could break; it may pass on what it has not kept.
        let has_seat = self.nodes[node].replica.seat().is_some();
        if is_own || has_seat && matches!(message, Message::NewView(_)) {
            let allowed = self.nodes[node].disk.allows(&message);
            assert!(allowed, "R10–R12: {node} sends before it is durable: {message:?}");
        }
        if is_own {
            self.oracle.sent(seat, &message);
        }
        let number = self.note(message);
        let to: Vec<_> = match to {
            Some(seat) => self.in_seat(seat).into_iter().collect(),
            None => self.masked(0).filter(|other| *other != node).collect(),
        };
        to.into_iter().for_each(|other| self.send(other, Wire::Message(number)));
    }

    fn execute_at(&mut self, node: usize, block: &SealedBlock) {
        let parent = block.header().parent;
        let place = &mut self.nodes[node];
        assert!(place.executed.contains(&parent), "{node} executes {} before its parent", block.height());
        place.executed.insert(block.hash());
        let (result, ends_epoch) = (self.execute(block), self.ends_epoch(block));
        self.reply_with(node, Input::Executed { block: block.hash(), result, ends_epoch });
    }

    fn commit_at(
        &mut self,
        node: usize,
        block: SealedBlock,
        certificate: CommitCertificate,
        path: &[Header],
    ) {
        let result = self.results.get(&block.hash()).copied().unwrap_or_default();
        let mut last = (block.header(), block.hash(), Some(result));
        for header in path {
            let follows = header.parent == last.1 && last.2.is_none_or(|r| header.parent_result == r);
            assert!(follows, "R22: {node} commits by a broken path at {}", header.height);
            last = (header, header.hash(), None);
        }
        let CommitVote { height, block: certified, result: certified_result, .. } = certificate.vote();
        assert_eq!((height, certified), (last.0.height, last.1), "R22: {node} has another certificate");
        assert!(last.2.is_none_or(|result| certified_result == result), "R36: {node} has another result");
        let formed = self.oracle.certificate(certificate.vote(), self.signing);
        assert!(formed.is_some(), "{node} commits by a certificate that nobody can form: {certificate:?}");
        let ends_epoch = self.ends_epoch(&block);
        self.commit(node, Committed { block, certificate, result, ends_epoch });
    }

    /// Everybody who has a body sends it.
    fn fetch(&mut self, node: usize, hash: BlockHash) {
        let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != node);
        let found = others.filter_map(|(_, other)| other.disk.body(hash)).next();
        if let Some(block) = found {
            self.send(node, Wire::Block(block));
        }
    }

    /// R46: shows the C that ended an epoch to whoever is in it.
    fn show_epoch_end(&mut self, node: usize, peer: u64, epoch: quorate_chain::Epoch) {
        let of_epoch = |c: &&Committed| c.ends_epoch && c.block.header().epoch == epoch;
        let Some(end) = self.nodes[node].disk.chain().iter().find(of_epoch) else { return };
        let message = Message::Certificate(Arc::new(end.certificate.clone()));
        let number = self.note(message);
        if let Some(to) = u16::try_from(peer).ok().and_then(|seat| self.in_seat(ValidatorIndex(seat))) {
            self.send(to, Wire::Message(number));
        }
    }
}
