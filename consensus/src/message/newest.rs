//! What a validator is told when it asks, after a restart, for the newest thing that others saw it sign (R42, R47).

use super::{NewView, ProposalClaim, Signed, SignedViewChange};
use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{Epoch, TimestampMs, ValidatorIndex};
use std::sync::Arc;

/// "What is the newest that you saw me sign?" Asked after every start, before the first vote (R47).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Recall {
    /// Epoch of the signatures asked for.
    pub epoch: Epoch,
    /// Which start of the process asks.
    pub start: u64,
    /// Its wall clock then: a lost record counts its starts anew, so that the number alone would not tell an
    /// old answer from a new one.
    pub clock: TimestampMs,
}

/// The newest of each kind that one validator signed in an epoch (R42); each proves itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewestSigned {
    /// By view, then height.
    pub proposal: Option<Signed<ProposalClaim>>,
    /// By view, then height.
    pub prepare: Option<Signed<PrepareVote>>,
    /// By view, then height.
    pub commit: Option<Signed<CommitVote>>,
    /// By target.
    pub view_change: Option<SignedViewChange>,
    /// By view.
    pub new_view: Option<Arc<NewView>>,
}

/// Answer to a [`Recall`].
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Newest {
    /// Who asked.
    pub asker: ValidatorIndex,
    /// What it asked.
    pub recall: Recall,
    /// What the answering validator has seen.
    pub seen: NewestSigned,
}

/// Puts `new` in the place of `known` if its key is higher.
fn raise<T: Clone, K: Ord>(known: &mut Option<T>, new: &T, key: impl Fn(&T) -> K) {
    if known.as_ref().is_none_or(|known| key(known) < key(new)) {
        *known = Some(new.clone());
    }
}

impl NewestSigned {
    pub(crate) fn proposal(&mut self, claim: &Signed<ProposalClaim>) {
        raise(&mut self.proposal, claim, |c| (c.payload.view, c.payload.height));
    }

    pub(crate) fn prepare(&mut self, vote: &Signed<PrepareVote>) {
        raise(&mut self.prepare, vote, |v| (v.payload.view, v.payload.height));
    }

    pub(crate) fn commit(&mut self, vote: &Signed<CommitVote>) {
        raise(&mut self.commit, vote, |v| (v.payload.view, v.payload.height));
    }

    pub(crate) fn view_change(&mut self, claims: &SignedViewChange) {
        raise(&mut self.view_change, claims, |c| c.payload.target);
    }

    pub(crate) fn new_view(&mut self, new_view: &Arc<NewView>) {
        raise(&mut self.new_view, new_view, |n| n.contents.view);
    }
}
