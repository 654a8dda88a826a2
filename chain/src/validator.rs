//! Validators: who may vote in an epoch, and with which keys.
//!
//! A validator has three keys. The *identity* key names it for ever, is kept offline and signs its cards;
//! the *consensus* key signs votes and is replaced by governance or recovery; the *network* key opens
//! connections. The set binds all three, so whoever knows the set knows whom to talk to.

mod set_change;

pub use set_change::{READY_HEIGHTS_MAX, Ready, SetChange, SetChangeError, SignedReady};

use crate::codec::{DecodeError, List, Text};
use crate::crypto::{Domain, KeyError, SecretKey, check_registrable, hash, verify_strict};
use crate::ids::{
    ChainId, Epoch, OrganisationId, PublicKey, Signature, ValidatorIndex, ValidatorSetHash, View,
};
use crate::quorum::Quorum;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most validators of a set.
pub const VALIDATORS_MAX: usize = 128;
/// Longest name of a validator, bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// One seat of the set.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Validator {
    /// What people call it.
    pub name: Text<NAME_BYTES_MAX>,
    /// The organisation that runs it.
    pub organisation: OrganisationId,
    /// Signs cards and new keys; kept offline.
    pub identity: PublicKey,
    /// Signs votes.
    pub consensus: PublicKey,
    /// Opens connections.
    pub network: PublicKey,
    /// Whether it is catching up after a recovery: it then comes last in the order of primaries (R46b).
    pub recovering: bool,
}

/// What a member says of itself before there is a chain: signed by its identity key, with proof that it
/// holds the other two.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Card {
    /// The seat it wants.
    pub validator: Validator,
    /// Where its node listens for peers, `host:port`.
    pub address: Text<256>,
    /// By the identity key, over validator and address.
    pub identity_signature: Signature,
    /// By the consensus key, over the same (proof of possession).
    pub consensus_signature: Signature,
    /// By the network key, over the same (proof of possession).
    pub network_signature: Signature,
}

/// Why a card or a set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorError {
    /// A key that no signature should be believed of.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// A signature on the card does not hold.
    #[error("the card of {name} is not signed by its {key} key")]
    Signature {
        /// Whose card.
        name: String,
        /// Which of its keys.
        key: &'static str,
    },
    /// A key has two seats, or two uses.
    #[error("the key {0} occurs twice in the validator set")]
    Repeated(PublicKey),
    /// Too few or too many seats.
    #[error("{0}")]
    Size(#[from] DecodeError),
}

impl Card {
    /// Makes a card; the chain id is zero, because there is no chain yet.
    #[must_use]
    pub fn sign(
        validator: Validator,
        address: Text<256>,
        identity: &SecretKey,
        consensus: &SecretKey,
        network: &SecretKey,
    ) -> Self {
        let payload = (validator, address);
        let no_chain = ChainId::default();
        Self {
            identity_signature: identity.sign(Domain::Card, no_chain, &payload),
            consensus_signature: consensus.sign(Domain::CardPossession, no_chain, &payload),
            network_signature: network.sign(Domain::CardPossession, no_chain, &payload),
            validator: payload.0,
            address: payload.1,
        }
    }

    /// Checks keys and signatures.
    ///
    /// # Errors
    /// Names the key that is unsound or did not sign.
    pub fn verify(&self) -> Result<(), ValidatorError> {
        let payload = (&self.validator, &self.address);
        let checks = [
            ("identity", self.validator.identity, Domain::Card, &self.identity_signature),
            ("consensus", self.validator.consensus, Domain::CardPossession, &self.consensus_signature),
            ("network", self.validator.network, Domain::CardPossession, &self.network_signature),
        ];
        for (name, key, domain, signature) in checks {
            check_registrable(key)?;
            if !verify_strict(key, domain, ChainId::default(), &payload, signature) {
                return Err(ValidatorError::Signature { name: self.validator.name.to_string(), key: name });
            }
        }
        Ok(())
    }
}

/// The validators of one epoch, in the order of their indices.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct ValidatorSet(List<Validator, 1, VALIDATORS_MAX>);

impl ValidatorSet {
    /// # Errors
    /// When it is empty or too large, a key is unsound, or a key occurs twice.
    pub fn new(validators: Vec<Validator>) -> Result<Self, ValidatorError> {
        let mut keys = BTreeSet::new();
        for validator in &validators {
            for key in [validator.identity, validator.consensus, validator.network] {
                check_registrable(key)?;
                if !keys.insert(key) {
                    return Err(ValidatorError::Repeated(key));
                }
            }
        }
        Ok(Self(List::new(validators)?))
    }

    /// The seats in order.
    #[must_use]
    pub fn validators(&self) -> &[Validator] {
        &self.0
    }

    /// The seat with this index.
    #[must_use]
    pub fn get(&self, index: ValidatorIndex) -> Option<&Validator> {
        self.0.get(usize::from(index.0))
    }

    /// All indices, ascending.
    pub fn indices(&self) -> impl Iterator<Item = ValidatorIndex> + use<> {
        (0..u16::try_from(self.0.len()).unwrap_or(u16::MAX)).map(ValidatorIndex)
    }

    /// The seat whose consensus key this is.
    #[must_use]
    pub fn index_of(&self, consensus: PublicKey) -> Option<ValidatorIndex> {
        self.indices().zip(self.0.iter()).find(|(_, v)| v.consensus == consensus).map(|(i, _)| i)
    }

    /// n, f and q of this set.
    #[must_use]
    pub fn quorum(&self) -> Quorum {
        Quorum::of(self.0.len())
    }

    /// Who leads view `view` of `epoch`: the order starts at (epoch mod n), recovering seats come last.
    #[must_use]
    pub fn primary(&self, epoch: Epoch, view: View) -> ValidatorIndex {
        let n = self.0.len() as u64;
        let turn = ((epoch.0 % n) + (view.0 % n)) % n;
        let seat = |recovering: bool| {
            self.indices().zip(self.0.iter()).filter(move |(_, v)| v.recovering == recovering).map(|(i, _)| i)
        };
        let mut order = seat(false).chain(seat(true));
        order.nth(usize::try_from(turn).unwrap_or(0)).unwrap_or(ValidatorIndex::ZERO)
    }

    /// What results and headers bind.
    #[must_use]
    pub fn hash(&self) -> ValidatorSetHash {
        ValidatorSetHash(hash(Domain::ValidatorSet, self))
    }
}

/// Fixed sets for tests of this and other crates.
pub mod fixture {
    use super::{SecretKey, Text, Validator, ValidatorSet};
    use crate::ids::OrganisationId;

    /// The consensus key of validator `index` in [`validator_set`]; known to all, for tests only.
    #[must_use]
    pub fn consensus_key(index: u16) -> SecretKey {
        key(1, index)
    }

    fn key(kind: u8, index: u16) -> SecretKey {
        let mut seed = [kind; 32];
        seed[..2].copy_from_slice(&index.to_le_bytes());
        SecretKey::from_seed(&seed)
    }

    /// A set of `n` ≤ 128 validators with well-known keys.
    ///
    /// # Panics
    /// When `n` is 0 or above the maximum.
    #[must_use]
    #[allow(clippy::expect_used)]
    pub fn validator_set(n: u16) -> ValidatorSet {
        let seats = (0..n).map(|i| Validator {
            name: Text::new(format!("validator-{i}")).expect("a short name"),
            organisation: OrganisationId(key(2, i).public().0),
            identity: key(2, i).public(),
            consensus: key(1, i).public(),
            network: key(3, i).public(),
            recovering: false,
        });
        ValidatorSet::new(seats.collect()).expect("distinct, sound keys")
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::validator_set;
    use super::*;

    #[test]
    fn primaries_take_turns_and_recovering_ones_come_last() {
        let mut set = validator_set(4);
        let order =
            |set: &ValidatorSet, epoch| (0..5).map(|v| set.primary(Epoch(epoch), View(v)).0).collect();
        let orders: [Vec<u16>; 2] = [order(&set, 0), order(&set, 1)];
        assert_eq!(orders, [vec![0, 1, 2, 3, 0], vec![1, 2, 3, 0, 1]]);
        let mut seats = set.validators().to_vec();
        seats[1].recovering = true;
        set = ValidatorSet::new(seats).unwrap();
        let order: Vec<u16> = order(&set, 0);
        assert_eq!(order, [0, 2, 3, 1, 0]);
    }

    #[test]
    fn a_key_has_one_seat_and_one_use() {
        let mut seats = validator_set(4).validators().to_vec();
        seats[2].network = seats[0].consensus;
        assert_eq!(ValidatorSet::new(seats.clone()), Err(ValidatorError::Repeated(seats[0].consensus)));
    }

    #[test]
    fn a_card_holds_only_as_signed() {
        let [identity, consensus, network] = [1, 2, 3].map(|i| SecretKey::from_seed(&[i; 32]));
        let validator = Validator {
            name: Text::new("bank").unwrap(),
            organisation: OrganisationId(identity.public().0),
            identity: identity.public(),
            consensus: consensus.public(),
            network: network.public(),
            recovering: false,
        };
        let address = Text::new("bank.example:26601").unwrap();
        let card = Card::sign(validator, address, &identity, &consensus, &network);
        assert_eq!(card.verify(), Ok(()));
        let mut moved = card.clone();
        moved.address = Text::new("thief.example:1").unwrap();
        assert!(moved.verify().is_err());
        let mut stolen = card;
        stolen.validator.consensus = SecretKey::from_seed(&[9; 32]).public();
        assert!(stolen.verify().is_err());
    }

    #[test]
    fn a_set_is_filled_with_seats_and_takes_no_more() {
        let mut seats = validator_set(VALIDATORS_MAX as u16).validators().to_vec();
        assert_eq!(seats.len(), VALIDATORS_MAX);
        let [identity, consensus, network] = [1, 2, 3].map(|i| SecretKey::from_seed(&[i; 32]).public());
        let name = Text::new("x".repeat(NAME_BYTES_MAX)).unwrap();
        seats.push(Validator { name, identity, consensus, network, ..seats[0].clone() });
        assert!(matches!(ValidatorSet::new(seats.clone()), Err(ValidatorError::Size(_))));
        assert!(ValidatorSet::new(seats[1..].to_vec()).is_ok());
        assert!(Text::<NAME_BYTES_MAX>::new("x".repeat(NAME_BYTES_MAX + 1)).is_err());
    }
}
