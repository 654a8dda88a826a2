//! Submitting, and every reason for which a transaction is refused.

use crate::client::{Answer, PATIENCE, call, get, post, reason, result};
use crate::node::{CHAIN, Conduct, Node, QUEUE_MAX, alice, bob, body, carol, key, payment, transfer};
use quorate_chain::transaction::{ChainTag, TRANSACTION_BYTES_MAX, TransactionBody};
use quorate_chain::{AccountId, ChainId, Height, Nonce, Transaction};
use quorate_rpc::Rejection;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn tx(transaction: &Transaction) -> Value {
    json!({ "tx": hex::encode(transaction.bytes()) })
}

fn submit(node: &Node, mode: &str, bytes: &[u8]) -> Answer {
    post(node, &format!("/v1/transactions{mode}"), "application/octet-stream", bytes)
}

fn sign(body: TransactionBody) -> Transaction {
    Transaction::sign(body, CHAIN, &[&key(1)]).unwrap()
}

/// Refused by JSON-RPC and by REST with one code and one reason, which are returned.
fn refused(node: &Node, bytes: &[u8]) -> (i64, String) {
    let by_rpc = call(node, "broadcast_tx_sync", &json!([hex::encode(bytes)]))["error"].take();
    let by_rest = submit(node, "", bytes);
    let error = &by_rest.json()["error"];
    assert_eq!(by_rpc, *error, "both doors say the same");
    assert!(by_rest.status >= 400);
    (error["code"].as_i64().unwrap(), reason(error))
}

#[test]
fn three_ways_to_submit_by_two_doors() {
    let node = Node::start();
    let committed = result(&node, "broadcast_tx_commit", &tx(&payment(0, 1)));
    assert_eq!(committed["id"], json!(payment(0, 1).id()));
    assert_eq!((&committed["height"], &committed["index"]), (&json!(1), &json!(0)));
    assert_eq!(committed["receipt"]["status"], "success");
    let committed = submit(&node, "?mode=commit", payment(1, 1).bytes());
    assert_eq!((committed.status, &committed.json()["height"]), (200, &json!(2)));
    let mut nonce = 2;
    for mode in ["sync", "async"] {
        for rest in [true, false] {
            let transaction = payment(nonce, 1);
            let answer = if rest {
                let answer = submit(&node, &format!("?mode={mode}"), transaction.bytes());
                assert_eq!(answer.status, 202);
                answer.json()
            } else {
                result(&node, &format!("broadcast_tx_{mode}"), &tx(&transaction))
            };
            assert_eq!(answer, json!({ "id": transaction.id() }));
            nonce += 1;
            wait_for_height(&node, nonce);
        }
    }
    let bobs = result(&node, "account", &json!([bob()]));
    assert_eq!(bobs["balances"][0]["amount"], "6");
}

fn wait_for_height(node: &Node, height: u64) {
    let end = Instant::now() + PATIENCE;
    while node.reader.tip().height < Height(height) {
        assert!(Instant::now() < end, "height {height} is not reached");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_wrong_with_a_transaction_is_said_and_changes_nothing() {
    let node = Node::start();
    result(&node, "broadcast_tx_commit", &tx(&payment(0, 1)));
    let before = get(&node, "/v1/status").json();
    let pay = |account, nonce| body(account, nonce, transfer(bob(), 1, b""));
    let other_chain = TransactionBody { chain: ChainTag([9; 4]), ..pay(alice(), 1) };
    let forged = Transaction::sign(pay(alice(), 1), ChainId([8; 32]), &[&key(1)]).unwrap();
    let stranger = Transaction::sign(pay(key(9).public().into(), 0), CHAIN, &[&key(9)]).unwrap();
    let frozen = Transaction::sign(pay(carol(), 0), CHAIN, &[&key(3)]).unwrap();
    let not_hers = Transaction::sign(pay(alice(), 1), CHAIN, &[&key(9)]).unwrap();
    let expired = TransactionBody { valid_until: Height(1), ..pay(alice(), 1) };
    let cases = [
        (b"not a transaction".to_vec(), "undecodable"),
        (vec![], "undecodable"),
        (vec![0; TRANSACTION_BYTES_MAX + 1], "transaction_too_large"),
        (sign(other_chain).bytes().to_vec(), "wrong_chain"),
        (forged.bytes().to_vec(), "invalid_signature"),
        (stranger.bytes().to_vec(), "unknown_account"),
        (frozen.bytes().to_vec(), "account_frozen"),
        (not_hers.bytes().to_vec(), "unauthorised"),
        (sign(pay(alice(), 7)).bytes().to_vec(), "wrong_nonce"),
        (sign(expired).bytes().to_vec(), "expired"),
        (payment(0, 1).bytes().to_vec(), "already_committed"),
    ];
    let mut codes = BTreeSet::new();
    for (bytes, expected) in &cases {
        let (code, reason) = refused(&node, bytes);
        assert_eq!(&reason, expected);
        codes.insert(code);
    }
    assert_eq!(codes.len(), cases.len() - 1, "each its own code; two cases are undecodable");
    let not_hex = call(&node, "broadcast_tx_async", &json!(["zz"]))["error"].take();
    assert_eq!(reason(&not_hex), "undecodable");
    let nonce = call(&node, "broadcast_tx_sync", &tx(&payment(7, 1)))["error"].take();
    assert_eq!((&nonce["data"]["expected"], &nonce["data"]["found"]), (&json!(1), &json!(7)));
    assert_eq!(get(&node, "/v1/status").json(), before);
}

#[test]
fn what_the_node_says_is_passed_on() {
    let node = Node::start();
    let account = AccountId([4; 32]);
    let rejections = [
        (Rejection::NonceTaken(Nonce(4)), 409, "nonce_taken"),
        (Rejection::Duplicate, 409, "duplicate"),
        (Rejection::PoolFull, 503, "pool_full"),
        (Rejection::Busy, 503, "busy"),
        (Rejection::Unauthorised(account), 422, "unauthorised"),
        (Rejection::Internal("secret".into()), 500, "internal"),
    ];
    for (rejection, status, expected) in rejections {
        let transient = rejection.is_transient() && expected != "internal";
        node.conduct(Conduct::Refuse(rejection));
        assert_eq!(refused(&node, payment(0, 1).bytes()).1, expected);
        let answer = submit(&node, "?mode=sync", payment(0, 1).bytes());
        assert_eq!(answer.status, status, "{expected}");
        assert_eq!(answer.header("retry-after") == "1", transient, "{expected}");
        assert!(!answer.text.contains("secret"));
    }
}

#[test]
fn a_commit_that_does_not_come_is_told_with_the_id() {
    let node = Node::with(|config| config.commit_timeout = Duration::from_millis(100));
    node.conduct(Conduct::Hold);
    let transaction = payment(0, 1);
    let error = call(&node, "broadcast_tx_commit", &tx(&transaction))["error"].take();
    let expected = json!({ "reason": "commit_timeout", "id": transaction.id(), "known": "pending" });
    assert_eq!(error["data"], expected);
    let again = submit(&node, "?mode=commit", transaction.bytes());
    assert_eq!(again.refusal(), (504, "commit_timeout".into()), "asked again, it waits again");
    assert_eq!(refused(&node, transaction.bytes()).1, "duplicate");
}

#[test]
fn asking_again_for_what_is_committed_finds_it() {
    let node = Node::start();
    let first = result(&node, "broadcast_tx_commit", &tx(&payment(0, 1)));
    assert_eq!(first, result(&node, "broadcast_tx_commit", &tx(&payment(0, 1))));
}

#[test]
fn a_node_that_does_not_answer_is_busy() {
    let node = Node::with(|config| config.check_timeout = Duration::from_millis(50));
    node.conduct(Conduct::Stall);
    assert_eq!(submit(&node, "", payment(0, 1).bytes()).refusal(), (503, "busy".into()));
    let taken = (1..100).take_while(|nonce| {
        let answer = submit(&node, "?mode=async", payment(*nonce, 1).bytes());
        assert!(answer.status == 202 || answer.refusal() == (503, "busy".into()));
        answer.status == 202
    });
    let last = taken.last().unwrap();
    assert!((QUEUE_MAX as u64 - 1..=QUEUE_MAX as u64 + 1).contains(&last), "{last}");
    assert_eq!(get(&node, "/v1/status").status, 200, "reads go on");
    node.conduct(Conduct::Commit);
    wait_for_height(&node, last + 1);
}

#[test]
fn waiting_for_commits_leaves_room_for_reads() {
    let node = Node::with(|config| config.waiting_max = 0);
    let answer = submit(&node, "?mode=commit", payment(0, 1).bytes());
    assert_eq!(answer.refusal(), (503, "busy".into()));
    assert_eq!(get(&node, "/v1/status").status, 200);
}

#[test]
fn a_node_that_ends_says_so() {
    let node = Node::start();
    node.conduct(Conduct::Quit);
    for _ in 0..2 {
        assert_eq!(submit(&node, "", payment(0, 1).bytes()).refusal(), (503, "stopping".into()));
    }
}

#[test]
fn a_bad_mode_is_a_bad_parameter() {
    let node = Node::start();
    for query in ["?mode=never", "?mood=sync"] {
        assert_eq!(submit(&node, query, payment(0, 1).bytes()).refusal(), (400, "bad_parameters".into()));
    }
}
