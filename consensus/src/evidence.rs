//! Proof that a validator signed two things that no honest one signs together (R37). Anybody who knows the
//! validator set of the epoch can check it.

use crate::message::{EpochContext, Invalid, NewView, ProposalClaim, Signed, SignedViewChange};
use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::crypto::Domain;
use quorate_chain::{Epoch, ValidatorIndex};
use std::sync::Arc;

/// Two payloads for one slot. The discriminants never change meaning.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Evidence {
    /// Two blocks for one view and height.
    Proposals(Signed<ProposalClaim>, Signed<ProposalClaim>) = 1,
    /// Two Prepares for one view and height.
    Prepares(Signed<PrepareVote>, Signed<PrepareVote>) = 2,
    /// Two Commits for one view and height.
    Commits(Signed<CommitVote>, Signed<CommitVote>) = 3,
    /// Two ViewChanges for one view.
    ViewChanges(Box<(SignedViewChange, SignedViewChange)>) = 4,
    /// Two NewViews for one view, by its primary.
    NewViews(ValidatorIndex, Arc<NewView>, Arc<NewView>) = 5,
}

/// What was signed twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EvidenceKind {
    /// A proposal.
    Proposal,
    /// A Prepare.
    Prepare,
    /// A Commit.
    Commit,
    /// A ViewChange.
    ViewChange,
    /// A NewView.
    NewView,
}

impl Evidence {
    /// What was signed twice.
    #[must_use]
    pub const fn kind(&self) -> EvidenceKind {
        match self {
            Self::Proposals(..) => EvidenceKind::Proposal,
            Self::Prepares(..) => EvidenceKind::Prepare,
            Self::Commits(..) => EvidenceKind::Commit,
            Self::ViewChanges(_) => EvidenceKind::ViewChange,
            Self::NewViews(..) => EvidenceKind::NewView,
        }
    }

    /// Whose signatures they are.
    #[must_use]
    pub fn accused(&self) -> ValidatorIndex {
        match self {
            Self::Proposals(first, _) => first.signer,
            Self::Prepares(first, _) => first.signer,
            Self::Commits(first, _) => first.signer,
            Self::ViewChanges(pair) => pair.0.signer,
            Self::NewViews(primary, ..) => *primary,
        }
    }

    /// In which epoch: its validator set is the one to verify against.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        match self {
            Self::Proposals(first, _) => first.payload.epoch,
            Self::Prepares(first, _) => first.payload.epoch,
            Self::Commits(first, _) => first.payload.epoch,
            Self::ViewChanges(pair) => pair.0.payload.epoch,
            Self::NewViews(_, first, _) => first.contents.epoch,
        }
    }

    /// Checks that one validator signed two different payloads for one slot; gives who.
    ///
    /// # Errors
    /// Says why it proves nothing.
    pub fn verify(&self, context: &EpochContext) -> Result<ValidatorIndex, Invalid> {
        let context = context.judge();
        let contradict = match self {
            Self::Proposals(a, b) => {
                context.one(Domain::Proposal, a.payload.epoch, a)?;
                context.one(Domain::Proposal, b.payload.epoch, b)?;
                let slot = |s: &Signed<ProposalClaim>| (s.signer, s.payload.view, s.payload.height);
                slot(a) == slot(b) && a.payload != b.payload
            }
            Self::Prepares(a, b) => {
                context.one(Domain::Prepare, a.payload.epoch, a)?;
                context.one(Domain::Prepare, b.payload.epoch, b)?;
                let slot = |s: &Signed<PrepareVote>| (s.signer, s.payload.view, s.payload.height);
                slot(a) == slot(b) && a.payload != b.payload
            }
            Self::Commits(a, b) => {
                context.one(Domain::Commit, a.payload.epoch, a)?;
                context.one(Domain::Commit, b.payload.epoch, b)?;
                let slot = |s: &Signed<CommitVote>| (s.signer, s.payload.view, s.payload.height);
                slot(a) == slot(b) && a.payload != b.payload
            }
            Self::ViewChanges(pair) => {
                let (a, b) = pair.as_ref();
                context.one(Domain::ViewChange, a.payload.epoch, a)?;
                context.one(Domain::ViewChange, b.payload.epoch, b)?;
                (a.signer, a.payload.target) == (b.signer, b.payload.target) && a.payload != b.payload
            }
            Self::NewViews(primary, a, b) => {
                for new_view in [a, b] {
                    context.in_epoch(new_view.contents.epoch)?;
                    context.signed(Domain::NewView, *primary, &new_view.contents, &new_view.signature)?;
                }
                a.contents.view == b.contents.view && a.contents != b.contents
            }
        };
        if contradict {
            Ok(self.accused())
        } else {
            Err(Invalid::Contradiction("evidence whose two parts may stand together"))
        }
    }
}
