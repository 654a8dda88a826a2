//! Asking for a view, and falling silent for it (R13, R18, R26–R28; PBFT §4.4).

use super::{Phase, Replica, Withheld};
use crate::evidence::Evidence;
use crate::message::{Ask, AskCounter, Signed, Unsigned, ViewChange, ViewChangeClaims};
use crate::record::{Record, ViewChangeRecord};
use quorate_chain::{Height, View};
use std::sync::Arc;

impl Replica {
    /// The highest view of which this replica holds a certificate (R18).
    fn certificate_view(&self) -> Option<View> {
        self.highest_prepared.as_ref().map(|p| p.vote.view).max(self.commit_view)
    }

    /// R26, R28: the timer has expired. Normal: ask for the next view and keep voting. Changing: ask for the
    /// view after the target.
    pub(super) fn on_timeout(&mut self) {
        if self.config.me.is_none() || self.has_ended() {
            return;
        }
        let from = match self.phase {
            Phase::Normal => self.view,
            Phase::Changing { target } => target,
        };
        // R18: never for a view of which a certificate is at hand.
        let target = Some(from).max(self.certificate_view()).unwrap_or(from).next();
        if self.own_ask.is_some_and(|(ask, _)| ask.target >= target) {
            return;
        }
        if mistaken!(self, SilentAsker) && self.may_sign() {
            return self.change_to(target);
        }
        self.ask(target, self.withdrawal_goal());
    }

    /// R26: what must be committed in the own view before an ask made now is withdrawn.
    pub(super) fn withdrawal_goal(&self) -> Height {
        let accepted = self.chain.last_key_value().map_or(Height::ZERO, |(height, _)| *height);
        accepted.max(self.anchor.height).max(self.tip.height.next())
    }

    fn ask(&mut self, target: View, goal: Height) {
        let counter = AskCounter { start: self.starts, sequence: self.next_ask_sequence };
        self.next_ask_sequence += 1;
        let ask = Ask { epoch: self.config.context.epoch, target, counter };
        self.own_ask = Some((ask, goal));
        self.stale_ask = None;
        self.withhold(self.start_record, Withheld::Ask(ask));
    }

    /// R26: a Normal replica whose view has made up for the delay takes its ask back.
    pub(super) fn withdraw_ask(&mut self) {
        let asked = self.own_ask.filter(|(ask, _)| ask.target > self.view).map(|(_, goal)| goal);
        let Some(goal) = asked.or(self.stale_ask) else { return };
        let own_view = self.commit_view == Some(self.view);
        if mistaken!(self, NeverWithdraws) {
            return;
        }
        if self.phase == Phase::Normal && self.halted.is_none() && self.tip.height >= goal && own_view {
            self.ask(self.view, Height::ZERO);
        }
    }

    pub(super) fn on_ask(&mut self, ask: &Signed<Ask>) {
        self.asks.ask(ask.signer, &ask.payload);
        self.asks_changed = true;
    }

    pub(super) fn on_view_change(&mut self, view_change: &Arc<ViewChange>) {
        let target = view_change.claims.payload.target;
        if let Some(known) = self.asks.view_change(view_change) {
            let pair = Box::new((known, view_change.claims.clone()));
            self.accuse(Evidence::ViewChanges(pair));
        }
        if target <= self.view {
            // R30: it has missed the NewView.
            self.help_to_view(view_change.claims.signer);
            return;
        }
        self.asks_changed = true;
    }

    /// What follows from the table of asks, whenever it has changed (R26, R27, R39).
    pub(super) fn follow_asks(&mut self) {
        if !self.asks_changed || !self.may_sign() || self.has_ended() {
            return;
        }
        self.asks_changed = false;
        self.follow_suspects();
        self.follow_targets();
        self.make_new_view();
    }

    /// R26, R27: at f+1 asks above the own view, fall silent and change to the view that f+1 ask for.
    fn follow_targets(&mut self) {
        let Some(target) = self.asks.nth_highest(self.quorum.one_honest()) else { return };
        let own_target = match self.phase {
            Phase::Normal => self.view,
            Phase::Changing { target } => target,
        };
        if target <= self.view || target <= own_target {
            return;
        }
        // R18 goes first: of this view there is a certificate, so there is a NewView to be fetched.
        if self.certificate_view() >= Some(target) {
            if self.status_sent.is_none_or(|sent| sent + self.config.status_ms <= self.now.time) {
                self.send_status();
            }
            return;
        }
        self.change_to(target);
    }

    fn change_to(&mut self, target: View) {
        self.phase = Phase::Changing { target };
        self.own_suspect = None;
        self.timeout.failed();
        self.timers.stop_progress();
        self.batch_requested = None;
        // R13: votes that have not left never will.
        if !mistaken!(self, KeepsWithheldVotes) {
            self.withheld.retain(|(_, message)| matches!(message, Withheld::Ask(_)));
        }
        let record = self.make_view_change(target);
        let id = self.persist(Record::ViewChange(record.clone()));
        self.view_change_record = id;
        self.view_change = Some(record.clone());
        self.withhold(id, Withheld::ViewChange(Box::new(record)));
    }

    /// R18: the highest C by height and the highest P by key.
    fn make_view_change(&self, target: View) -> ViewChangeRecord {
        let highest = self.highest_prepared.as_ref().filter(|p| !self.forgets(p));
        let committed = self.highest_commit.as_ref();
        ViewChangeRecord {
            claims: ViewChangeClaims::of(&self.config.context, target, committed, highest),
            committed: committed.cloned(),
            prepared: highest.cloned(),
        }
    }

    /// R12: byte for byte as it was recorded.
    pub(super) fn broadcast_view_change(&mut self, record: &ViewChangeRecord) {
        let ViewChangeRecord { claims, committed, prepared } = record.clone();
        self.broadcast(Unsigned::ViewChange(claims, committed, prepared));
    }
}
