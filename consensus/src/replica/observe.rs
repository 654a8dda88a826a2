//! What others may see of a replica.

use super::recall::Memory;
use super::{Halt, Phase, Replica, Tip};
use crate::message::Anchor;
use crate::time::Time;
use quorate_chain::{Epoch, ValidatorIndex, View};

impl Replica {
    /// When the next [`crate::Input::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.timers.earliest()
    }

    /// The committed tip.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The view entered last.
    #[must_use]
    pub const fn view(&self) -> View {
        self.view
    }

    /// Whether it votes in its view or is changing to another.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Its epoch.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.config.context.epoch
    }

    /// Its seat, if it may vote with it.
    #[must_use]
    pub const fn seat(&self) -> Option<ValidatorIndex> {
        self.config.me
    }

    /// Whether others have shown that its vote record is not whole (R47).
    #[must_use]
    pub fn has_lost_record(&self) -> bool {
        self.memory == Memory::Lost
    }

    /// Why it has stopped voting, if it has.
    #[must_use]
    pub const fn halted(&self) -> Option<Halt> {
        self.halted
    }

    /// The primary of the current view.
    #[must_use]
    pub fn primary(&self) -> ValidatorIndex {
        self.config.context.set.primary(self.config.context.epoch, self.view)
    }

    /// The block on which its view started.
    #[must_use]
    pub const fn anchor(&self) -> Anchor {
        self.anchor
    }

    /// The present time-out of a view, milliseconds.
    #[must_use]
    pub const fn timeout_ms(&self) -> u64 {
        self.timeout.ms()
    }
}
