//! Validity and effects of blocks over a small state in memory.

use super::*;
use crate::block::{Block, Header, PROTOCOL_VERSION, transactions_root};
use crate::codec::Bytes;
use crate::crypto::SecretKey;
use crate::ids::*;
use crate::receipt::{Event, ExecutionError};
use crate::state::{Account, AccountStatus, StateKey, StateValue};
use crate::transaction::{ChainTag, Instruction, TransactionBody};

const CHAIN: ChainId = ChainId([1; 32]);

struct Memory(Changes);

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

/// Accounts 1 and 2 with 100 each.
fn state() -> Memory {
    let mut entries = Changes::new();
    for i in [1, 2] {
        entries.insert(StateKey::Account(id(i)), Some(StateValue::Account(Account::default())));
        let balance = StateKey::Balance(id(i), AssetId::NATIVE);
        entries.insert(balance, Some(StateValue::Balance(Amount(100))));
    }
    Memory(entries)
}

fn pay(to: u8, amount: u128) -> Instruction {
    let memo = Bytes::default();
    Instruction::Transfer { to: id(to), asset: AssetId::NATIVE, amount: Amount(amount), memo }
}

fn body(from: u8, nonce: u64, instructions: Vec<Instruction>) -> TransactionBody {
    TransactionBody {
        chain: ChainTag::from(CHAIN),
        account: id(from),
        nonce: Nonce(nonce),
        valid_until: Height(0),
        sponsor: None,
        instructions: List::new(instructions).unwrap(),
    }
}

fn signed(from: u8, nonce: u64, instructions: Vec<Instruction>) -> Transaction {
    Transaction::sign(body(from, nonce, instructions), CHAIN, &[&key(from)]).unwrap()
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
    let header = Header {
        version: PROTOCOL_VERSION,
        height: Height(5),
        epoch: Epoch(0),
        parent: parent().block,
        timestamp_ms: TimestampMs(1001),
        transactions_root: transactions_root(&transactions),
        transaction_count: u32::try_from(transactions.len()).unwrap(),
        parent_result: parent().result,
        proposer: ValidatorIndex(0),
    };
    Block { header, transactions: List::new(transactions).unwrap() }
}

fn validate(state: &Memory, block: &Block) -> Result<(), BlockError> {
    validate_block(state, &Parameters::default(), CHAIN, &parent(), block, |_| false)
}

fn execute(state: &mut Memory, transactions: Vec<Transaction>) -> Vec<Receipt> {
    let block = block(transactions);
    assert_eq!(validate(state, &block), Ok(()));
    let executed = execute_block(state, &Parameters::default(), &block).unwrap();
    state.0.extend(executed.changes);
    executed.receipts
}

fn balance(state: &Memory, i: u8) -> u128 {
    match state.get(&StateKey::Balance(id(i), AssetId::NATIVE)).unwrap() {
        Some(StateValue::Balance(amount)) => amount.0,
        _ => 0,
    }
}

fn nonce(state: &Memory, i: u8) -> u64 {
    match state.get(&StateKey::Account(id(i))).unwrap() {
        Some(StateValue::Account(account)) => account.nonce.0,
        other => panic!("no account: {other:?}"),
    }
}

#[test]
fn transfers_move_amounts_and_make_accounts() {
    let mut state = state();
    let receipts = execute(&mut state, vec![signed(1, 0, vec![pay(3, 60)]), signed(1, 1, vec![pay(1, 40)])]);
    assert!(receipts.iter().all(|r| r.status == ReceiptStatus::Success));
    let moved = Event::Transferred { from: id(1), to: id(3), asset: AssetId::NATIVE, amount: Amount(60) };
    assert_eq!(receipts[0].events.to_vec(), [moved]);
    assert_eq!([1, 2, 3].map(|i| balance(&state, i)), [40, 100, 60], "to oneself nothing moves");
    assert_eq!([1, 2, 3].map(|i| nonce(&state, i)), [2, 0, 0]);
}

#[test]
fn a_failed_transaction_consumes_its_nonce_and_nothing_else() {
    let mut state = state();
    let receipts =
        execute(&mut state, vec![signed(1, 0, vec![pay(3, 60), pay(3, 60)]), signed(2, 0, vec![pay(1, 0)])]);
    let failed = |instruction, error| ReceiptStatus::Failed { instruction, error };
    assert_eq!(receipts[0].status, failed(1, ExecutionError::InsufficientBalance));
    assert_eq!(receipts[1].status, failed(0, ExecutionError::ZeroAmount));
    assert!(receipts[0].events.is_empty());
    assert_eq!([1, 2, 3].map(|i| balance(&state, i)), [100, 100, 0]);
    assert_eq!([1, 2].map(|i| nonce(&state, i)), [1, 1]);
    assert!(state.get(&StateKey::Account(id(3))).unwrap().is_none());
}

#[test]
fn data_is_put_by_its_owner_only() {
    let mut state = state();
    let put = |namespace, value: &[u8]| Instruction::PutData {
        namespace: id(namespace),
        key: Bytes::new(b"deed".to_vec()).unwrap(),
        value: Bytes::new(value.to_vec()).unwrap(),
    };
    let receipts =
        execute(&mut state, vec![signed(1, 0, vec![put(1, b"a")]), signed(2, 0, vec![put(1, b"b")])]);
    assert_eq!(receipts[0].status, ReceiptStatus::Success);
    let denied = ReceiptStatus::Failed { instruction: 0, error: ExecutionError::NotDataOwner };
    assert_eq!(receipts[1].status, denied);
    let place = StateKey::Data(id(1), Bytes::new(b"deed".to_vec()).unwrap());
    let Some(StateValue::Data(entry)) = state.get(&place).unwrap() else { panic!("no entry") };
    assert_eq!((&entry.value[..], entry.owner, entry.height), (&b"a"[..], id(1), Height(5)));
}

#[test]
fn an_overflowing_receiver_gets_nothing() {
    let mut state = state();
    let place = StateKey::Balance(id(2), AssetId::NATIVE);
    state.0.insert(place, Some(StateValue::Balance(Amount(u128::MAX))));
    let receipts = execute(&mut state, vec![signed(1, 0, vec![pay(2, 1)])]);
    let overflow = ReceiptStatus::Failed { instruction: 0, error: ExecutionError::BalanceOverflow };
    assert_eq!(receipts[0].status, overflow);
    assert_eq!(balance(&state, 1), 100);
}

fn refused(transaction: Transaction) -> InvalidTransaction {
    match validate(&state(), &block(vec![transaction])) {
        Err(BlockError::Transaction { error, .. }) => error,
        other => panic!("not refused for the transaction: {other:?}"),
    }
}

#[test]
fn r6_transactions_that_may_not_execute_make_the_block_invalid() {
    let nonce =
        |expected, found| InvalidTransaction::Nonce { expected: Nonce(expected), found: Nonce(found) };
    assert_eq!(refused(signed(1, 1, vec![pay(2, 1)])), nonce(0, 1));
    assert_eq!(refused(signed(9, 0, vec![pay(2, 1)])), InvalidTransaction::UnknownAccount(id(9)));
    let other = Transaction::sign(body(1, 0, vec![pay(2, 1)]), ChainId([2; 32]), &[&key(1)]).unwrap();
    assert_eq!(refused(other), InvalidTransaction::Signature);
    let tagged = TransactionBody { chain: ChainTag([7; 4]), ..body(1, 0, vec![pay(2, 1)]) };
    let tagged = Transaction::sign(tagged, CHAIN, &[&key(1)]).unwrap();
    assert!(matches!(refused(tagged), InvalidTransaction::WrongChain { .. }));
    let late = TransactionBody { valid_until: Height(4), ..body(1, 0, vec![pay(2, 1)]) };
    let late = Transaction::sign(late, CHAIN, &[&key(1)]).unwrap();
    assert!(matches!(refused(late), InvalidTransaction::Expired { .. }));
    let stranger = Transaction::sign(body(1, 0, vec![pay(2, 1)]), CHAIN, &[&key(2)]).unwrap();
    assert_eq!(refused(stranger), InvalidTransaction::Unauthorised(id(1)));
    let twice = block(vec![signed(1, 0, vec![pay(2, 1)]), signed(1, 0, vec![pay(2, 1)])]);
    assert!(matches!(validate(&state(), &twice), Err(BlockError::Transaction { .. })));
    let mut frozen = state();
    let account = Account { status: AccountStatus::Frozen, ..Account::default() };
    frozen.0.insert(StateKey::Account(id(1)), Some(StateValue::Account(account)));
    let inactive = validate(&frozen, &block(vec![signed(1, 0, vec![pay(2, 1)])]));
    let error = InvalidTransaction::Inactive(id(1));
    assert!(matches!(inactive, Err(BlockError::Transaction { error: e, .. }) if e == error));
}

#[test]
fn a_sponsor_must_sign_too() {
    let sponsored = TransactionBody { sponsor: Some(id(2)), ..body(1, 0, vec![pay(2, 1)]) };
    let alone = Transaction::sign(sponsored.clone(), CHAIN, &[&key(1)]).unwrap();
    assert_eq!(refused(alone), InvalidTransaction::Unauthorised(id(2)));
    let both = Transaction::sign(sponsored.clone(), CHAIN, &[&key(1), &key(2)]).unwrap();
    assert_eq!(validate(&state(), &block(vec![both])), Ok(()));
    let stranger = Transaction::sign(sponsored, CHAIN, &[&key(1), &key(2), &key(3)]).unwrap();
    assert_eq!(refused(stranger), InvalidTransaction::Unauthorised(id(1)));
}

#[test]
fn r6_the_header_follows_from_the_parent() {
    let good = block(vec![signed(1, 0, vec![pay(2, 1)])]);
    assert_eq!(validate(&state(), &good), Ok(()));
    type Change = fn(&mut Block);
    let changes: [(&str, Change); 6] = [
        ("version", |b| b.header.version = 2),
        ("height", |b| b.header.height = Height(6)),
        ("parent", |b| b.header.parent = BlockHash::default()),
        ("parent result", |b| b.header.parent_result = ResultHash::default()),
        ("epoch", |b| b.header.epoch = Epoch(1)),
        ("time", |b| b.header.timestamp_ms = TimestampMs(1000)),
    ];
    for (name, change) in changes {
        let mut changed = good.clone();
        change(&mut changed);
        assert_eq!(validate(&state(), &changed), Err(BlockError::Header(name)));
    }
    let mut swapped = good.clone();
    swapped.transactions = List::new(vec![signed(1, 0, vec![pay(2, 2)])]).unwrap();
    assert_eq!(validate(&state(), &swapped), Err(BlockError::Transactions));
    let small = Parameters { block_transactions_max: 0, ..Parameters::default() };
    let full = validate_block(&state(), &small, CHAIN, &parent(), &good, |_| false);
    assert_eq!(full, Err(BlockError::TooLarge("transactions")));
}
