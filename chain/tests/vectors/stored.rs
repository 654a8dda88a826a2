//! What a node stores: the chain's journal, the store made from it, an archive of it.
//!
//! Five blocks on a simulated disk, so that the journal's identity is always the same; the store is sled's, read
//! without the ledger.

use crate::transactions::organisation;
use crate::{CHAIN, account, bytes, file, key};
use quorate_chain::codec::{Bytes, List, Text};
use quorate_chain::ledger::journal::{Disk, MemDisk, Options};
use quorate_chain::ledger::tools::{ArchiveWriter, ArchivedBlock};
use quorate_chain::ledger::{CommittedBlock, GenesisState, LedgerOptions, Opened, SledStore, fixture};
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{Account, AssetRules, Organisation, Roles, StateKey, StateValue, asset_id};
use quorate_chain::state::{AccountStatus, Quota};
use quorate_chain::transaction::{ChainTag, Transaction, TransactionBody};
use quorate_chain::validator::{SetChange, ValidatorSet, fixture::validator_set};
use quorate_chain::{AccountId, Amount, AssetId, Digest, Height, Instruction, Nonce, Step, TimestampMs};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const FOLDER: &str = "/journal";
/// Two blocks fill one.
const SEGMENT_BYTES: u64 = 8 * 1024;
/// More than fit into one leaf of the tree, with all that blocks add.
const ACCOUNTS: u8 = 40;
/// The block that changes the validators.
const EPOCH_END: Height = Height(4);
/// Tables whose rows are written down.
const TABLES: [&str; 5] = ["state", "holdings", "blocks", "epochs", "runs"];

fn genesis() -> GenesisState {
    let accounts = (1..=ACCOUNTS).map(|number| {
        let value = Account { balance: Amount(1_000), ..Account::new(Some(organisation(4)), Roles::ALL) };
        (StateKey::Account(account(number)), StateValue::Account(value))
    });
    let name = Text::new("Bank").unwrap();
    let bank = Organisation { name, status: AccountStatus::Active, quota: Quota::default() };
    let bank = (StateKey::Organisation(organisation(4)), StateValue::Organisation(bank));
    let set = validator_set(4);
    GenesisState::new(CHAIN, TimestampMs(1), set, Parameters::default(), accounts.chain([bank]).collect())
}

fn pay(to: AccountId, asset: AssetId, amount: u128) -> Instruction {
    Instruction::Transfer { to, asset, amount: Amount(amount), memo: Bytes::default() }
}

fn signed(by: u8, nonce: u64, steps: Vec<Step>, others: &[u8]) -> Transaction {
    let body = TransactionBody {
        chain: ChainTag::from(CHAIN),
        account: account(by),
        nonce: Nonce(nonce),
        valid_until: Height::ZERO,
        sponsor: None,
        instructions: List::new(steps).unwrap(),
    };
    let keys: Vec<_> = [by].iter().chain(others).map(|number| key(*number)).collect();
    Transaction::sign(body, CHAIN, &keys.iter().collect::<Vec<_>>()).unwrap()
}

/// The transactions of each block.
fn blocks() -> [Vec<Transaction>; 5] {
    let symbol = Text::new("EUR").unwrap();
    let euro = asset_id(account(1), &symbol);
    let rules = AssetRules { mint: true, burn: true, freeze: true };
    let create =
        Instruction::CreateAsset { symbol, decimals: 2, rules, supply_max: None, supply: Amount(90) };
    let name: Bytes<128> = Bytes::new(b"a name".to_vec()).unwrap();
    let put =
        Instruction::PutData { namespace: account(3), key: name, value: Bytes::new(vec![7; 50]).unwrap() };
    let anchor =
        Instruction::AnchorDocument { digest: Digest([0xd0; 32]), size: 5, metadata: Bytes::default() };
    let both = vec![pay(account(1), euro, 10).by(account(2)), pay(account(3), AssetId::NATIVE, 1).into()];
    [
        vec![
            signed(1, 0, vec![create.into(), pay(account(2), euro, 40).into()], &[]),
            signed(2, 0, vec![pay(account(3), AssetId::NATIVE, 7).into()], &[]),
        ],
        vec![signed(3, 0, vec![put.into(), anchor.into()], &[])],
        Vec::new(),
        // One that fails: it has no more than 40.
        vec![signed(2, 1, vec![pay(account(5), euro, 41).into()], &[])],
        // Two act; then account 2 holds nothing more.
        vec![signed(1, 1, both, &[2]), signed(2, 2, vec![pay(account(6), euro, 30).into()], &[])],
    ]
}

fn change() -> SetChange {
    let mut seats = validator_set(4).validators().to_vec();
    seats[2].recovering = true;
    SetChange { set: ValidatorSet::new(seats).unwrap(), ready: List::default() }
}

/// A ledger with the blocks, one body more that waits, and everything in the store.
fn made(disk: &MemDisk, folder: &Path) -> Opened {
    let options = LedgerOptions {
        background: false,
        segments: Options { segment_bytes: SEGMENT_BYTES, record_bytes_max: SEGMENT_BYTES - 1_024 },
        ..LedgerOptions::default()
    };
    let store = Box::new(SledStore::open(folder, options.cache_bytes).unwrap());
    let mut opened = options.open_with(Arc::new(disk.clone()), Path::new(FOLDER), store, &genesis()).unwrap();
    opened.ledger.schedule_set_change(EPOCH_END, change());
    for transactions in blocks() {
        let block = fixture::next_block(&opened.ledger, transactions);
        fixture::commit(&mut opened.ledger, &block, &[0, 1, 3]).unwrap();
    }
    let pending = signed(1, 2, vec![pay(account(2), AssetId::NATIVE, 1).into()], &[]);
    let waiting = fixture::next_block(&opened.ledger, vec![pending]);
    opened.ledger.append_body(&waiting).unwrap();
    opened.ledger.checkpoint().unwrap();
    opened
}

/// A file without the zeros at its end.
fn segments(disk: &MemDisk) -> Vec<Value> {
    let mut names = disk.list(Path::new(FOLDER)).unwrap();
    names.retain(|name| name.ends_with(".journal"));
    names.sort_unstable();
    let shown = names.iter().map(|name| {
        let mut bytes = disk.contents(&Path::new(FOLDER).join(name)).unwrap();
        let length = bytes.len();
        bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        json!({ "file": name, "length": length, "bytes": hex::encode(bytes) })
    });
    shown.collect()
}

fn archive(blocks: &[Arc<CommittedBlock>]) -> Vec<u8> {
    let mut writer = ArchiveWriter::begin(Vec::new(), CHAIN, Height(1)).unwrap();
    for committed in blocks {
        let CommittedBlock { block, result, certificate, path, .. } = committed.as_ref().clone();
        writer.block(&ArchivedBlock { block, result, certificate, path }).unwrap();
    }
    writer.end().unwrap()
}

/// Rows as sled has them: each value with its checksum.
fn rows(database: &sled::Db, table: &str) -> Vec<Value> {
    let rows = database.open_tree(table).unwrap().iter().map(Result::unwrap);
    rows.map(|(key, value)| json!([hex::encode(key), hex::encode(value)])).collect()
}

#[test]
fn stored() {
    let (disk, home) = (MemDisk::new(4_711), tempfile::tempdir().unwrap());
    let opened = made(&disk, home.path());
    let blocks: Vec<_> = (1..=5).map(|h| opened.reader.block(Height(h)).unwrap().unwrap()).collect();
    drop(opened);
    let file = |name: &str| hex::encode(std::fs::read(home.path().join(name)).unwrap());
    let database = sled::open(home.path().join("sled")).unwrap();
    let tables: serde_json::Map<_, _> =
        TABLES.iter().map(|table| ((*table).to_owned(), rows(&database, table).into())).collect();
    let genesis = genesis();
    let entries: Vec<_> =
        genesis.entries.iter().map(|(key, value)| json!([bytes(key), bytes(value)])).collect();
    let made = json!({
        "chain": CHAIN,
        "genesis": entries,
        "journal": segments(&disk),
        "tables": tables,
        "applied": file("applied"),
        "tree": file("tree"),
        "archive": hex::encode(archive(&blocks)),
    });
    file::check("stored", &made);
}
