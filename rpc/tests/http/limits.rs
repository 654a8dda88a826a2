//! Requests that ask for too much, or that are not requests.

use crate::client::{PATIENCE, call, get, post, post_json, raw, reason};
use crate::node::Node;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

fn refusal(answer: &crate::client::Answer) -> (u16, String) {
    assert_eq!(answer.json()["id"], Value::Null);
    answer.refusal()
}

#[test]
fn a_body_of_100_mb_is_refused_before_it_comes() {
    let node = Node::start();
    for path in ["/", "/v1/transactions"] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 104857600\r\n\r\n"
        );
        let started = Instant::now();
        let answer = raw(&node, head.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(
            answer.contains("\"body_too_large\"") && answer.contains("\"max_bytes\":1048576"),
            "{answer}"
        );
        assert!(started.elapsed() < Duration::from_secs(5), "without waiting for the body");
    }
    assert_eq!(get(&node, "/v1/health").status, 200);
}

#[test]
fn who_sends_100_mb_all_the_same_is_told_why_it_failed() {
    let node = Node::start();
    let mut stream = TcpStream::connect(node.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let block = vec![b' '; 1 << 16];
    let sent = (0..1600).take_while(|_| stream.write_all(&block).is_ok()).count();
    assert!(sent < 1600, "the server took all of it");
    let mut answer = Vec::new();
    // The connection may end with a reset, after the answer.
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
}

#[test]
fn a_body_of_unknown_length_is_cut_off() {
    let node = Node::with(|config| config.body_bytes_max = 1000);
    for path in ["/", "/v1/transactions"] {
        let chunk = format!("{:x}\r\n{}\r\n", 2000, " ".repeat(2000));
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\n\r\n{chunk}0\r\n\r\n"
        );
        let answer = raw(&node, request.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("body_too_large"), "{answer}");
    }
}

#[test]
fn what_is_not_a_request_is_said_to_be_none() {
    let node = Node::start();
    let deep = "[".repeat(10_000);
    let deep_params = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"block","params":{}1{}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let cases = [
        ("", "parse_error"),
        ("garbage", "parse_error"),
        ("{\"jsonrpc\"", "parse_error"),
        (&*deep, "parse_error"),
        ("[]", "invalid_request"),
        ("7", "invalid_request"),
        (r#"{"method":"status"}"#, "invalid_request"),
        (r#"{"jsonrpc":"1.0","method":"status","id":null}"#, "invalid_request"),
    ];
    for (body, expected) in cases {
        let shown = &body[..body.len().min(60)];
        assert_eq!(refusal(&post_json(&node, body)), (400, expected.into()), "{shown}");
    }
    let error = post_json(&node, &deep_params).json()["error"].take();
    assert_eq!(reason(&error), "bad_parameters", "deep, but in its parameters only");
    let kept = post_json(&node, r#"{"jsonrpc":"2.0","method":7,"id":5}"#);
    assert_eq!((kept.status, &kept.json()["id"]), (400, &json!(5)), "its id comes back");
    let form = post(&node, "/", "application/x-www-form-urlencoded", b"{}");
    assert_eq!(refusal(&form), (415, "unsupported_media_type".into()));
    assert_eq!(refusal(&post(&node, "/", "application/json", b"\xff\xfe")), (400, "parse_error".into()));
}

#[test]
fn bad_parameters_and_unknown_methods() {
    let node = Node::start();
    let bad = [
        ("block", json!({ "height": -1 })),
        ("block", json!({ "height": "7" })),
        ("block", json!({ "hight": 7 })),
        ("block", json!([1, 2])),
        ("block", json!("1")),
        ("tx", json!({})),
        ("tx", json!(["abc"])),
        ("account", json!(["AB".repeat(32)])),
        ("status", json!([1])),
        ("broadcast_tx_sync", json!([5])),
    ];
    for (method, params) in bad {
        let error = call(&node, method, &params)["error"].take();
        let code = (reason(&error), error["code"].as_i64().unwrap());
        assert_eq!(code, ("bad_parameters".into(), -32602), "{method} {params}");
    }
    let unknown = call(&node, "destroy", &json!([]))["error"].take();
    assert_eq!((reason(&unknown).as_str(), &unknown["code"]), ("unknown_method", &json!(-32601)));
    for path in ["/v1/blocks/-1", "/v1/blocks/x", "/v1/blocks/%ff", "/v1/transactions/abc", "/v1/accounts/0"]
    {
        assert_eq!(get(&node, path).refusal(), (400, "bad_parameters".into()), "{path}");
    }
    assert_eq!(get(&node, "/v1/nothing").refusal(), (404, "unknown_method".into()));
    let wrong = post(&node, "/v1/status", "application/json", b"{}");
    assert_eq!(wrong.refusal(), (405, "method_not_allowed".into()));
}

#[test]
fn batches_answer_each_call_and_have_a_limit() {
    let node = Node::start();
    let status = r#"{"jsonrpc":"2.0","id":1,"method":"status"}"#;
    let notification = r#"{"jsonrpc":"2.0","method":"status"}"#;
    let answer =
        post_json(&node, &format!(r#"[{status},{notification},3,{{"jsonrpc":"2.0","id":2,"method":"no"}}]"#));
    let answers = answer.json();
    assert_eq!((answer.status, answers.as_array().unwrap().len()), (200, 3));
    assert_eq!(answers[0]["result"]["height"], 0);
    assert_eq!(
        [reason(&answers[1]["error"]), reason(&answers[2]["error"])],
        ["invalid_request", "unknown_method"]
    );
    let silent = post_json(&node, &format!("[{notification}]"));
    assert_eq!((silent.status, silent.text.as_str()), (204, ""));
    assert_eq!(post_json(&node, notification).status, 204);
    assert_eq!(post_json(&node, &format!("[{}]", vec![status; 100].join(","))).status, 200);
    let large = post_json(&node, &format!("[{}]", vec![status; 101].join(",")));
    assert_eq!(refusal(&large), (413, "batch_too_large".into()));
    let huge = post_json(&node, &format!("[{}]", vec!["1"; 10_000].join(",")));
    assert_eq!(refusal(&huge), (413, "batch_too_large".into()));
}

#[test]
fn answers_have_a_limit() {
    let node = Node::with(|config| config.response_bytes_max = 500);
    let status = r#"{"jsonrpc":"2.0","id":1,"method":"status"}"#;
    let error = call(&node, "validators", &json!([]))["error"].take();
    assert_eq!(reason(&error), "response_too_large");
    let health = status.replace("status", "health");
    assert_eq!(post_json(&node, &format!("[{health},{health}]")).status, 200);
    let batch = post_json(&node, &format!("[{}]", vec![health.as_str(); 20].join(",")));
    assert_eq!(refusal(&batch), (500, "response_too_large".into()));
}

#[test]
fn too_many_requests_at_once_are_told_to_come_back() {
    let node = Node::with(|config| config.requests_max = 0);
    let answer = get(&node, "/v1/status");
    assert_eq!((answer.refusal(), answer.header("retry-after")), ((503, "busy".into()), "1"));
}

/// A connection beyond them is served once another one ends.
#[test]
fn a_connection_waits_for_its_place() {
    const ASK: &[u8] = b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n";
    let node = Node::with(|config| config.connections_max = 1);
    let connect = || {
        let stream = TcpStream::connect(node.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let answered = |stream: &mut TcpStream| {
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            let mut next = [0];
            stream.read_exact(&mut next).unwrap();
            answer.extend(next);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    };
    let (mut first, mut second) = (connect(), connect());
    first.write_all(ASK).unwrap();
    answered(&mut first);
    second.write_all(ASK).unwrap();
    // A second that is served would be so while the first is, again and again.
    for _ in 0..100 {
        first.write_all(ASK).unwrap();
        answered(&mut first);
    }
    second.set_nonblocking(true).unwrap();
    assert_eq!(second.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    second.set_nonblocking(false).unwrap();
    drop(first);
    answered(&mut second);
}

/// With no turns at all it never gets one.
#[test]
fn a_read_waits_for_its_turn() {
    let node = Node::with(|config| {
        config.reads_max = 0;
        config.request_timeout = Duration::from_millis(200);
    });
    assert_eq!(get(&node, "/v1/blocks/1").refusal(), (504, "timeout".into()));
    assert_eq!(get(&node, "/v1/health").status, 200, "needs no read");
}

#[test]
fn a_slow_request_runs_out_of_time() {
    let node = Node::with(|config| {
        config.head_timeout = Duration::from_millis(200);
        config.request_timeout = Duration::from_millis(200);
    });
    let answer = raw(&node, b"POST / HTTP/1.1\r\nHost: x\r\n");
    assert!(!answer.contains("200 OK"), "closed while its head was still to come");
    let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let answer = raw(&node, head.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("\"timeout\""), "{answer}");
}

#[test]
fn stopping_finishes_what_is_under_way_and_closes_the_port() {
    let mut node = Node::start();
    let mut kept = TcpStream::connect(node.address).unwrap();
    kept.set_read_timeout(Some(PATIENCE)).unwrap();
    kept.write_all(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut first = [0; 12];
    kept.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let started = Instant::now();
    node.stop();
    assert!(started.elapsed() < Duration::from_secs(4), "idle connections are closed, not waited for");
    assert!(TcpStream::connect(node.address).is_err());
}
