//! The binary as its users call it, without a running node.

#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

fn quorate(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("QUORATE_") {
            command.env_remove(name);
        }
    }
    command.args(arguments).output().unwrap()
}

/// Standard output of a call that works.
fn done(arguments: &[&str]) -> String {
    let output = quorate(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&done(arguments)).unwrap()
}

/// Standard error of a call that must fail with exit code 1.
fn refused(arguments: &[&str]) -> String {
    let output = quorate(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Makes a member; gives back what `keys new --json` said.
fn member(home: &Path, name: &str) -> Value {
    let address = format!("{name}.example:26601");
    json(&["keys", "new", "--home", text(home), "--name", name, "--address", &address, "--json"])
}

#[test]
fn the_version_names_the_commit() {
    let version = done(&["--version"]);
    let commit = version.trim().strip_prefix(concat!("quorate ", env!("CARGO_PKG_VERSION"), " (")).unwrap();
    let commit = commit.strip_suffix(')').unwrap();
    assert!(commit == "unknown" || commit.len() >= 7, "{version}");
}

#[test]
fn keys_are_made_once_and_shown() {
    let home = tempfile::tempdir().unwrap();
    let made = member(home.path(), "bank");
    assert_eq!((&made["name"], &made["address"]), (&"bank".into(), &"bank.example:26601".into()));
    assert_eq!(json(&["keys", "show", "--home", text(home.path()), "--json"]), made);
    let shown = done(&["keys", "show", "--home", text(home.path())]);
    for key in ["identity", "consensus", "network"] {
        assert!(shown.contains(made[key].as_str().unwrap()), "{shown}");
    }
    let again = ["keys", "new", "--home", text(home.path()), "--name", "b", "--address", "b.example:1"];
    assert!(refused(&again).contains("never overwritten"));
    assert_eq!(json(&["keys", "show", "--home", text(home.path()), "--json"]), made);
    let empty = tempfile::tempdir().unwrap();
    assert!(refused(&["keys", "show", "--home", text(empty.path())]).contains("neither keys nor a card"));
}

#[test]
fn a_document_is_merged_from_cards_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let homes: Vec<_> = (0..4).map(|i| dir.path().join(format!("bank-{i}"))).collect();
    for home in &homes {
        member(home, text(home.file_name().unwrap().as_ref()));
    }
    let cards: Vec<_> = homes.iter().map(|home| home.join("card.json")).collect();
    let key = dir.path().join("account.json");
    let account = json(&["keys", "account", "--out", text(&key), "--json"])["address"].clone();
    let account = format!("{}=1000000", account.as_str().unwrap());
    let merge = |out: &Path, time: &str| {
        let mut arguments = vec!["genesis", "merge", "--json", "--timestamp-ms", time, "--out", text(out)];
        arguments.extend(["--account", &account]);
        arguments.extend(cards.iter().map(|card| text(card)));
        json(&arguments)
    };
    let [first, second, later] = ["first", "second", "later"].map(|name| dir.path().join(name));
    let merged = merge(&first, "1700000000000");
    assert_eq!(merge(&second, "1700000000000")["chain_id"], merged["chain_id"]);
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
    assert_ne!(merge(&later, "1700000000001")["chain_id"], merged["chain_id"]);
    assert_eq!((&merged["quorum"], &merged["supply"]), (&3.into(), &"1000000".into()));
    assert_eq!(json(&["genesis", "check", text(&first), "--json"]), merged);
    let tampered = std::fs::read_to_string(&first).unwrap().replace("bank-2.example", "thief.example");
    std::fs::write(&second, tampered).unwrap();
    let error = refused(&["genesis", "check", text(&second)]);
    assert!(error.contains("bank-2") && error.contains("identity"), "{error}");
}

/// A home with one validator's keys and the genesis document of that validator alone.
fn validator_home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    member(home.path(), "bank");
    let [card, genesis] = ["card.json", "genesis.json"].map(|name| home.path().join(name));
    done(&["genesis", "merge", text(&card), "--out", text(&genesis)]);
    home
}

#[test]
fn a_node_refuses_a_key_that_others_can_read() {
    let home = validator_home();
    let key = home.path().join("keys/consensus.json");
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o644)).unwrap();
    let error = refused(&["node", "--home", text(home.path())]);
    assert!(error.contains(&format!("chmod 600 {}", key.display())), "{error}");
}

#[test]
fn a_node_refuses_a_consensus_key_without_its_vote_record() {
    let home = validator_home();
    std::fs::remove_file(home.path().join("data/journal/votes/RECORD")).unwrap();
    let error = refused(&["node", "--home", text(home.path()), "--stop-on-stdin-eof"]);
    assert!(error.contains("vote record") && error.contains("never vote again"), "{error}");
}

#[test]
fn a_node_refuses_a_vote_record_without_its_journal() {
    let home = validator_home();
    let votes = home.path().join("data/journal/votes");
    for entry in std::fs::read_dir(&votes).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("RECORD") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let error = refused(&["node", "--home", text(home.path()), "--stop-on-stdin-eof"]);
    assert!(error.contains("vote record") && error.contains("never vote again"), "{error}");
    assert!(!votes.join("0000000001.journal").exists(), "a lost record is not begun anew");
}

#[test]
fn a_set_that_survives_no_fault_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let homes: Vec<_> = (0..4).map(|i| dir.path().join(format!("bank-{i}"))).collect();
    for home in &homes {
        member(home, text(home.file_name().unwrap().as_ref()));
    }
    let cards: Vec<_> = homes.iter().map(|home| home.join("card.json")).collect();
    for n in 1..=4 {
        let out = dir.path().join(format!("{n}.json"));
        let mut arguments = vec!["genesis", "merge", "--out", text(&out)];
        arguments.extend(cards[..n].iter().map(|card| text(card)));
        let output = quorate(&arguments);
        assert!(output.status.success());
        let warned = String::from_utf8(output.stderr).unwrap().contains("none may be faulty");
        assert_eq!(warned, (2..4).contains(&n), "{n} validators");
    }
}

#[test]
fn a_node_refuses_unknown_settings() {
    let home = validator_home();
    std::fs::write(home.path().join("config.toml"), "rcp_listen = \"127.0.0.1:1\"\n").unwrap();
    let error = refused(&["node", "--home", text(home.path())]);
    assert!(error.contains("rcp_listen") && error.contains("config.toml"), "{error}");
}

#[test]
fn a_half_written_devnet_is_refused_with_the_remedy() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("devnet.lock"), "").unwrap();
    std::fs::create_dir_all(dir.path().join("validator-0/keys")).unwrap();
    let error = refused(&["devnet", "--dir", text(dir.path())]);
    assert!(error.contains("half-written") && error.contains("--fresh"), "{error}");
}

#[test]
fn a_folder_of_something_else_is_never_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let precious = dir.path().join("thesis.tex");
    std::fs::write(&precious, "precious").unwrap();
    let error = refused(&["devnet", "--dir", text(dir.path()), "--fresh"]);
    assert!(error.contains("was not made by a devnet"), "{error}");
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
}

#[test]
fn a_busy_port_is_named_before_anything_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    // The port is the last of the devnet's, so that there is room for all whatever it is.
    let base = (port - 7).to_string();
    let devnet = ["devnet", "--dir", text(dir.path()), "--base-port", &base, "--validators", "4"];
    let error = refused(&devnet);
    assert!(error.contains("is in use") && error.contains("--base-port"), "{error}");
    let in_range = |candidate: u16| error.contains(&format!("127.0.0.1:{candidate} "));
    assert!((port - 7..=port).any(in_range), "{error}");
    assert!(!dir.path().join("validator-0").exists());
    assert!(!dir.path().join("genesis.json").exists());
}

#[test]
fn asking_nobody_says_so() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = refused(&["query", "status", "--rpc", &format!("http://{gone}")]);
    assert!(error.contains("no answer"), "{error}");
    let dir = tempfile::tempdir().unwrap();
    let error = refused(&["devnet", "--dir", text(dir.path()), "--restart", "0"]);
    assert!(error.contains("no devnet is running"), "{error}");
}

#[test]
fn an_account_key_signs_and_no_other() {
    let home = validator_home();
    let key = home.path().join("keys/network.json");
    let to = "ab".repeat(32);
    let transfer =
        ["tx", "transfer", "--key", text(&key), "--to", &to, "--amount", "1", "--rpc", "http://127.0.0.1:1"];
    let error = refused(&transfer);
    assert!(error.contains("kind network"), "{error}");
}

#[test]
fn the_hidden_command_looks_at_a_store() {
    let home = tempfile::tempdir().unwrap();
    let store = home.path().join("state");
    done(&["probe-store", text(&store)]);
    done(&["probe-store", text(&store)]);
    assert!(!store.join("open").exists(), "it is closed again");
    std::fs::write(store.join("sled/db"), b"garbage").unwrap();
    std::fs::write(store.join("sled/conf"), b"garbage").unwrap();
    assert!(!quorate(&["probe-store", text(&store)]).status.success());
    assert!(!done(&["--help"]).contains("probe-store"));
}

#[test]
fn tools_say_what_is_missing() {
    let home = validator_home();
    let home = text(home.path());
    for tool in ["verify", "stats", "repair-index"] {
        let error = refused(&["ledger", tool, "--home", home]);
        assert!(error.contains("there is no ledger in"), "{error}");
    }
    let gone = format!("{home}/gone.archive");
    let error = refused(&["ledger", "import", "--home", home, "--from", &gone]);
    assert!(error.contains("cannot open") && error.contains("gone.archive"), "{error}");
    let letter = format!("{home}/letter");
    std::fs::write(&letter, "not an archive at all").unwrap();
    let error = refused(&["ledger", "import", "--home", home, "--from", &letter]);
    assert!(error.contains("this is no archive of Quorate"), "{error}");
    let error = refused(&["ledger", "export", "--home", home, "--to", &letter, "--resume"]);
    assert!(error.contains("this is no archive of Quorate"), "{error}");
    assert_eq!(std::fs::read_to_string(&letter).unwrap(), "not an archive at all");
    let error = refused(&["ledger", "export", "--home", home, "--to", "-", "--resume"]);
    assert!(error.contains("name a file"), "{error}");
    let error = refused(&["ledger", "verify", "--home", home, "--from", "9", "--to", "3"]);
    assert!(error.contains("--from is above --to"), "{error}");
    let wrong = quorate(&["ledger", "verify", "--home", home, "--from", "0"]);
    assert_eq!(wrong.status.code(), Some(2));
    let empty = json(&["ledger", "verify", "--home", home, "--json"]);
    assert_eq!((&empty["whole"], &empty["height"]), (&true.into(), &0.into()), "{empty}");
    let archive = format!("{home}/empty.archive");
    let exported = json(&["ledger", "export", "--home", home, "--to", &archive, "--json"]);
    assert_eq!(exported["blocks_written"], 0);
}
