//! Four validators, one chain, and a proof for each of its blocks.

use crate::devnet::Devnet;
use crate::program::{is_alive, succeed};
use crate::proof::Verifier;
use quorate_chain::{Amount, Height, TransactionId};
use quorate_rpc_client::Committed;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;

/// Transfers that are sent.
const TRANSFERS: usize = 20;

#[test]
fn four_validators_agree_and_prove_their_blocks() {
    let mut devnet = Devnet::start(4);
    check_manifest(&devnet);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let receiver = wallets[1].address();
    let mut committed: BTreeMap<TransactionId, Height> = BTreeMap::new();
    for number in 0..TRANSFERS {
        let done = chain.transfer(number % 4, &mut wallets[0], receiver, 1 + number as u128);
        committed.insert(done.id, done.height);
    }
    let done = transfer_by_command(&devnet);
    committed.insert(done.id, done.height);

    let blocks = chain.check_all_blocks();
    let listed = blocks
        .iter()
        .flat_map(|block| block.transactions.iter().map(|transaction| (transaction.id, block.header.height)));
    assert_eq!(listed.collect::<BTreeMap<_, _>>(), committed);
    assert!(blocks.iter().all(|block| !block.transactions.is_empty()), "an empty block");
    let moved: u128 = (1..=TRANSFERS as u128).sum::<u128>() + 7;
    for node in &chain.nodes {
        let account = node.account(receiver).unwrap();
        assert_eq!(account.balances[0].amount, Amount(1_000_000 + moved));
    }

    // The check can fail.
    let verifier = Verifier::new(&chain.genesis);
    let mut forged = blocks[0].clone();
    forged.result.content.state_root.0[0] ^= 1;
    assert!(verifier.verify(&forged).is_err(), "another result");
    forged = blocks[0].clone();
    forged.header.timestamp_ms = forged.header.timestamp_ms.next();
    assert!(verifier.verify(&forged).is_err(), "another block");
    devnet.stop();
}

/// What scripts rely on.
fn check_manifest(devnet: &Devnet) {
    let manifest = devnet.manifest();
    assert_eq!(manifest.chain_id, devnet.chain().genesis.chain_id());
    assert_eq!(manifest.validators.len(), 4);
    for (index, seat) in manifest.validators.iter().enumerate() {
        let rpc = usize::from(devnet.base_port) + 2 * index;
        assert_eq!((seat.index, seat.name.clone()), (index, format!("validator-{index}")));
        assert_eq!(seat.rpc, format!("http://127.0.0.1:{rpc}"));
        assert_eq!(seat.p2p, format!("127.0.0.1:{}", rpc + 1));
        assert_eq!(seat.home, devnet.home(index));
        assert!(is_alive(seat.pid));
        assert!(seat.home.join("data").is_dir());
        let key = std::fs::metadata(seat.home.join("keys/consensus.json")).unwrap();
        assert_eq!(key.permissions().mode() & 0o777, 0o600);
    }
    assert!(!manifest.accounts.is_empty());
    for (account, wallet) in manifest.accounts.iter().zip(devnet.wallets()) {
        assert!(!account.name.is_empty());
        assert_eq!(account.address, wallet.address());
    }
    let output = devnet.output();
    assert!(output.lines().last().is_some_and(|line| line.starts_with("ready")), "{output}");
    assert!(output.contains(&format!("http://127.0.0.1:{}/explorer", devnet.base_port)), "{output}");
    assert!(output.contains("tx transfer --key"), "{output}");
}

/// As a person does it.
fn transfer_by_command(devnet: &Devnet) -> Committed {
    let manifest = devnet.manifest();
    let key = manifest.accounts[0].key_file.to_str().unwrap().to_owned();
    let to = manifest.accounts[1].address.to_string();
    let rpc = manifest.validators[2].rpc.clone();
    let arguments =
        ["tx", "transfer", "--key", &key, "--to", &to, "--amount", "7", "--rpc", &rpc, "--wait", "--json"];
    let printed = succeed(&arguments);
    serde_json::from_str(&printed).unwrap()
}
