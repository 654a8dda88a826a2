//! Assets, and what accounts hold of them.

use crate::codec::{Text, invalid};
use crate::crypto::{Domain, hash};
use crate::ids::{AccountId, Amount, AssetId};
use crate::instruction::SYMBOL_BYTES_MAX;
use borsh::io::{Read, Result as IoResult, Write};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// What may happen to an asset. One byte: bit 0 mint, 1 burn, 2 freeze.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetRules {
    /// Its issuer may make more.
    #[serde(default)]
    pub mint: bool,
    /// Whoever holds it may destroy it.
    #[serde(default)]
    pub burn: bool,
    /// Its issuer may freeze holders.
    #[serde(default)]
    pub freeze: bool,
}

impl BorshSerialize for AssetRules {
    fn serialize<W: Write>(&self, writer: &mut W) -> IoResult<()> {
        let bits = u8::from(self.mint) | u8::from(self.burn) << 1 | u8::from(self.freeze) << 2;
        BorshSerialize::serialize(&bits, writer)
    }
}

impl BorshDeserialize for AssetRules {
    fn deserialize_reader<R: Read>(reader: &mut R) -> IoResult<Self> {
        let bits = u8::deserialize_reader(reader)?;
        let bit = |i: u8| bits >> i & 1 == 1;
        if bits < 8 {
            Ok(Self { mint: bit(0), burn: bit(1), freeze: bit(2) })
        } else {
            Err(invalid("unknown rules of an asset"))
        }
    }
}

/// An asset.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Asset {
    /// Who made it and may mint it; `None` for the native one.
    pub issuer: Option<AccountId>,
    /// What people call it.
    pub symbol: Text<SYMBOL_BYTES_MAX>,
    /// How many decimals people see.
    pub decimals: u8,
    /// What may happen to it.
    pub rules: AssetRules,
    /// The most that may ever be there at a time.
    pub supply_max: Option<Amount>,
    /// What there is: the sum of all that accounts hold.
    pub supply: Amount,
}

/// The id of the asset that this issuer calls by this symbol.
#[must_use]
pub fn asset_id(issuer: AccountId, symbol: &Text<SYMBOL_BYTES_MAX>) -> AssetId {
    AssetId(hash(Domain::Asset, &(issuer, symbol)))
}

/// What an account holds of an asset that is not the native one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Holding {
    /// How much; zero only while frozen.
    pub amount: Amount,
    /// Whether the issuer has stopped it from sending and receiving.
    pub frozen: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode, encode};

    #[test]
    fn golden_asset_bytes() {
        let asset = Asset {
            issuer: Some(AccountId([1; 32])),
            symbol: Text::new("EUR").unwrap(),
            decimals: 2,
            rules: AssetRules { mint: true, burn: false, freeze: true },
            supply_max: Some(Amount(9)),
            supply: Amount(7),
        };
        let expected = [
            &[1][..],
            &[1; 32],
            &[3, 0, 0, 0],
            b"EUR",
            &[2, 5, 1],
            &9u128.to_le_bytes(),
            &7u128.to_le_bytes(),
        ]
        .concat();
        assert_eq!(encode(&asset), expected);
        assert_eq!(decode(&expected), Ok(asset));
        let id = asset_id(AccountId([1; 32]), &Text::new("EUR").unwrap());
        let tagged = [&b"quorate/asset/1\0"[..], &[1; 32], &[3, 0, 0, 0], b"EUR"].concat();
        assert_eq!(id.0, *blake3::hash(&tagged).as_bytes());
    }

    #[test]
    fn a_symbol_is_filled_and_takes_no_more() {
        assert!(Text::<SYMBOL_BYTES_MAX>::new("x".repeat(SYMBOL_BYTES_MAX)).is_ok());
        assert!(Text::<SYMBOL_BYTES_MAX>::new("x".repeat(SYMBOL_BYTES_MAX + 1)).is_err());
    }

    #[test]
    fn rules_have_one_encoding() {
        for bits in 0..=u8::MAX {
            match decode::<AssetRules>(&[bits]) {
                Ok(rules) => assert_eq!(encode(&rules), [bits]),
                Err(_) => assert!(bits > 7),
            }
        }
    }
}
