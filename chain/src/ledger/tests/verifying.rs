//! Verifying finds whatever is damaged and changes nothing; repairing keeps everything that is whole.

use super::archives::chain;
use super::journal::{Disk, Journal, Options, Owner, SEGMENT_HEADER_BYTES};
use super::record::{self, CommitRecord};
use super::*;
use crate::ledger::tools::{
    Findings, Part, Remedy, Stage, StateVerdict, ToolError, Verified, VerifyOptions, repair_index, stats,
    verify, verify_with,
};
use std::ops::ControlFlow;

const SEGMENT: &str = "/journal/0000000001.journal";

fn go_on(_: Stage, _: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn looked_at(disk: &MemDisk, store: &MemoryStore, options: &VerifyOptions) -> Verified {
    let store = Box::new(store.clone());
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    verify_with(disk, Path::new("/journal"), store, &genesis(), options, &mut go_on).unwrap()
}

fn all(disk: &MemDisk, store: &MemoryStore) -> Verified {
    looked_at(disk, store, &VerifyOptions::default())
}

/// The chain of [`chain`], durable in the store up to height 8, with three more blocks and one body above the tip; where its journal ends.
fn stored(seed: u64) -> (MemDisk, MemoryStore, u64) {
    let (disk, store) = (MemDisk::new(seed), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    chain(&mut opened.ledger);
    opened.ledger.checkpoint().unwrap();
    for _ in 0..3 {
        commit_next(&mut opened.ledger).unwrap();
    }
    let tip = opened.ledger.tip().clone();
    let mut next = block(12, tip.block, &tip.result);
    next.header.epoch = tip.epoch;
    opened.ledger.append_body(&next).unwrap();
    opened.ledger.sync().unwrap();
    let end = opened.ledger.journal.end().offset;
    (disk, store, end)
}

fn said(findings: &Findings) -> String {
    findings.listed().iter().map(|damage| format!("{damage:?}\n")).collect()
}

#[test]
fn a_whole_ledger_is_whole_and_stays_as_it_is() {
    let (disk, store, _) = stored(70);
    let before = disk.contents(Path::new(SEGMENT)).unwrap();
    let operations = disk.operations();
    for lose in [false, true] {
        if lose {
            store.lose_power();
        }
        let verified = all(&disk, &store);
        assert_eq!(verified.findings.count(), 0, "{}", said(&verified.findings));
        assert_eq!((verified.tip, verified.proven, verified.transactions), (Height(11), 11, 33));
        assert_eq!((verified.epochs, verified.uncommitted, verified.torn_tail), (1, 1, None));
        let StateVerdict::Whole { entries, applied } = verified.state else { panic!("{verified:?}") };
        assert!(entries > 50 && applied == Height(8), "{entries} {applied}");
        assert_eq!(verified.findings.remedy(), Remedy::Nothing);
    }
    let part = VerifyOptions { from: Some(Height(3)), to: Some(Height(6)), execute_in: None };
    let verified = looked_at(&disk, &store, &part);
    assert_eq!((verified.proven, verified.findings.count()), (4, 0));
    assert!(matches!(verified.state, StateVerdict::NotChecked(_)));
    assert_eq!(disk.operations(), operations, "nothing was written");
    assert_eq!(disk.contents(Path::new(SEGMENT)).unwrap(), before);
}

#[test]
fn an_unsynced_tail_is_no_damage_and_is_left_alone() {
    let (disk, store, end) = stored(71);
    // Of what was being written only a later part has reached the disk.
    disk.damage(Path::new(SEGMENT), end + 1024, &[0x51; 20]).unwrap();
    let before = disk.contents(Path::new(SEGMENT)).unwrap();
    let verified = all(&disk, &store);
    assert_eq!(verified.findings.count(), 0, "{}", said(&verified.findings));
    assert_eq!(verified.torn_tail.map(|tail| (tail.position.offset, tail.bytes)), Some((end, 1044)));
    assert_eq!(disk.contents(Path::new(SEGMENT)).unwrap(), before);
}

#[test]
fn every_changed_bit_of_the_journal_is_found() {
    let (disk, store, end) = stored(72);
    let places = (0..end).step_by(end as usize / 40).chain([8, 500, SEGMENT_HEADER_BYTES, end - 1]);
    for at in places {
        let byte = disk.contents(Path::new(SEGMENT)).unwrap()[at as usize];
        disk.damage(Path::new(SEGMENT), at, &[byte ^ (1 << (at % 8))]).unwrap();
        // Another format's number is told from damage by nobody.
        let store: Box<dyn Store> = Box::new(store.clone());
        let disk_again: Arc<dyn Disk> = Arc::new(disk.clone());
        let options = VerifyOptions::default();
        let found = verify_with(disk_again, Path::new("/journal"), store, &genesis(), &options, &mut go_on);
        if let Ok(verified) = found {
            let findings = &verified.findings;
            assert!(findings.in_journal() > 0, "byte {at}");
            assert_eq!(findings.remedy(), Remedy::Import);
            assert!(findings.listed().iter().any(|damage| damage.what.contains("0000000001.journal")));
        } else {
            assert_eq!(at, 8);
        }
        disk.damage(Path::new(SEGMENT), at, &[byte]).unwrap();
    }
    assert_eq!(all(&disk, &store).findings.count(), 0);
}

#[test]
fn all_damage_is_told_with_the_height_from_which_on_and_what_is_still_good() {
    let (disk, store, _) = stored(73);
    let reader = memory(&disk, &store).unwrap().ledger.journal.reader();
    let places: Vec<_> = reader.scan(reader.first()).map(|entry| entry.unwrap()).collect();
    let commits: Vec<_> = places.iter().filter(|entry| entry.kind == record::COMMIT).collect();
    // The commits of heights 4, where the epoch ends, and 9.
    for height in [4, 9] {
        let at = commits[height - 1].position.offset + 60;
        disk.damage(Path::new(SEGMENT), at, &[0xaa]).unwrap();
    }
    let verified = all(&disk, &store);
    let (findings, text) = (&verified.findings, said(&verified.findings));
    assert_eq!(findings.first_height(), Some(Height(4)), "{text}");
    assert_eq!((verified.tip, verified.proven), (Height(11), 3), "{text}");
    assert_eq!(text.matches("record payload is damaged").count(), 2, "{text}");
    assert!(text.contains("the journal goes on with 5") && text.contains("goes on with 10"), "{text}");
    assert!(text.contains("validators of its epoch are not known"), "{text}");
    assert_eq!(findings.remedy(), Remedy::Import);
}

/// Whole records with wrong content, as a mistaken or malicious program would leave them.
#[test]
fn what_certificates_and_roots_do_not_prove_is_found() {
    type Change = fn(&mut CommitRecord);
    let changes: [(&str, Change); 4] = [
        ("certificate", |commit| {
            let mut signatures = commit.certificate.signatures.to_vec();
            signatures[0].signature.0[5] ^= 1;
            commit.certificate.signatures = List::new(signatures).unwrap();
        }),
        ("receipts", |commit| commit.receipts[1].transaction.0[0] ^= 1),
        ("certificate", |commit| commit.result.state_root = StateRoot([3; 32])),
        ("body", |commit| commit.block = BlockHash([3; 32])),
    ];
    for (word, change) in changes {
        let (disk, store) = (MemDisk::new(74), MemoryStore::default());
        let mut opened = memory(&disk, &store).unwrap();
        commit_next(&mut opened.ledger).unwrap();
        opened.ledger.checkpoint().unwrap();
        commit_next(&mut opened.ledger).unwrap();
        let entries: Vec<_> = opened.ledger.journal.scan(opened.ledger.journal.first()).collect();
        let records: Vec<_> = entries.into_iter().map(|entry| entry.unwrap()).collect();
        drop(opened);
        // The same journal once more, with the last commit changed.
        let forged = MemDisk::new(75);
        let options = Options { record_bytes_max: 1 << 20, ..Options::bodies() };
        let (mut journal, _) =
            Journal::open(Arc::new(forged.clone()), Path::new("/journal"), Owner::Chain(CHAIN), options)
                .unwrap();
        for (index, entry) in records.iter().enumerate() {
            let mut payload = entry.payload.clone();
            if index + 1 == records.len() {
                let mut commit: CommitRecord = crate::codec::decode(&payload).unwrap();
                change(&mut commit);
                payload = encode(&commit);
            }
            assert_eq!(journal.append(entry.kind, &payload).unwrap(), entry.position);
        }
        journal.sync().unwrap();
        drop(journal);
        let verified = all(&forged, &store);
        let text = said(&verified.findings);
        assert!(text.contains(word) && text.contains("block 2"), "{word}: {text}");
        assert_eq!(verified.findings.first_height(), Some(Height(2)));
        assert_eq!(verified.proven, 1);
    }
}

#[test]
fn whatever_is_wrong_in_the_store_is_found() {
    type Change = fn(&MemoryStore);
    let changes: [(&str, Change); 10] = [
        ("state", |store| {
            let keys = store.keys(Table::State);
            for key in [&keys[0], &keys[7], &keys[keys.len() - 1]] {
                assert!(store.damage(Table::State, key, |bytes| bytes[3] ^= 1));
            }
        }),
        ("root that the tip's certificate binds", |store| {
            let key = StateKey::Account(id(2));
            let entry =
                encode(&(&key, StateValue::Account(Account { balance: Amount(77), ..Account::default() })));
            store.set(Table::State, &key.hash().0, Some(&entry)).unwrap();
        }),
        ("root that the tip's certificate binds", |store| {
            let key = StateKey::Seated(key(1).public());
            let entry = encode(&(&key, StateValue::Seated(Epoch(0))));
            store.set(Table::State, &key.hash().0, Some(&entry)).unwrap();
        }),
        ("another key", |store| {
            let [first, second] = [0, 1].map(|at| store.keys(Table::State)[at].clone());
            let entry = store.get(Table::State, &first).unwrap().unwrap();
            store.set(Table::State, &second, Some(&entry)).unwrap();
        }),
        ("blocks leads elsewhere", |store| {
            store.set(Table::Blocks, &3u64.to_be_bytes(), None).unwrap();
        }),
        ("hashes of heights 1 to 8 leads elsewhere", |store| {
            let page = &pages(store, Index::Hashes)[0];
            let mut bytes = store.get(Table::Runs, page).unwrap().unwrap();
            *bytes.last_mut().unwrap() = 1;
            store.set(Table::Runs, page, Some(&bytes)).unwrap();
        }),
        ("the value at runs", |store| {
            let page = &pages(store, Index::Transactions)[0];
            assert!(store.damage(Table::Runs, page, |bytes| bytes[40] ^= 1));
        }),
        ("transactions of heights 1 to 8 has 25 entries, not 24", |store| {
            let page = &pages(store, Index::Transactions)[0];
            let mut bytes = store.get(Table::Runs, page).unwrap().unwrap();
            bytes.extend([0xff; 44]);
            store.set(Table::Runs, page, Some(&bytes)).unwrap();
        }),
        ("history of heights 1 to 8 is missing", |store| {
            store.set(Table::Runs, &pages(store, Index::History)[0], None).unwrap();
        }),
        ("no index leads to", |store| {
            let key = StateKey::Balance(id(2), AssetId([5; 32]));
            let entry = encode(&(&key, StateValue::Balance(Holding { amount: Amount(1), frozen: false })));
            store.set(Table::State, &key.hash().0, Some(&entry)).unwrap();
        }),
    ];
    for (words, change) in changes {
        let (disk, store) = (MemDisk::new(76), MemoryStore::default());
        let mut opened = memory(&disk, &store).unwrap();
        chain(&mut opened.ledger);
        opened.ledger.checkpoint().unwrap();
        drop(opened);
        assert_eq!(all(&disk, &store).findings.count(), 0);
        change(&store);
        let verified = all(&disk, &store);
        let text = said(&verified.findings);
        assert!(text.contains(words), "{words}: {text}");
        assert_eq!(verified.findings.remedy(), Remedy::RepairIndex, "{text}");
        assert!(verified.findings.listed().iter().all(|damage| damage.part == Part::Store));
        if words == "state" {
            assert_eq!(verified.findings.count(), 3, "all of it: {text}");
        }
    }
}

#[test]
fn a_folder_is_verified_counted_executed_again_and_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let options = VerifyOptions { execute_in: Some(data.to_path_buf()), ..VerifyOptions::default() };
    let nothing = verify(data, &genesis(), &options, &mut go_on);
    assert!(matches!(nothing, Err(ToolError::NoLedger(_))));
    assert!(std::fs::read_dir(data).unwrap().next().is_none(), "nothing was made");
    let mut opened = Ledger::open(data, &genesis()).unwrap();
    for _ in 0..6 {
        commit_next(&mut opened.ledger).unwrap();
    }
    let tip = opened.ledger.tip().clone();
    opened.ledger.append_body(&block(7, tip.block, &tip.result)).unwrap();
    opened.ledger.checkpoint().unwrap();
    for refused in [
        verify(data, &genesis(), &options, &mut go_on).map(drop),
        stats(data, &genesis(), &mut go_on).map(drop),
        repair_index(data, &genesis(), &mut go_on).map(drop),
    ] {
        assert!(matches!(refused, Err(ToolError::Ledger(LedgerError::Locked(_)))), "{refused:?}");
    }
    let whole = summary(&opened);
    drop(opened);
    let other = GenesisState { chain: ChainId([8; 32]), ..genesis() };
    let refused = verify(data, &other, &options, &mut go_on);
    assert!(matches!(refused, Err(ToolError::Ledger(LedgerError::OtherChain { .. }))));

    let verified = verify(data, &genesis(), &options, &mut go_on).unwrap();
    assert_eq!(verified.findings.count(), 0, "{}", said(&verified.findings));
    assert_eq!((verified.proven, verified.executed, verified.uncommitted), (6, Some(Height(6)), 1));
    assert!(!data.join("verify-scratch").exists());
    let counted = stats(data, &genesis(), &mut go_on).unwrap();
    assert_eq!((counted.height, counted.transactions, counted.failed), (Height(6), 18, 0));
    assert_eq!((counted.first_ms, counted.last_ms), (Some(TimestampMs(2)), Some(TimestampMs(7))));
    assert_eq!((counted.segments, counted.checkpoint), (1, Some(Height(6))));
    assert_eq!(counted.indexes["transactions"].entries, 18);
    assert_eq!(counted.state["account"].entries, u64::from(ACCOUNTS) + 6);
    assert_eq!(counted.state["parameters"].entries, 1);
    assert!(counted.bytes_per_transaction() > counted.journal_bytes_per_transaction());

    // sled's files are gone: what the journal has makes them again, and the old ones are kept.
    std::fs::write(data.join("state/sled/db"), b"garbage").unwrap();
    std::fs::write(data.join("state/sled/conf"), b"garbage").unwrap();
    let verified = verify(data, &genesis(), &VerifyOptions::default(), &mut go_on).unwrap();
    assert_eq!(verified.findings.remedy(), Remedy::RepairIndex);
    let repaired = repair_index(data, &genesis(), &mut go_on).unwrap();
    assert_eq!((repaired.tip, repaired.report.replayed), (Height(6), 6));
    assert_eq!(std::fs::read(repaired.aside.unwrap().join("sled/db")).unwrap(), b"garbage");
    let verified = verify(data, &genesis(), &VerifyOptions::default(), &mut go_on).unwrap();
    assert_eq!((verified.findings.count(), verified.uncommitted), (0, 1));
    let again = Ledger::open(data, &genesis()).unwrap();
    assert_eq!((summary(&again), again.uncommitted.len()), (whole, 1));
}

#[test]
fn a_store_is_not_given_up_for_a_damaged_journal() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut opened = Ledger::open(data, &genesis()).unwrap();
    for _ in 0..3 {
        commit_next(&mut opened.ledger).unwrap();
    }
    opened.ledger.checkpoint().unwrap();
    drop(opened);
    let path = data.join("journal/chain/0000000001.journal");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[700] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let refused = repair_index(data, &genesis(), &mut go_on);
    assert!(matches!(refused, Err(ToolError::JournalDamaged { places: 1, .. })), "{refused:?}");
    assert!(data.join("state/sled").is_dir() && !data.join("state.damaged-1").exists());
    bytes[700] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert!(Ledger::open(data, &genesis()).is_ok());
}
