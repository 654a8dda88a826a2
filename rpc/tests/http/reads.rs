//! Every read, by every door.

use crate::client::{call, get, post_json, reason, result};
use crate::node::{CHAIN, GENESIS, NAUGHTY, Node, alice, bob, payment, validators};
use quorate_chain::{CertifiedHeader, Epoch};
use quorate_rpc::shapes::{BlockView, CommitView, Status, TransactionAnswer};
use quorate_rpc::{NodeStatus, PeerInfo};
use serde_json::{Value, json};

/// Alice pays Bob 5, then more than she has: blocks 1 and 2.
fn node_with_blocks() -> Node {
    let node = Node::start();
    for (nonce, amount) in [(0, 5), (1, 5000)] {
        let bytes = hex::encode(payment(nonce, amount).bytes());
        result(&node, "broadcast_tx_commit", &json!({ "tx": bytes }));
    }
    node
}

#[test]
fn every_read_by_name_by_position_and_by_rest() {
    let node = node_with_blocks();
    let (id, address) = (payment(0, 5).id(), alice());
    let calls = [
        ("health", json!({}), json!([]), "/v1/health".to_owned()),
        ("status", json!({}), json!([]), "/v1/status".to_owned()),
        ("genesis", json!({}), json!([]), "/v1/genesis".to_owned()),
        ("validators", json!({}), json!([]), "/v1/validators".to_owned()),
        ("block", json!({ "height": 1 }), json!([1]), "/v1/blocks/1".to_owned()),
        ("block", json!({ "height": "latest" }), json!([]), "/v1/blocks/latest".to_owned()),
        ("commit", json!({ "height": 2 }), json!([2]), "/v1/commits/2".to_owned()),
        ("tx", json!({ "id": id }), json!([id]), format!("/v1/transactions/{id}")),
        ("account", json!({ "address": address }), json!([address]), format!("/v1/accounts/{address}")),
    ];
    for (method, named, positional, path) in calls {
        let by_name = result(&node, method, &named);
        assert_eq!(by_name, result(&node, method, &positional), "{method}");
        let rest = get(&node, &path);
        assert_eq!((rest.status, rest.header("content-type")), (200, "application/json"), "{path}");
        assert_eq!(by_name, rest.json(), "{method}");
    }
    let bare = post_json(&node, r#"{"jsonrpc":"2.0","id":1,"method":"block"}"#).json();
    assert_eq!(bare["result"]["header"]["height"], 2, "no parameters at all: the latest");
}

#[test]
fn shapes_are_as_documented() {
    let node = node_with_blocks();
    let status = result(&node, "status", &json!({}));
    let expected = json!({ "chain_id": CHAIN, "height": 2, "epoch": 0, "view": 0, "primary": 0,
        "catching_up": false, "peers": 0, "voting": true, "validator": null, "halted": null });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&status[name], value, "{name}");
    }
    let block = result(&node, "block", &json!({ "height": 1 }));
    assert!(block.get("path").is_none(), "the block has a certificate of its own");
    assert_eq!(block["commit"]["block_hash"], block["hash"]);
    assert_eq!(block["commit"]["result_hash"], block["result"]["hash"]);
    assert_eq!(block["commit"]["signatures"][1]["validator"], 1);
    assert_eq!(block["commit"]["signatures"][1]["signature"].as_str().unwrap().len(), 128);
    let instruction =
        json!({ "type": "transfer", "to": bob(), "asset": "0".repeat(64), "amount": "5", "memo": "" });
    assert_eq!(block["transactions"][0]["instructions"], json!([instruction]));
    let failed = result(&node, "tx", &json!({ "id": payment(1, 5000).id() }));
    assert_eq!((&failed["height"], &failed["index"]), (&json!(2), &json!(0)));
    let receipt =
        json!({ "status": "failed", "error": "insufficient_balance", "instruction": 0, "events": [] });
    assert_eq!(failed["receipt"], receipt);
    let account = result(&node, "account", &json!({ "address": alice() }));
    assert_eq!(account["balances"], json!([{ "asset": "0".repeat(64), "amount": "995" }]));
    assert_eq!((&account["nonce"], &account["height"]), (&json!(2), &json!(2)));
    let seats = result(&node, "validators", &json!({}));
    assert_eq!((&seats["quorum"], &seats["validators"][0]["name"]), (&json!(3), &json!(NAUGHTY)));
    assert_eq!(get(&node, "/v1/genesis").text, GENESIS, "byte for byte");
}

#[test]
fn what_is_answered_proves_itself() {
    let node = node_with_blocks();
    let block: BlockView = serde_json::from_value(result(&node, "block", &json!([2]))).unwrap();
    let commit: CommitView = serde_json::from_value(result(&node, "commit", &json!([2]))).unwrap();
    assert_eq!((block.hash, &block.header), (block.header.hash(), &commit.header));
    let proof = CertifiedHeader {
        header: commit.header,
        result: quorate_chain::block::BlockResult {
            state_root: commit.result.state_root,
            receipts_root: commit.result.receipts_root,
            next_set_hash: commit.result.next_set_hash,
        },
        path: commit.path,
        commit: commit.commit,
    };
    assert_eq!(proof.verify(Epoch(0), &validators(), CHAIN), Ok(()));
    let status: Status = serde_json::from_value(result(&node, "status", &json!([]))).unwrap();
    assert_eq!((status.block_hash, status.state_root), (block.hash, proof.result.state_root));
    let found: TransactionAnswer =
        serde_json::from_value(result(&node, "tx", &json!([payment(1, 5000).id()]))).unwrap();
    assert_eq!(found.transaction, block.transactions[0]);
}

#[test]
fn what_is_not_there_is_not_found() {
    let node = node_with_blocks();
    let nothing = "ee".repeat(32);
    for (method, params) in [
        ("block", json!([0])),
        ("block", json!([3])),
        ("commit", json!([u64::MAX])),
        ("tx", json!([nothing])),
        ("account", json!([nothing])),
    ] {
        let error = call(&node, method, &params)["error"].clone();
        assert_eq!((reason(&error).as_str(), &error["data"]["height"]), ("not_found", &json!(2)), "{method}");
    }
    for path in ["blocks/3", "commits/0", "transactions/", "accounts/"] {
        let path = if path.ends_with('/') { format!("/v1/{path}{nothing}") } else { format!("/v1/{path}") };
        assert_eq!(get(&node, &path).refusal(), (404, "not_found".into()), "{path}");
    }
    let empty = Node::start();
    assert_eq!(get(&empty, "/v1/blocks/latest").refusal(), (404, "not_found".into()));
    assert_eq!(get(&empty, "/v1/status").json()["block_hash"], json!(CHAIN));
}

#[test]
fn health_says_what_the_node_is_doing() {
    let node = Node::start();
    assert_eq!(get(&node, "/v1/health").json(), json!({ "status": "ok", "reason": null }));
    let network = quorate_chain::PublicKey([5; 32]);
    let peers = vec![PeerInfo { network, validator: None }; 3];
    node.status.send_replace(NodeStatus { catching_up: true, peers, ..NodeStatus::default() });
    let health = get(&node, "/v1/health");
    assert_eq!((health.status, &health.json()["status"]), (200, &json!("catching_up")));
    assert_eq!(get(&node, "/v1/status").json()["peers"], 3);
    let halted = Some("the disk is full".to_owned());
    node.status.send_replace(NodeStatus { halted, ..NodeStatus::default() });
    let health = get(&node, "/v1/health");
    assert_eq!(health.json(), json!({ "status": "halted", "reason": "the disk is full" }));
    assert_eq!(health.status, 503);
    assert_eq!(result(&node, "health", &Value::Null)["status"], "halted");
}
