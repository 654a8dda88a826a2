//! What the Byzantine replica says: anything that its own key can sign, with certificates that it can form.

use super::signing::REPLICAS;
use super::world::World;
use crate::forge;
use crate::fuzz::script::Script;
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{BlockHash, CommitCertificate, Epoch, Height, ResultHash, TransactionId, View};
use quorate_chain::{PreparedCertificate, TimestampMs, ValidatorIndex};
use quorate_consensus::message::{Ask, AskCounter, Newest, NewestSigned, Recall, Status, Suspect};
use quorate_consensus::{Message, Unsigned};
use std::sync::Arc;

impl World {
    /// Signs as the Byzantine replica and says it at once to the nodes of a mask.
    fn say(&mut self, mask: u8, unsigned: Unsigned) {
        let message = self.signing.sign(self.byzantine, unsigned);
        self.tell(mask, message);
    }

    /// Everybody of a mask hears a message at once.
    fn tell(&mut self, mask: u8, message: Message) {
        let number = self.note(message);
        for node in self.masked(mask) {
            self.hear(node, number);
        }
    }

    /// The epoch of the first node of a mask.
    fn epoch_of(&self, mask: u8) -> Epoch {
        self.masked(mask).next().map_or(Epoch::ZERO, |node| self.nodes[node].replica.epoch())
    }

    /// A view around those of the nodes.
    fn view_near(&self, script: &mut Script<'_>) -> View {
        let (_, View(highest), _) = self.place();
        View((highest + script.below(5) as u64).saturating_sub(1))
    }

    /// A height around the nodes' tips.
    fn height_near(&self, script: &mut Script<'_>) -> Height {
        let (_, _, Height(tip)) = self.place();
        Height((tip + script.below(8) as u64).saturating_sub(2))
    }

    /// A view near those of the nodes that the Byzantine replica leads.
    fn own_view(&self, epoch: Epoch, script: &mut Script<'_>) -> View {
        let (_, View(highest), _) = self.place();
        let turn = REPLICAS as u64;
        let first = (0..turn).find(|v| (epoch.0 + v) % turn == self.byzantine as u64).unwrap_or(0);
        let round = (highest / turn + script.below(3) as u64).saturating_sub(1);
        View(first + turn * round)
    }

    fn block_near(&self, script: &mut Script<'_>) -> Option<(Height, BlockHash)> {
        let block = script.recent(&self.blocks, 8)?;
        Some((block.height(), block.hash()))
    }

    /// A proposal in a view of its own.
    pub(super) fn propose(&mut self, mask: u8, script: &mut Script<'_>) {
        let epoch = self.epoch_of(mask);
        let view = self.own_view(epoch, script);
        let known = script.byte();
        let block = if known.is_multiple_of(4) {
            script.recent(&self.blocks, 8).filter(|block| block.header().epoch == epoch).cloned()
        } else {
            self.forge_block(epoch, script)
        };
        if let Some(block) = block {
            self.say(mask, Unsigned::Proposal(epoch, view, block));
        }
    }

    /// A Prepare or a Commit for any known block, at its height or another, with its result or another.
    pub(super) fn vote(&mut self, mask: u8, commit: bool, script: &mut Script<'_>) {
        let (epoch, view) = (self.epoch_of(mask), self.view_near(script));
        let Some((height, block)) = self.block_near(script) else { return };
        let lies = script.byte();
        let height = if lies.is_multiple_of(7) { self.height_near(script) } else { height };
        let true_result = self.results.get(&block).copied().unwrap_or_default();
        let result = if lies & 0x30 == 0x30 { ResultHash([lies; 32]) } else { true_result };
        self.say(
            mask,
            if commit {
                Unsigned::Commit(CommitVote { epoch, view, height, block, result })
            } else {
                Unsigned::Prepare(PrepareVote { epoch, view, height, block })
            },
        );
    }

    /// Votes as an honest replica would for the last proposals, so that the nodes need only two of them.
    pub(super) fn support(&mut self, mask: u8, script: &mut Script<'_>) {
        let last = 1 + script.below(4);
        let proposals = self.history.iter().rev().filter_map(|message| match message {
            Message::Proposal(p) => Some((p.epoch, p.view, p.block.height(), p.block.hash())),
            _ => None,
        });
        let proposals: Vec<_> = proposals.take(last).collect();
        for (epoch, view, height, block) in proposals.into_iter().rev() {
            self.say(mask, Unsigned::Prepare(PrepareVote { epoch, view, height, block }));
            if let Some(result) = self.results.get(&block).copied() {
                self.say(mask, Unsigned::Commit(CommitVote { epoch, view, height, block, result }));
            }
        }
    }

    pub(super) fn ask(&mut self, mask: u8, script: &mut Script<'_>) {
        let (epoch, target) = (self.epoch_of(mask), self.view_near(script));
        let counter = AskCounter { start: script.below(4) as u64, sequence: script.below(16) as u64 };
        self.say(mask, Unsigned::Ask(Ask { epoch, target, counter }));
    }

    /// Claims with their certificates: any that it can form of lower views.
    fn claims(&self, epoch: Epoch, target: View, script: &mut Script<'_>) -> Option<Unsigned> {
        let start = self.masked(0).find(|node| self.nodes[*node].replica.epoch() == epoch)?;
        let context = self.nodes[start].context().clone();
        let commits = self.oracle.commit_votes(epoch, target);
        let prepares = self.oracle.prepared_votes(epoch, target);
        let commit = script.below(1 + commits.len().min(255)).checked_sub(1);
        let commit = commit.and_then(|back| commits.get(commits.len() - 1 - back)).copied();
        let prepare = script.below(1 + prepares.len().min(255)).checked_sub(1);
        let prepare = prepare.and_then(|back| prepares.get(prepares.len() - 1 - back)).copied();
        let committed: Option<CommitCertificate> =
            commit.and_then(|vote| self.oracle.certificate(vote, self.signing));
        let prepared: Option<PreparedCertificate> =
            prepare.and_then(|vote| self.oracle.prepared(vote, self.signing));
        Some(forge::view_change(&context, target, committed, prepared))
    }

    pub(super) fn view_change(&mut self, mask: u8, script: &mut Script<'_>) {
        let (epoch, target) = (self.epoch_of(mask), self.view_near(script));
        if let Some(claims) = self.claims(epoch, target, script) {
            self.say(mask, claims);
        }
    }

    /// A NewView of its own view, of honest ViewChanges and any claims of its own.
    pub(super) fn new_view(&mut self, mask: u8, script: &mut Script<'_>) {
        let epoch = self.epoch_of(mask);
        let view = self.own_view(epoch, script);
        let mut changes = self.oracle.view_changes(epoch, view);
        let choice = script.byte();
        if changes.len() > 2 && choice & 3 != 3 {
            changes.remove(usize::from(choice & 3));
        }
        if let Some(Message::ViewChange(own)) =
            self.claims(epoch, view, script).map(|claims| self.signing.sign(self.byzantine, claims))
        {
            changes.push((self.byzantine, own));
        }
        changes.sort_by_key(|(seat, _)| *seat);
        let changes: Vec<_> = changes.into_iter().map(|(_, change)| change).collect();
        if let Some(contents) = forge::new_view(epoch, view, &changes).filter(|_| changes.len() >= 3) {
            self.say(mask, Unsigned::NewView(contents));
        }
    }

    pub(super) fn small_talk(&mut self, mask: u8, script: &mut Script<'_>) {
        let epoch = self.epoch_of(mask);
        let kind = script.below(3);
        let unsigned = match kind {
            0 => {
                let (view, tip) = (self.view_near(script), self.height_near(script));
                let tip_block = self.oracle.at(tip).map_or(BlockHash([7; 32]), |(block, _)| block);
                let prepared = self.height_near(script);
                Unsigned::Status(Status { epoch, view, tip, tip_block, prepared })
            }
            1 => {
                let transaction = TransactionId([script.byte(); 32]);
                Unsigned::Suspect(Suspect { epoch, view: self.view_near(script), transaction })
            }
            _ => {
                let (start, clock) = (script.below(4) as u64, TimestampMs(script.below(4) as u64));
                Unsigned::Recall(Recall { epoch, start, clock })
            }
        };
        self.say(mask, unsigned);
    }

    /// Answers a node's question with anything that the node did sign.
    pub(super) fn newest(&mut self, mask: u8, script: &mut Script<'_>) {
        for node in self.masked(mask) {
            let (seat, epoch) = (self.nodes[node].seat, self.nodes[node].replica.epoch());
            let asked = self.history.iter().rev().find_map(|message| match message {
                Message::Recall(r) if usize::from(r.signer.0) == seat && r.payload.epoch == epoch => {
                    Some(r.payload)
                }
                _ => None,
            });
            let Some(recall) = asked else { continue };
            let mut seen = NewestSigned::default();
            for message in self.oracle.signed_by(seat, epoch) {
                if script.byte().is_multiple_of(3) {
                    continue;
                }
                match message {
                    Message::Proposal(p) => {
                        seen.proposal = Some(p.signed_claim(ValidatorIndex(seat as u16)));
                    }
                    Message::Prepare(vote) => seen.prepare = Some(vote.clone()),
                    Message::Commit(vote) => seen.commit = Some(vote.clone()),
                    Message::ViewChange(v) => seen.view_change = Some(v.claims.clone()),
                    Message::NewView(n) => seen.new_view = Some(Arc::clone(n)),
                    _ => {}
                }
            }
            let asker = ValidatorIndex(seat as u16);
            self.say(1 << node, Unsigned::Newest(Box::new(Newest { asker, recall, seen })));
        }
    }

    /// Shows a C that it can form.
    pub(super) fn show_certificate(&mut self, mask: u8, script: &mut Script<'_>) {
        let votes = self.oracle.commit_votes(self.epoch_of(mask), View(u64::MAX));
        let vote = script.recent(&votes, 16).copied();
        if let Some(certificate) = vote.and_then(|vote| self.oracle.certificate(vote, self.signing)) {
            self.tell(mask, Message::Certificate(Arc::new(certificate)));
        }
    }
}
