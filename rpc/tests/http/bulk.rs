//! Many transactions in one request, and what became of those that were committed.

use crate::client::{get, post, reason};
use crate::node::{Conduct, Node, bob, body, key, payment, transfer};
use quorate_chain::codec::{decode, encode};
use quorate_chain::{Height, Transaction, TransactionId};
use quorate_rpc::{BlockOutcomes, MANY_MAX, OUTCOME_BLOCKS_MAX, OUTCOME_TRANSACTIONS_MAX, OUTCOME_WAIT_MAX};
use serde_json::json;
use std::time::Duration;

fn submit(node: &Node, list: &[Vec<u8>]) -> crate::client::Answer {
    post(node, "/v1/transactions/batch", "application/octet-stream", &encode(&list.to_vec()))
}

fn bytes(transaction: &Transaction) -> Vec<u8> {
    transaction.bytes().to_vec()
}

fn outcomes(node: &Node, query: &str) -> Vec<BlockOutcomes> {
    let mut answer = ureq::get(node.url(&format!("/v1/outcomes?{query}"))).call().unwrap();
    assert_eq!(answer.headers()["content-type"], "application/octet-stream");
    decode(&answer.body_mut().read_to_vec().unwrap()).unwrap()
}

#[test]
fn each_of_many_is_taken_or_refused_by_itself() {
    let node = Node::start();
    let stranger = body(key(9).public().into(), 0, transfer(bob(), 1, b""));
    let stranger = Transaction::sign(stranger, crate::node::CHAIN, &[&key(9)]).unwrap();
    let list = [
        bytes(&payment(0, 1)),
        b"garbage".to_vec(),
        bytes(&payment(1, 5000)),
        bytes(&stranger),
        bytes(&payment(0, 1)),
    ];
    let answer = submit(&node, &list);
    let json = answer.json();
    assert_eq!((answer.status, &json["taken"]), (202, &json!(2)), "{json}");
    let refused = json["refused"].as_array().unwrap();
    let refused: Vec<_> =
        refused.iter().map(|one| (one["index"].as_u64().unwrap(), reason(&one["error"]))).collect();
    let expected = [(1, "undecodable"), (3, "unknown_account"), (4, "already_committed")];
    assert_eq!(refused, expected.map(|(index, why)| (index, why.to_owned())));

    let blocks = outcomes(&node, "from=1&wait_ms=10000");
    let last = outcomes(&node, "from=2&wait_ms=10000");
    let all: Vec<(TransactionId, bool)> = blocks.into_iter().chain(last).flat_map(|block| block.2).collect();
    assert!(all.contains(&(payment(0, 1).id(), true)), "{all:?}");
    assert!(all.contains(&(payment(1, 5000).id(), false)), "committed, and failed: {all:?}");
}

#[test]
fn a_request_takes_so_many_and_no_more() {
    let node = Node::start();
    let most = submit(&node, &vec![b"garbage".to_vec(); MANY_MAX]).json();
    assert_eq!((&most["taken"], most["refused"].as_array().unwrap().len()), (&json!(0), MANY_MAX));
    assert_eq!(submit(&node, &vec![b"x".to_vec(); MANY_MAX + 1]).refusal(), (413, "batch_too_large".into()));
    assert_eq!(submit(&node, &[]).refusal(), (400, "bad_parameters".into()));
    let cut = post(&node, "/v1/transactions/batch", "application/octet-stream", &[2, 0, 0, 0, 1, 0, 0, 0, 7]);
    assert_eq!(cut.refusal(), (400, "bad_parameters".into()));
    let empty = post(&node, "/v1/transactions/batch", "application/octet-stream", b"");
    assert_eq!(empty.refusal(), (400, "bad_parameters".into()));
}

#[test]
fn many_that_are_not_answered_are_told_to_come_back() {
    let node = Node::with(|config| config.check_timeout = Duration::from_millis(50));
    node.conduct(Conduct::Stall);
    let list: Vec<_> = (0..20).map(|nonce| bytes(&payment(nonce, 1))).collect();
    let json = submit(&node, &list).json();
    let refused = json["refused"].as_array().unwrap();
    assert!(refused.len() == 20 && refused.iter().all(|one| reason(&one["error"]) == "busy"), "{json}");
}

#[test]
fn outcomes_are_waited_for_and_come_block_by_block() {
    let node = Node::start();
    assert!(outcomes(&node, "from=1").is_empty(), "nothing yet");
    let count = OUTCOME_BLOCKS_MAX as u64 + 2;
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| outcomes(&node, &format!("from=1&wait_ms={}", u64::MAX)));
        for nonce in 0..count {
            let list = [bytes(&payment(nonce, 1))];
            assert_eq!(submit(&node, &list).json()["taken"], 1);
        }
        assert_eq!(waiting.join().unwrap()[0].0, Height(1));
    });
    // The last block may be shown a moment after its transaction is taken.
    assert!(!outcomes(&node, &format!("from={count}&wait_ms={}", OUTCOME_WAIT_MAX.as_millis())).is_empty());
    let first = outcomes(&node, "from=1");
    assert_eq!(first.len(), OUTCOME_BLOCKS_MAX);
    assert!(first.iter().map(|block| block.2.len()).sum::<usize>() < OUTCOME_TRANSACTIONS_MAX);
    let rest = outcomes(&node, &format!("from={}", OUTCOME_BLOCKS_MAX + 1));
    assert_eq!(rest.iter().map(|block| block.0.0).collect::<Vec<_>>(), [count - 1, count]);
    assert_eq!(rest[1].2, [(payment(count - 1, 1).id(), true)]);
    assert!(rest[0].1 < rest[1].1, "each with its time");
    assert_eq!(get(&node, "/v1/outcomes?from=0").refusal(), (400, "bad_parameters".into()));
    assert_eq!(get(&node, "/v1/outcomes").refusal(), (400, "bad_parameters".into()));
}

#[test]
fn waiting_for_outcomes_leaves_room_for_reads() {
    let node = Node::with(|config| config.waiting_max = 0);
    assert_eq!(get(&node, "/v1/outcomes?from=1").refusal(), (503, "busy".into()));
    assert_eq!(get(&node, "/v1/status").status, 200);
}
