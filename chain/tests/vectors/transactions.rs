//! Instructions and transactions.

use crate::every::every;
use crate::{CHAIN, OTHER_CHAIN, account, bytes, file, key};
use quorate_chain::codec::{Bytes, List, Text, encode};
use quorate_chain::crypto::SecretKey;
use quorate_chain::state::{AccountKey, AccountStatus, AssetRules, Roles, asset_id};
use quorate_chain::transaction::{ChainTag, Transaction, TransactionBody};
use quorate_chain::{
    Amount, AssetId, ChainId, Digest, Height, Instruction, Nonce, OrganisationId, PublicKey, Step,
};
use serde_json::{Value, json};

/// The organisation of this number.
pub(crate) fn organisation(number: u8) -> OrganisationId {
    OrganisationId(account(number).0)
}

/// Account 1's asset.
pub(crate) fn euro() -> AssetId {
    asset_id(account(1), &Text::new("EUR").unwrap())
}

fn two_keys() -> List<AccountKey, 0, 16> {
    let mut keys = vec![key(2).public(), key(3).public()];
    keys.sort_unstable();
    List::new(keys.into_iter().zip([1, 2]).map(|(key, weight)| AccountKey { key, weight }).collect()).unwrap()
}

every! {
    /// An instruction of every kind.
    instructions: Instruction {
        RegisterOrganisation { organisation: organisation(4), name: Text::new("Bank Ä").unwrap() }
        SetOrganisationStatus { organisation: organisation(4), status: AccountStatus::Frozen }
        RegisterAccount {
            account: account(5),
            organisation: Some(organisation(4)),
            roles: Roles::MEMBER | Roles::ISSUER,
        }
        SetAccountKeys { account: account(5), keys: two_keys(), threshold: 3 }
        SetAccountRoles { account: account(5), roles: Roles::AUDITOR }
        SetAccountStatus { account: account(5), status: AccountStatus::Closed }
        Transfer {
            to: account(2),
            asset: AssetId::NATIVE,
            amount: Amount(u128::MAX),
            memo: Bytes::new(b"rent".to_vec()).unwrap(),
        }
        CreateAsset {
            symbol: Text::new("EUR").unwrap(),
            decimals: 2,
            rules: AssetRules { mint: true, burn: false, freeze: true },
            supply_max: Some(Amount(1 << 70)),
            supply: Amount(1_000),
        }
        Mint { asset: euro(), to: account(2), amount: Amount(7) }
        Burn { asset: euro(), amount: Amount(8) }
        FreezeHolder { asset: euro(), holder: account(2), frozen: true }
        PutData { namespace: account(1), key: Bytes::new(b"k".to_vec()).unwrap(), value: Bytes::new(vec![9; 300]).unwrap() }
        DeleteData { namespace: account(1), key: Bytes::default() }
        TransferData { namespace: account(1), key: Bytes::new(b"k".to_vec()).unwrap(), to: account(2) }
        AnchorDocument { digest: Digest([0xd0; 32]), size: u64::MAX, metadata: Bytes::new(b"a.pdf".to_vec()).unwrap() }
        RequireBalance { account: account(1), asset: euro(), at_least: Amount(3) }
        RequireData { namespace: account(1), key: Bytes::new(b"k".to_vec()).unwrap(), digest: Some(Digest([0xd1; 32])) }
        RequireHeightBelow { height: Height(900) }
    }
}

/// The asset that [`instructions`] transfers.
fn pay(amount: u128) -> Instruction {
    Instruction::Transfer {
        to: account(2),
        asset: AssetId::NATIVE,
        amount: Amount(amount),
        memo: Bytes::default(),
    }
}

fn body(nonce: u64, steps: Vec<Step>) -> TransactionBody {
    TransactionBody {
        chain: ChainTag::from(CHAIN),
        account: account(1),
        nonce: Nonce(nonce),
        valid_until: Height::ZERO,
        sponsor: None,
        instructions: List::new(steps).unwrap(),
    }
}

/// A plain transfer of account 1.
pub(crate) fn transfer(nonce: u64) -> Transaction {
    Transaction::sign(body(nonce, vec![pay(5).into()]), CHAIN, &[&key(1)]).unwrap()
}

/// Every kind in one, signed with three keys, paid by another.
pub(crate) fn everything() -> Transaction {
    let mut steps: Vec<Step> = instructions().into_iter().map(Step::from).collect();
    steps.push(pay(6).by(account(3)));
    steps
        .push(Instruction::RequireData { namespace: account(1), key: Bytes::default(), digest: None }.into());
    let body = TransactionBody { valid_until: Height(500), sponsor: Some(account(4)), ..body(8, steps) };
    Transaction::sign(body, CHAIN, &[&key(1), &key(3), &key(4)]).unwrap()
}

fn shown_body(body: &TransactionBody) -> Value {
    json!({
        "chain": hex::encode(body.chain.0),
        "account": body.account,
        "nonce": body.nonce,
        "valid_until": body.valid_until,
        "sponsor": body.sponsor,
        "instructions": body.instructions,
    })
}

fn shown(name: &str, transaction: &Transaction) -> Value {
    let message = transaction.signed_bytes(CHAIN);
    let witness = |signed: quorate_chain::crypto::SignedMessage<'_>| json!({ "key": signed.key, "signature": signed.signature });
    json!({
        "name": name,
        "body": shown_body(transaction.body()),
        "body_bytes": bytes(transaction.body()),
        "signed_bytes": hex::encode(&message),
        "witnesses": transaction.signed_messages(&message).map(witness).collect::<Vec<_>>(),
        "bytes": hex::encode(transaction.bytes()),
        "id": transaction.id(),
    })
}

/// Bytes that are no transaction of this chain.
fn refused() -> Vec<Value> {
    let good = transfer(7).bytes().to_vec();
    let changed = |change: fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        bytes
    };
    let elsewhere = |key: &SecretKey, chain: ChainId| {
        let body = body(7, vec![pay(5).into()]);
        Transaction::sign(body, chain, &[key]).unwrap().bytes().to_vec()
    };
    // One byte of presence before the key that is left out, and another signature behind.
    let twice = changed(|bytes| {
        let witness = bytes.split_off(bytes.len() - 65);
        let count = bytes.len() - 4;
        bytes[count] = 2;
        bytes.extend([&witness[..], &witness].concat());
    });
    let named = changed(|bytes| {
        let signature = bytes.split_off(bytes.len() - 64);
        bytes.pop();
        bytes.push(1);
        bytes.extend(account(1).0);
        bytes.extend(signature);
    });
    let cases = [
        ("signed for another chain", elsewhere(&key(1), OTHER_CHAIN)),
        ("a bit of the signature flipped", changed(|bytes| *bytes.last_mut().unwrap() ^= 1)),
        ("another amount than was signed", changed(|bytes| bytes[4 + 32 + 8 + 8 + 1 + 4 + 1 + 1 + 64] ^= 1)),
        ("a byte behind the end", changed(|bytes| bytes.push(0))),
        ("cut short", changed(|bytes| bytes.truncate(bytes.len() - 1))),
        ("one key twice", twice),
        ("the key that is left out is named", named),
        ("an unknown instruction", changed(|bytes| bytes[4 + 32 + 8 + 8 + 1 + 4 + 1] = 31)),
    ];
    for (name, bytes) in &cases {
        let holds = Transaction::from_bytes(bytes).is_ok_and(|t| t.verify_signatures(CHAIN));
        assert!(!holds, "{name}");
    }
    cases.iter().map(|(name, bytes)| json!({ "name": name, "bytes": hex::encode(bytes) })).collect()
}

#[test]
fn transactions() {
    let kinds: Vec<_> = instructions()
        .into_iter()
        .map(|kind| {
            let step = Step::from(kind);
            json!({ "step": step, "bytes": bytes(&step) })
        })
        .collect();
    let named = TransactionBody { account: account(9), ..body(1, vec![pay(1).into()]) };
    let by_another_key = Transaction::sign(named, CHAIN, &[&key(2)]).unwrap();
    let made = json!({
        "chain": CHAIN,
        "instructions": kinds,
        "transactions": [
            shown("a transfer", &transfer(7)),
            shown("every instruction, two parties and a sponsor", &everything()),
            shown("signed by another key than the account's first", &by_another_key),
        ],
        "refused": refused(),
        "assets": [{ "issuer": account(1), "symbol": "EUR", "id": euro() }],
    });
    assert!(transfer(7).verify_signatures(CHAIN) && everything().verify_signatures(CHAIN));
    assert_eq!(encode(&transfer(7)).len(), transfer(7).bytes().len() + 4, "a length before it in lists");
    assert_eq!(PublicKey(account(1).0), key(1).public());
    file::check("transactions", &made);
}
