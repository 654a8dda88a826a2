//! Votes by height and validator: the latest view's only, so that nobody can fill more than its place.

use crate::evidence::Evidence;
use crate::message::Signed;
use quorate_chain::certificate::{CommitVote, PrepareVote, Signatures, ValidatorSignature};
use quorate_chain::codec::List;
use quorate_chain::quorum::Quorum;
use quorate_chain::{CommitCertificate, Height, PreparedCertificate, ResultHash, ValidatorIndex, View};
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
struct Slot {
    prepare: Option<Signed<PrepareVote>>,
    commit: Option<Signed<CommitVote>>,
}

/// Bounded by heights (the caller's window) × validators × 2.
#[derive(Clone, Debug, Default)]
pub(super) struct Votes {
    /// By height, then by the validator's index.
    slots: BTreeMap<Height, Vec<Slot>>,
    #[cfg(feature = "mistakes")]
    pub(super) mixes_views: bool,
    #[cfg(feature = "mistakes")]
    pub(super) counts_signer_twice: bool,
}

/// What became of a vote that came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// It is new.
    New,
    /// It was there, or a later view's is.
    Old,
    /// The same validator has voted otherwise in the same view.
    Conflict(Box<Evidence>),
}

impl Votes {
    fn slot(&mut self, height: Height, signer: ValidatorIndex) -> &mut Slot {
        let (slots, index) = (self.slots.entry(height).or_default(), usize::from(signer.0));
        if slots.len() <= index {
            slots.resize_with(index + 1, Slot::default);
        }
        &mut slots[index]
    }

    pub(super) fn prepare(&mut self, vote: &Signed<PrepareVote>) -> Counted {
        let slot = self.slot(vote.payload.height, vote.signer);
        match &slot.prepare {
            Some(known) if known.payload == vote.payload || known.payload.view > vote.payload.view => {
                Counted::Old
            }
            Some(known) if known.payload.view == vote.payload.view => {
                Counted::Conflict(Box::new(Evidence::Prepares(known.clone(), vote.clone())))
            }
            _ => {
                slot.prepare = Some(vote.clone());
                Counted::New
            }
        }
    }

    pub(super) fn commit(&mut self, vote: &Signed<CommitVote>) -> Counted {
        let slot = self.slot(vote.payload.height, vote.signer);
        match &slot.commit {
            Some(known) if known.payload == vote.payload || known.payload.view > vote.payload.view => {
                Counted::Old
            }
            Some(known) if known.payload.view == vote.payload.view => {
                Counted::Conflict(Box::new(Evidence::Commits(known.clone(), vote.clone())))
            }
            _ => {
                slot.commit = Some(vote.clone());
                Counted::New
            }
        }
    }

    #[cfg(feature = "mistakes")]
    fn mixes(&self, equal_but_for_view: impl FnOnce() -> bool) -> bool {
        self.mixes_views && equal_but_for_view()
    }

    #[cfg(not(feature = "mistakes"))]
    fn mixes(&self, _: impl FnOnce() -> bool) -> bool {
        false
    }

    /// P for exactly this vote, once q validators have cast it (R2).
    pub(super) fn prepared(&self, vote: &PrepareVote, quorum: usize) -> Option<PreparedCertificate> {
        let votes = self.slots.get(&vote.height)?.iter().filter_map(|slot| slot.prepare.as_ref());
        let counts = |v: &&Signed<PrepareVote>| {
            v.payload == *vote || self.mixes(|| PrepareVote { view: vote.view, ..v.payload } == *vote)
        };
        let signatures = self.signatures(votes.filter(counts), quorum)?;
        Some(PreparedCertificate { vote: *vote, signatures })
    }

    /// C for exactly this vote, once q validators have cast it (R2).
    pub(super) fn committed(&self, vote: &CommitVote, quorum: usize) -> Option<CommitCertificate> {
        let votes = self.slots.get(&vote.height)?.iter().filter_map(|slot| slot.commit.as_ref());
        let counts = |v: &&Signed<CommitVote>| {
            v.payload == *vote || self.mixes(|| CommitVote { view: vote.view, ..v.payload } == *vote)
        };
        let signatures = self.signatures(votes.filter(counts), quorum)?;
        Some(CommitCertificate::new(*vote, signatures))
    }

    /// R37: the Commits of one view for one block, if no result among them can reach a quorum any more.
    pub(super) fn results_differ(
        &self,
        vote: &CommitVote,
        quorum: Quorum,
    ) -> Option<Vec<Signed<CommitVote>>> {
        let of_block = |v: &&Signed<CommitVote>| CommitVote { result: vote.result, ..v.payload } == *vote;
        let votes = self.slots.get(&vote.height)?.iter().filter_map(|slot| slot.commit.as_ref());
        let votes: Vec<_> = votes.filter(of_block).cloned().collect();
        let mut results = BTreeMap::<ResultHash, usize>::new();
        for vote in &votes {
            *results.entry(vote.payload.result).or_default() += 1;
        }
        let most = results.into_values().max().unwrap_or(0);
        (most + (quorum.n() - votes.len()) < quorum.q()).then_some(votes)
    }

    /// The signatures of these votes, once there are enough of them.
    fn signatures<'a, T: 'a>(
        &self,
        votes: impl Iterator<Item = &'a Signed<T>> + Clone,
        quorum: usize,
    ) -> Option<Signatures> {
        let twice = self.counted_twice(votes.clone().next());
        if votes.clone().count() + usize::from(twice.is_some()) < quorum {
            return None;
        }
        let one = |vote: &Signed<T>| ValidatorSignature { validator: vote.signer, signature: vote.signature };
        List::new(twice.into_iter().chain(votes).map(one).collect()).ok()
    }

    #[cfg(feature = "mistakes")]
    fn counted_twice<T>(&self, vote: Option<T>) -> Option<T> {
        vote.filter(|_| self.counts_signer_twice)
    }

    #[cfg(not(feature = "mistakes"))]
    fn counted_twice<T>(&self, _: Option<T>) -> Option<T> {
        None
    }

    /// R44: Prepares of views below `view` go when it is entered. Late Commits may still make a C (R35).
    pub(super) fn enter(&mut self, view: View) {
        for slot in self.slots.values_mut().flatten() {
            if slot.prepare.as_ref().is_some_and(|vote| vote.payload.view < view) {
                slot.prepare = None;
            }
        }
    }

    /// R42: heights up to `tip` are settled, but for the one at which the view's anchor is voted on again.
    pub(super) fn forget(&mut self, tip: Height, anchor: Height) {
        self.slots.retain(|height, _| *height > tip || *height == anchor);
    }
}
