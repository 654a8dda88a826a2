//! Validity and effects of blocks over a small state in memory.

mod accounts;
mod admission;
mod assets;
mod atomic;
mod data;
mod property;
mod quotas;

use super::*;
use crate::block::{Block, Header, PROTOCOL_VERSION, transactions_root};
use crate::codec::Bytes;
use crate::crypto::SecretKey;
use crate::ids::*;
use crate::instruction::{Instruction, Step};
use crate::receipt::{Event, ExecutionError};
use crate::state::{
    Account, AccountKey, AccountStatus, AssetRules, Organisation, Roles, StateKey, StateValue, asset_id,
};
use crate::transaction::TransactionBody;
use std::collections::BTreeMap;

const CHAIN: ChainId = ChainId([1; 32]);
/// Admin of the chain.
const ADMIN: u8 = 10;
/// Issuer without organisation.
const ISSUER: u8 = 11;
/// Admin of the organisation of seed 20.
const BANK_ADMIN: u8 = 21;
/// Member of it.
const TELLER: u8 = 22;
/// Auditor of it.
const AUDITOR: u8 = 23;

#[derive(Clone)]
struct Memory(BTreeMap<StateKey, Option<StateValue>>);

impl StateReader for Memory {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        Ok(self.0.get(key).cloned().flatten())
    }
}

fn key(i: u8) -> SecretKey {
    SecretKey::from_seed(&[i; 32])
}

fn id(i: u8) -> AccountId {
    key(i).public().into()
}

fn organisation(i: u8) -> OrganisationId {
    OrganisationId(key(i).public().0)
}

/// Accounts 1 and 2 with 100 each; an admin, an issuer; an organisation with an admin, a member, an auditor.
fn state() -> Memory {
    let mut entries = BTreeMap::new();
    let mut put = |i: u8, account: Account| {
        entries.insert(StateKey::Account(id(i)), Some(StateValue::Account(account)));
    };
    for i in [1, 2] {
        put(i, Account { balance: Amount(100), ..Account::default() });
    }
    put(ADMIN, Account::new(None, Roles::ADMIN));
    put(ISSUER, Account::new(None, Roles::ISSUER));
    let bank = Some(organisation(20));
    put(BANK_ADMIN, Account::new(bank, Roles::ADMIN));
    put(TELLER, Account::new(bank, Roles::MEMBER));
    put(AUDITOR, Account::new(bank, Roles::AUDITOR));
    let entry = Organisation::new(crate::codec::Text::new("bank").unwrap());
    entries.insert(StateKey::Organisation(organisation(20)), Some(StateValue::Organisation(entry)));
    Memory(entries)
}

fn pay(to: u8, amount: u128) -> Instruction {
    pay_in(AssetId::NATIVE, to, amount)
}

fn pay_in(asset: AssetId, to: u8, amount: u128) -> Instruction {
    Instruction::Transfer { to: id(to), asset, amount: Amount(amount), memo: Bytes::default() }
}

fn body(from: u8, nonce: u64, instructions: Vec<Instruction>) -> TransactionBody {
    TransactionBody::new(CHAIN, id(from), Nonce(nonce), instructions).unwrap()
}

fn signed(from: u8, nonce: u64, instructions: Vec<Instruction>) -> Transaction {
    sign(body(from, nonce, instructions), &[from])
}

fn sign(body: TransactionBody, signers: &[u8]) -> Transaction {
    let keys: Vec<_> = signers.iter().map(|i| key(*i)).collect();
    Transaction::sign(body, CHAIN, &keys.iter().collect::<Vec<_>>()).unwrap()
}

fn parent() -> Parent {
    Parent {
        height: Height(4),
        block: BlockHash([4; 32]),
        timestamp_ms: TimestampMs(1000),
        result: ResultHash([5; 32]),
        epoch: Epoch(0),
    }
}

fn block(transactions: Vec<Transaction>) -> Block {
    block_at(1001, transactions)
}

fn block_at(timestamp_ms: u64, transactions: Vec<Transaction>) -> Block {
    let header = Header {
        version: PROTOCOL_VERSION,
        height: Height(5),
        epoch: Epoch(0),
        parent: parent().block,
        timestamp_ms: TimestampMs(timestamp_ms),
        transactions_root: transactions_root(&transactions),
        transaction_count: u32::try_from(transactions.len()).unwrap(),
        parent_result: parent().result,
        proposer: ValidatorIndex(0),
    };
    Block { header, transactions: List::new(transactions).unwrap() }
}

fn validate(state: &Memory, block: &Block) -> Result<(), BlockError> {
    validate_with(state, &Parameters::default(), block)
}

fn validate_with(state: &Memory, parameters: &Parameters, block: &Block) -> Result<(), BlockError> {
    validate_block(state, parameters, CHAIN, &parent(), block, |_| false)
}

fn execute(state: &mut Memory, transactions: Vec<Transaction>) -> Vec<Receipt> {
    execute_with(state, &Parameters::default(), &block(transactions))
}

fn execute_with(state: &mut Memory, parameters: &Parameters, block: &Block) -> Vec<Receipt> {
    assert_eq!(validate_with(state, parameters, block), Ok(()));
    let executed = execute_block(state, parameters, block).unwrap();
    state.0.extend(executed.changes);
    executed.receipts
}

/// Executes a transaction of one step after the other, each in a block of its own; gives what became of it.
fn each(state: &mut Memory, steps: Vec<(u8, Instruction)>) -> Vec<Result<(), ExecutionError>> {
    let steps = steps.into_iter();
    steps
        .map(|(from, step)| outcome(&execute(state, vec![signed(from, nonce(state, from), vec![step])])[0]))
        .collect()
}

fn outcome(receipt: &Receipt) -> Result<(), ExecutionError> {
    match receipt.status {
        ReceiptStatus::Success => Ok(()),
        ReceiptStatus::Failed { error, .. } => Err(error),
    }
}

fn account(state: &Memory, i: u8) -> Account {
    match state.get(&StateKey::Account(id(i))).unwrap() {
        Some(StateValue::Account(account)) => account,
        other => panic!("no account: {other:?}"),
    }
}

fn balance(state: &Memory, i: u8) -> u128 {
    match state.get(&StateKey::Account(id(i))).unwrap() {
        Some(StateValue::Account(account)) => account.balance.0,
        _ => 0,
    }
}

fn holding(state: &Memory, i: u8, asset: AssetId) -> u128 {
    match state.get(&StateKey::Balance(id(i), asset)).unwrap() {
        Some(StateValue::Balance(holding)) => holding.amount.0,
        _ => 0,
    }
}

fn nonce(state: &Memory, i: u8) -> u64 {
    account(state, i).nonce.0
}

fn set_account(state: &mut Memory, i: u8, account: Account) {
    state.0.insert(StateKey::Account(id(i)), Some(StateValue::Account(account)));
}

fn refused(state: &Memory, transaction: Transaction) -> InvalidTransaction {
    match validate(state, &block(vec![transaction])) {
        Err(BlockError::Transaction { error, .. }) => error,
        other => panic!("not refused for the transaction: {other:?}"),
    }
}
