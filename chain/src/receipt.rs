//! Receipts: what became of each transaction of a block.

use crate::codec::{Bytes, List};
use crate::crypto::{Domain, hash};
use crate::ids::{AccountId, Amount, AssetId, Digest, MerkleRoot, OrganisationId, TransactionId};
use crate::instruction::{DATA_KEY_BYTES_MAX, INSTRUCTIONS_MAX};
use crate::merkle;
use crate::state::{AccountStatus, Roles};
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
    /// An account, a party or its organisation lost what it needs to act since the block began.
    #[error("the account may no longer act: keys, roles or status changed in this block")]
    Unauthorised = 6,
    /// The acting account lacks the role, or the account or asset is not its to manage.
    #[error("the account is not permitted to do this")]
    NotPermitted = 7,
    /// There is no such account.
    #[error("there is no such account")]
    UnknownAccount = 8,
    /// The account is there already.
    #[error("the account exists already")]
    AccountExists = 9,
    /// The account is closed.
    #[error("the account is closed")]
    AccountClosed = 10,
    /// There is no such organisation.
    #[error("there is no such organisation")]
    UnknownOrganisation = 11,
    /// The organisation is there already.
    #[error("the organisation exists already")]
    OrganisationExists = 12,
    /// The organisation is closed.
    #[error("the organisation is closed")]
    OrganisationClosed = 13,
    /// A key that is no canonical ed25519 key, or a weak one.
    #[error("not a sound ed25519 public key")]
    WeakKey = 14,
    /// Keys that are out of order or count nothing, or a threshold that they do not reach.
    #[error("the keys are out of order, count nothing, or do not reach the threshold")]
    BadKeys = 15,
    /// The account still holds something.
    #[error("the account still holds assets")]
    HoldsAssets = 16,
    /// There is no such asset.
    #[error("there is no such asset")]
    UnknownAsset = 17,
    /// The issuer has an asset with this symbol.
    #[error("the issuer has an asset with this symbol already")]
    AssetExists = 18,
    /// More decimals than an amount has.
    #[error("too many decimals")]
    TooManyDecimals = 19,
    /// There would be more of the asset than may be.
    #[error("the supply would exceed its bound")]
    SupplyExceeded = 20,
    /// The asset's rules do not allow it.
    #[error("the asset's rules do not allow it")]
    AgainstRules = 21,
    /// The issuer has frozen the holder.
    #[error("the issuer has frozen the holder")]
    HolderFrozen = 22,
    /// There is no such data entry.
    #[error("there is no such data entry")]
    UnknownData = 23,
    /// The account has anchored the document already.
    #[error("the account has anchored this document already")]
    DocumentExists = 24,
    /// So many bytes of state may not be charged to the account, or to its organisation.
    #[error("the account, or its organisation, may not hold so many bytes of state")]
    StateQuota = 25,
    /// The condition on a balance does not hold.
    #[error("the condition on a balance does not hold")]
    ConditionBalance = 26,
    /// The condition on a data entry does not hold.
    #[error("the condition on a data entry does not hold")]
    ConditionData = 27,
    /// The condition on the height does not hold.
    #[error("the condition on the height does not hold")]
    ConditionHeight = 28,
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
    /// An organisation was made.
    OrganisationRegistered {
        /// Which.
        organisation: OrganisationId,
    } = 8,
    /// An organisation was frozen, thawed or closed.
    OrganisationStatusSet {
        /// Which.
        organisation: OrganisationId,
        /// What it is now.
        status: AccountStatus,
    } = 9,
    /// An account was made.
    AccountRegistered {
        /// Which.
        account: AccountId,
        /// The organisation it acts for.
        organisation: Option<OrganisationId>,
        /// What it may do.
        roles: Roles,
    } = 16,
    /// An account's keys were set.
    AccountKeysSet {
        /// Whose.
        account: AccountId,
    } = 17,
    /// An account's roles were set.
    AccountRolesSet {
        /// Whose.
        account: AccountId,
        /// What it may do now.
        roles: Roles,
    } = 18,
    /// An account was frozen, thawed or closed.
    AccountStatusSet {
        /// Which.
        account: AccountId,
        /// What it is now.
        status: AccountStatus,
    } = 19,
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
    /// An asset was made.
    AssetCreated {
        /// Which.
        asset: AssetId,
        /// Who issues it.
        issuer: AccountId,
    } = 33,
    /// There is more of an asset.
    Minted {
        /// Of which asset.
        asset: AssetId,
        /// Who received it.
        to: AccountId,
        /// How much.
        amount: Amount,
    } = 34,
    /// There is less of an asset.
    Burned {
        /// Of which asset.
        asset: AssetId,
        /// Who held it.
        from: AccountId,
        /// How much.
        amount: Amount,
    } = 35,
    /// A holder of an asset was frozen or thawed.
    HolderFrozen {
        /// Of which asset.
        asset: AssetId,
        /// Who holds it.
        holder: AccountId,
        /// Whether it is frozen now.
        frozen: bool,
    } = 36,
    /// A data entry was written.
    DataPut {
        /// In whose namespace.
        namespace: AccountId,
        /// Which key.
        key: Bytes<DATA_KEY_BYTES_MAX>,
    } = 48,
    /// A data entry was removed.
    DataDeleted {
        /// In whose namespace.
        namespace: AccountId,
        /// Which key.
        key: Bytes<DATA_KEY_BYTES_MAX>,
    } = 49,
    /// A data entry has another owner.
    DataTransferred {
        /// In whose namespace.
        namespace: AccountId,
        /// Which key.
        key: Bytes<DATA_KEY_BYTES_MAX>,
        /// Whose it was.
        from: AccountId,
        /// Whose it is.
        to: AccountId,
    } = 50,
    /// A document was anchored.
    DocumentAnchored {
        /// Who knew it.
        account: AccountId,
        /// Its hash.
        digest: Digest,
    } = 51,
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
