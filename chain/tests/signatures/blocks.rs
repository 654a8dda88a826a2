//! The same signatures in transactions: alone, with several witnesses, and in a block (R6).

use crate::forged::{MixedKey, small_order, zero_signature};
use quorate_chain::block::{Block, Header, PROTOCOL_VERSION, transactions_root};
use quorate_chain::codec::{Bytes, List, encode};
use quorate_chain::crypto::{Domain, SecretKey, signed_bytes};
use quorate_chain::execution::{BlockError, InvalidTransaction, Parent, validate_block};
use quorate_chain::instruction::Instruction;
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{Account, AccountKey, StateError, StateKey, StateReader, StateValue};
use quorate_chain::transaction::{TransactionBody, WITNESSES_MAX, Witness};
use quorate_chain::{
    AccountId, Amount, AssetId, BlockHash, ChainId, Epoch, Height, Nonce, PublicKey, ResultHash, Signature,
    TimestampMs, Transaction, ValidatorIndex,
};

const CHAIN: ChainId = ChainId([1; 32]);

/// Every account there could be is there, with the keys that it is named after.
struct Everyone;

impl StateReader for Everyone {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        let StateKey::Account(id) = key else { return Ok(None) };
        let keys = if *id == shared() { shared_keys() } else { Vec::new() };
        Ok(Some(StateValue::Account(Account { keys: List::new(keys).unwrap(), ..Account::default() })))
    }
}

/// An account that a sound key, a mixed one and a weak one act for.
fn shared() -> AccountId {
    AccountId([9; 32])
}

fn shared_keys() -> Vec<AccountKey> {
    let keys = [sound().public(), mixed().public(), weak()];
    let mut keys: Vec<_> = keys.into_iter().map(|key| AccountKey { key, weight: 1 }).collect();
    keys.sort_by_key(|key| key.key);
    keys
}

fn sound() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

fn mixed() -> MixedKey {
    MixedKey::new(4_321, 3)
}

fn weak() -> PublicKey {
    PublicKey(small_order()[5])
}

fn body(account: AccountId, nonce: u64) -> TransactionBody {
    let (to, memo) = (AccountId([8; 32]), Bytes::default());
    let transfer = Instruction::Transfer { to, asset: AssetId::NATIVE, amount: Amount(1), memo };
    TransactionBody::new(CHAIN, account, Nonce(nonce), vec![transfer]).unwrap()
}

fn with_witnesses(body: &TransactionBody, mut witnesses: Vec<Witness>) -> Transaction {
    let account = PublicKey(body.account.0);
    witnesses.sort_by_key(|witness| witness.key.unwrap_or(account));
    let witnesses = List::<Witness, 1, WITNESSES_MAX>::new(witnesses).unwrap();
    Transaction::from_bytes(&[encode(body), encode(&witnesses)].concat()).unwrap()
}

/// Of the account with a small-order key, signed by R ‖ 0.
fn forged(key: [u8; 32], nonce: u64, r: [u8; 32]) -> Transaction {
    let witness = Witness { key: None, signature: zero_signature(r) };
    with_witnesses(&body(AccountId(key), nonce), vec![witness])
}

/// By all three keys of the shared account.
fn by_three(nonce: u64, spoil: impl Fn(&mut Signature)) -> Transaction {
    let body = body(shared(), nonce);
    let message = signed_bytes(Domain::Transaction, CHAIN, &body);
    let mut last = zero_signature(small_order()[9]);
    spoil(&mut last);
    let witnesses = vec![
        Witness { key: Some(sound().public()), signature: sound().sign(Domain::Transaction, CHAIN, &body) },
        Witness { key: Some(mixed().public()), signature: mixed().sign(&message, 5) },
        Witness { key: Some(weak()), signature: last },
    ];
    with_witnesses(&body, witnesses)
}

/// What no state could make valid.
fn spoilt(signature: &mut Signature) {
    signature.0[32] ^= 1;
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

fn validate(transactions: Vec<Transaction>) -> Result<(), BlockError> {
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
    let block = Block { header, transactions: List::new(transactions).unwrap() };
    validate_block(&Everyone, &Parameters::default(), CHAIN, &parent(), &block, |_| false)
}

/// All 196 forged ones, among them good ones and ones with several witnesses.
fn all() -> Vec<Transaction> {
    let points = small_order();
    let mut transactions = Vec::new();
    for key in &points {
        for (r, nonce) in points.iter().zip(0..) {
            transactions.push(forged(*key, nonce, *r));
        }
    }
    for nonce in 0..4 {
        transactions.push(by_three(nonce, |_| {}));
        let body = body(sound().public().into(), nonce);
        transactions.push(Transaction::sign(body, CHAIN, &[&sound()]).unwrap());
    }
    transactions
}

#[test]
fn a_transaction_alone_gets_the_verdict_of_its_witnesses() {
    for transaction in all() {
        assert!(transaction.verify_signatures(CHAIN));
    }
    assert!(!by_three(0, spoilt).verify_signatures(CHAIN), "one of three does not hold");
}

#[test]
fn a_block_gets_the_verdict_of_its_transactions() {
    assert_eq!(validate(all()), Ok(()));
    let bad = by_three(4, spoilt);
    let mut transactions = all();
    transactions.push(bad.clone());
    transactions.push(by_three(5, |_| {}));
    let error = InvalidTransaction::Signature;
    assert_eq!(validate(transactions), Err(BlockError::Transaction { id: bad.id(), error }));
}
