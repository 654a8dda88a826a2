use super::*;
use crate::answers::Outcome;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

/// Answers one request with `status` and `body`; gives back the request's JSON.
fn serve(status: &'static str, body: String) -> (String, JoinHandle<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut request = vec![0; length];
        reader.read_exact(&mut request).unwrap();
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).unwrap();
        serde_json::from_slice(&request).unwrap()
    });
    (url, served)
}

#[test]
fn a_call_goes_out_by_name_and_its_result_comes_back() {
    let id = TransactionId([7; 32]);
    let receipt =
        json!({ "status": "failed", "error": "insufficient_balance", "instruction": 0, "events": [] });
    let result = json!({ "id": id, "height": 9, "index": 1, "receipt": receipt, "transaction": {} });
    let (url, served) = serve("200 OK", json!({ "jsonrpc": "2.0", "id": 1, "result": result }).to_string());
    let info = Client::new(&url).unwrap().tx(id).unwrap();
    assert_eq!((info.committed.height, info.committed.receipt.status), (Height(9), Outcome::Failed));
    assert_eq!(info.committed.receipt.error.as_deref(), Some("insufficient_balance"));
    let request = served.join().unwrap();
    assert_eq!((&request["method"], &request["params"]), (&json!("tx"), &json!({ "id": id })));
}

#[test]
fn a_refusal_keeps_code_reason_and_message() {
    let error = json!({ "code": 2008, "message": "the nonce is 9", "data": { "reason": "wrong_nonce", "expected": 4 } });
    // A refused body has no HTTP 200; the object counts.
    let (url, _served) = serve("409 Conflict", json!({ "error": error }).to_string());
    let error = Client::new(&url).unwrap().status().unwrap_err();
    assert_eq!((error.reason(), error.is_transient()), (Some("wrong_nonce"), false));
    let ClientError::Rpc(error) = error else { panic!("{error}") };
    assert_eq!((error.code, &error.data["expected"]), (2008, &json!(4)));
    assert_eq!(error.to_string(), "the nonce is 9 (wrong_nonce, code 2008)");
}

#[test]
fn what_is_no_node_is_said_to_be_none() {
    let (url, _served) = serve("404 Not Found", "<html>".to_owned());
    let error = Client::new(&url).unwrap().status().unwrap_err();
    assert!(matches!(error, ClientError::NotANode { status: 404, .. }), "{error}");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = Client::new(&format!("http://{gone}")).unwrap().status().unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }) && error.is_transient(), "{error}");
    for url in ["127.0.0.1:1", "https://127.0.0.1:1", "http://", "http:///x"] {
        assert!(matches!(Client::new(url), Err(ClientError::Url(_))), "{url}");
    }
}
