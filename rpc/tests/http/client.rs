//! Requests to the server.

use crate::node::Node;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// Longer than anything that is expected to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

fn agent() -> Agent {
    let config =
        Agent::config_builder().http_status_as_error(false).max_redirects(0).timeout_global(Some(PATIENCE));
    config.build().into()
}

/// Status, headers and body of an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    fn of(response: Response<Body>) -> Self {
        let (parts, mut body) = response.into_parts();
        let text = body.with_config().limit(64 << 20).read_to_string().unwrap();
        Self { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("not JSON: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and reason of a REST error.
    pub(crate) fn refusal(&self) -> (u16, String) {
        (self.status, reason(&self.json()["error"]))
    }
}

/// The reason in an error object.
pub(crate) fn reason(error: &Value) -> String {
    error["data"]["reason"].as_str().unwrap_or_else(|| panic!("no reason in {error}")).to_owned()
}

pub(crate) fn get(node: &Node, path: &str) -> Answer {
    Answer::of(agent().get(node.url(path)).call().unwrap())
}

pub(crate) fn post(node: &Node, path: &str, kind: &str, body: &[u8]) -> Answer {
    Answer::of(agent().post(node.url(path)).content_type(kind).send(body).unwrap())
}

/// A body to JSON-RPC.
pub(crate) fn post_json(node: &Node, body: &str) -> Answer {
    post(node, "/", "application/json", body.as_bytes())
}

/// A call; gives the whole response object.
pub(crate) fn call(node: &Node, method: &str, params: &Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": "a", "method": method, "params": params });
    let answer = post_json(node, &request.to_string());
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let response = answer.json();
    assert_eq!((&response["jsonrpc"], &response["id"]), (&json!("2.0"), &json!("a")));
    response
}

/// A call that succeeds.
pub(crate) fn result(node: &Node, method: &str, params: &Value) -> Value {
    let mut response = call(node, method, params);
    assert!(response.get("error").is_none(), "{response}");
    response["result"].take()
}

/// Sends bytes as they are and gives all that comes back until the server closes the connection.
pub(crate) fn raw(node: &Node, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(node.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8(answer).unwrap()
}
