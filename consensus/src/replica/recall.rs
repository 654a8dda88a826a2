//! The double-sign guard: before the first vote after a start, others are asked for the newest thing that they
//! saw this replica sign (R42, R47).

use super::Replica;
use super::effect::{Effect, Lost};
use super::sync::Help;
use crate::message::{
    Message, Newest, NewestSigned, Outgoing, Recall, Signed, Unsigned, ViewChange, ViewChangeClaims,
};
use crate::record::{DurableState, Record};
use quorate_chain::certificate::{CommitVote, PrepareVote, Signatures};
use quorate_chain::{CommitCertificate, Height, PreparedCertificate, TimestampMs, ValidatorIndex, View};
use std::collections::{BTreeMap, BTreeSet};

/// Whether the own vote record is known to be whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// These have been asked and knew nothing newer; nothing is signed yet.
    Asking(Recall, BTreeSet<ValidatorIndex>),
    /// A quorum knows of nothing newer.
    Whole,
    /// Somebody does: nothing is signed with this key again.
    Lost,
}

/// The durable record as the replica found it, whatever it takes in meanwhile; only needed until others have
/// answered.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    pub(super) view: View,
    pub(super) changing: Option<ViewChangeClaims>,
    pub(super) lease: Height,
    pub(super) prepares: BTreeMap<Height, PrepareVote>,
    pub(super) commits: BTreeMap<Height, CommitVote>,
}

impl Recorded {
    pub(super) fn of(durable: &DurableState) -> Self {
        Self {
            view: durable.view,
            changing: durable.view_change.as_ref().map(|record| record.claims),
            lease: durable.lease.unwrap_or(Height::ZERO),
            prepares: durable.prepares.clone(),
            commits: durable.commits.clone(),
        }
    }

    /// Anything signed that the record does not know of.
    fn misses(&self, seen: &NewestSigned) -> Option<Lost> {
        let asked = self.changing.as_ref().map_or(self.view, |claims| claims.target.max(self.view));
        let proposal =
            seen.proposal.as_ref().map(|c| c.payload).filter(|claim| {
                claim.view > self.view || claim.view == self.view && claim.height > self.lease
            });
        let prepare = seen
            .prepare
            .as_ref()
            .map(|v| v.payload)
            .filter(|vote| self.is_unknown((vote.view, vote.height), vote, &self.prepares));
        let commit = seen
            .commit
            .as_ref()
            .map(|v| v.payload)
            .filter(|vote| self.is_unknown((vote.view, vote.height), vote, &self.commits));
        let view_change = seen.view_change.as_ref().map(|c| &c.payload).filter(|claims| {
            let own = self.changing.as_ref();
            claims.target > asked || own.is_some_and(|own| own.target == claims.target && own != *claims)
        });
        let new_view = seen.new_view.as_ref().filter(|n| n.contents.view > self.view);
        proposal
            .map(|claim| Lost { view: claim.view, what: "proposal" })
            .or_else(|| prepare.map(|vote| Lost { view: vote.view, what: "Prepare" }))
            .or_else(|| commit.map(|vote| Lost { view: vote.view, what: "Commit" }))
            .or_else(|| view_change.map(|claims| Lost { view: claims.target, what: "ViewChange" }))
            .or_else(|| new_view.map(|n| Lost { view: n.contents.view, what: "NewView" }))
    }

    /// A vote of a later view, above all recorded ones of this view, or other than the one recorded.
    fn is_unknown<T: PartialEq>(
        &self,
        (view, height): (View, Height),
        vote: &T,
        recorded: &BTreeMap<Height, T>,
    ) -> bool {
        let known = recorded.get(&height);
        let highest = recorded.last_key_value().map(|(height, _)| *height);
        view > self.view
            || view == self.view && (Some(height) > highest || known.is_some_and(|own| own != vote))
    }
}

/// What each validator of the epoch was seen to have signed last (R42).
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    newest: BTreeMap<ValidatorIndex, NewestSigned>,
    /// The latest question of each, by clock and start.
    recalls: BTreeMap<ValidatorIndex, (TimestampMs, u64)>,
}

impl Seen {
    pub(super) fn of(&mut self, signer: ValidatorIndex) -> &mut NewestSigned {
        self.newest.entry(signer).or_default()
    }

    /// Whether no later question of this validator was heard.
    fn is_latest(&mut self, asker: ValidatorIndex, recall: &Recall) -> bool {
        let asked = (recall.clock, recall.start);
        let latest = self.recalls.entry(asker).or_insert(asked);
        *latest = asked.max(*latest);
        asked == *latest
    }

    fn signatures<T: Clone>(
        &mut self,
        vote: &T,
        signatures: &Signatures,
        note: impl Fn(&mut NewestSigned, &Signed<T>),
    ) {
        for one in signatures.iter() {
            let (payload, signer, signature) = (vote.clone(), one.validator, one.signature);
            note(self.of(signer), &Signed { payload, signer, signature });
        }
    }

    pub(super) fn prepared(&mut self, certificate: &PreparedCertificate) {
        self.signatures(&certificate.vote, &certificate.signatures, NewestSigned::prepare);
    }

    pub(super) fn committed(&mut self, certificate: &CommitCertificate) {
        let vote: CommitVote = certificate.vote();
        self.signatures(&vote, &certificate.signatures, NewestSigned::commit);
    }
}

impl Replica {
    /// R47: the question goes out with the start, again every `status_ms`, and until q have answered nothing
    /// that counts is signed. The own answer is the record.
    pub(super) fn begin_recall(&mut self) {
        if self.config.me.is_none() {
            return;
        }
        let recall = Recall { epoch: self.config.context.epoch, start: self.starts, clock: self.now.clock };
        self.memory = Memory::Asking(recall, BTreeSet::new());
        self.settle_recall();
        self.resend_recall();
    }

    pub(super) fn resend_recall(&mut self) {
        if let Memory::Asking(recall, _) = &self.memory {
            let recall = *recall;
            self.broadcast(Unsigned::Recall(recall));
        }
    }

    fn settle_recall(&mut self) {
        let Memory::Asking(_, answered) = &self.memory else { return };
        if answered.len() + 1 >= self.q() {
            self.memory = Memory::Whole;
            self.recorded = Recorded::default();
            self.asks_changed = true;
        }
    }

    /// R42: whatever a message proves of its signers is remembered for their own sake.
    pub(super) fn see(&mut self, message: &Message) {
        match message {
            Message::Proposal(proposal) => {
                let primary = self.config.context.set.primary(proposal.epoch, proposal.view);
                self.seen.of(primary).proposal(&proposal.signed_claim(primary));
            }
            Message::Prepare(vote) => self.seen.of(vote.signer).prepare(vote),
            Message::Commit(vote) => self.seen.of(vote.signer).commit(vote),
            Message::ViewChange(view_change) => self.see_view_change(view_change),
            Message::NewView(new_view) => {
                let contents = &new_view.contents;
                let primary = self.config.context.set.primary(contents.epoch, contents.view);
                self.seen.of(primary).new_view(new_view);
                for claims in contents.view_changes.iter() {
                    self.seen.of(claims.signer).view_change(claims);
                }
            }
            Message::Certificate(certificate) => self.seen.committed(certificate),
            Message::Ask(_)
            | Message::Status(_)
            | Message::Suspect(_)
            | Message::Recall(_)
            | Message::Newest(_) => {}
        }
    }

    fn see_view_change(&mut self, view_change: &ViewChange) {
        self.seen.of(view_change.claims.signer).view_change(&view_change.claims);
        if let Some(certificate) = &view_change.prepared {
            self.seen.prepared(certificate);
        }
        if let Some(certificate) = &view_change.committed {
            self.seen.committed(certificate);
        }
    }

    /// R47: an own signature that arrives by itself, in a NewView or a certificate, shows a loss as an answer does.
    pub(super) fn notice_loss(&mut self) {
        let Some(me) = self.config.me.filter(|_| matches!(self.memory, Memory::Asking(..))) else { return };
        if let Some(lost) = self.recorded.misses(self.seen.of(me)) {
            self.lose_record(lost);
        }
    }

    /// R47: tells a restarted validator what it signed, as far as is known here.
    pub(super) fn on_recall(&mut self, recall: &Signed<Recall>) {
        let asker = recall.signer;
        // A question that somebody repeats takes no place from a later one.
        let latest = self.seen.is_latest(asker, &recall.payload);
        let help = if latest { Help::Newest } else { Help::EarlierNewest };
        if self.config.me.is_some() && self.may_help(asker, help) {
            let seen = self.seen.of(asker).clone();
            let newest = Box::new(Newest { asker, recall: recall.payload, seen });
            self.out.push(Effect::Send(asker, Outgoing::Own(Unsigned::Newest(newest))));
        }
    }

    pub(super) fn on_newest(&mut self, newest: &Signed<Newest>) {
        let Newest { asker, recall, seen } = &newest.payload;
        let Memory::Asking(asked, answered) = &mut self.memory else { return };
        if Some(*asker) != self.config.me || recall != asked || newest.signer == *asker {
            return;
        }
        answered.insert(newest.signer);
        match self.recorded.misses(seen) {
            Some(lost) => self.lose_record(lost),
            None => self.settle_recall(),
        }
    }

    /// R47: never votes again with this key; from now on it only follows.
    fn lose_record(&mut self, lost: Lost) {
        self.persist(Record::Lost);
        self.memory = Memory::Lost;
        self.config.me = None;
        self.withheld.clear();
        self.out.push(Effect::RecordLost(lost));
    }
}
