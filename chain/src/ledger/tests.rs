//! The ledger over a disk and a store in memory, and in a folder.

mod archives;
mod commit;
mod damage;
mod epochs;
mod opening;
mod overlays;
mod storage;
mod verifying;

use super::journal::{Disk, MemDisk, Options, Owner, PowerLoss};
use super::reader::{BALANCES_MAX, CACHED_BLOCK_TRANSACTIONS_MAX, CACHED_BLOCKS_MAX};
use super::*;
use crate::block::{Header, PROTOCOL_VERSION, transactions_root};
use crate::certificate::CommitVote;
use crate::certificate::fixture::commit_certificate;
use crate::codec::{Bytes, List};
use crate::crypto::SecretKey;
use crate::ids::{AccountId, Amount, AssetId, Nonce, ValidatorIndex, View};
use crate::instruction::Instruction;
use crate::state::{Account, Holding, StateKey, StateValue, value_hash};
use crate::transaction::{Transaction, TransactionBody};
use crate::validator::fixture::validator_set;
use std::path::Path;
use std::sync::LazyLock;

const CHAIN: ChainId = ChainId([7; 32]);
const ACCOUNTS: u8 = 40;

fn key(i: u8) -> SecretKey {
    SecretKey::from_seed(&[i; 32])
}

fn id(i: u8) -> AccountId {
    static IDS: LazyLock<Vec<AccountId>> =
        LazyLock::new(|| (0..=u8::MAX).map(|i| key(i).public().into()).collect());
    IDS[usize::from(i)]
}

fn genesis() -> GenesisState {
    let mut entries = BTreeMap::new();
    for i in 1..=ACCOUNTS {
        let account = Account { balance: Amount(1_000), ..Account::default() };
        entries.insert(StateKey::Account(id(i)), StateValue::Account(account));
    }
    GenesisState::new(CHAIN, TimestampMs(1), validator_set(4), Parameters::default(), entries)
}

fn transfer(from: u8, nonce: u64, to: u8) -> Transaction {
    let memo = Bytes::default();
    let pay = Instruction::Transfer { to: id(to), asset: AssetId::NATIVE, amount: Amount(3), memo };
    let body = TransactionBody::new(CHAIN, id(from), Nonce(nonce), vec![pay]).unwrap();
    Transaction::sign(body, CHAIN, &[&key(from)]).unwrap()
}

/// The block at `height` on a parent: three transfers, one of them to a new account.
fn block(height: u64, parent: BlockHash, parent_result: &BlockResult) -> Block {
    let nonce = height - 1;
    let new = 100 + u8::try_from(height % 100).unwrap();
    let transactions = vec![
        transfer(1, nonce, 2),
        transfer(2, nonce, u8::try_from(3 + height % 30).unwrap()),
        transfer(3, nonce, new),
    ];
    let header = Header {
        version: PROTOCOL_VERSION,
        height: Height(height),
        epoch: Epoch(0),
        parent,
        timestamp_ms: TimestampMs(1 + height),
        transactions_root: transactions_root(&transactions),
        transaction_count: 3,
        parent_result: parent_result.hash(),
        proposer: ValidatorIndex(0),
    };
    Block { header, transactions: List::new(transactions).unwrap() }
}

fn certify(block: &Block, result: &BlockResult) -> CommitCertificate {
    let vote = CommitVote {
        epoch: block.header.epoch,
        view: View(0),
        height: block.header.height,
        block: block.hash(),
        result: result.hash(),
    };
    commit_certificate(CHAIN, vote, &[0, 1, 2, 3])
}

fn commit_next(ledger: &mut Ledger) -> Result<Arc<CommittedBlock>, LedgerError> {
    let tip = ledger.tip().clone();
    let mut block = block(tip.height.0 + 1, tip.block, &tip.result);
    block.header.epoch = tip.epoch;
    assert_eq!(ledger.validate(&block, |_| false), Ok(()));
    ledger.append_body(&block)?;
    let result = ledger.execute(&block)?.result;
    ledger.commit(block.hash(), List::default(), certify(&block, &result))
}

fn memory(disk: &MemDisk, store: &MemoryStore) -> Result<Opened, LedgerError> {
    with(disk, store, manual())
}

/// Without threads.
fn manual() -> LedgerOptions {
    LedgerOptions { background: false, ..LedgerOptions::default() }
}

fn with(disk: &MemDisk, store: &MemoryStore, options: LedgerOptions) -> Result<Opened, LedgerError> {
    let (disk, folder) = (Arc::new(disk.clone()), Path::new("/journal"));
    if disk.list(folder).is_ok_and(|names| names.is_empty()) {
        // Segments that are there keep their size; opening reads all of a segment.
        let small = Options { segment_bytes: 512 * 1024, record_bytes_max: 500 * 1024 };
        drop(Journal::open(Arc::clone(&disk) as Arc<dyn Disk>, folder, Owner::Chain(CHAIN), small)?);
    }
    options.open_with(disk, folder, Box::new(store.clone()), &genesis())
}

/// The keys of an index's pages.
fn pages(store: &MemoryStore, index: Index) -> Vec<Vec<u8>> {
    let mut keys = store.keys(Table::Runs);
    keys.retain(|key| key[0] == index as u8);
    keys
}

/// The key of the page in which an index has a key, where it has one run.
fn page_of(store: &MemoryStore, index: Index, key: &[u8]) -> Vec<u8> {
    let pages = pages(store, index);
    let page = [&pages[0], key].concat();
    pages.into_iter().rev().find(|one| *one <= page).unwrap()
}

/// Everything that two ledgers of one chain must agree on.
fn summary(opened: &Opened) -> (Tip, Vec<CommittedBlock>, Vec<Option<AccountRecord>>) {
    let reader = &opened.reader;
    let tip = opened.ledger.tip().clone();
    assert_eq!(tip.result.state_root, opened.ledger.root());
    let blocks = (1..=tip.height.0).map(|h| (*reader.block(Height(h)).unwrap().unwrap()).clone()).collect();
    (tip, blocks, (1..=250).map(|i| reader.account(id(i)).unwrap()).collect())
}

#[test]
fn an_empty_ledger_is_genesis() {
    let opened = memory(&MemDisk::new(1), &MemoryStore::default()).unwrap();
    let tip = opened.ledger.tip();
    assert_eq!((tip.height, tip.block), (Height(0), BlockHash(CHAIN.0)));
    assert_eq!(tip.result, genesis().result().unwrap());
    let account = opened.reader.account(id(1)).unwrap().unwrap();
    let native = Holding { amount: Amount(1_000), frozen: false };
    assert_eq!(account.balances, [(AssetId::NATIVE, native)]);
    assert!(opened.reader.block(Height(1)).unwrap().is_none());
}

#[test]
fn commits_survive_reopening_with_and_without_the_store() {
    let (disk, store) = (MemDisk::new(2), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    for height in 1..=50 {
        let committed = commit_next(&mut opened.ledger).unwrap();
        assert_eq!(committed.block.header.height, Height(height));
        if height == 20 {
            opened.ledger.checkpoint().unwrap();
        }
    }
    let first = summary(&opened);
    let total: u128 = first.2.iter().flatten().flat_map(|a| &a.balances).map(|(_, held)| held.amount.0).sum();
    assert_eq!(total, 1_000 * u128::from(ACCOUNTS), "nothing is lost or made");
    drop(opened);
    store.lose_power();
    let again = memory(&disk, &store).unwrap();
    assert_eq!((again.report.replayed, &again.report.rebuilt), (30, &None));
    assert_eq!(summary(&again), first);
    let found = again.reader.transaction(transfer(1, 9, 2).id()).unwrap().unwrap();
    assert_eq!((found.height, found.index), (Height(10), 0));
    drop(again);
    let rebuilt = memory(&disk, &MemoryStore::default()).unwrap();
    assert_eq!(rebuilt.report.replayed, 50);
    assert_eq!(summary(&rebuilt), first);
}

#[test]
fn a_power_loss_at_any_operation_loses_no_commit_that_returned() {
    for cut in (0..160).step_by(9) {
        let (disk, store) = (MemDisk::new(cut), MemoryStore::default());
        let mut acknowledged = Height(0);
        if let Ok(mut opened) = memory(&disk, &store) {
            disk.cut_power_after(Some(cut));
            while let Ok(committed) = commit_next(&mut opened.ledger) {
                acknowledged = committed.block.header.height;
                if acknowledged.0.is_multiple_of(7) && opened.ledger.checkpoint().is_err() {
                    break;
                }
            }
        }
        disk.cut_power_after(None);
        let loss = if cut % 2 == 0 { PowerLoss::Drop } else { PowerLoss::Tear { seed: cut } };
        disk.power_loss(loss);
        store.lose_power();
        let opened = memory(&disk, &store).unwrap();
        assert!(opened.ledger.tip().height >= acknowledged, "cut after {cut}");
        let _ = summary(&opened);
    }
}

#[test]
fn a_damaged_value_is_noticed_when_read_and_mended_at_the_next_opening() {
    let (disk, store) = (MemDisk::new(3), MemoryStore::default());
    let mut opened = with(&disk, &store, LedgerOptions { cache_bytes: 0, ..manual() }).unwrap();
    for _ in 0..5 {
        commit_next(&mut opened.ledger).unwrap();
    }
    opened.ledger.checkpoint().unwrap();
    let whole = summary(&opened);
    let place = StateKey::Account(id(2)).hash();
    assert!(store.damage(Table::State, &place.0, |bytes| bytes[40] ^= 1));
    assert!(matches!(opened.reader.account(id(2)), Err(LedgerError::State(_) | LedgerError::Store(_))));
    drop(opened);
    let mended = memory(&disk, &store).unwrap();
    assert!(mended.report.rebuilt.is_some());
    assert_eq!(summary(&mended), whole);
}

#[test]
fn bodies_above_the_tip_come_back_and_settled_ones_do_not() {
    let (disk, store) = (MemDisk::new(4), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    commit_next(&mut opened.ledger).unwrap();
    let tip = opened.ledger.tip().clone();
    let next = block(2, tip.block, &tip.result);
    opened.ledger.append_body(&next).unwrap();
    opened.ledger.sync().unwrap();
    opened.ledger.checkpoint().unwrap();
    drop(opened);
    disk.power_loss(PowerLoss::Drop);
    store.lose_power();
    let mut opened = memory(&disk, &store).unwrap();
    assert_eq!(opened.uncommitted.as_slice(), std::slice::from_ref(&next));
    assert_eq!(opened.ledger.body(next.hash()).unwrap(), Some(next.clone()));
    commit_next(&mut opened.ledger).unwrap();
    drop(opened);
    assert!(memory(&disk, &store).unwrap().uncommitted.is_empty());
}

#[test]
fn executions_in_flight_build_on_each_other_and_go_when_another_block_is_committed() {
    let mut opened = memory(&MemDisk::new(5), &MemoryStore::default()).unwrap();
    let ledger = &mut opened.ledger;
    let tip = ledger.tip().clone();
    let first = block(1, tip.block, &tip.result);
    let first_result = ledger.execute(&first).unwrap().result;
    let second = block(2, first.hash(), &first_result);
    let second_result = ledger.execute(&second).unwrap().result;
    let mut rival = first.clone();
    rival.header.timestamp_ms = TimestampMs(77);
    ledger.execute(&rival).unwrap();
    let early = ledger.commit(second.hash(), List::default(), certify(&second, &second_result));
    assert!(matches!(early, Err(LedgerError::NotExecuted(_))), "its parent is not committed");
    let wrong = ledger.commit(first.hash(), List::default(), certify(&first, &second_result));
    assert!(matches!(wrong, Err(LedgerError::Diverged { .. })));
    // R22: the child's certificate proves the parent.
    let path = List::new(vec![second.header.clone()]).unwrap();
    ledger.commit(first.hash(), path, certify(&second, &second_result)).unwrap();
    assert!(ledger.executed(rival.hash()).is_none());
    assert_eq!(ledger.executed(second.hash()).map(|e| e.result), Some(second_result));
    ledger.commit(second.hash(), List::default(), certify(&second, &second_result)).unwrap();
    let third = block(3, second.hash(), &second_result);
    let result = ledger.execute(&third).unwrap().result;
    ledger.commit(third.hash(), List::default(), certify(&third, &result)).unwrap();
    let _ = summary(&opened);
}

#[test]
fn an_entry_and_its_absence_are_proven_under_the_certified_root() {
    let mut opened = memory(&MemDisk::new(6), &MemoryStore::default()).unwrap();
    for _ in 0..3 {
        commit_next(&mut opened.ledger).unwrap();
    }
    let here = StateKey::Account(id(1));
    let proof = opened.reader.prove(&here).unwrap();
    let root = proof.tip.result.state_root.0;
    let value = proof.value.unwrap();
    assert_eq!(proof.proof.verify(&root, &here.hash()).unwrap(), Some(value_hash(&here, &value)));
    let absent = StateKey::Account(id(99));
    let proof = opened.reader.prove(&absent).unwrap();
    assert_eq!(proof.value, None);
    assert_eq!(proof.proof.verify(&root, &absent.hash()).unwrap(), None);
}

#[test]
fn a_folder_has_one_process_and_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = Ledger::open(folder.path(), &genesis()).unwrap();
    for _ in 0..4 {
        commit_next(&mut opened.ledger).unwrap();
    }
    assert!(matches!(Ledger::open(folder.path(), &genesis()), Err(LedgerError::Locked(_))));
    let first = summary(&opened);
    drop(opened);
    let other = GenesisState { chain: ChainId([8; 32]), ..genesis() };
    assert!(matches!(Ledger::open(folder.path(), &other), Err(LedgerError::OtherChain { .. })));
    let again = Ledger::open(folder.path(), &genesis()).unwrap();
    assert_eq!(summary(&again), first);
    drop(again);
    // What sled does not open is moved aside and made again.
    std::fs::write(folder.path().join("state/sled/db"), b"garbage").unwrap();
    std::fs::write(folder.path().join("state/sled/conf"), b"garbage").unwrap();
    std::fs::write(folder.path().join("state/sled/snap.0000000000000000.generating"), b"half").unwrap();
    let mended = Ledger::open(folder.path(), &genesis()).unwrap();
    assert!(mended.report.rebuilt.is_some());
    assert_eq!(summary(&mended), first);
}

#[test]
fn blocks_in_flight_without_a_break_leave_nothing_behind() {
    let (disk, store) = (MemDisk::new(8), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    let ledger = &mut opened.ledger;
    let tip = ledger.tip().clone();
    let mut last = block(1, tip.block, &tip.result);
    let mut last_result = ledger.execute(&last).unwrap().result;
    for height in 2..=60 {
        let next = block(height, last.hash(), &last_result);
        assert_eq!(ledger.validate(&next, |_| false), Ok(()));
        let result = ledger.execute(&next).unwrap().result;
        ledger.commit(last.hash(), List::default(), certify(&last, &last_result)).unwrap();
        assert_eq!(ledger.reader_at(next.hash()).unwrap().version.depth(), 1);
        (last, last_result) = (next, result);
    }
    let before = summary(&opened);
    drop(opened);
    let again = memory(&disk, &store).unwrap();
    assert_eq!(summary(&again), before);
}

#[test]
fn the_cache_of_blocks_is_filled_and_keeps_the_latest() {
    let mut opened = memory(&MemDisk::new(40), &MemoryStore::default()).unwrap();
    for _ in 0..CACHED_BLOCKS_MAX + 2 {
        commit_next(&mut opened.ledger).unwrap();
    }
    assert_eq!(opened.reader.cached(), CACHED_BLOCKS_MAX);
    assert!(opened.reader.block(Height(1)).unwrap().is_some(), "from disk");
}

#[test]
fn a_block_with_too_many_transactions_is_not_cached() {
    for (count, cached) in [(CACHED_BLOCK_TRANSACTIONS_MAX, 1), (CACHED_BLOCK_TRANSACTIONS_MAX + 1, 0)] {
        let mut opened = memory(&MemDisk::new(42), &MemoryStore::default()).unwrap();
        let tip = opened.ledger.tip().clone();
        let transactions: Vec<_> = (0..count as u64).map(|nonce| transfer(1, nonce, 2)).collect();
        let mut block = block(1, tip.block, &tip.result);
        block.header.transactions_root = transactions_root(&transactions);
        block.header.transaction_count = count as u32;
        block.transactions = List::new(transactions).unwrap();
        assert_eq!(opened.ledger.validate(&block, |_| false), Ok(()));
        opened.ledger.append_body(&block).unwrap();
        let result = opened.ledger.execute(&block).unwrap().result;
        opened.ledger.commit(block.hash(), List::default(), certify(&block, &result)).unwrap();
        assert_eq!(opened.reader.cached(), cached);
    }
}

#[test]
fn an_account_is_shown_with_as_many_balances_as_may_be() {
    let mut entries = BTreeMap::from([(StateKey::Account(id(1)), StateValue::Account(Account::default()))]);
    for asset in 0..=BALANCES_MAX as u16 {
        let asset = AssetId([asset.to_be_bytes(); 16].concat().try_into().unwrap());
        entries.insert(
            StateKey::Balance(id(1), asset),
            StateValue::Balance(Holding { amount: Amount(5), frozen: false }),
        );
    }
    let many = GenesisState::new(CHAIN, TimestampMs(1), validator_set(4), Parameters::default(), entries);
    let (disk, store) = (Arc::new(MemDisk::new(41)), Box::new(MemoryStore::default()));
    let opened = Ledger::open_with(disk, Path::new("/journal"), store, &many).unwrap();
    assert_eq!(opened.reader.account(id(1)).unwrap().unwrap().balances.len(), BALANCES_MAX);
}
