//! The pages.

use crate::client::{Answer, get, result};
use crate::node::{CHAIN, NAUGHTY, Node, alice, bob, body, key, payment, transfer};
use quorate_chain::Transaction;
use quorate_chain::codec::Bytes;
use quorate_chain::instruction::Instruction;
use serde_json::json;

fn page(node: &Node, path: &str, status: u16) -> String {
    let answer: Answer = get(node, path);
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (status, "text/html; charset=utf-8"),
        "{path}"
    );
    assert!(answer.header("content-security-policy").starts_with("default-src 'none'"), "{path}");
    assert!(!answer.text.contains("<script"), "{path} has an unescaped script");
    assert!(answer.text.starts_with("<!DOCTYPE html>"), "{path}");
    answer.text
}

fn commit(node: &Node, transaction: &Transaction) {
    result(node, "broadcast_tx_commit", &json!([hex::encode(transaction.bytes())]));
}

fn contains(html: &str, parts: &[&str]) {
    for part in parts {
        assert!(html.contains(part), "{part} is missing in {html}");
    }
}

#[test]
fn the_overview_shows_the_chain() {
    let node = Node::start();
    contains(&page(&node, "/explorer", 200), &["No block has been committed yet", "node &lt;b&gt;one"]);
    for nonce in 0..25 {
        commit(&node, &payment(nonce, 1));
    }
    let html = page(&node, "/explorer", 200);
    let chain = CHAIN.to_string();
    contains(&html, &[&chain, "&lt;script&gt;alert(1)&lt;/script&gt;", "validator-3", "/explorer/blocks/25"]);
    contains(&html, &["2025-06-01 12:00:25.000 UTC", "up to date"]);
    assert!(html.contains("/explorer/blocks/6\"") && !html.contains("/explorer/blocks/5\""), "the latest 20");
    assert!(NAUGHTY.starts_with("<script"));
    let style = get(&node, "/explorer/style.css");
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
    contains(&style.text, &["prefers-color-scheme: dark"]);
    assert!(!style.text.contains("http"), "no outside asset");
    assert_eq!(get(&node, "/").header("location"), "/explorer");
}

#[test]
fn a_block_shows_who_signed() {
    let node = Node::start();
    commit(&node, &payment(0, 5));
    commit(&node, &payment(1, 5000));
    let html = page(&node, "/explorer/blocks/2", 200);
    let block = result(&node, "block", &json!([2]));
    contains(&html, &[block["hash"].as_str().unwrap(), block["result"]["state_root"].as_str().unwrap()]);
    contains(&html, &["validator-1 signed", "validator-3 signed", "validator-2 is not among the signers"]);
    contains(&html, &["&lt;script&gt;alert(1)&lt;/script&gt; signed", "3 signatures", "/explorer/blocks/1"]);
    contains(&html, &["failed: the balance is too small", &payment(1, 5000).id().to_string()]);
    assert_eq!(html, page(&node, "/explorer/blocks/latest", 200));
    contains(&page(&node, "/explorer/blocks/3", 404), &["block at height 3"]);
    page(&node, "/explorer/blocks/x%3Cscript%3E", 400);
}

#[test]
fn a_page_shows_so_many_transactions_and_says_where_the_others_are() {
    for (count, told) in [(500, false), (501, true)] {
        let node = Node::with_block(|_| {}, (0..count).map(|nonce| payment(nonce, 1)).collect());
        let html = page(&node, "/explorer/blocks/1", 200);
        assert_eq!(html.matches("/explorer/transactions/").count(), 500);
        contains(&html, &[&payment(499, 1).id().to_string(), &format!("{count} transactions")]);
        assert_eq!(html.contains("The first 500 are shown; the JSON has all"), told, "{count}");
        let block = result(&node, "block", &json!([1]));
        assert_eq!(block["transactions"].as_array().unwrap().len() as u64, count);
    }
}

#[test]
fn a_transaction_says_what_it_did() {
    let node = Node::start();
    let memo = transfer(bob(), 5, b"<script>alert('memo')</script>");
    let sign = |nonce, step| Transaction::sign(body(alice(), nonce, step), CHAIN, &[&key(1)]).unwrap();
    let paid = sign(0, memo);
    let put = sign(
        1,
        Instruction::PutData {
            namespace: alice(),
            key: Bytes::new(b"<script>".to_vec()).unwrap(),
            value: Bytes::new(vec![0, 1, 0xff]).unwrap(),
        },
    );
    for transaction in [&paid, &put, &payment(2, 5000)] {
        commit(&node, transaction);
    }
    let html = page(&node, &format!("/explorer/transactions/{}", paid.id()), 200);
    let names = [alice().to_string(), bob().to_string(), paid.id().to_string()];
    contains(
        &html,
        &[&names[0], &names[1], &names[2], "Transfer <strong>5</strong> native units", "Success"],
    );
    contains(&html, &["&lt;script&gt;alert('memo')&lt;/script&gt;", "/explorer/blocks/1"]);
    let html = page(&node, &format!("/explorer/transactions/{}", put.id()), 200);
    contains(&html, &["Write 3 bytes to", "&lt;script&gt;", "0x0001ff", "was written"]);
    let html = page(&node, &format!("/explorer/transactions/{}", payment(2, 5000).id()), 200);
    contains(&html, &["Failed at instruction 0", "the balance is too small", "Nothing but using its nonce"]);
    page(&node, &format!("/explorer/transactions/{}", "ee".repeat(32)), 404);
}

#[test]
fn an_account_shows_what_it_holds() {
    let node = Node::start();
    contains(&page(&node, &format!("/explorer/accounts/{}", alice()), 200), &["1000", "native", "genesis"]);
    commit(&node, &payment(0, 5));
    contains(
        &page(&node, &format!("/explorer/accounts/{}", bob()), 200),
        &["5", "native", "/explorer/blocks/1"],
    );
    page(&node, &format!("/explorer/accounts/{}", "ee".repeat(32)), 404);
    page(&node, "/explorer/nothing", 404);
}

#[test]
fn the_search_finds_heights_hashes_and_addresses() {
    let node = Node::start();
    commit(&node, &payment(0, 5));
    let hash = node.reader.tip().block.to_string();
    let id = payment(0, 5).id().to_string();
    let (upper, address) = (hash.to_uppercase(), bob().to_string());
    for (text, place) in [
        ("1", "/explorer/blocks/1".to_owned()),
        ("+1%20", "/explorer/blocks/1".to_owned()),
        (&hash, "/explorer/blocks/1".to_owned()),
        (&upper, "/explorer/blocks/1".to_owned()),
        (&id, format!("/explorer/transactions/{id}")),
        (&address, format!("/explorer/accounts/{address}")),
    ] {
        let answer = get(&node, &format!("/explorer/search?q={text}"));
        assert_eq!((answer.status, answer.header("location")), (303, place.as_str()), "{text}");
    }
    let nothing = page(&node, "/explorer/search?q=%3Cscript%3Ealert(1)%3C/script%3E", 404);
    contains(&nothing, &["&lt;script&gt;alert(1)"]);
    let long = page(&node, &format!("/explorer/search?q={}", "z".repeat(300)), 404);
    assert!(long.contains(&"z".repeat(128)) && !long.contains(&"z".repeat(129)), "the first 128");
    page(&node, "/explorer/search?q=2", 404);
    page(&node, &format!("/explorer/search?q={}", "ee".repeat(32)), 404);
    page(&node, "/explorer/search", 400);
}
