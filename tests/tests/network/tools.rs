//! `quorate ledger …` on the folders of real nodes.

use crate::devnet::Devnet;
use crate::program::{DEADLINE, command, fail, run, send, succeed, wait_until};
use rustix::process::Signal;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::Stdio;

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed(arguments)).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A folder with the genesis document and nothing else.
fn new_home(devnet: &Devnet, name: &str) -> std::path::PathBuf {
    let home = devnet.beside(name);
    fs::create_dir(&home).unwrap();
    fs::copy(devnet.home(0).join("genesis.json"), home.join("genesis.json")).unwrap();
    home
}

#[test]
fn a_stopped_node_is_verified_exported_imported_and_repaired() {
    let mut devnet = Devnet::start(4);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let receiver = wallets[1].address();
    let last = (0..6).map(|_| chain.transfer(0, &mut wallets[0], receiver, 1)).last().unwrap();
    chain.wait_for_height(last.height);
    let home = devnet.home(0);
    let home = text(&home);
    for tool in ["verify", "stats", "repair-index"] {
        let refused = fail(&["ledger", tool, "--home", home]);
        assert!(refused.contains("stop the node first"), "{refused}");
    }
    let archive = devnet.beside("chain.archive");
    let export = ["ledger", "export", "--home", home, "--to", text(&archive)];
    assert!(fail(&export).contains("stop the node first"));
    assert!(!archive.exists(), "a refusal makes no file");
    devnet.stop();

    let verified = json(&["ledger", "verify", "--home", home, "--execute", "--json"]);
    assert_eq!((&verified["whole"], &verified["damage_count"]), (&true.into(), &0.into()), "{verified}");
    assert_eq!(
        (&verified["height"], &verified["executed_to"]),
        (&verified["blocks_proven"], &verified["height"])
    );
    let stats = json(&["ledger", "stats", "--home", home, "--json"]);
    assert_eq!((&stats["height"], &stats["transactions"]), (&verified["height"], &verified["transactions"]));
    assert!(
        succeed(&["ledger", "verify", "--home", home]).contains("nothing: all that was looked at is whole")
    );

    let exported = json(&[&export[..], &["--json"]].concat());
    assert_eq!(exported["last_height"], verified["height"]);
    assert!(fail(&export).contains("--resume"));
    let whole = fs::read(&archive).unwrap();
    fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
    let resumed = json(&[&export[..], &["--resume", "--json"]].concat());
    assert!(resumed["blocks_kept"].as_u64().unwrap() > 0, "{resumed}");
    assert_eq!(fs::read(&archive).unwrap(), whole);
    let piped = run(&["ledger", "export", "--home", home, "--to", "-", "--json"]);
    assert!(piped.status.success() && piped.stdout == whole);

    let other = new_home(&devnet, "other");
    let import = ["ledger", "import", "--home", text(&other), "--from", text(&archive)];
    let imported = json(&[&import[..], &["--json"]].concat());
    assert_eq!((&imported["height"], &imported["blocks_kept"]), (&verified["height"], &0.into()));
    let again = json(&["ledger", "verify", "--home", text(&other), "--json"]);
    assert_eq!(
        (&again["whole"], &again["height"], &again["state"]["entries"]),
        (&true.into(), &verified["height"], &verified["state"]["entries"]),
        "{again}"
    );

    // One bit of the journal: found, named, and nothing is given up for it.
    let journal = other.join("data/journal/chain/0000000001.journal");
    let mut bytes = fs::read(&journal).unwrap();
    bytes[1000] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    let damaged = run(&["ledger", "verify", "--home", text(&other), "--json"]);
    assert_eq!(damaged.status.code(), Some(1));
    let damaged: Value = serde_json::from_slice(&damaged.stdout).unwrap();
    assert_eq!(damaged["damaged_from_height"], 1, "{damaged}");
    assert!(damaged["damage"][0]["what"].as_str().unwrap().contains(text(&journal)), "{damaged}");
    assert!(
        fail(&["ledger", "repair-index", "--home", text(&other)]).contains("the store was left as it is")
    );
    bytes[1000] ^= 1;
    fs::write(&journal, &bytes).unwrap();
    let repaired = json(&["ledger", "repair-index", "--home", text(&other), "--json"]);
    assert_eq!(repaired["height"], verified["height"]);
    succeed(&["ledger", "verify", "--home", text(&other)]);

    // Nothing was harmed.
    devnet.start_again();
    chain.transfer(0, &mut wallets[0], receiver, 1);
    devnet.stop();
}

#[test]
fn an_import_that_is_interrupted_goes_on() {
    let mut devnet = Devnet::start(1);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let receiver = wallets[1].address();
    for _ in 0..6 {
        chain.transfer(0, &mut wallets[0], receiver, 1);
    }
    devnet.stop();
    let archive = devnet.beside("chain.archive");
    let home = devnet.home(0);
    succeed(&["ledger", "export", "--home", text(&home), "--to", text(&archive)]);
    let whole = fs::read(&archive).unwrap();
    let other = new_home(&devnet, "other");

    let mut import = command();
    import.args(["ledger", "import", "--home", text(&other), "--from", "-"]);
    let mut import = import.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = import.stdin.take().unwrap();
    input.write_all(&whole[..whole.len() / 2]).unwrap();
    input.flush().unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(import.stderr.take().unwrap());
    while !said.contains("importing") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "{said}");
    }
    // It waits for its input: the first one can't stop it, the second one ends it.
    wait_until("it ends", || {
        send(import.id(), Signal::INT);
        import.try_wait().unwrap().is_some()
    });
    let code = import.wait().unwrap().code();
    lines.read_to_string(&mut said).unwrap();
    // On a busy machine it may still be at its first half, and stop there by itself.
    let ended = code == Some(130) || said.contains("nothing is half-written");
    assert!(ended, "{code:?} within {DEADLINE:?}: {said}");
    drop(input);
    let part = json(&["ledger", "verify", "--home", text(&other), "--json"]);
    assert_eq!(part["whole"], true, "{part}");
    let done = json(&["ledger", "import", "--home", text(&other), "--from", text(&archive), "--json"]);
    let first = json(&["ledger", "verify", "--home", text(&home), "--json"]);
    let second = json(&["ledger", "verify", "--home", text(&other), "--json"]);
    assert_eq!((&second["whole"], &second["height"]), (&true.into(), &done["height"]));
    assert_eq!(
        (&first["height"], &first["state"]["entries"]),
        (&second["height"], &second["state"]["entries"])
    );
}
