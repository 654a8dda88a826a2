//! What a node answers. Heights are numbers, amounts decimal strings, hashes and keys hex.

use quorate_chain::state::{AccountKey, AccountStatus, Roles};
use quorate_chain::{
    AccountId, Amount, AssetId, BlockHash, ChainId, CommitCertificate, Epoch, Header, Height, Nonce,
    OrganisationId, ResultHash, StateRoot, TransactionId, ValidatorIndex, View,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Of `health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`, `catching_up`, `record_lost` or `halted`.
    pub status: String,
    /// Why, if it is not `ok`.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Hash of the genesis document.
    pub chain_id: ChainId,
    /// What people call the node.
    pub name: String,
    /// The committed tip.
    pub height: Height,
    /// Its block; the chain id at height 0.
    pub block_hash: BlockHash,
    /// Its result.
    pub result_hash: ResultHash,
    /// State after it.
    pub state_root: StateRoot,
    /// The epoch of the next height.
    pub epoch: Epoch,
    /// The view the node is in.
    pub view: View,
    /// Who leads it.
    pub primary: ValidatorIndex,
    /// The node's own seat; `None` for an observer.
    pub validator: Option<ValidatorIndex>,
    /// Whether it takes part in votes.
    pub voting: bool,
    /// Whether it lacks committed heights that it knows of.
    pub catching_up: bool,
    /// Why it has stopped taking part, if it has.
    #[serde(default)]
    pub halted: Option<String>,
    /// Why its consensus key must not be used any more, if so.
    #[serde(default)]
    pub record_lost: Option<String>,
    /// How many peers it is connected to.
    pub peers: usize,
}

/// What a block did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockResult {
    /// Hash of the result.
    pub hash: ResultHash,
    /// State after the block.
    pub state_root: StateRoot,
}

/// Of `block`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The block's hash.
    pub hash: BlockHash,
    /// Its header.
    pub header: Header,
    /// Its transactions in the order in which they executed.
    pub transactions: Vec<Value>,
    /// What it did.
    pub result: BlockResult,
    /// Proof of block and result: of the block itself, or of the last header of `path`.
    pub commit: CommitCertificate,
    /// Headers from the block's child to the certified one, where the block has no certificate of its own.
    #[serde(default)]
    pub path: Vec<Header>,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every instruction took effect.
    Success,
    /// None did; the nonce is used.
    Failed,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// How it ended.
    pub status: Outcome,
    /// Why it failed, as in `insufficient_balance`.
    pub error: Option<String>,
}

/// Of `broadcast_tx_commit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committed {
    /// Which transaction.
    pub id: TransactionId,
    /// Where it was committed.
    pub height: Height,
    /// Its place in the block, from 0.
    pub index: u32,
    /// What became of it.
    pub receipt: Receipt,
}

/// Of `tx`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionInfo {
    /// Where it is, and what became of it.
    #[serde(flatten)]
    pub committed: Committed,
    /// What it said.
    pub transaction: Value,
}

/// Of `broadcast_tx_async` and `broadcast_tx_sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Which transaction.
    pub id: TransactionId,
}

/// What an account holds of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Which asset; all zero is the native one.
    pub asset: AssetId,
    /// How much.
    pub amount: Amount,
    /// Whether its issuer has frozen it.
    #[serde(default)]
    pub frozen: bool,
}

/// What an account may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Work units that it could spend at the time of the last block.
    pub work_left: u64,
    /// Bytes of state that are charged to it.
    pub state_bytes: u64,
}

/// Of `account`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Which account.
    pub address: AccountId,
    /// The nonce of its next transaction.
    pub nonce: Nonce,
    /// What it holds.
    pub balances: Vec<Balance>,
    /// The committed height at which this held.
    pub height: Height,
    /// The organisation it acts for.
    #[serde(default)]
    pub organisation: Option<OrganisationId>,
    /// Whether it may transact.
    pub status: AccountStatus,
    /// What it may do.
    pub roles: Roles,
    /// The keys that act for it; none: the one that it is named after.
    pub keys: Vec<AccountKey>,
    /// The weight that a transaction's signatures must reach.
    pub threshold: u16,
    /// What it may spend.
    pub quota: Quota,
}
