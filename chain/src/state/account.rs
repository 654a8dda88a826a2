//! Accounts and organisations: who may act, by which keys, and what it may spend.

use crate::codec::{List, Text, invalid};
use crate::ids::{AccountId, Amount, Nonce, OrganisationId, PublicKey, TimestampMs};
use crate::validator::NAME_BYTES_MAX;
use borsh::io::{Read, Result as IoResult};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::ops::BitOr;

/// Most keys that act for an account.
pub const ACCOUNT_KEYS_MAX: usize = 16;

/// What an account may do: a set of roles, a bit each. In JSON a list of names.
#[derive(Clone, Copy, PartialEq, Eq, Default, BorshSerialize)]
pub struct Roles(u16);

impl Roles {
    /// None: a name in the registry that may not transact.
    pub const NONE: Self = Self(0);
    /// Manages the accounts of its organisation; without one, all accounts and organisations.
    pub const ADMIN: Self = Self(1);
    /// Creates assets and mints them.
    pub const ISSUER: Self = Self(2);
    /// Transacts: transfers, data, documents.
    pub const MEMBER: Self = Self(4);
    /// Reads, for interfaces that ask who reads; transacts only with another role beside.
    pub const AUDITOR: Self = Self(8);

    /// All of them.
    pub const ALL: Self = Self(15);

    const NAMES: [(Self, &'static str); 4] = [
        (Self::ADMIN, "admin"),
        (Self::ISSUER, "issuer"),
        (Self::MEMBER, "member"),
        (Self::AUDITOR, "auditor"),
    ];

    /// Whether all of `roles` are in it.
    #[must_use]
    pub const fn has(self, roles: Self) -> bool {
        self.0 & roles.0 == roles.0
    }

    /// The roles that are in just one of both.
    #[must_use]
    pub const fn differing(self, other: Self) -> Self {
        Self(self.0 ^ other.0)
    }

    /// Whether they let an account transact.
    #[must_use]
    pub const fn transact(self) -> bool {
        self.0 & (Self::ADMIN.0 | Self::ISSUER.0 | Self::MEMBER.0) != 0
    }

    /// The names, in the order of the bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(role, _)| self.has(*role)).map(|(_, name)| name)
    }

    /// The role with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(_, known)| *known == name).map(|(role, _)| role)
    }
}

impl BitOr for Roles {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

impl BorshDeserialize for Roles {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let bits = u16::deserialize_reader(reader)?;
        if bits <= Self::ALL.0 { Ok(Self(bits)) } else { Err(invalid("unknown roles")) }
    }
}

impl Serialize for Roles {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for Roles {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = <Vec<String> as Deserialize>::deserialize(deserializer)?;
        names.iter().try_fold(Self::NONE, |roles, name| match Self::named(name) {
            Some(role) => Ok(roles | role),
            None => Err(serde::de::Error::custom(format!("{name:?} is no role"))),
        })
    }
}

/// Whether an account or organisation may transact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[borsh(use_discriminant = true)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum AccountStatus {
    /// It may.
    Active = 0,
    /// It may not until it is thawed. It may receive.
    Frozen = 1,
    /// It may never again, nor receive.
    Closed = 2,
}

/// What has been spent of a token bucket, and what is held of the state.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize,
)]
pub struct Quota {
    /// Thousandths of a work unit spent at `at`; they come back with time.
    pub spent: u64,
    /// When `spent` was reckoned: the time of a block.
    pub at: TimestampMs,
    /// Bytes of state that are charged to it.
    pub state_bytes: u64,
}

/// A member of the consortium, for which accounts act.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Organisation {
    /// What people call it.
    pub name: Text<NAME_BYTES_MAX>,
    /// Whether its accounts may transact.
    pub status: AccountStatus,
    /// What its accounts have spent together.
    pub quota: Quota,
}

impl Organisation {
    /// An active one that has spent nothing.
    #[must_use]
    pub fn new(name: Text<NAME_BYTES_MAX>) -> Self {
        Self { name, status: AccountStatus::Active, quota: Quota::default() }
    }
}

/// A key that acts for an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountKey {
    /// The key.
    pub key: PublicKey,
    /// What its signature counts; not zero.
    pub weight: u16,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// The nonce of its next transaction.
    pub nonce: Nonce,
    /// What it holds of the native asset: here, so that a transfer changes two entries and not four.
    pub balance: Amount,
    /// The organisation it acts for, if any; for ever.
    pub organisation: Option<OrganisationId>,
    /// The keys that act for it, ascending; empty: the one that it is named after, with weight 1.
    pub keys: List<AccountKey, 0, ACCOUNT_KEYS_MAX>,
    /// The weight that a transaction's signatures must reach.
    pub threshold: u16,
    /// What it may do.
    pub roles: Roles,
    /// Whether it may transact.
    pub status: AccountStatus,
    /// How many entries of other assets it has.
    pub holdings: u32,
    /// What it has spent.
    pub quota: Quota,
}

impl Default for Account {
    fn default() -> Self {
        Self::new(None, Roles::MEMBER)
    }
}

/// Why keys and a threshold are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysError;

impl Account {
    /// An active one that holds nothing, with the key that it is named after.
    #[must_use]
    pub fn new(organisation: Option<OrganisationId>, roles: Roles) -> Self {
        Self {
            nonce: Nonce::ZERO,
            balance: Amount::default(),
            organisation,
            keys: List::default(),
            threshold: 1,
            roles,
            status: AccountStatus::Active,
            holdings: 0,
            quota: Quota::default(),
        }
    }

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

    /// Whether the weights of those of `signers` that are keys of the account `id` reach its threshold.
    /// `signers` are distinct.
    pub fn authorises(&self, id: AccountId, signers: impl IntoIterator<Item = PublicKey>) -> bool {
        let weights = signers.into_iter().filter_map(|key| self.weight(id, key));
        weights.map(u32::from).sum::<u32>() >= u32::from(self.threshold)
    }
}

/// Whether these keys and this threshold can act for an account: ascending, each with a weight, together
/// reaching the threshold.
///
/// # Errors
/// When they can't.
pub fn check_keys(keys: &[AccountKey], threshold: u16) -> Result<(), KeysError> {
    let sum: u32 = keys.iter().map(|key| u32::from(key.weight)).sum();
    let sum = if keys.is_empty() { 1 } else { sum };
    let sound = keys.is_sorted_by(|a, b| a.key < b.key)
        && keys.iter().all(|key| key.weight > 0)
        && (1..=sum).contains(&u32::from(threshold));
    if sound { Ok(()) } else { Err(KeysError) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    fn key(i: u8, weight: u16) -> AccountKey {
        AccountKey { key: PublicKey([i; 32]), weight }
    }

    #[test]
    fn golden_account_bytes() {
        let account = Account { nonce: Nonce(5), balance: Amount(6), ..Account::default() };
        let expected = [
            &5u64.to_le_bytes()[..],
            &6u128.to_le_bytes(),
            &[0],
            &[0; 4],
            &[1, 0],
            &[4, 0],
            &[0],
            &[0; 4],
            &[0; 24],
        ]
        .concat();
        assert_eq!(encode(&account), expected);
    }

    #[test]
    fn roles_are_names_in_json_and_known_bits_in_bytes() {
        let roles = Roles::ADMIN | Roles::MEMBER;
        let json = serde_json::to_string(&roles).unwrap();
        assert_eq!(json, r#"["admin","member"]"#);
        assert_eq!(serde_json::from_str::<Roles>(&json).unwrap(), roles);
        assert!(serde_json::from_str::<Roles>(r#"["owner"]"#).is_err());
        assert_eq!(decode::<Roles>(&[5, 0]), Ok(roles));
        assert!(decode::<Roles>(&[16, 0]).is_err());
        assert!(decode::<Roles>(&[0, 1]).is_err());
        let transact = [Roles::NONE, Roles::ADMIN, Roles::ISSUER, Roles::MEMBER, Roles::AUDITOR];
        assert_eq!(transact.map(Roles::transact), [false, true, true, true, false]);
    }

    #[test]
    fn keys_and_weights_decide_who_acts() {
        let id = AccountId([1; 32]);
        let plain = Account::default();
        assert!(plain.authorises(id, [PublicKey([1; 32])]));
        assert!(!plain.authorises(id, [PublicKey([2; 32])]));
        let keys = List::new(vec![key(2, 1), key(3, 1), key(4, 1)]).unwrap();
        let shared = Account { keys, threshold: 2, ..plain };
        assert!(shared.authorises(id, [PublicKey([2; 32]), PublicKey([4; 32])]));
        assert!(!shared.authorises(id, [PublicKey([2; 32])]));
        assert!(
            !shared.authorises(id, [PublicKey([2; 32]), PublicKey([9; 32])]),
            "a stranger counts nothing"
        );
        assert!(!shared.authorises(id, [PublicKey([1; 32])]), "its first key was taken away");
    }

    #[test]
    fn keys_must_be_able_to_act() {
        assert!(check_keys(&[], 1).is_ok());
        assert!(check_keys(&[], 2).is_err());
        assert!(check_keys(&[key(1, 2), key(2, 3)], 5).is_ok());
        assert!(check_keys(&[key(1, 2), key(2, 3)], 6).is_err(), "out of reach");
        assert!(check_keys(&[key(1, 2)], 0).is_err(), "anybody's");
        assert!(check_keys(&[key(1, 2), key(2, 0)], 1).is_err(), "a key that counts nothing");
        assert!(check_keys(&[key(2, 1), key(1, 1)], 1).is_err(), "out of order");
        assert!(check_keys(&[key(1, 1), key(1, 1)], 1).is_err(), "twice");
        assert!(check_keys(&[key(1, u16::MAX), key(2, u16::MAX)], u16::MAX).is_ok());
    }

    #[test]
    fn an_account_is_filled_with_keys_and_takes_no_more() {
        let keys: Vec<_> = (2..).map(|i| key(i, 1)).take(ACCOUNT_KEYS_MAX).collect();
        let all = keys.iter().map(|key| key.key).collect::<Vec<_>>();
        let keys = List::new(keys).unwrap();
        let account = Account { threshold: ACCOUNT_KEYS_MAX as u16, keys, ..Account::default() };
        assert!(account.authorises(AccountId([1; 32]), all.clone()));
        assert!(!account.authorises(AccountId([1; 32]), all[1..].to_vec()));
        let more = vec![key(1, 1); ACCOUNT_KEYS_MAX + 1];
        assert!(List::<_, 0, ACCOUNT_KEYS_MAX>::new(more).is_err());
    }
}
