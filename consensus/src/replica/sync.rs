//! Keeping up and helping others to keep up: timers, status, resending (R28–R34, R48).

use super::effect::Effect;
use super::timers::Timers;
use super::{Phase, Replica};
use crate::message::{AnchorKind, Message, NewView, Outgoing, Signed, Status, Unsigned};
use quorate_chain::{Height, ValidatorIndex};
use std::sync::Arc;

/// A replica in no hurry says where it is every so many `status_ms`.
pub(super) const IDLE_STATUS_FACTOR: u64 = 4;
/// Most bytes of proposals that one validator is sent at once to help it (R30).
pub(super) const HELP_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Kinds of helping answers; each goes to one validator at most once every `status_ms` (R30).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Help {
    NewView,
    Status,
    Proposals,
    /// A Status, because the wire to it is new.
    NewWire,
    /// A Status to all, because the wire to this one is gone.
    LostWire,
    Newest,
    /// The same, for a question that is not the latest heard.
    EarlierNewest,
}

/// What the timer of a view runs for (R28, R32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// An accepted block, or the anchor, is not committed.
    Block,
    /// Transactions wait that the next block could hold.
    Transactions,
    /// The view asked for has not started.
    View,
}

impl Replica {
    /// Timers that are due (the table is in `timers.rs`).
    pub(super) fn on_tick(&mut self) {
        let now = self.now.time;
        Timers::due(&mut self.timers.early_proposal, now);
        Timers::due(&mut self.timers.next_block, now);
        if Timers::due(&mut self.timers.half, now) {
            self.on_half_time();
        }
        if Timers::due(&mut self.timers.progress, now) {
            // R39: what ran for transactions only suspects, everything else asks.
            if self.phase == Phase::Normal && !self.waited_for_block {
                let _ = self.suspect();
            } else {
                self.on_timeout();
            }
        }
        if Timers::due(&mut self.timers.silence, now) {
            self.on_timeout();
        }
        if Timers::due(&mut self.timers.resend, now) {
            self.resend();
        }
    }

    /// R28, R32: what the timer runs for, if it runs.
    fn waits_for(&self) -> Option<Wait> {
        if self.config.me.is_none() || self.halted.is_some() || self.has_ended() {
            return None;
        }
        match self.phase {
            Phase::Normal => {
                let uncommitted = self.chain.last_key_value().is_some_and(|(h, _)| *h > self.tip.height);
                let anchor = self.anchor.kind == AnchorKind::Prepared && self.anchor.height > self.tip.height;
                let transactions = self.pending.oldest().is_some();
                if uncommitted || anchor {
                    Some(Wait::Block)
                } else {
                    transactions.then_some(Wait::Transactions)
                }
            }
            Phase::Changing { target } => {
                let there = if mistaken!(self, TimerForExactView) {
                    self.asks.view_changes(target).len()
                } else {
                    self.asks.at_least(target)
                };
                (there >= self.q()).then_some(Wait::View)
            }
        }
    }

    pub(super) fn arm_timers(&mut self) {
        let now = self.now.time;
        self.timers.resend.get_or_insert(now + self.config.status_ms);
        self.timers.silence = self.silence_ends_at();
        let (timeout_ms, waits_for) = (self.timeout.ms(), self.waits_for());
        if waits_for.is_none() {
            self.timers.progress = None;
            if self.phase == Phase::Normal {
                self.timers.half = None;
            }
        } else if self.timers.progress.is_none() {
            self.timers.progress = Some(now + timeout_ms);
            self.timers.half = Some(now + timeout_ms / 2);
            self.waited_for_block = false;
        }
        self.waited_for_block |= waits_for == Some(Wait::Block);
        if self.phase != Phase::Normal && self.config.me.is_some() {
            // R33: while changing every half time-out, whether the timer runs or not.
            self.timers.half.get_or_insert(now + timeout_ms / 2);
        }
    }

    /// R33: half of the time has passed without progress. A primary sends its proposals again.
    fn on_half_time(&mut self) {
        if self.phase != Phase::Normal && mistaken!(self, MuteRelaysNothing) {
            return;
        }
        self.send_status();
        self.out.push(Effect::RelayTransactions { first: self.pending.oldest() });
        let mine = self.proposals.values().filter(|p| self.is_primary() && p.view == self.view);
        let again: Vec<_> = mine.map(|p| Message::Proposal(Arc::clone(p))).collect();
        for proposal in again {
            self.out.push(Effect::Broadcast(Outgoing::Signed(proposal)));
        }
    }

    /// R29, R48: what has not been answered is sent again.
    fn resend(&mut self) {
        let waiting = self.waits_for().is_some();
        let status_due = self
            .status_sent
            .is_none_or(|sent| sent + IDLE_STATUS_FACTOR * self.config.status_ms <= self.now.time);
        if waiting || status_due {
            self.send_status();
        }
        if self.config.me.is_none() || self.halted.is_some() {
            return;
        }
        self.resend_recall();
        if let Some((ask, _)) = self.own_ask.filter(|_| self.start_record <= self.persisted) {
            self.broadcast(Unsigned::Ask(ask));
        }
        if !self.may_sign() || self.has_ended() {
            return;
        }
        if let Phase::Changing { .. } = self.phase {
            // R12: it leaves only once its record is durable.
            let durable = self.view_change_record <= self.persisted;
            if let Some(record) = self.view_change.clone().filter(|_| durable) {
                self.broadcast_view_change(&record);
            }
        } else {
            self.resend_votes();
            if let Some(new_view) = self.durable_new_view().filter(|_| self.is_primary() && waiting) {
                let message = Message::NewView(new_view);
                self.out.push(Effect::Broadcast(Outgoing::Signed(message)));
            }
            if let Some(suspect) = self.own_suspect.filter(|_| !mistaken!(self, SuspectNotResent)) {
                self.broadcast(Unsigned::Suspect(suspect));
            }
        }
    }

    /// R10: the NewView of the own view, once it is durable.
    fn durable_new_view(&self) -> Option<Arc<NewView>> {
        self.new_view.clone().filter(|_| self.entered_record <= self.persisted)
    }

    /// R48: until a C covers them; a C of a lower view does not cover the votes for an anchor (R17).
    fn resend_votes(&mut self) {
        let open = |height: Height| height > self.tip.height || self.commit_view < Some(self.view);
        let prepares = self.own_prepares.values().filter(|cast| cast.released).map(|cast| cast.vote);
        let commits = self.own_commits.values().filter(|cast| cast.released).map(|cast| cast.vote);
        let prepares = prepares.filter(|vote| open(vote.height));
        let commits = commits.filter(|vote| open(vote.height));
        let votes: Vec<_> = prepares.map(Unsigned::Prepare).chain(commits.map(Unsigned::Commit)).collect();
        for vote in votes {
            self.broadcast(vote);
        }
    }

    fn status(&self) -> Status {
        Status {
            epoch: self.config.context.epoch,
            view: self.view,
            tip: self.tip.height,
            tip_block: self.tip.block,
            prepared: self.prepared.last_key_value().map_or(self.tip.height, |(height, _)| *height),
        }
    }

    pub(super) fn send_status(&mut self) {
        if self.config.me.is_some() {
            self.status_sent = Some(self.now.time);
            let status = self.status();
            self.broadcast(Unsigned::Status(status));
        }
    }

    pub(super) fn on_status(&mut self, status: &Signed<Status>) {
        let Status { view, tip, prepared, .. } = status.payload;
        let signer = status.signer;
        if Some(signer) == self.config.me {
            return;
        }
        let before = self.asks.status(signer, &status.payload, self.now.time);
        self.note_in_epoch(signer);
        if view == self.view && (before == Some(status.payload) || self.has_new_wire(signer)) {
            self.help_with_proposals(signer, prepared);
        }
        if tip > self.tip.height {
            self.sync_with(signer, tip);
        }
        if view < self.view {
            self.help_to_view(signer);
        }
        if tip < self.tip.height || view > self.view {
            self.look_up_to(signer);
        }
    }

    /// R34: somebody has more; fetch it, from f+1 at a time, so that no f of them can stand in the way.
    pub(super) fn sync_with(&mut self, peer: ValidatorIndex, to: Height) {
        let (now, again_ms) = (self.now.time, self.config.status_ms);
        self.sync_asked.retain(|_, (_, at)| *at + again_ms > now);
        let free = self.sync_asked.len() < self.quorum.one_honest() && !self.sync_asked.contains_key(&peer);
        if free && Some(peer) != self.config.me {
            self.sync_asked.insert(peer, (to, now));
            self.out.push(Effect::Sync { peer, to });
        }
    }

    pub(super) fn may_help(&mut self, peer: ValidatorIndex, help: Help) -> bool {
        let now = self.now.time;
        let again = self.helped.get(&(peer, help)).is_none_or(|at| *at + self.config.status_ms <= now);
        let allowed = again && Some(peer) != self.config.me;
        if allowed {
            self.helped.insert((peer, help), now);
        }
        allowed
    }

    /// R30: the NewView of the own view, for whoever is below it.
    pub(super) fn help_to_view(&mut self, peer: ValidatorIndex) {
        let Some(new_view) = self.durable_new_view() else { return };
        if self.may_help(peer, Help::NewView) {
            self.out.push(Effect::Send(peer, Outgoing::Signed(Message::NewView(new_view))));
        }
    }

    /// R34: the proposals of this view above what a validator has prepared, if that has not changed from one
    /// Status to the next: any holder may relay them.
    pub(super) fn help_with_proposals(&mut self, peer: ValidatorIndex, prepared: Height) {
        let accepted = self.chain.last_key_value().map_or(Height::ZERO, |(height, _)| *height);
        if prepared >= accepted || !self.may_help(peer, Help::Proposals) {
            return;
        }
        let mut bytes = 0;
        for (height, block) in self.chain.range(prepared.next()..) {
            let Some(proposal) = self.proposals.get(height) else { continue };
            bytes += proposal.block.block().transactions.iter().map(|t| t.bytes().len()).sum::<usize>();
            if proposal.view != self.view || proposal.block.hash() != *block || bytes > HELP_BYTES_MAX {
                return;
            }
            let message = Message::Proposal(Arc::clone(proposal));
            self.out.push(Effect::Send(peer, Outgoing::Signed(message)));
        }
    }

    /// R33: tells a validator that is elsewhere where this replica is, so that each can help the other.
    pub(super) fn look_up_to(&mut self, peer: ValidatorIndex) {
        if self.config.me.is_some() && self.may_help(peer, Help::Status) {
            let status = self.status();
            self.out.push(Effect::Send(peer, Outgoing::Own(Unsigned::Status(status))));
        }
    }
}
