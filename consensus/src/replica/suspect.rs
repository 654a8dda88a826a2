//! A primary that keeps transactions waiting (R39, R41), and one that is not heard of any more.

use super::sync::IDLE_STATUS_FACTOR;
use super::{Phase, Replica};
use crate::message::{Signed, Suspect, Unsigned};

/// Statuses that a primary may miss before an idle network replaces it.
const STATUSES_MISSED: u64 = 3;

impl Replica {
    /// R39: the timer ran for nothing but pending transactions: the primary is suspected, and the replica
    /// goes on voting. R41: once a view; whether it was now.
    pub(super) fn suspect(&mut self) -> bool {
        let Some(transaction) = self.pending.oldest().filter(|_| self.own_suspect.is_none()) else {
            return false;
        };
        let suspect = Suspect { epoch: self.config.context.epoch, view: self.view, transaction };
        self.own_suspect = Some(suspect);
        self.broadcast(Unsigned::Suspect(suspect));
        true
    }

    pub(super) fn on_suspect(&mut self, suspect: &Signed<Suspect>) {
        self.asks.suspect(suspect.signer, suspect.payload.view);
        self.asks_changed = true;
    }

    /// R39: q validators suspect the primary of this view or ask for a view above it: as if the own timer
    /// had expired.
    pub(super) fn follow_suspects(&mut self) {
        let asks_count = !mistaken!(self, SuspectsLiterally);
        if self.phase == Phase::Normal && self.asks.against(self.view, asks_count) >= self.q() {
            self.on_timeout();
        }
    }

    /// When a primary of which nothing is heard is given up although nothing waits for it, so that the next
    /// transaction need not wait. Every validator sends a Status now and then.
    pub(super) fn silence_ends_at(&self) -> Option<crate::time::Time> {
        let asked = self.own_ask.is_some_and(|(ask, _)| ask.target > self.view);
        if asked || !self.votes_now() || self.is_primary() {
            return None;
        }
        let patience_ms = STATUSES_MISSED * IDLE_STATUS_FACTOR * self.config.status_ms;
        Some(self.primary_heard_at + patience_ms.max(self.timeout.ms()))
    }
}
