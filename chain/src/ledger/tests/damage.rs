//! Damage and its repair: what is kept for opening, what is found while running, scrubbing, the probe, rot.

use super::storage::committed_to;
use super::*;

#[test]
fn opening_takes_the_kept_tree_and_reads_the_state_when_it_does_not_fit() {
    let (disk, store) = (MemDisk::new(56), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    assert!(!opened.report.from_kept_tree);
    committed_to(&mut opened.ledger, 30);
    opened.ledger.checkpoint().unwrap();
    committed_to(&mut opened.ledger, 50);
    while opened.ledger.write_behind(10).unwrap() {}
    committed_to(&mut opened.ledger, 60);
    opened.ledger.write_behind(10).unwrap();
    let whole = summary(&opened);
    drop(opened);
    let mut again = memory(&disk, &store).unwrap();
    assert_eq!((again.report.from_kept_tree, again.report.replayed), (true, 30));
    assert_eq!(summary(&again), whole);
    commit_next(&mut again.ledger).unwrap();
    let whole = summary(&again);
    drop(again);
    // Any bit of it.
    for at in (0..).step_by(97) {
        let mut fits = false;
        store.damage_tree(|bytes| {
            fits = at < bytes.len();
            bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 4);
        });
        if !fits {
            break;
        }
        let again = memory(&disk, &store).unwrap();
        assert_eq!((again.report.from_kept_tree, &again.report.rebuilt), (false, &None), "bit {at}");
        assert_eq!(summary(&again), whole);
    }
}

/// The tree of another state, with a right checksum, is found by its root.
#[test]
fn a_kept_tree_of_another_state_is_not_believed() {
    let (disk, store) = (MemDisk::new(57), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    committed_to(&mut opened.ledger, 10);
    let old = opened.ledger.version.tree().clone();
    committed_to(&mut opened.ledger, 20);
    opened.ledger.checkpoint().unwrap();
    let whole = summary(&opened);
    let applied = opened.ledger.applied();
    drop(opened);
    store.save_tree(&TreeFile { applied, tree: old }).unwrap();
    let again = memory(&disk, &store).unwrap();
    assert!(!again.report.from_kept_tree && again.report.rebuilt.is_none());
    assert_eq!(summary(&again), whole);
}

#[test]
fn damage_found_while_running_stops_the_ledger_and_the_next_opening_mends_it() {
    let (disk, store) = (MemDisk::new(58), MemoryStore::default());
    let mut opened = with(&disk, &store, LedgerOptions { cache_bytes: 0, ..manual() }).unwrap();
    committed_to(&mut opened.ledger, 8);
    opened.ledger.checkpoint().unwrap();
    let whole = summary(&opened);
    // With a checksum that fits, so that only the root tells.
    let key = StateKey::Account(id(30));
    let forged = apply::state_entry(&key, &StateValue::Account(Account::default()));
    store.set(Table::State, &key.hash().0, Some(&forged)).unwrap();
    assert!(opened.reader.prove(&key).is_err());
    assert!(opened.reader.failure().is_some());
    assert!(matches!(commit_next(&mut opened.ledger), Err(LedgerError::Failed(_))));
    drop(opened);
    let mut again = memory(&disk, &store).unwrap();
    assert!(again.report.rebuilt.is_some());
    assert_eq!(summary(&again), whole);
    commit_next(&mut again.ledger).unwrap();
    drop(again);
    assert_eq!(memory(&disk, &store).unwrap().report.rebuilt, None);
}

#[test]
fn an_older_format_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chain"), format!("{CHAIN} format 3\n")).unwrap();
    let error = Ledger::open(folder.path(), &genesis()).unwrap_err();
    assert!(matches!(&error, LedgerError::OtherFormat { found, .. } if found == "3"));
    assert!(error.to_string().contains("export"), "{error}");
}

fn scrubbed(ledger: &Ledger) -> Result<(), LedgerError> {
    while ledger.scrub()? {}
    Ok(())
}

#[test]
fn a_scrub_comes_to_its_end_beside_commits_and_says_how_far_it_is() {
    let (disk, store) = (MemDisk::new(62), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    committed_to(&mut opened.ledger, 10);
    assert_eq!(opened.reader.scrub(), ScrubStatus::default());
    while opened.ledger.scrub().unwrap() {
        if opened.ledger.tip().height < Height(30) {
            commit_next(&mut opened.ledger).unwrap();
        }
        opened.ledger.write_behind(5).unwrap();
        assert!(opened.reader.scrub().running);
    }
    let expected = ScrubStatus { running: false, state_percent: 100, height: Height(30), rounds: 1 };
    assert_eq!(opened.reader.scrub(), expected);
}

#[test]
fn a_scrub_finds_damage_wherever_it_is() {
    type Harm = fn(&MemDisk, &MemoryStore);
    let harms: [(Harm, bool); 7] = [
        (|_, store| assert!(store.damage(Table::State, &StateKey::Parameters.hash().0, |b| b[3] ^= 1)), true),
        (|_, store| store.set(Table::State, &StateKey::Account(id(9)).hash().0, None).unwrap(), true),
        (|_, store| assert!(store.damage(Table::Blocks, &7u64.to_be_bytes(), |b| b[3] ^= 1)), true),
        (
            |_, store| {
                let page = page_of(store, Index::Transactions, &transfer(2, 3, 7).id().0);
                store.set(Table::Runs, &page, None).unwrap();
            },
            true,
        ),
        (|_, store| assert!(store.damage(Table::Runs, &pages(store, Index::Hashes)[0], |b| b[3] ^= 1)), true),
        (|_, store| store.set(Table::Blocks, &3u64.to_be_bytes(), None).unwrap(), true),
        (
            |disk, _| {
                let names = disk.list(Path::new("/journal")).unwrap();
                let name = names.iter().filter(|name| name.ends_with(".journal")).min().unwrap();
                disk.damage(&Path::new("/journal").join(name), 2_000, &[0xff; 16]).unwrap();
            },
            false,
        ),
    ];
    for (number, (harm, mended)) in harms.into_iter().enumerate() {
        let (disk, store) = (MemDisk::new(63), MemoryStore::default());
        let mut opened = memory(&disk, &store).unwrap();
        committed_to(&mut opened.ledger, 10);
        opened.ledger.checkpoint().unwrap();
        scrubbed(&opened.ledger).unwrap();
        let whole = summary(&opened);
        harm(&disk, &store);
        let error = scrubbed(&opened.ledger).unwrap_err();
        assert!(opened.reader.failure().is_some(), "harm {number}: {error}");
        assert!(commit_next(&mut opened.ledger).is_err());
        drop(opened);
        if mended {
            let again = memory(&disk, &store).unwrap();
            assert!(again.report.rebuilt.is_some(), "harm {number}");
            assert_eq!(summary(&again), whole);
            scrubbed(&again.ledger).unwrap();
        }
    }
}

#[test]
fn a_note_on_damage_is_short() {
    let folder = tempfile::tempdir().unwrap();
    let store = SledStore::open(folder.path(), 1 << 20).unwrap();
    assert_eq!(store.damaged(), None);
    store.mark_damaged(&"ä".repeat(5_000)).unwrap();
    assert_eq!(store.damaged().map(|note| note.chars().count()), Some(250));
    std::fs::write(folder.path().join("damaged"), [0xff; 5_000]).unwrap();
    assert_eq!(store.damaged().map(|note| note.chars().count()), Some(1_000));
    store.clear().unwrap();
    assert_eq!(store.damaged(), None);
}

/// After a crash somebody else looks first; what that one warns of is moved aside and made again.
#[test]
fn a_store_that_was_not_closed_is_probed() {
    let folder = tempfile::tempdir().unwrap();
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = || asked.load(std::sync::atomic::Ordering::SeqCst);
    let options = |verdict: Result<(), String>| {
        let asked = Arc::clone(&asked);
        let probe = move |_: &Path| {
            asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            verdict.clone()
        };
        LedgerOptions { probe: Some(Arc::new(probe)), ..LedgerOptions::default() }
    };
    let mut opened = options(Err("bad".into())).open(folder.path(), &genesis()).unwrap();
    committed_to(&mut opened.ledger, 5);
    let whole = summary(&opened);
    drop(opened);
    let left_open = folder.path().join("state/open");
    drop(options(Err("bad".into())).open(folder.path(), &genesis()).unwrap());
    assert_eq!((count(), left_open.exists()), (0, false), "it was closed each time");
    std::fs::write(&left_open, b"").unwrap();
    let opened = options(Ok(())).open(folder.path(), &genesis()).unwrap();
    assert_eq!((count(), &opened.report.rebuilt), (1, &None));
    drop(opened);
    std::fs::write(&left_open, b"").unwrap();
    let opened = options(Err("bad".into())).open(folder.path(), &genesis()).unwrap();
    assert_eq!(count(), 2);
    assert!(opened.report.rebuilt.as_ref().is_some_and(|why| why.contains("bad")));
    assert_eq!(summary(&opened), whole);
}

/// Copies a folder with everything below.
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

/// With a snapshot in place sled opens without reading its log: damage shows later, while the state is read,
/// and such a database can't even be emptied.
#[test]
fn rot_in_the_files_of_sled_is_found_by_opening_or_scrub_and_mended() {
    const PLACES: usize = 8;
    let options = LedgerOptions { scrub_interval: std::time::Duration::ZERO, ..LedgerOptions::default() };
    let mut genesis = genesis();
    for i in 0..12_000u32 {
        let mut account = [0; 32];
        account[..4].copy_from_slice(&i.to_le_bytes());
        let balance = StateKey::Balance(AccountId(account), AssetId::NATIVE);
        genesis.entries.insert(balance, StateValue::Balance(Holding { amount: Amount(1), frozen: false }));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut opened = Ledger::open(folder.path(), &genesis).unwrap();
    for _ in 0..4 {
        commit_next(&mut opened.ledger).unwrap();
    }
    opened.ledger.checkpoint().unwrap();
    let whole = summary(&opened);
    drop(opened);
    drop(Ledger::open(folder.path(), &genesis).unwrap());
    let mut mended = 0;
    for place in 0..PLACES {
        let copy = tempfile::tempdir().unwrap();
        copy_folder(folder.path(), copy.path());
        let file = copy.path().join("state/sled/db");
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.len() * place / PLACES;
        bytes[at..].iter_mut().take(64 * 1024).for_each(|byte| *byte ^= 0x55);
        std::fs::write(&file, bytes).unwrap();
        let mut opened = options.open(copy.path(), &genesis).unwrap();
        if scrubbed(&opened.ledger).is_err() {
            drop(opened);
            opened = options.open(copy.path(), &genesis).unwrap();
            assert!(opened.report.rebuilt.is_some(), "what was found is mended at the next opening");
        }
        assert_eq!(summary(&opened), whole, "damaged at {at}");
        mended += usize::from(opened.report.rebuilt.is_some());
    }
    assert!(mended > 0, "no place that was damaged is in use");
}

/// sled loses pages of a file that rots, and says nothing.
#[test]
fn what_a_store_lost_is_never_not_found() {
    type Read = fn(&Opened) -> Result<(), LedgerError>;
    let at =
        |height: u64, opened: &Opened| opened.reader.block(Height(height)).unwrap().unwrap().block.hash();
    let (disk, store) = (MemDisk::new(64), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    committed_to(&mut opened.ledger, 80);
    opened.ledger.checkpoint().unwrap();
    let hash = at(5, &opened);
    drop(opened);
    let page = |index, key: &[u8]| page_of(&store, index, key);
    let hash = page(Index::Hashes, &hash.0);
    let transaction = page(Index::Transactions, &transfer(2, 4, 8).id().0);
    let history = page(Index::History, &apply::history_key(id(1), Height(80), 0));
    let losses: [(Table, &[u8], Read); 6] = [
        (Table::State, &StateKey::Account(id(9)).hash().0, |o| o.reader.account(id(9)).map(drop)),
        (Table::Blocks, &5u64.to_be_bytes(), |o| o.reader.block(Height(5)).map(drop)),
        (Table::Epochs, &0u64.to_be_bytes(), |o| o.reader.validators_at(Height(1)).map(drop)),
        (Table::Runs, &hash, |o| {
            let hash = o.reader.block(Height(5))?.map(|block| block.block.hash());
            hash.map_or(Ok(()), |hash| o.reader.block_by_hash(hash).map(drop))
        }),
        (Table::Runs, &transaction, |o| o.reader.transaction(transfer(2, 4, 8).id()).map(drop)),
        (Table::Runs, &history, |o| o.reader.history(id(1), None, 3).map(drop)),
    ];
    for (table, key, read) in losses {
        read(&memory(&disk, &store).unwrap()).unwrap();
        assert!(store.get(table, key).unwrap().is_some(), "{table:?}");
        store.set(table, key, None).unwrap();
        // Opening may notice it already, by what it reads itself.
        let opened = match memory(&disk, &store) {
            Ok(opened) if opened.report.rebuilt.is_none() => {
                read(&opened).unwrap_err();
                assert!(opened.reader.failure().is_some(), "{table:?}");
                drop(opened);
                memory(&disk, &store).unwrap()
            }
            Ok(opened) => opened,
            Err(_) => memory(&disk, &store).unwrap(),
        };
        assert!(opened.report.rebuilt.is_some(), "{table:?}");
        read(&opened).unwrap();
        assert!(store.get(table, key).unwrap().is_some(), "{table:?}");
    }
}

#[test]
fn an_account_holds_what_it_says() {
    let asset = AssetId([9; 32]);
    let mut genesis = genesis();
    let account = Account { holdings: 1, ..Account::default() };
    genesis.entries.insert(StateKey::Account(id(1)), StateValue::Account(account));
    let holding = Holding { amount: Amount(5), frozen: false };
    genesis.entries.insert(StateKey::Balance(id(1), asset), StateValue::Balance(holding));
    let store = MemoryStore::default();
    let opened = Ledger::open_with(
        Arc::new(MemDisk::new(65)),
        Path::new("/journal"),
        Box::new(store.clone()),
        &genesis,
    );
    let opened = opened.unwrap();
    assert_eq!(opened.reader.account(id(1)).unwrap().unwrap().balances, [(asset, holding)]);
    store.set(Table::Holdings, &[id(1).0, asset.0].concat(), None).unwrap();
    let error = opened.reader.account(id(1)).unwrap_err();
    assert!(error.to_string().contains("0 of 1 holdings"), "{error}");
}

/// With a checksum that fits, as a page has it that lost its last changes.
#[test]
fn an_older_value_is_not_taken_for_the_state() {
    let (disk, store) = (MemDisk::new(66), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    committed_to(&mut opened.ledger, 5);
    opened.ledger.checkpoint().unwrap();
    let key = StateKey::Account(id(1)).hash().0;
    let old = store.get(Table::State, &key).unwrap();
    committed_to(&mut opened.ledger, 10);
    opened.ledger.checkpoint().unwrap();
    drop(opened);
    store.set(Table::State, &key, old.as_deref()).unwrap();
    let opened = memory(&disk, &store).unwrap();
    assert!(opened.report.from_kept_tree && opened.report.rebuilt.is_none());
    opened.reader.account(id(1)).unwrap_err();
    drop(opened);
    assert!(memory(&disk, &store).unwrap().report.rebuilt.is_some());
}

/// No page is missing, wherever the writer was, whatever is indexed.
#[test]
fn runs_are_whole_after_every_crash_and_change_of_the_index() {
    use IndexLevel::{Full, None, Tx};
    for seed in 0..40u64 {
        let (disk, store) = (MemDisk::new(seed), MemoryStore::default());
        let mut height = 0;
        for (life, index) in [Full, Full, Tx, Full, None, None, Tx, Full].into_iter().enumerate() {
            let mut opened = with(&disk, &store, LedgerOptions { index, ..manual() }).unwrap();
            assert_eq!(opened.report.rebuilt, Option::None);
            for i in 1..=250 {
                if index == Full {
                    opened.reader.history(id(i), Option::None, 10).unwrap();
                }
                if index >= Tx {
                    assert!(opened.reader.transaction(transfer(i, 1_000, 1).id()).unwrap().is_none());
                }
                assert!(opened.reader.block_by_hash(BlockHash([i; 32])).unwrap().is_none());
            }
            for step in 0..4 {
                height += 1;
                committed_to(&mut opened.ledger, height);
                opened.ledger.write_behind((seed + 7 * step) as usize % 30).unwrap();
                if (seed + step + life as u64).is_multiple_of(9) {
                    opened.ledger.checkpoint().unwrap();
                }
            }
            drop(opened);
            match seed % 3 {
                0 => store.lose_power(),
                1 => store.tear(seed + life as u64),
                _ => {}
            }
        }
    }
}
