//! Entries of the state, and roots.

use crate::every::every;
use crate::transactions::{euro, organisation};
use crate::{account, bytes, file, key};
use quorate_chain::codec::{Bytes, List, Text};
use quorate_chain::parameters::Parameters;
use quorate_chain::state::tree::{Pair, Tree};
use quorate_chain::state::{
    Account, AccountKey, AccountStatus, Asset, AssetRules, DataEntry, Document, Holding, Organisation, Quota,
    Roles, StateKey, StateValue, value_hash,
};
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{Amount, Digest, Epoch, Height, Nonce, StateRoot, TimestampMs};
use serde_json::{Value, json};

every! {
    /// A key of every kind, in the order of [`values`].
    keys: StateKey {
        Parameters {}
        Validators {}
        Seated { 0: consensus_key(0).public() }
        Organisation { 0: organisation(4) }
        Account { 0: account(1) }
        Balance { 0: account(1), 1: euro() }
        Asset { 0: euro() }
        Data { 0: account(1), 1: Bytes::new(b"k".to_vec()).unwrap() }
        Document { 0: account(1), 1: Digest([0xd0; 32]) }
    }
}

const QUOTA: Quota = Quota { spent: 25_000, at: TimestampMs(1_700_000_000_000), state_bytes: 321 };

fn full_account() -> Account {
    let keys = List::new(vec![AccountKey { key: key(2).public(), weight: 3 }]).unwrap();
    Account {
        nonce: Nonce(9),
        balance: Amount(u128::MAX),
        organisation: Some(organisation(4)),
        keys,
        threshold: 3,
        roles: Roles::ADMIN | Roles::AUDITOR,
        status: AccountStatus::Frozen,
        holdings: 1,
        quota: QUOTA,
    }
}

fn asset() -> Asset {
    Asset {
        issuer: Some(account(1)),
        symbol: Text::new("EUR").unwrap(),
        decimals: 2,
        rules: AssetRules { mint: true, burn: false, freeze: true },
        supply_max: Some(Amount(1 << 70)),
        supply: Amount(1_000),
    }
}

every! {
    /// A value of every kind.
    values: StateValue {
        Parameters { 0: Parameters::default() }
        Validators { 0: Epoch(3), 1: validator_set(4) }
        Seated { 0: Epoch(2) }
        Organisation { 0: Organisation {
            name: Text::new("Bank Ä").unwrap(),
            status: AccountStatus::Closed,
            quota: QUOTA,
        } }
        Account { 0: full_account() }
        Balance { 0: Holding { amount: Amount(7), frozen: true } }
        Asset { 0: asset() }
        Data { 0: DataEntry {
            owner: account(2),
            payer: account(1),
            value: Bytes::new(vec![9; 300]).unwrap(),
            height: Height(4),
        } }
        Document { 0: Document {
            size: 5,
            metadata: Bytes::new(b"a.pdf".to_vec()).unwrap(),
            height: Height(6),
            timestamp_ms: TimestampMs(1_700_000_000_007),
        } }
    }
}

/// An entry of every kind, and accounts with little in them: enough for two levels of inner nodes.
pub(crate) fn entries() -> Vec<(StateKey, StateValue)> {
    let many = (0..900u64).map(|number| {
        let id = quorate_chain::AccountId(*blake3::hash(&number.to_le_bytes()).as_bytes());
        let holding = Holding { amount: Amount(number.into()), frozen: number % 7 == 0 };
        (StateKey::Balance(id, euro()), StateValue::Balance(holding))
    });
    keys().into_iter().zip(values()).chain(many).collect()
}

/// The tree over these entries.
pub(crate) fn tree(entries: &[(StateKey, StateValue)]) -> Tree {
    Tree::build(pairs(entries)).unwrap()
}

/// What the tree's leaves hold, ascending.
pub(crate) fn pairs(entries: &[(StateKey, StateValue)]) -> Vec<Pair> {
    let mut pairs: Vec<_> = entries.iter().map(|(key, value)| (key.hash(), value_hash(key, value))).collect();
    pairs.sort_unstable();
    pairs
}

fn shown_key(key: &StateKey) -> Value {
    match key {
        StateKey::Parameters => json!({ "type": "parameters" }),
        StateKey::Validators => json!({ "type": "validators" }),
        StateKey::Seated(key) => json!({ "type": "seated", "key": key }),
        StateKey::Organisation(id) => json!({ "type": "organisation", "organisation": id }),
        StateKey::Account(id) => json!({ "type": "account", "account": id }),
        StateKey::Balance(account, asset) => {
            json!({ "type": "balance", "account": account, "asset": asset })
        }
        StateKey::Asset(id) => json!({ "type": "asset", "asset": id }),
        StateKey::Data(namespace, key) => json!({ "type": "data", "namespace": namespace, "key": key }),
        StateKey::Document(account, digest) => {
            json!({ "type": "document", "account": account, "digest": digest })
        }
    }
}

fn shown_value(value: &StateValue) -> Value {
    match value {
        StateValue::Parameters(parameters) => json!({ "type": "parameters", "parameters": parameters }),
        StateValue::Validators(epoch, set) => json!({ "type": "validators", "epoch": epoch, "set": set }),
        StateValue::Seated(epoch) => json!({ "type": "seated", "epoch": epoch }),
        StateValue::Organisation(Organisation { name, status, quota }) => {
            json!({ "type": "organisation", "name": name, "status": status, "quota": quota })
        }
        StateValue::Account(account) => json!({
            "type": "account",
            "nonce": account.nonce,
            "balance": account.balance,
            "organisation": account.organisation,
            "keys": account.keys,
            "threshold": account.threshold,
            "roles": account.roles,
            "status": account.status,
            "holdings": account.holdings,
            "quota": account.quota,
        }),
        StateValue::Balance(Holding { amount, frozen }) => {
            json!({ "type": "balance", "amount": amount, "frozen": frozen })
        }
        StateValue::Asset(Asset { issuer, symbol, decimals, rules, supply_max, supply }) => json!({
            "type": "asset",
            "issuer": issuer,
            "symbol": symbol,
            "decimals": decimals,
            "rules": rules,
            "supply_max": supply_max,
            "supply": supply,
        }),
        StateValue::Data(DataEntry { owner, payer, value, height }) => {
            json!({ "type": "data", "owner": owner, "payer": payer, "value": value, "height": height })
        }
        StateValue::Document(Document { size, metadata, height, timestamp_ms }) => json!({
            "type": "document",
            "size": size,
            "metadata": metadata,
            "height": height,
            "timestamp_ms": timestamp_ms,
        }),
    }
}

fn shown((key, value): &(StateKey, StateValue)) -> Value {
    json!({
        "key": shown_key(key),
        "key_bytes": bytes(key),
        "key_hash": hex::encode(key.hash().0),
        "value": shown_value(value),
        "value_bytes": bytes(value),
        "value_hash": hex::encode(value_hash(key, value).0),
    })
}

#[test]
fn entries_and_roots() {
    let entries = entries();
    let kinds: Vec<_> = entries[..keys().len()].iter().map(shown).collect();
    let all: Vec<_> = entries.iter().map(|(key, value)| json!([bytes(key), bytes(value)])).collect();
    // Nothing, a leaf, the largest leaf, the smallest inner node, inner nodes below inner nodes.
    let roots: Vec<_> = [0, 1, 2, 32, 33, 300, entries.len()]
        .map(|count| json!({ "entries": count, "root": StateRoot(tree(&entries[..count]).root()) }))
        .to_vec();
    file::check("state", &json!({ "kinds": kinds, "entries": all, "roots": roots }));
}
