//! R33 on hints of the transport: a wire that comes or goes may have swallowed something, and whoever lacks
//! it should not have to wait for half the time-out.
//!
//! A primary that dies in the middle of a broadcast leaves its last proposals with some validators only. All
//! lose the wire to it at about the same time: each says where it is, and who holds more relays it (R34).
//! Nothing depends on the hints. They cost what any Status costs, once every `status_ms` for each validator.

use super::sync::Help;
use super::{Phase, Replica};
use crate::time::Time;
use quorate_chain::ValidatorIndex;

/// Within what time all validators notice that one is gone, milliseconds. A Status that came so shortly
/// before the own notice is taken as one that was sent because of it.
const NOTICED_WITHIN_MS: u64 = 50;

impl Replica {
    /// Both ends of a new wire say where they are.
    pub(super) fn on_connected(&mut self, peer: ValidatorIndex) {
        let mute = self.phase != Phase::Normal && mistaken!(self, MuteRelaysNothing);
        if self.config.me.is_some() && !mute && self.may_help(peer, Help::NewWire) {
            self.look_up_to(peer);
        }
    }

    /// Without the primary: all say where they are.
    pub(super) fn on_disconnected(&mut self, peer: ValidatorIndex) {
        let matters = peer == self.primary() && self.phase == Phase::Normal && self.config.me.is_some();
        if !matters || !self.may_help(peer, Help::LostWire) {
            return;
        }
        self.send_status();
        for (signer, status) in self.asks.statuses(Time(self.now.time.0.saturating_sub(NOTICED_WITHIN_MS))) {
            if status.view == self.view {
                self.help_with_proposals(signer, status.prepared);
            }
        }
    }

    /// Whether the wire to this validator has just come, or that to the primary gone: then a first Status
    /// shows what is lacking.
    pub(super) fn has_new_wire(&self, peer: ValidatorIndex) -> bool {
        let recent = |at: &Time| *at + self.config.status_ms > self.now.time;
        let changed = [(peer, Help::NewWire), (self.primary(), Help::LostWire)];
        changed.iter().any(|key| self.helped.get(key).is_some_and(recent))
    }
}
