//! The change from one epoch's validators to the next one's (R45, R46b).

use super::{VALIDATORS_MAX, Validator, ValidatorError, ValidatorSet};
use crate::codec::List;
use crate::crypto::{Domain, SecretKey, verify_strict};
use crate::ids::{ChainId, Height, PublicKey, ResultHash, Signature};
use borsh::{BorshDeserialize, BorshSerialize};
use std::collections::BTreeMap;

/// How far behind the height that executes a change a [`Ready`] may be, heights.
pub const READY_HEIGHTS_MAX: u64 = 100;

/// What a new consensus key signs to show that its holder is ready to vote (R46b): that it knows the result
/// of a recent height. It is the key's proof of possession too.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Ready {
    /// The identity whose seat it is for.
    pub seat: PublicKey,
    /// A height below the one that executes the change, by at most [`READY_HEIGHTS_MAX`].
    pub height: Height,
    /// That height's result.
    pub result: ResultHash,
}

impl Ready {
    /// Whether its height is recent for a change that executes at `executing`.
    #[must_use]
    pub fn is_recent(&self, executing: Height) -> bool {
        executing.0.checked_sub(self.height.0).is_some_and(|behind| (1..=READY_HEIGHTS_MAX).contains(&behind))
    }
}

/// A [`Ready`] with the signature of the consensus key that is to be seated.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedReady {
    /// What is signed.
    pub ready: Ready,
    /// By the joiner's consensus key, over chain and `ready`.
    pub signature: Signature,
}

impl SignedReady {
    /// Signs with the consensus key that is to be seated.
    #[must_use]
    pub fn sign(ready: Ready, chain: ChainId, consensus: &SecretKey) -> Self {
        Self { signature: consensus.sign(Domain::Ready, chain, &ready), ready }
    }
}

/// The next epoch's validators, with what shows that those who join are ready.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SetChange {
    /// The validators of the next epoch.
    pub set: ValidatorSet,
    /// One of every joiner (see [`SetChange::joiners`]), in any order, and no others.
    pub ready: List<SignedReady, 0, VALIDATORS_MAX>,
}

/// Why a change of the validators is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetChangeError {
    /// The set is none: an unsound key, or one that occurs twice.
    #[error("{0}")]
    Set(#[from] ValidatorError),
    /// The set is the present one; it needs no new epoch.
    #[error("the set is the present one")]
    Unchanged,
    /// A consensus key had a seat before, and has not this one now.
    #[error("the consensus key {0} was seated before")]
    SeatedBefore(PublicKey),
    /// A joiner has not shown that it is ready.
    #[error("there is no ready for the seat of {0}")]
    NotReady(PublicKey),
    /// A ready for a seat that nobody joins, or a second one for one seat.
    #[error("nobody asked for another ready for the seat of {0}")]
    Unasked(PublicKey),
    /// A ready of a height that is too old, or not below the one that executes the change.
    #[error("the ready for the seat of {seat} is of height {height}, the change executes at {executing}")]
    Height {
        /// Whose seat.
        seat: PublicKey,
        /// The ready's height.
        height: Height,
        /// Where the change executes.
        executing: Height,
    },
    /// A ready with another result than its height has.
    #[error("the ready for the seat of {seat} has another result than height {height}")]
    Result {
        /// Whose seat.
        seat: PublicKey,
        /// The ready's height.
        height: Height,
    },
    /// A ready that the joiner's consensus key did not sign.
    #[error("the ready for the seat of {0} is not signed by its consensus key")]
    Signature(PublicKey),
}

impl SetChange {
    /// The validators whose consensus key does not hold the same identity's seat in the present set.
    pub fn joiners<'a>(&'a self, present: &'a ValidatorSet) -> impl Iterator<Item = &'a Validator> {
        let stays = |validator: &Validator| {
            present
                .validators()
                .iter()
                .any(|seat| seat.consensus == validator.consensus && seat.identity == validator.identity)
        };
        self.set.validators().iter().filter(move |validator| !stays(validator))
    }

    /// Whether the change may execute at `executing` on a chain whose validators are `present` (R46b).
    /// `seated` says whether a consensus key was in this or any earlier set, `result_at` the result of a
    /// height of the chain that the change executes on.
    ///
    /// # Errors
    /// Says what is wrong with the change.
    pub fn check(
        &self,
        chain: ChainId,
        executing: Height,
        present: &ValidatorSet,
        seated: impl Fn(PublicKey) -> bool,
        result_at: impl Fn(Height) -> Option<ResultHash>,
    ) -> Result<(), SetChangeError> {
        // The set may have been decoded, which checks no keys.
        ValidatorSet::new(self.set.validators().to_vec())?;
        if self.set == *present {
            return Err(SetChangeError::Unchanged);
        }
        let mut ready = BTreeMap::new();
        for one in self.ready.iter() {
            if ready.insert(one.ready.seat, one).is_some() {
                return Err(SetChangeError::Unasked(one.ready.seat));
            }
        }
        for joiner in self.joiners(present) {
            if seated(joiner.consensus) {
                return Err(SetChangeError::SeatedBefore(joiner.consensus));
            }
            let seat = joiner.identity;
            let SignedReady { ready, signature } =
                ready.remove(&seat).ok_or(SetChangeError::NotReady(seat))?;
            let height = ready.height;
            if !ready.is_recent(executing) {
                return Err(SetChangeError::Height { seat, height, executing });
            }
            if result_at(height) != Some(ready.result) {
                return Err(SetChangeError::Result { seat, height });
            }
            if !verify_strict(joiner.consensus, Domain::Ready, chain, ready, signature) {
                return Err(SetChangeError::Signature(seat));
            }
        }
        ready.keys().next().map_or(Ok(()), |seat| Err(SetChangeError::Unasked(*seat)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{consensus_key, validator_set};
    use super::*;
    use crate::codec::encode;

    const CHAIN: ChainId = ChainId([7; 32]);
    const EXECUTING: Height = Height(150);

    fn result(height: Height) -> ResultHash {
        ResultHash(*blake3::hash(&height.0.to_le_bytes()).as_bytes())
    }

    /// The ready of validator `index` of the fixture, signed by its key.
    fn ready(index: u16, height: u64) -> SignedReady {
        let seat = validator_set(index + 1).validators()[usize::from(index)].identity;
        let ready = Ready { seat, height: Height(height), result: result(Height(height)) };
        SignedReady::sign(ready, CHAIN, &consensus_key(index))
    }

    /// From validators 0 to 3 to the first `n` of the fixture.
    fn change(n: u16, ready: Vec<SignedReady>) -> SetChange {
        SetChange { set: validator_set(n), ready: List::new(ready).unwrap() }
    }

    fn check(change: &SetChange) -> Result<(), SetChangeError> {
        let present = validator_set(4);
        let seated = |key| present.index_of(key).is_some() || key == consensus_key(9).public();
        let result_at = |height: Height| (height < EXECUTING).then(|| result(height));
        change.check(CHAIN, EXECUTING, &present, seated, result_at)
    }

    #[test]
    fn r46b_who_joins_shows_that_it_is_ready_and_nobody_else() {
        assert_eq!(check(&change(6, vec![ready(5, 149), ready(4, 50)])), Ok(()));
        assert_eq!(check(&change(3, Vec::new())), Ok(()), "who leaves shows nothing");
        let seat = |i: u16| validator_set(i + 1).validators()[usize::from(i)].identity;
        let missing = check(&change(6, vec![ready(4, 149)]));
        assert_eq!(missing, Err(SetChangeError::NotReady(seat(5))));
        let stranger = check(&change(5, vec![ready(4, 149), ready(5, 149)]));
        assert_eq!(stranger, Err(SetChangeError::Unasked(seat(5))));
        let twice = check(&change(5, vec![ready(4, 149), ready(4, 148)]));
        assert_eq!(twice, Err(SetChangeError::Unasked(seat(4))));
        assert_eq!(check(&change(4, Vec::new())), Err(SetChangeError::Unchanged));
    }

    #[test]
    fn r46b_a_ready_is_recent_true_and_signed_by_the_joiner() {
        let seat = validator_set(5).validators()[4].identity;
        for height in [49, 150, 151, u64::MAX] {
            let refused = SetChangeError::Height { seat, height: Height(height), executing: EXECUTING };
            assert_eq!(check(&change(5, vec![ready(4, height)])), Err(refused));
        }
        let mut lie = ready(4, 140).ready;
        lie.result = result(Height(141));
        let lie = SignedReady::sign(lie, CHAIN, &consensus_key(4));
        let refused = SetChangeError::Result { seat, height: Height(140) };
        assert_eq!(check(&change(5, vec![lie])), Err(refused));
        let other_key = SignedReady::sign(ready(4, 140).ready, CHAIN, &consensus_key(3));
        assert_eq!(check(&change(5, vec![other_key])), Err(SetChangeError::Signature(seat)));
        let other_chain = SignedReady::sign(ready(4, 140).ready, ChainId([8; 32]), &consensus_key(4));
        assert_eq!(check(&change(5, vec![other_chain])), Err(SetChangeError::Signature(seat)));
    }

    #[test]
    fn r46b_a_consensus_key_is_seated_once() {
        let mut seats = validator_set(4).validators().to_vec();
        seats[3].consensus = consensus_key(9).public();
        let back = SetChange { set: ValidatorSet::new(seats.clone()).unwrap(), ready: List::default() };
        assert_eq!(check(&back), Err(SetChangeError::SeatedBefore(consensus_key(9).public())));
        // A seated key does not move to another seat either.
        seats[2].consensus = consensus_key(3).public();
        seats[3].consensus = consensus_key(2).public();
        let swapped = SetChange { set: ValidatorSet::new(seats.clone()).unwrap(), ready: List::default() };
        assert_eq!(check(&swapped), Err(SetChangeError::SeatedBefore(consensus_key(3).public())));
        seats[3].consensus = consensus_key(3).public();
        let repeated = SetChange { set: ValidatorSet(List::new(seats).unwrap()), ready: List::default() };
        let refused = ValidatorError::Repeated(consensus_key(3).public());
        assert_eq!(check(&repeated), Err(SetChangeError::Set(refused)));
    }

    #[test]
    fn golden_ready_bytes() {
        let ready = Ready { seat: PublicKey([1; 32]), height: Height(2), result: ResultHash([3; 32]) };
        assert_eq!(encode(&ready), [&[1; 32][..], &2u64.to_le_bytes(), &[3; 32]].concat());
        let signed = SignedReady { ready: ready.clone(), signature: Signature([4; 64]) };
        assert_eq!(encode(&signed), [&encode(&ready)[..], &[4; 64]].concat());
    }
}
