//! The answers, as JSON: heights are numbers, amounts decimal strings, hashes and keys lower-case hex.

use quorate_chain::block::BlockResult;
use quorate_chain::certificate::PATH_HEADERS_MAX;
use quorate_chain::codec::List;
use quorate_chain::ids::{MerkleRoot, ValidatorSetHash};
use quorate_chain::instruction::Step;
use quorate_chain::ledger::{AccountRecord, CommittedBlock, TransactionRecord};
use quorate_chain::receipt::{Event, ExecutionError, Receipt, ReceiptStatus};
use quorate_chain::state::{AccountKey, AccountStatus, Holding, Roles};
use quorate_chain::validator::Validator;
use quorate_chain::{
    AccountId, Amount, AssetId, BlockHash, ChainId, CommitCertificate, Epoch, Header, Height, Nonce,
    OrganisationId, PublicKey, ResultHash, StateRoot, TimestampMs, Transaction, TransactionId,
    ValidatorIndex, ValidatorSet, View,
};
use serde::{Deserialize, Serialize};

/// Whether the node does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It does.
    Ok,
    /// It lacks committed heights that it knows of.
    CatchingUp,
    /// It follows without voting: its vote record is not whole.
    RecordLost,
    /// It has stopped taking part.
    Halted,
}

/// Of `health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// In a word.
    pub status: HealthStatus,
    /// Why, if it is not `ok`.
    pub reason: Option<String>,
}

/// Of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The chain: hash of the genesis document.
    pub chain_id: ChainId,
    /// What people call this node.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// The commit it was built from.
    pub build: String,
    /// The committed tip.
    pub height: Height,
    /// Its block; the chain id at height 0.
    pub block_hash: BlockHash,
    /// Its result.
    pub result_hash: ResultHash,
    /// State after it.
    pub state_root: StateRoot,
    /// Its time.
    pub timestamp_ms: TimestampMs,
    /// The epoch of the next height.
    pub epoch: Epoch,
    /// The view the node is in.
    pub view: View,
    /// Who leads it.
    pub primary: ValidatorIndex,
    /// The node's own seat; `null` for an observer.
    pub validator: Option<ValidatorIndex>,
    /// Whether it takes part in votes.
    pub voting: bool,
    /// Whether it lacks committed heights that it knows of.
    pub catching_up: bool,
    /// Why it has stopped taking part, if it has.
    pub halted: Option<String>,
    /// Why its consensus key must not be used any more, if so: its vote record is not whole.
    pub record_lost: Option<String>,
    /// How many peers it is connected to.
    pub peers: usize,
    /// Transactions that wait for a block.
    pub mempool_transactions: usize,
}

/// Of `validators`: the set of the next height.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validators {
    /// The first height that this set certifies, as far as is known.
    pub height: Height,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its hash, which the result before it binds.
    pub set_hash: ValidatorSetHash,
    /// Signatures of a certificate.
    pub quorum: usize,
    /// Faulty validators that are survived.
    pub faulty_max: usize,
    /// The seats in order.
    pub validators: Vec<Seat>,
}

/// A seat and its index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// Its index.
    pub index: ValidatorIndex,
    /// Who has it.
    #[serde(flatten)]
    pub validator: Validator,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionView {
    /// Hash of its bytes.
    pub id: TransactionId,
    /// The account that acts.
    pub account: AccountId,
    /// Its place among the account's transactions.
    pub nonce: Nonce,
    /// Last height at which it may execute; 0 is no limit.
    pub valid_until: Height,
    /// The account that pays instead.
    pub sponsor: Option<AccountId>,
    /// What it does.
    pub instructions: Vec<Step>,
    /// The keys that signed it.
    pub signers: Vec<PublicKey>,
}

/// What a block's hash covers, with the block's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultView {
    /// The result's hash, which the certificate and the next header bind.
    pub hash: ResultHash,
    /// State after the block.
    pub state_root: StateRoot,
    /// Merkle root over the receipts.
    pub receipts_root: MerkleRoot,
    /// The set that certifies the next block.
    pub next_set_hash: ValidatorSetHash,
}

/// Of `block`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockView {
    /// The block's hash.
    pub hash: BlockHash,
    /// Its header.
    pub header: Header,
    /// Its transactions in the order in which they executed.
    pub transactions: Vec<TransactionView>,
    /// What it did.
    pub result: ResultView,
    /// Proof of block and result: of the block itself, or of the last header of `path`.
    pub commit: CommitCertificate,
    /// Headers from the block's child to the certified one, where the block has no certificate of its own.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub path: List<Header, 0, PATH_HEADERS_MAX>,
}

/// Of `commit`: all that proves a block's header and result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitView {
    /// The block's hash.
    pub hash: BlockHash,
    /// Its header.
    pub header: Header,
    /// What it did.
    pub result: ResultView,
    /// As in [`BlockView`].
    pub commit: CommitCertificate,
    /// As in [`BlockView`].
    #[serde(default, skip_serializing_if = "is_empty")]
    pub path: List<Header, 0, PATH_HEADERS_MAX>,
}

fn is_empty(path: &[Header]) -> bool {
    path.is_empty()
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
pub struct ReceiptView {
    /// How it ended.
    pub status: Outcome,
    /// Why it failed.
    pub error: Option<ExecutionError>,
    /// The first instruction that failed, from 0.
    pub instruction: Option<u8>,
    /// What it did.
    pub events: Vec<Event>,
}

/// Of `broadcast_tx_commit`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommittedView {
    /// Which transaction.
    pub id: TransactionId,
    /// Where it was committed.
    pub height: Height,
    /// Its place in the block, from 0.
    pub index: u32,
    /// What became of it.
    pub receipt: ReceiptView,
}

/// Of `tx`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionAnswer {
    /// Where it is, and what became of it.
    #[serde(flatten)]
    pub committed: CommittedView,
    /// What it said.
    pub transaction: TransactionView,
}

/// Of `broadcast_tx_async` and `broadcast_tx_sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmittedView {
    /// Which transaction.
    pub id: TransactionId,
}

/// What an account holds of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceView {
    /// Which asset; all zero is the one that genesis hands out.
    pub asset: AssetId,
    /// How much.
    pub amount: Amount,
    /// Whether its issuer has frozen it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub frozen: bool,
}

/// What an account may spend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaView {
    /// Work units that it could spend at the time of the last block.
    pub work_left: u64,
    /// Bytes of state that are charged to it.
    pub state_bytes: u64,
}

/// Of `account`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Which account.
    pub address: AccountId,
    /// The nonce of its next transaction.
    pub nonce: Nonce,
    /// What it holds.
    pub balances: Vec<BalanceView>,
    /// The committed height at which this held.
    pub height: Height,
    /// The organisation it acts for.
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
    pub quota: QuotaView,
}

impl Validators {
    /// Of a set that certifies `height`.
    #[must_use]
    pub fn new(height: Height, epoch: Epoch, set: &ValidatorSet) -> Self {
        let seats = set.indices().zip(set.validators());
        Self {
            height,
            epoch,
            set_hash: set.hash(),
            quorum: set.quorum().q(),
            faulty_max: set.quorum().f(),
            validators: seats.map(|(index, v)| Seat { index, validator: v.clone() }).collect(),
        }
    }
}

impl From<&Transaction> for TransactionView {
    fn from(transaction: &Transaction) -> Self {
        let body = transaction.body();
        Self {
            id: transaction.id(),
            account: body.account,
            nonce: body.nonce,
            valid_until: body.valid_until,
            sponsor: body.sponsor,
            instructions: body.instructions.to_vec(),
            signers: transaction.signers().collect(),
        }
    }
}

impl From<&BlockResult> for ResultView {
    fn from(result: &BlockResult) -> Self {
        Self {
            hash: result.hash(),
            state_root: result.state_root,
            receipts_root: result.receipts_root,
            next_set_hash: result.next_set_hash,
        }
    }
}

impl From<&CommittedBlock> for BlockView {
    fn from(committed: &CommittedBlock) -> Self {
        Self {
            hash: committed.block.hash(),
            header: committed.block.header.clone(),
            transactions: committed.block.transactions.iter().map(TransactionView::from).collect(),
            result: (&committed.result).into(),
            commit: committed.certificate.clone(),
            path: committed.path.clone(),
        }
    }
}

impl From<&CommittedBlock> for CommitView {
    fn from(committed: &CommittedBlock) -> Self {
        Self {
            hash: committed.block.hash(),
            header: committed.block.header.clone(),
            result: (&committed.result).into(),
            commit: committed.certificate.clone(),
            path: committed.path.clone(),
        }
    }
}

impl From<&Receipt> for ReceiptView {
    fn from(receipt: &Receipt) -> Self {
        let (status, error, instruction) = match receipt.status {
            ReceiptStatus::Success => (Outcome::Success, None, None),
            ReceiptStatus::Failed { instruction, error } => (Outcome::Failed, Some(error), Some(instruction)),
        };
        Self { status, error, instruction, events: receipt.events.to_vec() }
    }
}

impl From<&TransactionRecord> for CommittedView {
    fn from(record: &TransactionRecord) -> Self {
        Self {
            id: record.transaction.id(),
            height: record.height,
            index: record.index,
            receipt: (&record.receipt).into(),
        }
    }
}

impl From<&TransactionRecord> for TransactionAnswer {
    fn from(record: &TransactionRecord) -> Self {
        Self { committed: record.into(), transaction: (&record.transaction).into() }
    }
}

impl AccountView {
    /// Of an account with this id, which may spend so much.
    #[must_use]
    pub fn new(address: AccountId, record: &AccountRecord, work_left: u64) -> Self {
        let balance = |(asset, holding): &(AssetId, Holding)| BalanceView {
            asset: *asset,
            amount: holding.amount,
            frozen: holding.frozen,
        };
        let account = &record.account;
        Self {
            address,
            nonce: account.nonce,
            balances: record.balances.iter().map(balance).collect(),
            height: record.height,
            organisation: account.organisation,
            status: account.status,
            roles: account.roles,
            keys: account.keys.to_vec(),
            threshold: account.threshold,
            quota: QuotaView { work_left, state_bytes: account.quota.state_bytes },
        }
    }
}
