//! Who sits where in which epoch, and with which key.

use super::clients::CHAIN;
use quorate_chain::codec::List;
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::validator::{Ready, SetChange, SignedReady, VALIDATORS_MAX, Validator, ValidatorSet};
use quorate_chain::{Epoch, Height, PublicKey, ResultHash, ValidatorIndex};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, OnceLock};

/// A change of the validator set: the last block of an epoch is at `height`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SetChangePlan {
    /// Height of the block that executes it.
    pub height: u64,
    /// The node that gets a new consensus key.
    pub rotated: Option<usize>,
    /// The node that loses its seat.
    pub removed: Option<usize>,
    /// The node that gets a seat.
    pub added: Option<usize>,
}

/// A node's seat: the node, and the number of its consensus key.
type Seat = (usize, u16);

/// The sets of all epochs of a run, known from its plan.
pub(super) struct Roster {
    epochs: Vec<(Vec<Seat>, Arc<ValidatorSet>)>,
    /// After which heights epochs end.
    ends: Vec<u64>,
}

/// The seats of all nodes that there can be, checked once.
fn candidates() -> &'static [Validator] {
    static ALL: OnceLock<ValidatorSet> = OnceLock::new();
    ALL.get_or_init(|| validator_set(VALIDATORS_MAX as u16)).validators()
}

/// Numbers of keys: one for each node at first, and for each change one more.
const KEYS_MAX: usize = 4 * VALIDATORS_MAX;

/// The public key of a number, made once for all runs of a process.
pub(super) fn public_key(number: u16) -> PublicKey {
    static ALL: OnceLock<Vec<PublicKey>> = OnceLock::new();
    ALL.get_or_init(|| (0..KEYS_MAX as u16).map(|number| consensus_key(number).public()).collect())
        [usize::from(number)]
}

fn set_of(seats: &[Seat]) -> Arc<ValidatorSet> {
    let validators = seats.iter().map(|(node, key)| {
        let seat = candidates()[*node].clone();
        if usize::from(*key) == *node {
            return seat;
        }
        Validator { consensus: public_key(*key), ..seat }
    });
    let set = ValidatorSet::new(validators.collect());
    assert!(set.is_ok(), "the fixture's keys are sound, and a new number is a new key");
    Arc::new(set.unwrap_or_else(|_| validator_set(1)))
}

impl Roster {
    /// `replicas` validators at first, then those changes.
    pub(super) fn new(replicas: usize, changes: &[SetChangePlan]) -> Self {
        let mut seats: Vec<Seat> = (0..replicas).map(|node| (node, node as u16)).collect();
        let mut epochs = vec![(seats.clone(), set_of(&seats))];
        for (index, change) in changes.iter().enumerate() {
            seats.retain(|(node, _)| Some(*node) != change.removed);
            for (node, key) in &mut seats {
                if Some(*node) == change.rotated {
                    *key = (VALIDATORS_MAX * (index + 1) + *node) as u16;
                }
            }
            // A seat is given once with a key: who comes back comes with a new one.
            seats.extend(change.added.map(|node| {
                let known = epochs.iter().any(|(seats, _)| seats.iter().any(|(other, _)| *other == node));
                (node, if known { (VALIDATORS_MAX * (index + 1) + node) as u16 } else { node as u16 })
            }));
            epochs.push((seats.clone(), set_of(&seats)));
        }
        Self { epochs, ends: changes.iter().map(|change| change.height).collect() }
    }

    fn seats(&self, epoch: Epoch) -> &[Seat] {
        self.epochs.get(epoch.0 as usize).map_or(&[], |(seats, _)| seats)
    }

    pub(super) fn set(&self, epoch: Epoch) -> &Arc<ValidatorSet> {
        &self.epochs[(epoch.0 as usize).min(self.epochs.len() - 1)].1
    }

    pub(super) fn last(&self) -> Epoch {
        Epoch(self.epochs.len() as u64 - 1)
    }

    /// The node's seat and the number of its key.
    pub(super) fn seat(&self, epoch: Epoch, node: usize) -> Option<(ValidatorIndex, u16)> {
        let seats = self.seats(epoch);
        let index = seats.iter().position(|(other, _)| *other == node)?;
        Some((ValidatorIndex(index as u16), seats[index].1))
    }

    pub(super) fn node(&self, epoch: Epoch, seat: ValidatorIndex) -> Option<usize> {
        self.seats(epoch).get(usize::from(seat.0)).map(|(node, _)| *node)
    }

    /// The nodes with a seat.
    pub(super) fn nodes(&self, epoch: Epoch) -> impl Iterator<Item = usize> {
        self.seats(epoch).iter().map(|(node, _)| *node)
    }

    /// The changes as the ledgers execute them. Who joins shows the result of genesis: all changes are at
    /// low heights.
    pub(super) fn changes(&self, genesis: ResultHash) -> Vec<(Height, SetChange)> {
        let ends = self.ends.iter().enumerate();
        ends.map(|(index, height)| {
            let (present, next) = (&self.epochs[index].1, &self.epochs[index + 1]);
            let mut change = SetChange { set: (*next.1).clone(), ready: List::default() };
            let joiners: Vec<_> = change.joiners(present).map(|joiner| joiner.identity).collect();
            let seats = next.0.iter().zip(next.1.validators());
            let ready = seats.filter(|(_, seat)| joiners.contains(&seat.identity)).map(|((_, key), seat)| {
                let ready = Ready { seat: seat.identity, height: Height::ZERO, result: genesis };
                SignedReady::sign(ready, CHAIN, &consensus_key(*key))
            });
            change.ready = List::new(ready.collect()).unwrap_or_default();
            (Height(*height), change)
        })
        .collect()
    }

    /// The height of the block that ends an epoch, if one does.
    pub(super) fn end(&self, epoch: Epoch) -> Option<u64> {
        self.ends.get(epoch.0 as usize).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seats_move_and_keys_are_new() {
        let first = SetChangePlan { height: 5, rotated: Some(2), removed: Some(0), added: Some(4) };
        let second = SetChangePlan { height: 9, added: Some(0), ..SetChangePlan::default() };
        let roster = Roster::new(4, &[first, second]);
        assert_eq!(roster.last(), Epoch(2));
        assert_eq!(roster.seat(Epoch(0), 2), Some((ValidatorIndex(2), 2)));
        assert_eq!(roster.seat(Epoch(1), 2), Some((ValidatorIndex(1), 130)));
        assert_eq!(roster.seat(Epoch(1), 0), None);
        assert_eq!(roster.seat(Epoch(1), 4), Some((ValidatorIndex(3), 4)));
        assert_eq!(roster.seat(Epoch(2), 0), Some((ValidatorIndex(4), 256)), "back with a new key");
        assert_eq!(roster.node(Epoch(2), ValidatorIndex(4)), Some(0));
        assert_eq!(roster.end(Epoch(1)), Some(9));
        assert_eq!(roster.set(Epoch(2)).validators().len(), 5);
        let key = roster.set(Epoch(1)).get(ValidatorIndex(1)).map(|seat| seat.consensus);
        assert_eq!(key, Some(consensus_key(130).public()));
    }
}
