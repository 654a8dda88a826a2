//! Folders that a node must not run on.

use crate::devnet::Devnet;
use crate::program::fail;
use quorate_genesis::Genesis;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What a node says that does not start; its ports are others than those of the one that runs.
fn refused(home: &Path) -> String {
    let home = home.to_str().unwrap();
    fail(&["node", "--home", home, "--rpc-listen", "127.0.0.1:0", "--p2p-listen", "127.0.0.1:0"])
}

#[track_caller]
fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word:?} is not in: {text}");
    }
}

#[test]
fn a_second_process_on_a_folder_and_a_folder_of_another_chain_are_refused() {
    let mut devnet = Devnet::start(4);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let receiver = wallets[1].address();
    chain.transfer(0, &mut wallets[0], receiver, 1);

    let home = devnet.home(0);
    assert_says(&refused(&home), &["in use by another process", home.to_str().unwrap()]);
    let dir = devnet.dir();
    assert_says(&fail(&["devnet", "--dir", dir.to_str().unwrap()]), &["a devnet is running"]);
    // The one that runs did not notice.
    chain.transfer(0, &mut wallets[0], receiver, 1);
    devnet.stop();

    // The same members, another chain.
    let path = home.join("genesis.json");
    let ours = fs::read_to_string(&path).unwrap();
    let genesis = Genesis::from_json(&ours).unwrap();
    let (cards, accounts) = (genesis.members().to_vec(), genesis.accounts().to_vec());
    let other =
        Genesis::merge(cards, accounts, genesis.parameters().clone(), "other", genesis.timestamp_ms());
    let other = other.unwrap();
    fs::write(&path, other.to_json().unwrap()).unwrap();
    let (found, expected) = (genesis.chain_id().to_string(), other.chain_id().to_string());
    assert_says(&refused(&home), &["holds the chain", &found, &expected]);
    fs::write(&path, ours).unwrap();

    for name in ["consensus", "network"] {
        let key = home.join(format!("keys/{name}.json"));
        fs::set_permissions(&key, Permissions::from_mode(0o644)).unwrap();
        assert_says(&refused(&home), &["can be read by others", "644", key.to_str().unwrap()]);
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    }

    let (record, away) = (home.join("data/journal/votes/RECORD"), devnet.beside("RECORD"));
    fs::rename(&record, &away).unwrap();
    assert_says(&refused(&home), &["vote record", "is missing", "never vote again"]);
    // A record of another key is none.
    fs::copy(devnet.home(1).join("data/journal/votes/RECORD"), &record).unwrap();
    assert_says(&refused(&home), &["was not made with this consensus key"]);
    fs::rename(&away, &record).unwrap();

    // Nor is a journal of another purpose or of another node's votes.
    let segment = |node, kind| devnet.home(node).join(format!("data/journal/{kind}/0000000001.journal"));
    let (blocks, votes) = (segment(0, "chain"), segment(0, "votes"));
    let swap = |one: &Path, other: &Path| {
        fs::rename(one, &away).unwrap();
        fs::rename(other, one).unwrap();
        fs::rename(&away, other).unwrap();
    };
    swap(&blocks, &votes);
    assert_says(&refused(&home), &[blocks.to_str().unwrap(), "is of the journal of the vote record"]);
    swap(&blocks, &votes);
    swap(&votes, &segment(1, "votes"));
    assert_says(&refused(&home), &[votes.to_str().unwrap(), "here belongs that of the vote record"]);
    swap(&votes, &segment(1, "votes"));

    // Nothing was harmed.
    devnet.start_again();
    chain.transfer(0, &mut wallets[0], receiver, 1);
    chain.check_all_blocks();
    devnet.stop();
}
