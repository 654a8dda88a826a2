//! Numbers and hashes with a meaning, each a type of its own, so that a view is never taken for a height.
//!
//! Text form: numbers are plain, amounts decimal strings in JSON, hashes and keys 64 lower-case hex digits.

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A text that is not an id of the kind asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// Not exactly 64 lower-case hex digits.
    #[error("expected 64 lower-case hex digits, found {0} characters or another alphabet")]
    Hex(usize),
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash,
            BorshSerialize, BorshDeserialize, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The first one.
            pub const ZERO: Self = Self(0);

            /// The one after this; the type's maximum is never reached in practice and stays put.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }

            /// The one before this; zero stays zero.
            #[must_use]
            pub const fn previous(self) -> Self {
                Self(self.0.saturating_sub(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// Position of a block in the chain; the genesis state is height 0, the first block 1.
    Height(u64)
}
number! {
    /// View within an epoch; view v is led by the primary of (epoch, v).
    View(u64)
}
number! {
    /// Span of heights with one validator set.
    Epoch(u64)
}
number! {
    /// Position of a validator in its epoch's set.
    ValidatorIndex(u16)
}
number! {
    /// Sequence number of an account's transactions: the next one to execute.
    Nonce(u64)
}
number! {
    /// Milliseconds since the Unix epoch, UTC.
    TimestampMs(u64)
}

/// Indivisible units of an asset; checked arithmetic only. A decimal string in JSON.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
)]
pub struct Amount(pub u128);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        text.parse().map(Self).map_err(serde::de::Error::custom)
    }
}

/// Decodes exactly 32 bytes of lower-case hex.
fn parse_hex(text: &str) -> Result<[u8; 32], ParseIdError> {
    let mut bytes = [0; 32];
    let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
    if lower && hex::decode_to_slice(text, &mut bytes).is_ok() {
        Ok(bytes)
    } else {
        Err(ParseIdError::Hex(text.chars().count()))
    }
}

macro_rules! bytes32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
        )]
        pub struct $name(pub [u8; 32]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(&self.0[..6]))
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;
            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                parse_hex(text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

bytes32! {
    /// Hash of the genesis document; every signature binds it.
    ChainId
}
bytes32! {
    /// Hash of a block's header.
    BlockHash
}
bytes32! {
    /// Hash of a block's result.
    ResultHash
}
bytes32! {
    /// BLAKE3 of all bytes of a transaction.
    TransactionId
}

/// The first half of a transaction's id: what a compact proposal calls it by. Two transactions with one short id take
/// 2^64 hashes to find, and then cost their block a round trip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct ShortId(pub [u8; 16]);

impl TransactionId {
    /// Its first half.
    #[must_use]
    pub const fn short(self) -> ShortId {
        let (half, _) = self.0.split_at(16);
        let mut short = [0; 16];
        short.copy_from_slice(half);
        ShortId(short)
    }
}

bytes32! {
    /// Root of the partition tree over the whole state.
    StateRoot
}
bytes32! {
    /// Root of a binary Merkle tree over a list: transactions or receipts.
    MerkleRoot
}
bytes32! {
    /// Hash of a validator set.
    ValidatorSetHash
}
bytes32! {
    /// An account: the bytes of its first public key, for ever, whichever keys act for it later.
    AccountId
}
bytes32! {
    /// An asset; all zero is the one that genesis hands out.
    AssetId
}
bytes32! {
    /// An organisation of the consortium: the identity key that stands for it.
    OrganisationId
}
bytes32! {
    /// Hash of a document or of a data entry's value.
    Digest
}
bytes32! {
    /// An ed25519 public key as its 32 bytes, not yet known to be a point on the curve.
    PublicKey
}

impl AssetId {
    /// The asset that genesis balances are counted in.
    pub const NATIVE: Self = Self([0; 32]);
}

impl ChainId {
    /// What stands for "the block at height 0": the first block's parent.
    #[must_use]
    pub const fn genesis_block(self) -> BlockHash {
        BlockHash(self.0)
    }
}

impl From<PublicKey> for AccountId {
    fn from(key: PublicKey) -> Self {
        Self(key.0)
    }
}

/// An ed25519 signature, 64 bytes, 128 hex digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Signature(pub [u8; 64]);

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(&self.0[..6]))
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        let mut bytes = [0; 64];
        hex::decode_to_slice(text, &mut bytes).map_err(serde::de::Error::custom)?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_round_trip_as_lower_case_hex_only() {
        let id = BlockHash([0xab; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("AB".repeat(32).parse::<BlockHash>().is_err());
        assert!("ab".repeat(31).parse::<BlockHash>().is_err());
        assert!("zz".repeat(32).parse::<BlockHash>().is_err());
    }

    #[test]
    fn amounts_are_decimal_strings() {
        let amount = Amount(u128::MAX);
        let json = serde_json::to_string(&amount).unwrap();
        assert_eq!(json, "\"340282366920938463463374607431768211455\"");
        assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
        assert!(serde_json::from_str::<Amount>("1").is_err());
    }
}
