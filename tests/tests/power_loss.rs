//! Power loss under real processes. `kill -9` keeps the page cache, so only this shows a missing sync.

#![allow(clippy::unwrap_used, reason = "a test program")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use quorate_chain::ledger::journal::{FsDisk, Journal, Options, Owner};
use quorate_tests::power_loss::{Loss, preload, restore};

struct Machine {
    _folder: tempfile::TempDir,
    root: PathBuf,
    shadow: PathBuf,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (root, shadow) = (folder.path().join("root"), folder.path().join("shadow"));
        fs::create_dir(&root).unwrap();
        Self { _folder: folder, root, shadow }
    }

    /// Runs the writer until it has acknowledged `count` records, kills it, and returns the last number it printed.
    fn run(&self, mode: &str, count: usize) -> u64 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_power_loss_writer"));
        command.arg(mode).arg(&self.root).stdin(Stdio::null()).stdout(Stdio::piped());
        preload(&mut command, &self.root, &self.shadow).unwrap();
        let mut writer = command.spawn().unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut acknowledged: Vec<u64> = Vec::new();
        while acknowledged.len() < count {
            let Some(line) = lines.next() else { break };
            acknowledged.push(line.parse().unwrap());
        }
        writer.kill().unwrap();
        // What it printed before it died counts, except for a line cut short.
        acknowledged.extend(lines.filter_map(|line| line.parse::<u64>().ok()));
        writer.wait().unwrap();
        assert!(acknowledged.len() >= count, "the writer ended after {acknowledged:?}");
        assert!(acknowledged.is_sorted());
        *acknowledged.last().unwrap()
    }

    fn power_loss(&self, loss: Loss) {
        restore(&self.root, &self.shadow, loss).unwrap();
    }

    fn content(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root.join(name)).ok()
    }
}

const LOSSES: [Loss; 4] =
    [Loss::Drop, Loss::Tear { seed: 1 }, Loss::Tear { seed: 2 }, Loss::Tear { seed: 3 }];

/// Numbers 1 to how many are in the journal of a tree that lost its power.
fn journal_records(root: &Path) -> u64 {
    let options = Options { segment_bytes: 64 * 1024, record_bytes_max: 16 * 1024 };
    let (journal, recovered) =
        Journal::open(Arc::new(FsDisk), &root.join("journal"), Owner::Votes([7; 16]), options).unwrap();
    let mut number = 0;
    for entry in journal.scan(journal.first()) {
        let entry = entry.unwrap();
        number += 1;
        assert_eq!((entry.sequence, entry.kind), (number, 1));
        assert_eq!(entry.payload[..8], number.to_le_bytes());
        assert_eq!(entry.payload.len(), 8 + (number * 337 % 4000) as usize);
        assert!(entry.payload[8..].iter().all(|byte| *byte == number as u8 | 1));
    }
    assert_eq!(recovered.records, number);
    number
}

#[test]
fn a_plain_sled_flush_loses_acknowledged_data() {
    let machine = Machine::new();
    // The empty database is durable: what is lost below is lost for want of a sync of its content alone.
    drop(sled::open(machine.root.join("sled")).unwrap());
    let acknowledged = machine.run("sled", 200);
    machine.power_loss(Loss::Drop);
    let found = sled::open(machine.root.join("sled")).map_or(0, |database| database.len() as u64);
    assert!(found < acknowledged, "{found} of {acknowledged}: the shim does not see that sled never syncs");
}

#[test]
fn sled_with_a_sync_of_our_own_keeps_it() {
    let machine = Machine::new();
    drop(sled::open(machine.root.join("sled")).unwrap());
    let acknowledged = machine.run("sled-synced", 200);
    machine.power_loss(Loss::Drop);
    let database = sled::open(machine.root.join("sled")).unwrap();
    for number in 1..=acknowledged {
        assert!(database.contains_key(number.to_be_bytes()).unwrap(), "{number} of {acknowledged}");
    }
}

#[test]
fn the_journal_keeps_what_it_acknowledged() {
    for loss in LOSSES {
        let machine = Machine::new();
        let acknowledged = machine.run("journal", 150);
        machine.power_loss(loss);
        let found = journal_records(&machine.root);
        assert!(found >= acknowledged, "{loss:?}: {found} of {acknowledged}");
    }
}

#[test]
fn the_journal_goes_on_after_kills_and_power_losses_in_turn() {
    let machine = Machine::new();
    let mut acknowledged = 0;
    for (round, loss) in LOSSES.into_iter().enumerate() {
        // Killed without a power loss: a second process goes on with what the page cache holds.
        for _ in 0..2 {
            let last = machine.run("journal", 20 + round);
            assert!(last > acknowledged);
            acknowledged = last;
        }
        machine.power_loss(loss);
        let found = journal_records(&machine.root);
        assert!(found >= acknowledged, "{loss:?}: {found} of {acknowledged}");
    }
}

#[test]
fn what_was_synced_survives_and_nothing_else() {
    let machine = Machine::new();
    fs::write(machine.root.join("there-before"), "from an earlier run").unwrap();
    machine.run("files", 1);
    assert_eq!(machine.content("unsynced").as_deref(), Some("content"), "the page cache survives a kill");
    machine.power_loss(Loss::Drop);

    let expected = [
        ("there-before", Some("from an earlier run")),
        ("synced", Some("content")),
        // Its name was synced with the directory, its content never was.
        ("unsynced", Some("")),
        ("old-name", Some("renamed")),
        ("new-name", None),
        ("replaced", Some("before")),
        ("replacement", None),
        ("removed", Some("still here")),
        ("nameless", None),
        ("overwritten", Some("before")),
        ("cut", Some("012\0\0\0")),
        ("duplicated", Some("through a duplicate")),
        ("direct", Some("durable at once")),
        ("copied", Some("copy me")),
        ("synced-directory/inside", Some("inside")),
    ];
    for (name, content) in expected {
        assert_eq!(machine.content(name).as_deref(), content, "{name}");
    }
    assert!(!machine.root.join("unsynced-directory").exists());
}

#[test]
fn tearing_keeps_some_unsynced_names_and_sectors() {
    let mut seen = [false; 4];
    for seed in 0..64 {
        let machine = Machine::new();
        machine.run("files", 1);
        machine.power_loss(Loss::Tear { seed });
        // Durable stays durable, whatever the seed.
        assert_eq!(machine.content("synced").as_deref(), Some("content"));
        assert_eq!(machine.content("direct").as_deref(), Some("durable at once"));
        let renamed = [machine.content("old-name"), machine.content("new-name")];
        assert!(renamed.iter().flatten().all(|content| content == "renamed"));
        assert!(renamed.iter().flatten().next().is_some(), "a rename does not lose the file");
        let replaced = machine.content("replaced");
        assert!(matches!(replaced.as_deref(), Some("before" | "after")), "{replaced:?}");
        let overwritten = machine.content("overwritten").unwrap();
        match overwritten.as_str() {
            "before" => seen[0] = true,
            "AFTER!" => seen[1] = true,
            other => panic!("a sector is whole: {other}"),
        }
        seen[if machine.content("nameless").is_some() { 2 } else { 3 }] = true;
        if seen == [true; 4] {
            return;
        }
    }
    panic!("64 seeds show both outcomes: {seen:?}");
}
