//! Known mistakes that the driver makes on purpose: a checker that does not find them proves nothing.
//!
//! A restart that forgets would be found out by the other replicas (R47), so those that forget also vote
//! unasked. That a restart forgets single votes is not among them: with an honest primary, whose lease keeps
//! it from proposing twice (R10), nobody is ever offered a second block for a slot.

use quorate_chain::View;
use quorate_consensus::DurableState;

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Records are said to be durable before they are (R10–R12).
    SendBeforePersist,
    /// Bodies are said to be durable long before they are (R10).
    BodyBeforePersist,
    /// Votes and view changes leave the process some time after the core has let them go (R13).
    LateVotes,
    /// A restart keeps nothing of the vote journal (R47).
    RestartForgetsAll,
    /// A restart forgets that a view was asked for (R14).
    RestartForgetsViewChange,
    /// A restart forgets the highest P (R19).
    RestartForgetsPrepared,
    /// A restart forgets the view entered last (R12).
    RestartForgetsView,
    /// A restart forgets the lease (R10).
    RestartForgetsLease,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::SendBeforePersist,
        Self::BodyBeforePersist,
        Self::LateVotes,
        Self::RestartForgetsAll,
        Self::RestartForgetsViewChange,
        Self::RestartForgetsPrepared,
        Self::RestartForgetsView,
        Self::RestartForgetsLease,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendBeforePersist => "send-before-persist",
            Self::BodyBeforePersist => "body-before-persist",
            Self::LateVotes => "late-votes",
            Self::RestartForgetsAll => "restart-forgets-all",
            Self::RestartForgetsViewChange => "restart-forgets-view-change",
            Self::RestartForgetsPrepared => "restart-forgets-prepared",
            Self::RestartForgetsView => "restart-forgets-view",
            Self::RestartForgetsLease => "restart-forgets-lease",
        }
    }

    /// Whether the others would notice it if they were asked.
    pub(super) const fn votes_unasked(self) -> bool {
        !matches!(self, Self::BodyBeforePersist | Self::LateVotes)
    }

    /// What a restarted process makes of its vote journal.
    pub(super) fn forget(self, mut state: DurableState) -> DurableState {
        match self {
            Self::RestartForgetsAll => {
                state = DurableState { epoch: state.epoch, starts: state.starts, ..DurableState::default() };
            }
            Self::RestartForgetsViewChange => state.view_change = None,
            Self::RestartForgetsPrepared => state.highest_prepared = None,
            Self::RestartForgetsView if state.view > View::ZERO => {
                (state.view, state.new_view, state.lease) = (View::ZERO, None, None);
                state.prepares.clear();
                state.commits.clear();
            }
            Self::RestartForgetsLease => state.lease = None,
            Self::RestartForgetsView
            | Self::SendBeforePersist
            | Self::BodyBeforePersist
            | Self::LateVotes => {}
        }
        state
    }
}
