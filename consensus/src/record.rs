//! What must survive a crash, as records in the order in which they were made, and the state that they
//! add up to (R9–R14).

use crate::message::{NewView, ViewChangeClaims};
use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{CommitCertificate, Epoch, Height, PreparedCertificate, View};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Numbers the records of one run of a replica; that N is durable says that all up to N are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersistId(pub u64);

/// A ViewChange as it must be sent again, byte for byte (R12).
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ViewChangeRecord {
    /// What is signed.
    pub claims: ViewChangeClaims,
    /// Proof of the claimed C.
    pub committed: Option<CommitCertificate>,
    /// Proof of the claimed P.
    pub prepared: Option<PreparedCertificate>,
}

/// One thing that is durable before something else is sent. The discriminants never change meaning.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Record {
    /// The process has started for the n-th time; asks carry n (R26).
    Start(u64) = 1,
    /// This view was entered, by this NewView (R12).
    Entered(Arc<NewView>) = 2,
    /// A Prepare will be sent (R10).
    Prepare(PrepareVote) = 3,
    /// A Commit will be sent, justified by this P (R11).
    Commit(CommitVote, PreparedCertificate) = 4,
    /// A ViewChange will be sent (R12).
    ViewChange(ViewChangeRecord) = 5,
    /// Proposals of `view` may be sent up to this height (R10).
    Lease(View, Height) = 6,
    /// Everything so far; what was before may be forgotten.
    Snapshot(Box<DurableState>) = 7,
}

/// What the records add up to. A replica starts from it alone (R14).
#[derive(Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DurableState {
    /// Epoch of everything below.
    pub epoch: Epoch,
    /// How often the process has started.
    pub starts: u64,
    /// The view entered last.
    pub view: View,
    /// The NewView by which it was entered; `None` for view 0.
    pub new_view: Option<Arc<NewView>>,
    /// Prepares of this view.
    pub prepares: BTreeMap<Height, PrepareVote>,
    /// Commits of this view.
    pub commits: BTreeMap<Height, CommitVote>,
    /// The highest P by key, never lowered (R19).
    pub highest_prepared: Option<PreparedCertificate>,
    /// The ViewChange with the highest target.
    pub view_change: Option<ViewChangeRecord>,
    /// Up to which height proposals of this view may have been sent.
    pub lease: Option<Height>,
}

/// Heights below the committed tip whose votes a snapshot keeps: the anchor of the view may be there (R17).
const VOTES_BELOW_TIP_KEPT: u64 = 64;

impl DurableState {
    /// Adds a record.
    pub fn apply(&mut self, record: Record) {
        match record {
            Record::Start(number) => self.starts = number,
            Record::Entered(new_view) => {
                self.view = new_view.contents.view;
                self.new_view = Some(new_view);
                self.prepares.clear();
                self.commits.clear();
                self.lease = None;
            }
            Record::Prepare(vote) => {
                if vote.view == self.view {
                    self.prepares.insert(vote.height, vote);
                }
            }
            Record::Commit(vote, prepared) => {
                if vote.view == self.view {
                    self.commits.insert(vote.height, vote);
                }
                self.raise_prepared(&prepared);
            }
            Record::ViewChange(view_change) => {
                if let Some(prepared) = &view_change.prepared {
                    self.raise_prepared(prepared);
                }
                self.view_change = Some(view_change);
            }
            Record::Lease(view, height) => {
                if view == self.view {
                    self.lease = Some(height);
                }
            }
            Record::Snapshot(state) => *self = *state,
        }
    }

    fn raise_prepared(&mut self, prepared: &PreparedCertificate) {
        let key = |p: &PreparedCertificate| (p.vote.view, p.vote.height);
        if self.highest_prepared.as_ref().is_none_or(|highest| key(highest) < key(prepared)) {
            self.highest_prepared = Some(prepared.clone());
        }
    }

    /// Forgets votes that a commit at `tip` has settled; the highest of each kind stays (R42).
    pub fn forget(&mut self, tip: Height) {
        let floor = Height(tip.0.saturating_sub(VOTES_BELOW_TIP_KEPT));
        let highest_prepare = self.prepares.last_key_value().map(|(height, _)| *height);
        let highest_commit = self.commits.last_key_value().map(|(height, _)| *height);
        self.prepares.retain(|height, _| *height > floor || Some(*height) == highest_prepare);
        self.commits.retain(|height, _| *height > floor || Some(*height) == highest_commit);
    }
}
