//! Mistakes that the simulator's driver makes on purpose: persistence and recall are its part of the protocol.
//!
//! A restart that forgets would be found out by the other replicas (R47), so those that forget also vote
//! unasked. That a restart forgets single votes is not among them: with an honest primary, whose lease keeps
//! it from proposing twice (R10), nobody is ever offered a second block for a slot.

use quorate_chain::View;
use quorate_consensus::DurableState;

/// A mistake of every driver of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slip {
    /// Records are said to be durable before they are (R10–R12).
    SendsBeforePersist,
    /// Bodies are said to be durable long before they are (R10).
    BodyBeforePersist,
    /// Votes leave the process some time after the core has let them go (R13).
    LateVotes,
    /// A restart keeps nothing of the vote journal (R47).
    ForgetsAll,
    /// A restart forgets that a view was asked for (R14).
    ForgetsViewChange,
    /// A restart forgets the highest P (R19).
    ForgetsPrepared,
    /// A restart forgets the view entered last (R12).
    ForgetsView,
    /// A restart knows its view, but not on which block that started (R12).
    ForgetsAnchor,
    /// A restart forgets the lease (R10).
    ForgetsLease,
    /// The state root leaves out what changes in one bucket of sixteen.
    SkipsBucket,
}

impl Slip {
    /// Whether the others would notice it if they were asked.
    pub(super) const fn votes_unasked(self) -> bool {
        !matches!(self, Self::BodyBeforePersist | Self::LateVotes | Self::SkipsBucket)
    }

    /// What a restarted process makes of its vote journal.
    pub(super) fn forget(self, mut state: DurableState) -> DurableState {
        match self {
            Self::ForgetsAll => {
                state = DurableState { epoch: state.epoch, starts: state.starts, ..DurableState::default() };
            }
            Self::ForgetsViewChange => state.view_change = None,
            Self::ForgetsPrepared => state.highest_prepared = None,
            Self::ForgetsView if state.view > View::ZERO => {
                (state.view, state.new_view, state.lease) = (View::ZERO, None, None);
                state.prepares.clear();
                state.commits.clear();
            }
            Self::ForgetsAnchor => state.new_view = None,
            Self::ForgetsLease => state.lease = None,
            Self::ForgetsView
            | Self::SendsBeforePersist
            | Self::BodyBeforePersist
            | Self::LateVotes
            | Self::SkipsBucket => {}
        }
        state
    }
}
