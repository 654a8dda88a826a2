//! Kinds of state entries. Their bytes are under the state root and never change meaning.

use super::account::{Account, Organisation};
use super::asset::{Asset, Holding};
use super::tree::{KeyHash, ValueHash};
use crate::codec::Bytes;
use crate::crypto::{Domain, hash};
use crate::ids::{AccountId, AssetId, Digest, Epoch, Height, OrganisationId, PublicKey, TimestampMs};
use crate::instruction::{DATA_KEY_BYTES_MAX, DATA_VALUE_BYTES_MAX, METADATA_BYTES_MAX};
use crate::parameters::Parameters;
use crate::validator::ValidatorSet;
use borsh::{BorshDeserialize, BorshSerialize};

/// Where an entry is: its kind and its name within the kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum StateKey {
    /// The chain's parameters.
    Parameters = 1,
    /// The validators of the next block.
    Validators = 2,
    /// A consensus key that is or was a validator's (R46b).
    Seated(PublicKey) = 3,
    /// An organisation.
    Organisation(OrganisationId) = 16,
    /// An account.
    Account(AccountId) = 17,
    /// What an account holds of an asset that is not the native one.
    Balance(AccountId, AssetId) = 32,
    /// An asset.
    Asset(AssetId) = 33,
    /// A data entry: namespace and key.
    Data(AccountId, Bytes<DATA_KEY_BYTES_MAX>) = 48,
    /// A document: who anchored it, and its digest.
    Document(AccountId, Digest) = 49,
}

impl StateKey {
    /// Its place in the partition tree.
    #[must_use]
    pub fn hash(&self) -> KeyHash {
        KeyHash(hash(Domain::StateKey, self))
    }
}

/// What an entry holds; the variant always fits the key's kind.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum StateValue {
    /// Of [`StateKey::Parameters`].
    Parameters(Parameters) = 1,
    /// Of [`StateKey::Validators`]: the epoch and its set.
    Validators(Epoch, ValidatorSet) = 2,
    /// Of [`StateKey::Seated`]: the first epoch in which the key votes.
    Seated(Epoch) = 3,
    /// Of [`StateKey::Organisation`].
    Organisation(Organisation) = 16,
    /// Of [`StateKey::Account`].
    Account(Account) = 17,
    /// Of [`StateKey::Balance`].
    Balance(Holding) = 32,
    /// Of [`StateKey::Asset`].
    Asset(Asset) = 33,
    /// Of [`StateKey::Data`].
    Data(DataEntry) = 48,
    /// Of [`StateKey::Document`].
    Document(Document) = 49,
}

/// What the tree's leaf holds of an entry: BLAKE3 over tag ‖ borsh(key, value).
#[must_use]
pub fn value_hash(key: &StateKey, value: &StateValue) -> ValueHash {
    ValueHash(hash(Domain::StateValue, &(key, value)))
}

/// A data entry.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DataEntry {
    /// Who may change it.
    pub owner: AccountId,
    /// Whose quota its bytes are charged to: who wrote it last.
    pub payer: AccountId,
    /// Its bytes.
    pub value: Bytes<DATA_VALUE_BYTES_MAX>,
    /// The height at which it was last written.
    pub height: Height,
}

/// That somebody knew a document.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Document {
    /// Its length, bytes, as they said.
    pub size: u64,
    /// What they said of it.
    pub metadata: Bytes<METADATA_BYTES_MAX>,
    /// The height at which it was anchored.
    pub height: Height,
    /// The time of that block.
    pub timestamp_ms: TimestampMs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;
    use crate::ids::Amount;

    #[test]
    fn golden_entry_bytes() {
        let key = StateKey::Balance(AccountId([1; 32]), AssetId([2; 32]));
        assert_eq!(encode(&key), [&[32][..], &[1; 32], &[2; 32]].concat());
        assert_eq!(encode(&StateKey::Account(AccountId([3; 32]))), [&[17][..], &[3; 32]].concat());
        assert_eq!(encode(&StateKey::Seated(PublicKey([4; 32]))), [&[3][..], &[4; 32]].concat());
        assert_eq!(encode(&StateKey::Asset(AssetId([5; 32]))), [&[33][..], &[5; 32]].concat());
        let document = StateKey::Document(AccountId([6; 32]), Digest([7; 32]));
        assert_eq!(encode(&document), [&[49][..], &[6; 32], &[7; 32]].concat());
        assert_eq!(encode(&StateValue::Seated(Epoch(5))), [&[3][..], &5u64.to_le_bytes()].concat());
        let holding = Holding { amount: Amount(7), frozen: true };
        assert_eq!(encode(&StateValue::Balance(holding)), [&[32][..], &7u128.to_le_bytes(), &[1]].concat());
        let document = Document {
            size: 5,
            metadata: Bytes::new(vec![9]).unwrap(),
            height: Height(6),
            timestamp_ms: TimestampMs(7),
        };
        let expected =
            [&[49][..], &5u64.to_le_bytes(), &[1, 0, 0, 0, 9], &6u64.to_le_bytes(), &7u64.to_le_bytes()];
        assert_eq!(encode(&StateValue::Document(document)), expected.concat());
    }
}
