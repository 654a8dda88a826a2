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
    /// Proposals of this epoch and view may be sent up to this height (R10).
    Lease(Epoch, View, Height) = 6,
    /// Everything so far; what was before may be forgotten.
    Snapshot(Box<DurableState>) = 7,
    /// This epoch has begun; what was signed in the one before is kept until it is released (R45, R46).
    Epoch(Epoch) = 8,
    /// Others showed a newer signature than this record holds: it is not whole, and nothing is signed with
    /// its key any more (R47).
    Lost = 9,
    /// A quorum is in this epoch: nothing can be signed in the one before any more (R46).
    Released = 10,
}

impl Record {
    /// The epoch in which something is signed by it; `None` if it is of none in particular.
    fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Entered(new_view) => Some(new_view.contents.epoch),
            Self::Prepare(vote) => Some(vote.epoch),
            Self::Commit(vote, _) => Some(vote.epoch),
            Self::ViewChange(record) => Some(record.claims.epoch),
            Self::Lease(epoch, ..) => Some(*epoch),
            Self::Start(_) | Self::Snapshot(_) | Self::Epoch(_) | Self::Lost | Self::Released => None,
        }
    }
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
    /// Found not to be whole: nothing is signed any more (R47).
    pub lost: bool,
    /// The same of the epoch before, until a quorum has left that (R46): a replica whose chain is lost, but
    /// not this record, goes through it again. That one has none itself.
    #[borsh(deserialize_with = "previous::one_level")]
    pub previous: Option<Box<Self>>,
}

/// Reading the epoch before: one level, so that no bytes can make the decoder go deeper.
mod previous {
    use super::{BTreeMap, CommitVote, DurableState, NewView, PrepareVote, ViewChangeRecord};
    use borsh::BorshDeserialize;
    use borsh::io::{Read, Result};
    use quorate_chain::codec::invalid;
    use quorate_chain::{Epoch, Height, PreparedCertificate, View};
    use std::sync::Arc;

    /// [`DurableState`] without its last field.
    #[derive(BorshDeserialize)]
    struct Flat {
        epoch: Epoch,
        starts: u64,
        view: View,
        new_view: Option<Arc<NewView>>,
        prepares: BTreeMap<Height, PrepareVote>,
        commits: BTreeMap<Height, CommitVote>,
        highest_prepared: Option<PreparedCertificate>,
        view_change: Option<ViewChangeRecord>,
        lease: Option<Height>,
        lost: bool,
    }

    pub(super) fn one_level<R: Read>(reader: &mut R) -> Result<Option<Box<DurableState>>> {
        if !bool::deserialize_reader(reader)? {
            return Ok(None);
        }
        let flat = Flat::deserialize_reader(reader)?;
        if bool::deserialize_reader(reader)? {
            return Err(invalid("a vote record of more than two epochs"));
        }
        let Flat { epoch, starts, view, new_view, prepares, commits, .. } = flat;
        let Flat { highest_prepared, view_change, lease, lost, .. } = flat;
        Ok(Some(Box::new(DurableState {
            epoch,
            starts,
            view,
            new_view,
            prepares,
            commits,
            highest_prepared,
            view_change,
            lease,
            lost,
            previous: None,
        })))
    }
}

/// Heights below the committed tip whose votes a snapshot keeps: the anchor of the view may be there (R17).
const VOTES_BELOW_TIP_KEPT: u64 = 128;

impl DurableState {
    /// Adds a record.
    pub fn apply(&mut self, record: Record) {
        if record.epoch().is_some_and(|epoch| epoch != self.epoch) {
            // Signed again in the epoch before; what is of none of the two was never signed by this replica.
            if let Some(previous) = self.previous.as_mut().filter(|p| record.epoch() == Some(p.epoch)) {
                previous.apply(record);
            }
            return;
        }
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
            Record::Lease(_, view, height) => {
                if view == self.view {
                    self.lease = Some(height);
                }
            }
            Record::Snapshot(state) => *self = *state,
            Record::Epoch(epoch) if epoch > self.epoch => *self = self.next_epoch(epoch),
            Record::Epoch(_) => {}
            Record::Lost => self.lost = true,
            Record::Released => self.previous = None,
        }
    }

    /// The start of a later epoch: nothing is signed in it yet (R45).
    #[must_use]
    pub fn next_epoch(&self, epoch: Epoch) -> Self {
        let mut previous = self.clone();
        previous.previous = None;
        let (starts, lost) = (self.starts, self.lost);
        Self { epoch, starts, lost, previous: Some(Box::new(previous)), ..Self::default() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::fixture::{BLOCK, EPOCH, HEIGHT, SIGNATURES, VIEW, hex, prepared, view_change};
    use crate::message::fixture::{COMMIT_VOTE, PREPARE_VOTE, VIEW_CHANGE_PROOFS, commit_vote};
    use crate::message::{Message, fixture};
    use quorate_chain::codec::{decode, encode};

    fn view_change_record() -> ViewChangeRecord {
        let of = view_change();
        let (claims, committed, prepared) = (of.claims.payload, of.committed.clone(), of.prepared.clone());
        ViewChangeRecord { claims, committed, prepared }
    }

    fn durable_state() -> DurableState {
        DurableState {
            epoch: Epoch(1),
            starts: 2,
            view: View(3),
            new_view: None,
            prepares: [(Height(4), prepared().vote)].into(),
            commits: [(Height(4), commit_vote())].into(),
            highest_prepared: Some(prepared()),
            view_change: None,
            lease: Some(Height(4)),
            lost: true,
            previous: None,
        }
    }

    #[test]
    fn golden_record_bytes() {
        let Message::NewView(new_view) = fixture::new_view_message() else { panic!("not a NewView") };
        let new_view_bytes = hex(&encode(&*new_view));
        let prepared_bytes = [PREPARE_VOTE, SIGNATURES].concat();
        let claims = fixture::claims_bytes();
        let snapshot = [
            "07",
            EPOCH,
            "0200000000000000",
            VIEW,
            "00",
            "01000000",
            HEIGHT,
            PREPARE_VOTE,
            "01000000",
            HEIGHT,
            COMMIT_VOTE,
            "01",
            PREPARE_VOTE,
            SIGNATURES,
            "00",
            "01",
            HEIGHT,
            "01",
            "00",
        ];
        let golden: [(Record, String); 10] = [
            (Record::Start(2), "010200000000000000".into()),
            (Record::Entered(new_view), ["02", &new_view_bytes].concat()),
            (Record::Prepare(prepared().vote), ["03", EPOCH, VIEW, HEIGHT, BLOCK].concat()),
            (Record::Commit(commit_vote(), prepared()), ["04", COMMIT_VOTE, &prepared_bytes].concat()),
            (Record::ViewChange(view_change_record()), ["05", &claims, VIEW_CHANGE_PROOFS].concat()),
            (Record::Lease(Epoch(1), View(3), Height(4)), ["06", EPOCH, VIEW, HEIGHT].concat()),
            (Record::Snapshot(Box::new(durable_state())), snapshot.concat()),
            (Record::Epoch(Epoch(1)), ["08", EPOCH].concat()),
            (Record::Lost, "09".into()),
            (Record::Released, "0a".into()),
        ];
        for (record, bytes) in golden {
            assert_eq!(hex(&encode(&record)), bytes, "{record:?}");
            assert_eq!(decode(&encode(&record)), Ok(record));
        }
    }

    #[test]
    fn a_snapshot_keeps_two_epochs_and_no_bytes_make_it_deeper() {
        let mut state = durable_state();
        state.apply(Record::Epoch(Epoch(2)));
        let record = Record::Snapshot(Box::new(state));
        assert_eq!(decode(&encode(&record)), Ok(record), "the epoch before is read back");
        let empty = encode(&DurableState::default());
        let mut nested = vec![7];
        for _ in 0..50_000 {
            nested.extend(&empty[..empty.len() - 1]);
            nested.push(1);
        }
        nested.extend(&empty);
        assert!(decode::<Record>(&nested).is_err());
    }

    #[test]
    fn a_snapshot_has_one_encoding() {
        let votes = [4, 5].map(|height| PrepareVote { height: Height(height), ..prepared().vote });
        let prepares = votes.into_iter().map(|vote| (vote.height, vote)).collect();
        let record = Record::Snapshot(Box::new(DurableState { prepares, ..DurableState::default() }));
        let bytes = encode(&record);
        assert_eq!(decode(&bytes), Ok(record));
        // The two entries, 64 bytes each, in the other order.
        let mut swapped = bytes.clone();
        swapped[30..94].copy_from_slice(&bytes[94..158]);
        swapped[94..158].copy_from_slice(&bytes[30..94]);
        assert!(decode::<Record>(&swapped).is_err());
    }

    #[test]
    fn r14_records_add_up() {
        let Message::NewView(new_view) = fixture::new_view_message() else { panic!("not a NewView") };
        let mut state = DurableState { epoch: Epoch(1), ..DurableState::default() };
        state.apply(Record::Prepare(PrepareVote { view: View(0), ..prepared().vote }));
        state.apply(Record::Lease(Epoch(1), View(0), Height(9)));
        state.apply(Record::Entered(new_view.clone()));
        let (epoch, view) = (Epoch(1), View(3));
        let entered = DurableState { epoch, view, new_view: Some(new_view), ..DurableState::default() };
        assert_eq!(state, entered, "votes and lease of the old view are settled");
        state.apply(Record::Lease(Epoch(1), View(2), Height(9)));
        state.apply(Record::Prepare(PrepareVote { view: View(2), ..prepared().vote }));
        assert_eq!(state, entered, "nor do late ones count");
        state.apply(Record::Commit(commit_vote(), prepared()));
        let low = PreparedCertificate {
            vote: PrepareVote { view: View(2), height: Height(9), ..prepared().vote },
            ..prepared()
        };
        state.apply(Record::Commit(CommitVote { height: Height(9), ..commit_vote() }, low));
        assert_eq!(state.highest_prepared, Some(prepared()), "R19: never lowered");
        assert_eq!(state.commits.len(), 2);
        state.apply(Record::Snapshot(Box::default()));
        assert_eq!(state, DurableState::default());
    }

    #[test]
    fn r45_r46_of_the_epoch_before_everything_is_kept_until_it_is_released() {
        let mut state = durable_state();
        state.apply(Record::Epoch(Epoch(2)));
        let previous = Some(Box::new(durable_state()));
        let kept =
            DurableState { epoch: Epoch(2), starts: 2, lost: true, previous, ..DurableState::default() };
        assert_eq!(state, kept);
        let again = PrepareVote { epoch: Epoch(1), height: Height(9), ..prepared().vote };
        state.apply(Record::Prepare(again));
        assert!(state.prepares.is_empty());
        assert_eq!(state.previous.as_ref().unwrap().prepares[&Height(9)], again, "R46: voted there again");
        state.apply(Record::Released);
        assert_eq!(state.previous, None);
        let mut ahead = durable_state();
        ahead.apply(Record::Epoch(Epoch(1)));
        assert_eq!(ahead, durable_state(), "an epoch that has begun already changes nothing");
    }

    #[test]
    fn r42_the_highest_votes_are_never_forgotten() {
        let mut state = DurableState { epoch: Epoch(1), ..DurableState::default() };
        for height in 1..=300 {
            state.apply(Record::Prepare(PrepareVote {
                view: View(0),
                height: Height(height),
                ..prepared().vote
            }));
        }
        state.forget(Height(200));
        assert_eq!(state.prepares.keys().next(), Some(&Height(200 - VOTES_BELOW_TIP_KEPT + 1)));
        state.forget(Height(1_000_000));
        assert_eq!(state.prepares.keys().collect::<Vec<_>>(), [&Height(300)]);
    }
}
