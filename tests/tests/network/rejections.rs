//! Transactions and requests that are refused: each for its own documented reason, and without a trace.

use crate::chain::Chain;
use crate::devnet::Devnet;
use crate::wallet::Wallet;
use quorate_chain::crypto::SecretKey;
use quorate_chain::transaction::{ChainTag, TransactionBody};
use quorate_chain::{Amount, BlockHash, ChainId, Height, Nonce, StateRoot, Transaction};
use quorate_rpc_client::{Client, ClientError, Outcome, Submitted};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

/// What each node shows of the chain, and of the accounts.
type Seen = Vec<(Height, BlockHash, StateRoot, Vec<(Nonce, Amount)>)>;

#[test]
fn bad_transactions_get_distinct_errors_and_change_nothing() {
    let mut devnet = Devnet::start(4);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    let receiver = wallets[1].address();
    let first = wallets[0].body(receiver, 1);
    chain.transfer(0, &mut wallets[0], receiver, 1);
    chain.transfer(1, &mut wallets[0], receiver, 1);
    chain.wait_for_agreement();
    let before = seen(&chain, &wallets);

    let bad = bad_transactions(&wallets[0], first, receiver);
    let mut errors = BTreeSet::new();
    for (reason, transaction) in &bad {
        let refused = chain.nodes[0].broadcast_tx_commit(transaction).map(drop);
        assert!(errors.insert(refusal(refused, reason)), "{reason} has the code of another");
        let refused = chain.nodes[1].broadcast_tx_sync(transaction).map(drop);
        refusal(refused, reason);
        // Nobody waits for the answer of this one: it must be refused all the same.
        chain.nodes[2].broadcast_tx_async(transaction).unwrap();
    }
    for garbage in ["c0ffee", "no hex at all", ""] {
        let refused = chain.nodes[0].call::<Submitted>("broadcast_tx_sync", &json!({ "tx": garbage }));
        errors.insert(refusal(refused.map(drop), "undecodable"));
    }
    errors.insert(refuses_100_megabytes(devnet.base_port));
    assert_eq!(errors.len(), bad.len() + 2);
    check_documented(&errors);
    assert_eq!(seen(&chain, &wallets), before);

    // Had one of them been taken in, the next block would show it.
    let good = chain.transfer(0, &mut wallets[0], receiver, 1);
    let tip = chain.wait_for_agreement();
    assert_eq!((good.height, tip.height), (before[0].0.next(), before[0].0.next()));
    let blocks = chain.check_all_blocks();
    let listed: Vec<_> = blocks.last().unwrap().transactions.iter().map(|listed| listed.id).collect();
    assert_eq!(listed, [good.id]);

    check_overdraft(&chain, &mut wallets);
    devnet.stop();
}

/// Each with the reason for which it is to be refused.
fn bad_transactions(
    wallet: &Wallet,
    first: TransactionBody,
    receiver: quorate_chain::AccountId,
) -> Vec<(&'static str, Transaction)> {
    let body = || wallet.body(receiver, 1);
    let other_chain = ChainId([7; 32]);
    let stranger = Wallet::new(SecretKey::generate(), wallet.chain);
    let sign = |body| wallet.sign(body);
    vec![
        // Signed for another chain, though it says that it is for this one.
        ("invalid_signature", Transaction::sign(body(), other_chain, &[&wallet.key]).unwrap()),
        ("wrong_chain", sign(TransactionBody { chain: ChainTag::from(other_chain), ..body() })),
        ("wrong_nonce", sign(TransactionBody { valid_until: Height(1_000), ..first })),
        ("expired", sign(TransactionBody { valid_until: Height(1), ..body() })),
        ("unauthorised", Transaction::sign(body(), wallet.chain, &[&stranger.key]).unwrap()),
        ("unknown_account", stranger.sign(stranger.body(receiver, 1))),
    ]
}

/// The code of a refusal that must have this reason.
fn refusal(answer: Result<(), ClientError>, reason: &str) -> (i32, String) {
    match answer {
        Err(ClientError::Rpc(error)) => {
            assert_eq!(error.reason(), reason, "{error}");
            (error.code, reason.to_owned())
        }
        other => panic!("not refused as {reason}: {other:?}"),
    }
}

fn seen(chain: &Chain, wallets: &[Wallet]) -> Seen {
    let account = |node: &Client, wallet: &Wallet| {
        let account = node.account(wallet.address()).unwrap();
        (account.nonce, account.balances[0].amount)
    };
    let look = |node: &Client| {
        let status = node.status().unwrap();
        let accounts = wallets.iter().map(|wallet| account(node, wallet)).collect();
        (status.height, status.block_hash, status.state_root, accounts)
    };
    chain.nodes.iter().map(look).collect()
}

/// Announces 100 MB and sends what the node takes of them.
fn refuses_100_megabytes(port: u16) -> (i32, String) {
    const BODY_BYTES: usize = 100 * 1024 * 1024;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
         Content-Length: {BODY_BYTES}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // Refused by the head alone.
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    let body = loop {
        let read = stream.read(&mut part).unwrap();
        assert!(read > 0, "no whole answer: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&part[..read]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let body = text.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str::<Value>(body).ok());
        if let Some(body) = body {
            assert!(text.starts_with("HTTP/1.1 413 "), "{text}");
            break body;
        }
    };
    // Whoever sends the body all the same does not get rid of it.
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    let zeros = vec![b'0'; 1024 * 1024];
    let taken = (0..BODY_BYTES / zeros.len()).take_while(|_| stream.write_all(&zeros).is_ok()).count();
    assert!(taken < BODY_BYTES / zeros.len(), "the node took all of the body");
    let error = &body["error"];
    assert_eq!(error["data"]["max_bytes"], 1024 * 1024);
    let code = i32::try_from(error["code"].as_i64().unwrap()).unwrap();
    assert_eq!(error["data"]["reason"], "body_too_large");
    (code, "body_too_large".to_owned())
}

/// Every code stands with its reason in the table of errors.
fn check_documented(errors: &BTreeSet<(i32, String)>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/ERRORS.md");
    let table = std::fs::read_to_string(path).unwrap();
    for (code, reason) in errors {
        let row = format!("| {code} | `{reason}` |");
        assert!(table.lines().any(|line| line.starts_with(&row)), "docs/ERRORS.md has no row {row}");
    }
}

/// An overdraft is committed as failed: it costs the nonce and moves nothing.
fn check_overdraft(chain: &Chain, wallets: &mut [Wallet]) {
    let before = seen(chain, wallets);
    let receiver = wallets[1].address();
    let transaction = wallets[0].transfer(receiver, u128::from(u64::MAX));
    let committed = chain.nodes[0].broadcast_tx_commit(&transaction).unwrap();
    assert_eq!(committed.receipt.status, Outcome::Failed);
    assert_eq!(committed.receipt.error.as_deref(), Some("insufficient_balance"));
    chain.wait_for_height(committed.height);
    let after = seen(chain, wallets);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(after.0, before.0.next());
        assert_ne!(after.2, before.2, "the nonce is part of the state");
        assert_eq!(after.3[0], (before.3[0].0.next(), before.3[0].1));
        assert_eq!(after.3[1..], before.3[1..]);
    }
    for node in &chain.nodes {
        assert_eq!(node.tx(transaction.id()).unwrap().committed, committed);
    }
}
