//! Known mistakes that the driver makes on purpose: a checker that does not find them proves nothing.
//!
//! That a restart forgets single votes is not among them: with an honest primary, whose lease keeps it from
//! proposing twice (R10), nobody is ever offered a second block for a slot.

use quorate_consensus::{DurableState, Record};

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Records are said to be durable before they are (R10–R12).
    SendBeforePersist,
    /// Bodies are said to be durable long before they are (R10).
    BodyBeforePersist,
    /// Votes and view changes leave the process some time after the core has let them go (R13).
    LateVotes,
    /// A restart keeps nothing of the vote journal, and votes at once (R47).
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

    /// What a restarted process makes of its records.
    pub(super) fn recall(mutation: Option<Self>, records: impl Iterator<Item = Record>) -> DurableState {
        let mut state = DurableState::default();
        for record in records {
            let forgotten = match mutation {
                Some(Self::RestartForgetsAll) => !matches!(record, Record::Start(_)),
                Some(Self::RestartForgetsViewChange) => matches!(record, Record::ViewChange(_)),
                Some(Self::RestartForgetsView) => matches!(record, Record::Entered(_)),
                Some(Self::RestartForgetsLease) => matches!(record, Record::Lease(..)),
                _ => false,
            };
            if !forgotten {
                state.apply(record);
            }
        }
        if mutation == Some(Self::RestartForgetsPrepared) {
            state.highest_prepared = None;
        }
        state
    }
}
