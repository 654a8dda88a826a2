//! ViewChange, NewView, and the anchor that both sides compute from the same claims.

use super::{EpochContext, Signed};
use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::codec::List;
use quorate_chain::validator::VALIDATORS_MAX;
use quorate_chain::{
    BlockHash, CommitCertificate, Epoch, Height, PreparedCertificate, ResultHash, Signature, View,
};

/// What a ViewChange says of its sender's highest commit certificate (by height). `view` is `None` for the
/// start of the epoch, which needs no certificate: everyone in the epoch holds it (R18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct CommitClaim {
    /// View of the certificate.
    pub view: Option<View>,
    /// Height of the block.
    pub height: Height,
    /// The block.
    pub block: BlockHash,
    /// Its result.
    pub result: ResultHash,
}

/// What a ViewChange says of its sender's highest prepared certificate (by view, then height).
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct PrepareClaim {
    /// View of the certificate.
    pub view: View,
    /// Height of the block.
    pub height: Height,
    /// The block.
    pub block: BlockHash,
}

/// The signed part of a ViewChange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ViewChangeClaims {
    /// Epoch of the views.
    pub epoch: Epoch,
    /// The view to be entered.
    pub target: View,
    /// C, the highest by height.
    pub committed: CommitClaim,
    /// P, the highest by key.
    pub prepared: Option<PrepareClaim>,
}

impl ViewChangeClaims {
    /// What these certificates of the epoch prove; without a C, its start is what is committed.
    #[must_use]
    pub fn of(
        context: &EpochContext,
        target: View,
        committed: Option<&CommitCertificate>,
        prepared: Option<&PreparedCertificate>,
    ) -> Self {
        let start = CommitClaim {
            view: None,
            height: context.start_height,
            block: context.start_block,
            result: context.start_result,
        };
        let committed = committed.map_or(start, |c| CommitClaim {
            view: Some(c.view),
            height: c.height,
            block: c.block_hash,
            result: c.result_hash,
        });
        let prepared =
            prepared.map(|p| PrepareClaim { view: p.vote.view, height: p.vote.height, block: p.vote.block });
        Self { epoch: context.epoch, target, committed, prepared }
    }
}

/// Claims with their signature, as NewView carries them.
pub type SignedViewChange = Signed<ViewChangeClaims>;

/// A ViewChange: signed claims, and beside them the certificates that prove the claims (R24).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ViewChange {
    /// What the sender claims.
    pub claims: SignedViewChange,
    /// Proof of `committed`; `None` exactly where its view is `None`.
    pub committed: Option<CommitCertificate>,
    /// Proof of `prepared`; `None` exactly where that is `None`.
    pub prepared: Option<PreparedCertificate>,
}

/// The certificate with the highest key among the claims of a NewView.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum KeyCertificate {
    /// Nobody claims more than the start of the epoch.
    EpochStart,
    /// A prepared certificate.
    Prepared(PreparedCertificate),
    /// A commit certificate.
    Committed(CommitCertificate),
}

/// The signed part of a NewView.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewViewContents {
    /// Epoch of the view.
    pub epoch: Epoch,
    /// The view that starts.
    pub view: View,
    /// The claims of q validators, ascending by validator.
    pub view_changes: List<SignedViewChange, 1, VALIDATORS_MAX>,
    /// Proof of the highest key among them.
    pub key: KeyCertificate,
    /// Proof of the highest C by height among them; `None` where that is the start of the epoch.
    pub committed: Option<CommitCertificate>,
}

/// Start of a view, signed by its primary.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct NewView {
    /// What starts, and from what.
    pub contents: NewViewContents,
    /// Of the primary of (epoch, view).
    pub signature: Signature,
}

/// Whether a view starts from a committed or from a prepared block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum AnchorKind {
    /// A committed block (or the start of the epoch): the view goes on above it.
    Committed,
    /// A prepared block: an implicit proposal of the new view (R20).
    Prepared,
}

/// The block on which a view starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Anchor {
    /// Committed or prepared.
    pub kind: AnchorKind,
    /// View of its certificate; `None` for the start of the epoch.
    pub view: Option<View>,
    /// Its height.
    pub height: Height,
    /// The block.
    pub block: BlockHash,
}

impl From<CommitClaim> for Anchor {
    fn from(claim: CommitClaim) -> Self {
        let CommitClaim { view, height, block, result: _ } = claim;
        Self { kind: AnchorKind::Committed, view, height, block }
    }
}

/// The maximum key and the highest C of a set of claims (R19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Highest {
    /// The claim with the highest (view, height), C winning ties.
    pub(crate) key: Anchor,
    /// The highest C by height; of the highest view among equals.
    pub(crate) committed: CommitClaim,
}

impl Highest {
    /// Of at least one claim.
    pub(crate) fn of<'a>(claims: impl IntoIterator<Item = &'a ViewChangeClaims>) -> Option<Self> {
        let mut highest: Option<Self> = None;
        for claim in claims {
            let one = Self { key: claim.committed.into(), committed: claim.committed };
            let found = highest.get_or_insert(one);
            if (one.committed.height, one.committed.view) > (found.committed.height, found.committed.view) {
                found.committed = one.committed;
            }
            let prepared = claim.prepared.map(|p| Anchor {
                kind: AnchorKind::Prepared,
                view: Some(p.view),
                height: p.height,
                block: p.block,
            });
            for candidate in [Some(one.key), prepared].into_iter().flatten() {
                let rank =
                    |a: &Anchor| (a.view, a.height, u8::from(a.kind == AnchorKind::Committed), a.block);
                if rank(&candidate) > rank(&found.key) {
                    found.key = candidate;
                }
            }
        }
        highest
    }

    /// The highest P by key, and none of a C unless there is no P: a mistake that only test builds make (R19).
    #[cfg(feature = "mistakes")]
    pub(crate) fn prepared_only<'a>(
        claims: impl IntoIterator<Item = &'a ViewChangeClaims> + Clone,
    ) -> Option<Anchor> {
        let prepared = claims.clone().into_iter().filter_map(|claim| claim.prepared);
        let highest = prepared.max_by_key(|p| (p.view, p.height, p.block));
        match highest {
            Some(PrepareClaim { view, height, block }) => {
                Some(Anchor { kind: AnchorKind::Prepared, view: Some(view), height, block })
            }
            None => Self::of(claims).map(|highest| highest.committed.into()),
        }
    }

    /// The highest P or C by height alone: a mistake that only test builds make (R19).
    #[cfg(feature = "mistakes")]
    pub(crate) fn by_height<'a>(claims: impl IntoIterator<Item = &'a ViewChangeClaims>) -> Option<Anchor> {
        let prepared = |claim: &PrepareClaim| Anchor {
            kind: AnchorKind::Prepared,
            view: Some(claim.view),
            height: claim.height,
            block: claim.block,
        };
        let anchors = claims
            .into_iter()
            .flat_map(|claim| [Some(Anchor::from(claim.committed)), claim.prepared.as_ref().map(prepared)]);
        anchors.flatten().max_by_key(|a| (a.height, u8::from(a.kind == AnchorKind::Committed), a.block))
    }

    /// R19: the maximum key, unless it lies below the highest C by height.
    pub(crate) fn anchor(&self) -> Anchor {
        if self.key.height < self.committed.height { self.committed.into() } else { self.key }
    }
}

impl NewViewContents {
    /// The block on which the view starts, recomputed from the claims (R19, R25); `None` for an empty set.
    #[must_use]
    pub fn anchor(&self) -> Option<Anchor> {
        Highest::of(self.view_changes.iter().map(|signed| &signed.payload)).map(|highest| highest.anchor())
    }
}
