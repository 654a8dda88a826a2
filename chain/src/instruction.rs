//! Instructions: what a transaction does, step by step.
//!
//! Each step acts for one account, the transaction's own unless it names another one, whose keys must then
//! have signed too. So the steps of several parties are one atomic unit: all of them take effect, or none.

use crate::codec::{Bytes, List, Text};
use crate::ids::{AccountId, Amount, AssetId, Digest, Height, OrganisationId};
use crate::state::{ACCOUNT_KEYS_MAX, AccountKey, AccountStatus, AssetRules, Roles};
use crate::validator::NAME_BYTES_MAX;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Most instructions in a transaction.
pub const INSTRUCTIONS_MAX: usize = 64;
/// Longest memo of a transfer, bytes.
pub const MEMO_BYTES_MAX: usize = 256;
/// Longest key of a data entry, bytes.
pub const DATA_KEY_BYTES_MAX: usize = 128;
/// Longest value of a data entry, bytes.
pub const DATA_VALUE_BYTES_MAX: usize = 16 * 1024;
/// Longest metadata of a document, bytes.
pub const METADATA_BYTES_MAX: usize = 1024;
/// Longest symbol of an asset, bytes.
pub const SYMBOL_BYTES_MAX: usize = 16;
/// Most decimals of an asset.
pub const DECIMALS_MAX: u8 = 38;

/// An instruction, and the account for which it acts.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Step {
    /// Who acts; `None` is the transaction's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<AccountId>,
    /// What it does.
    #[serde(flatten)]
    pub instruction: Instruction,
}

impl From<Instruction> for Step {
    /// A step of the transaction's account.
    fn from(instruction: Instruction) -> Self {
        Self { actor: None, instruction }
    }
}

impl Instruction {
    /// This instruction as a step of `actor`.
    #[must_use]
    pub const fn by(self, actor: AccountId) -> Step {
        Step { actor: Some(actor), instruction: self }
    }
}

/// What a step does. The discriminants are part of the signed bytes and never change meaning.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[borsh(use_discriminant = true)]
#[serde(tag = "type", rename_all = "snake_case")]
#[repr(u8)]
pub enum Instruction {
    /// Makes an organisation. Of the chain's admins.
    RegisterOrganisation {
        /// The identity key that stands for it.
        organisation: OrganisationId,
        /// What people call it.
        name: Text<NAME_BYTES_MAX>,
    } = 8,
    /// Lets an organisation's accounts transact, or no longer. Of the chain's admins.
    SetOrganisationStatus {
        /// Which.
        organisation: OrganisationId,
        /// What it is from now on; nothing follows `closed`.
        status: AccountStatus,
    } = 9,
    /// Makes an account. Of admins; where the chain is open, of anyone for a member without organisation.
    RegisterAccount {
        /// Its first public key.
        account: AccountId,
        /// The organisation it acts for.
        organisation: Option<OrganisationId>,
        /// What it may do.
        roles: Roles,
    } = 16,
    /// Sets the keys that act for an account. Of the account itself, and of its admins.
    SetAccountKeys {
        /// Which.
        account: AccountId,
        /// All of them, ascending; empty: the one that the account is named after.
        keys: List<AccountKey, 0, ACCOUNT_KEYS_MAX>,
        /// The weight that a transaction's signatures must reach.
        threshold: u16,
    } = 17,
    /// Sets what an account may do. Of its admins; the issuer's role is given and taken by the chain's.
    SetAccountRoles {
        /// Which.
        account: AccountId,
        /// All of them.
        roles: Roles,
    } = 18,
    /// Freezes, thaws or closes an account. Of its admins; an account may close itself. What is closed holds
    /// nothing and stays closed.
    SetAccountStatus {
        /// Which.
        account: AccountId,
        /// What it is from now on.
        status: AccountStatus,
    } = 19,
    /// Moves an amount of an asset from the acting account to another.
    Transfer {
        /// Who receives it. An account that is not there yet is made where the chain is open.
        to: AccountId,
        /// Which asset.
        asset: AssetId,
        /// How much; not zero.
        amount: Amount,
        /// Free bytes for the receiver.
        memo: Bytes<MEMO_BYTES_MAX>,
    } = 32,
    /// Makes an asset that the acting account issues; its id follows from issuer and symbol. Of issuers.
    CreateAsset {
        /// What people call it; one of an issuer's assets.
        symbol: Text<SYMBOL_BYTES_MAX>,
        /// How many decimals people see; at most 38.
        decimals: u8,
        /// What may happen to it.
        rules: AssetRules,
        /// The most that may ever be there at a time.
        supply_max: Option<Amount>,
        /// What the issuer holds from the start; may be zero.
        supply: Amount,
    } = 33,
    /// Makes more of an asset. Of its issuer, if its rules allow.
    Mint {
        /// Which asset.
        asset: AssetId,
        /// Who receives it.
        to: AccountId,
        /// How much; not zero.
        amount: Amount,
    } = 34,
    /// Destroys what the acting account holds of an asset, if its rules allow.
    Burn {
        /// Which asset.
        asset: AssetId,
        /// How much; not zero.
        amount: Amount,
    } = 35,
    /// Stops an account from sending and receiving an asset, or lets it again. Of the asset's issuer, if its
    /// rules allow.
    FreezeHolder {
        /// Which asset.
        asset: AssetId,
        /// Whose.
        holder: AccountId,
        /// Whether it is frozen from now on.
        frozen: bool,
    } = 36,
    /// Writes a data entry. Of its owner; where there is none, of the namespace's account.
    PutData {
        /// The account whose namespace the key is in.
        namespace: AccountId,
        /// The key within the namespace.
        key: Bytes<DATA_KEY_BYTES_MAX>,
        /// The new value.
        value: Bytes<DATA_VALUE_BYTES_MAX>,
    } = 48,
    /// Removes a data entry. Of its owner.
    DeleteData {
        /// The account whose namespace the key is in.
        namespace: AccountId,
        /// The key within the namespace.
        key: Bytes<DATA_KEY_BYTES_MAX>,
    } = 49,
    /// Gives a data entry to another account. Of its owner.
    TransferData {
        /// The account whose namespace the key is in.
        namespace: AccountId,
        /// The key within the namespace.
        key: Bytes<DATA_KEY_BYTES_MAX>,
        /// Who owns it from now on.
        to: AccountId,
    } = 50,
    /// Records that the acting account knew a document at this height. Stays for ever.
    AnchorDocument {
        /// The document's hash, by whichever function its users agreed on.
        digest: Digest,
        /// Its length, bytes.
        size: u64,
        /// Free bytes: its name, type, function of the digest.
        metadata: Bytes<METADATA_BYTES_MAX>,
    } = 51,
    /// Fails unless an account holds so much.
    RequireBalance {
        /// Whose.
        account: AccountId,
        /// Of which asset.
        asset: AssetId,
        /// At least this.
        at_least: Amount,
    } = 64,
    /// Fails unless a data entry has this value.
    RequireData {
        /// The account whose namespace the key is in.
        namespace: AccountId,
        /// The key within the namespace.
        key: Bytes<DATA_KEY_BYTES_MAX>,
        /// BLAKE3 of the value; `None`: there must be no entry.
        digest: Option<Digest>,
    } = 65,
    /// Fails unless the block is below this height.
    RequireHeightBelow {
        /// The first height at which it fails.
        height: Height,
    } = 66,
}
