//! What opening notices, says, and mends at once.

use super::*;
use crate::ledger::tools::{Stage, ToolError, repair_index};
use std::fs;
use std::ops::ControlFlow;

/// What two ledgers of one chain agree on.
type Summary = (Tip, Vec<CommittedBlock>, Vec<Option<AccountRecord>>);

/// A folder with some blocks, closed in peace, and what it reads as.
fn closed(blocks: usize) -> (tempfile::TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let mut opened = Ledger::open(folder.path(), &genesis()).unwrap();
    for _ in 0..blocks {
        commit_next(&mut opened.ledger).unwrap();
    }
    opened.ledger.checkpoint().unwrap();
    let whole = summary(&opened);
    (folder, whole)
}

#[test]
fn a_lost_note_of_the_checkpoint_is_said() {
    let (folder, whole) = closed(4);
    let applied = folder.path().join("state/applied");
    let damaged = |bytes: &[u8]| fs::write(&applied, bytes).unwrap();
    let mut flipped = fs::read(&applied).unwrap();
    flipped[3] ^= 1;
    for harm in [Some(flipped), Some(Vec::new()), None] {
        match harm {
            Some(bytes) => damaged(&bytes),
            None => fs::remove_file(&applied).unwrap(),
        }
        let again = Ledger::open(folder.path(), &genesis()).unwrap();
        assert!(
            again.report.rebuilt.as_ref().is_some_and(|why| why.contains("`applied`")),
            "{:?}",
            again.report
        );
        assert_eq!(summary(&again), whole);
        drop(again);
        assert_eq!(Ledger::open(folder.path(), &genesis()).unwrap().report.rebuilt, None);
    }
}

#[test]
fn a_damaged_chain_file_is_named_and_may_be_removed() {
    let (folder, whole) = closed(2);
    let path = folder.path().join("chain");
    let text = fs::read(&path).unwrap();
    let mut harms = vec![Vec::new(), b"\n".to_vec(), vec![0xff; 1 << 20], text[..text.len() - 1].to_vec()];
    harms.extend((0..text.len()).map(|at| {
        let mut bytes = text.clone();
        bytes[at] ^= 0x80;
        bytes
    }));
    for harm in harms {
        fs::write(&path, harm).unwrap();
        let refused = Ledger::open(folder.path(), &genesis()).unwrap_err();
        assert!(matches!(&refused, LedgerError::ChainFile(named) if *named == path), "{refused}");
        let tool = repair_index(folder.path(), &genesis(), &mut |_, _, _| ControlFlow::Continue(()));
        assert!(matches!(tool, Err(ToolError::Ledger(LedgerError::ChainFile(_)))), "{tool:?}");
    }
    fs::remove_file(&path).unwrap();
    // The journal knows whose it is.
    let other = GenesisState { chain: ChainId([8; 32]), ..genesis() };
    let refused = Ledger::open(folder.path(), &other).unwrap_err();
    assert!(refused.to_string().contains("is of the journal of the chain"), "{refused}");
    assert_eq!(summary(&Ledger::open(folder.path(), &genesis()).unwrap()), whole);
    assert_eq!(fs::read(&path).unwrap(), text);
}

#[test]
fn a_lost_neighbour_of_the_parameters_is_mended_by_the_first_opening() {
    let (disk, store) = (MemDisk::new(91), MemoryStore::default());
    let mut opened = memory(&disk, &store).unwrap();
    for _ in 0..10 {
        commit_next(&mut opened.ledger).unwrap();
    }
    opened.ledger.checkpoint().unwrap();
    let whole = summary(&opened);
    let tree = opened.ledger.version.tree().clone();
    drop(opened);
    let parameters = StateKey::Parameters.hash();
    let leaf = tree.leaf_from(&parameters).unwrap();
    let pairs = leaf.range();
    let (first, last) = (pairs.0.0, pairs.1.0);
    let beside = store.range(Table::State, &first, &last, 50).unwrap();
    let neighbours: Vec<_> =
        beside.into_iter().map(|(key, _)| key).filter(|key| *key != parameters.0).collect();
    assert!(!neighbours.is_empty());
    for key in neighbours {
        store.set(Table::State, &key, None).unwrap();
        let again = memory(&disk, &store).unwrap();
        assert!(again.report.rebuilt.is_some());
        assert_eq!(summary(&again), whole);
    }
    assert_eq!(memory(&disk, &store).unwrap().report.rebuilt, None);
}

#[test]
fn a_repair_tells_each_block_and_can_be_stopped() {
    let (folder, whole) = closed(6);
    let mut heights = Vec::new();
    let mut progress = |stage, done, total| {
        if stage == Stage::Rebuild {
            assert_eq!(total, 6);
            heights.push(done);
        }
        if done == 4 && stage == Stage::Rebuild { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let stopped = repair_index(folder.path(), &genesis(), &mut progress);
    assert!(matches!(stopped, Err(ToolError::Interrupted)), "{stopped:?}");
    assert_eq!(heights, [0, 1, 2, 3, 4]);
    let again = Ledger::open(folder.path(), &genesis()).unwrap();
    assert_eq!((summary(&again), again.report.rebuilt), (whole, None));
}
