//! Receipts: what became of each transaction of a block.

use crate::codec::Bytes;
use crate::codec::List;
use crate::crypto::{Domain, hash};
use crate::ids::{AccountId, Amount, AssetId, MerkleRoot, TransactionId};
use crate::merkle;
use crate::transaction::{DATA_KEY_BYTES_MAX, INSTRUCTIONS_MAX};
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Most events of a transaction.
pub const EVENTS_MAX: usize = 4 * INSTRUCTIONS_MAX;

/// Why an instruction failed. The numbers are part of the receipts root and never change meaning.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
    thiserror::Error,
)]
#[borsh(use_discriminant = true)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum ExecutionError {
    /// The account holds less of the asset than it would send.
    #[error("the balance is too small")]
    InsufficientBalance = 1,
    /// An amount of zero moves nothing.
    #[error("the amount is zero")]
    ZeroAmount = 2,
    /// The receiver would hold more than 2^128 − 1.
    #[error("the receiver's balance would overflow")]
    BalanceOverflow = 3,
    /// The data entry, or the namespace where there is none yet, is another account's.
    #[error("the data entry belongs to another account")]
    NotDataOwner = 4,
    /// There is no such account, and the chain does not make accounts for receivers.
    #[error("there is no account to receive it")]
    UnknownReceiver = 5,
}

/// Success, or the first instruction that failed; then none of them took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum ReceiptStatus {
    /// Every instruction took effect.
    Success,
    /// Nothing took effect but the nonce.
    Failed {
        /// Which instruction, from 0.
        instruction: u8,
        /// Why.
        error: ExecutionError,
    },
}

/// Something that an instruction did.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[borsh(use_discriminant = true)]
#[serde(tag = "type", rename_all = "snake_case")]
#[repr(u8)]
pub enum Event {
    /// An amount moved.
    Transferred {
        /// From whom.
        from: AccountId,
        /// To whom.
        to: AccountId,
        /// Of which asset.
        asset: AssetId,
        /// How much.
        amount: Amount,
    } = 32,
    /// A data entry was written.
    DataPut {
        /// In whose namespace.
        namespace: AccountId,
        /// Which key.
        key: Bytes<DATA_KEY_BYTES_MAX>,
    } = 48,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// Which.
    pub transaction: TransactionId,
    /// How it ended.
    pub status: ReceiptStatus,
    /// What it did; empty if it failed.
    pub events: List<Event, 0, EVENTS_MAX>,
}

impl Receipt {
    /// Its leaf in the receipts' tree.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        hash(Domain::Receipt, self)
    }
}

/// Merkle root over the receipts' hashes.
#[must_use]
pub fn receipts_root(receipts: &[Receipt]) -> MerkleRoot {
    let hashes: Vec<_> = receipts.iter().map(Receipt::hash).collect();
    merkle::root(&hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_receipt_bytes() {
        let failed = ReceiptStatus::Failed { instruction: 2, error: ExecutionError::InsufficientBalance };
        let receipt =
            Receipt { transaction: TransactionId([7; 32]), status: failed, events: List::default() };
        let expected = [&[7; 32][..], &[1, 2, 1], &[0; 4]].concat();
        assert_eq!(crate::codec::encode(&receipt), expected);
    }

    #[test]
    fn a_receipt_is_filled_with_events_and_takes_no_more() {
        let event = Event::Transferred {
            from: AccountId([1; 32]),
            to: AccountId([2; 32]),
            asset: AssetId::NATIVE,
            amount: Amount(3),
        };
        let events = List::new(vec![event.clone(); EVENTS_MAX]).unwrap();
        let receipt = Receipt { transaction: TransactionId([7; 32]), status: ReceiptStatus::Success, events };
        assert_eq!(crate::codec::decode::<Receipt>(&crate::codec::encode(&receipt)), Ok(receipt));
        assert!(List::<_, 0, EVENTS_MAX>::new(vec![event; EVENTS_MAX + 1]).is_err());
    }
}
