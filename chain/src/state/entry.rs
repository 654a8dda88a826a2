//! Kinds of state entries. Their bytes are under the state root and never change meaning.

use super::tree::{KeyHash, ValueHash};
use crate::codec::{Bytes, List, Text};
use crate::crypto::{Domain, hash};
use crate::ids::{AccountId, Amount, AssetId, Epoch, Height, Nonce, OrganisationId, PublicKey};
use crate::parameters::Parameters;
use crate::transaction::{DATA_KEY_BYTES_MAX, DATA_VALUE_BYTES_MAX};
use crate::validator::{NAME_BYTES_MAX, ValidatorSet};
use borsh::{BorshDeserialize, BorshSerialize};

/// Most keys that act for an account.
pub(super) const ACCOUNT_KEYS_MAX: usize = 16;

/// Where an entry is: its kind and its name within the kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
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
    /// What an account holds of an asset.
    Balance(AccountId, AssetId) = 32,
    /// A data entry: namespace and key.
    Data(AccountId, Bytes<DATA_KEY_BYTES_MAX>) = 48,
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
    Balance(Amount) = 32,
    /// Of [`StateKey::Data`].
    Data(DataEntry) = 48,
}

/// What the tree's leaf holds of an entry: BLAKE3 over tag ‖ borsh(key, value).
#[must_use]
pub fn value_hash(key: &StateKey, value: &StateValue) -> ValueHash {
    ValueHash(hash(Domain::StateValue, &(key, value)))
}

/// A token bucket: what may be spent, and the height at which that was reckoned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Quota {
    /// Work units left at `height`.
    pub work: u64,
    /// When `work` was reckoned.
    pub height: Height,
    /// Bytes of state held.
    pub state_bytes: u64,
}

/// A member of the consortium, for which accounts act.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Organisation {
    /// What people call it.
    pub name: Text<NAME_BYTES_MAX>,
    /// Whether its accounts may transact.
    pub status: AccountStatus,
    /// What its accounts may spend together.
    pub quota: Quota,
}

/// Whether an account or organisation may transact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum AccountStatus {
    /// It may.
    Active = 0,
    /// It may not until it is thawed.
    Frozen = 1,
    /// It may never again.
    Closed = 2,
}

/// A key that acts for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct AccountKey {
    /// The key.
    pub key: PublicKey,
    /// What its signature counts.
    pub weight: u16,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// The nonce of its next transaction.
    pub nonce: Nonce,
    /// The organisation it acts for, if any.
    pub organisation: Option<OrganisationId>,
    /// The keys that act for it, ascending; empty: the one that it is named after, with weight 1.
    pub keys: List<AccountKey, 0, ACCOUNT_KEYS_MAX>,
    /// The weight that a transaction's signatures must reach.
    pub threshold: u16,
    /// Roles, a bit each: 1 admin, 2 issuer, 4 member, 8 auditor.
    pub roles: u16,
    /// Whether it may transact.
    pub status: AccountStatus,
    /// What it may spend.
    pub quota: Quota,
}

impl Default for Account {
    fn default() -> Self {
        Self {
            nonce: Nonce::ZERO,
            organisation: None,
            keys: List::default(),
            threshold: 1,
            roles: 4,
            status: AccountStatus::Active,
            quota: Quota::default(),
        }
    }
}

impl Account {
    /// What this key's signature counts for the account `id`.
    fn weight(&self, id: AccountId, key: PublicKey) -> Option<u16> {
        if self.keys.is_empty() {
            (key.0 == id.0).then_some(1)
        } else {
            self.keys.iter().find(|k| k.key == key).map(|k| k.weight)
        }
    }

    /// Whether this key is one of the account `id`.
    #[must_use]
    pub fn acts(&self, id: AccountId, key: PublicKey) -> bool {
        self.weight(id, key).is_some()
    }

    /// Whether these keys together may act for the account `id`: each of them is one of its keys, and their
    /// weights reach the threshold.
    pub fn authorises(&self, id: AccountId, signers: impl IntoIterator<Item = PublicKey>) -> bool {
        let weights: Option<Vec<u16>> = signers.into_iter().map(|key| self.weight(id, key)).collect();
        weights.is_some_and(|weights| {
            weights.into_iter().map(u32::from).sum::<u32>() >= u32::from(self.threshold)
        })
    }
}

/// A data entry.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct DataEntry {
    /// Who may change it.
    pub owner: AccountId,
    /// Its bytes.
    pub value: Bytes<DATA_VALUE_BYTES_MAX>,
    /// The height at which it was last written.
    pub height: Height,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode;

    #[test]
    fn golden_entry_bytes() {
        let key = StateKey::Balance(AccountId([1; 32]), AssetId([2; 32]));
        assert_eq!(encode(&key), [&[32][..], &[1; 32], &[2; 32]].concat());
        assert_eq!(encode(&StateKey::Account(AccountId([3; 32]))), [&[17][..], &[3; 32]].concat());
        assert_eq!(encode(&StateKey::Seated(PublicKey([4; 32]))), [&[3][..], &[4; 32]].concat());
        assert_eq!(encode(&StateValue::Seated(Epoch(5))), [&[3][..], &5u64.to_le_bytes()].concat());
        assert_eq!(encode(&StateValue::Balance(Amount(7))), [&[32][..], &7u128.to_le_bytes()].concat());
        let account = encode(&StateValue::Account(Account { nonce: Nonce(5), ..Account::default() }));
        let expected =
            [&[17][..], &5u64.to_le_bytes(), &[0], &[0; 4], &[1, 0], &[4, 0], &[0], &[0; 24]].concat();
        assert_eq!(account, expected);
    }

    #[test]
    fn keys_and_weights_decide_who_acts() {
        let id = AccountId([1; 32]);
        let plain = Account::default();
        assert!(plain.authorises(id, [PublicKey([1; 32])]));
        assert!(!plain.authorises(id, [PublicKey([2; 32])]));
        assert!(!plain.authorises(id, [PublicKey([1; 32]), PublicKey([2; 32])]), "a stranger beside");
        let key = |i| AccountKey { key: PublicKey([i; 32]), weight: 1 };
        let keys = List::new(vec![key(2), key(3), key(4)]).unwrap();
        let shared = Account { keys, threshold: 2, ..plain };
        assert!(shared.authorises(id, [PublicKey([2; 32]), PublicKey([4; 32])]));
        assert!(!shared.authorises(id, [PublicKey([2; 32])]));
        assert!(!shared.authorises(id, [PublicKey([1; 32])]), "its first key was taken away");
    }

    #[test]
    fn an_account_is_filled_with_keys_and_takes_no_more() {
        let key = |i| AccountKey { key: PublicKey([i; 32]), weight: 1 };
        let keys: Vec<_> = (2..).map(key).take(ACCOUNT_KEYS_MAX).collect();
        let all = keys.iter().map(|key| key.key).collect::<Vec<_>>();
        let keys = List::new(keys).unwrap();
        let account = Account { threshold: ACCOUNT_KEYS_MAX as u16, keys, ..Account::default() };
        assert!(account.authorises(AccountId([1; 32]), all.clone()));
        assert!(!account.authorises(AccountId([1; 32]), all[1..].to_vec()));
        let more = vec![key(1); ACCOUNT_KEYS_MAX + 1];
        assert!(List::<_, 0, ACCOUNT_KEYS_MAX>::new(more).is_err());
    }
}
