use super::*;
use crate::answers::Outcome;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

/// Reads one request; gives its JSON, or `None` where the other end has hung up instead.
fn read_request(reader: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
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
    Some(serde_json::from_slice(&request).unwrap())
}

/// Answers one request as `answer` does; gives back the request's JSON.
fn serve_by(answer: impl FnOnce(TcpStream) + Send + 'static) -> (String, JoinHandle<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let request = read_request(&mut BufReader::new(&stream)).unwrap();
        answer(stream);
        request
    });
    (url, served)
}

/// Answers one request with `status` and `body`; gives back the request's JSON.
fn serve(status: &'static str, body: String) -> (String, JoinHandle<Value>) {
    serve_by(move |mut stream| {
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all((head + &body).as_bytes()).unwrap();
    })
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

/// Its length is not announced: it comes piece by piece, as long as it is taken.
#[test]
fn an_answer_is_read_up_to_the_longest_and_a_longer_one_is_refused() {
    const ANSWER: &[u8] = br#"{"result":5}"#;
    for beyond in [0, 1] {
        let (url, served) = serve_by(move |mut stream| {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").unwrap();
            let mut left = usize::try_from(ANSWER_BYTES_MAX).unwrap() + beyond - ANSWER.len();
            let spaces = vec![b' '; 1024 * 1024];
            // Whoever has read enough hangs up.
            while left > 0 && stream.write_all(&spaces[..left.min(spaces.len())]).is_ok() {
                left -= left.min(spaces.len());
            }
            let _ = stream.write_all(ANSWER);
        });
        let answered = Client::new(&url).unwrap().call::<u64>("any", &json!({}));
        match answered {
            Ok(answer) => assert_eq!((answer, beyond), (5, 0)),
            Err(error) => {
                assert!(beyond == 1 && !error.is_transient(), "{error}");
                assert!(error.to_string().ends_with("an answer of more than 67108864 bytes"), "{error}");
            }
        }
        served.join().unwrap();
    }
}

/// Answers requests in groups, each once all of it are there, so that each has a connection of its own, which
/// stays open; counts the connections.
fn serve_groups(of: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (connections, group) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(of)));
    let counted = Arc::clone(&connections);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            counted.fetch_add(1, Ordering::SeqCst);
            let group = Arc::clone(&group);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(&stream);
                while read_request(&mut reader).is_some() {
                    group.wait();
                    (&stream)
                        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"result\":5}")
                        .unwrap();
                }
            });
        }
    });
    (url, connections)
}

#[test]
fn so_many_idle_connections_are_kept_and_the_next_calls_open_only_what_lacks() {
    for (calls, opened) in
        [(IDLE_CONNECTIONS_MAX, IDLE_CONNECTIONS_MAX), (IDLE_CONNECTIONS_MAX + 1, IDLE_CONNECTIONS_MAX + 2)]
    {
        let (url, connections) = serve_groups(calls);
        let client = Client::new(&url).unwrap();
        for _ in 0..2 {
            let call = |client: Client| std::thread::spawn(move || client.call::<u64>("any", &json!({})));
            let called: Vec<_> = (0..calls).map(|_| call(client.clone())).collect();
            called.into_iter().for_each(|call| assert_eq!(call.join().unwrap().unwrap(), 5));
        }
        assert_eq!(connections.load(Ordering::SeqCst), opened, "{calls} at once, twice");
    }
}
