//! The calls.

use crate::answers::{Account, Block, Committed, Health, Status, Submitted, TransactionInfo};
use crate::error::{ClientError, RpcError};
use quorate_chain::{AccountId, Height, Transaction, TransactionId};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;
use ureq::http::Response;
use ureq::{Agent, Body};

/// How long a call may take: more than a node waits for a commit.
pub const TIMEOUT: Duration = Duration::from_secs(60);
/// Longest answer that is read, bytes.
pub const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Idle connections that are kept, so that one after the other call needs no new one.
const IDLE_CONNECTIONS_MAX: usize = 4;

/// Calls one node; blocks until it has answered. A clone shares the connections.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) agent: Agent,
    /// With a slash at its end.
    pub(crate) url: String,
}

#[derive(Deserialize)]
struct Answer<T> {
    result: Option<T>,
    error: Option<RpcError>,
}

impl Client {
    /// Of the node at `url`, as in `http://127.0.0.1:26600`. Nothing is sent yet.
    ///
    /// # Errors
    /// When it is not an `http` address; a node speaks TLS behind a proxy only, which this client does not.
    pub fn new(url: &str) -> Result<Self, ClientError> {
        Self::with_timeout(url, TIMEOUT)
    }

    /// As [`Self::new`], but with another limit on the time that a call takes.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_timeout(url: &str, timeout: Duration) -> Result<Self, ClientError> {
        let host = url.strip_prefix("http://").unwrap_or_default();
        if host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace) {
            return Err(ClientError::Url(url.to_owned()));
        }
        let config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_idle_connections_per_host(IDLE_CONNECTIONS_MAX)
            // A proxy of the environment is for the web; a node is asked directly.
            .proxy(None)
            .build();
        Ok(Self { agent: config.into(), url: url.trim_end_matches('/').to_owned() + "/" })
    }

    /// Calls any method; `params` is an object of parameters by name.
    ///
    /// # Errors
    /// When the node cannot be reached, refuses, or answers something else than a `T`.
    pub fn call<T: DeserializeOwned>(&self, method: &str, params: &Value) -> Result<T, ClientError> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let (status, body) = self.read(self.agent.post(&self.url).send_json(&request))?;
        let answer: Answer<T> =
            serde_json::from_slice(&body).map_err(|error| self.not_a_node(status, error.to_string()))?;
        match (answer.result, answer.error) {
            (_, Some(error)) => Err(error.into()),
            (Some(result), None) => Ok(result),
            (None, None) => Err(self.not_a_node(status, "neither result nor error".to_owned())),
        }
    }

    /// An answer's HTTP status and its whole body.
    pub(crate) fn read(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<(u16, Vec<u8>), ClientError> {
        let unreachable =
            |source| ClientError::Unreachable { url: self.url.clone(), source: Box::new(source) };
        let mut response = answer.map_err(unreachable)?;
        let status = response.status().as_u16();
        // ureq refuses an answer as long as its limit.
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX + 1).read_to_vec();
        let body = body.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => {
                self.not_a_node(status, format!("an answer of more than {ANSWER_BYTES_MAX} bytes"))
            }
            error => unreachable(error),
        })?;
        Ok((status, body))
    }

    pub(crate) fn not_a_node(&self, status: u16, what: String) -> ClientError {
        ClientError::NotANode { url: self.url.clone(), status, what }
    }

    /// Whether the node does its work.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn health(&self) -> Result<Health, ClientError> {
        self.call("health", &json!({}))
    }

    /// Where the node is.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn status(&self) -> Result<Status, ClientError> {
        self.call("status", &json!({}))
    }

    /// The genesis document.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn genesis(&self) -> Result<Value, ClientError> {
        self.call("genesis", &json!({}))
    }

    /// The block at a height; `None` is the latest.
    ///
    /// # Errors
    /// As [`Self::call`]; `not_found` above the node's tip.
    pub fn block(&self, height: Option<Height>) -> Result<Block, ClientError> {
        self.call("block", &height.map_or_else(|| json!({}), |height| json!({ "height": height })))
    }

    /// A committed transaction.
    ///
    /// # Errors
    /// As [`Self::call`]; `not_found` where it is not committed.
    pub fn tx(&self, id: TransactionId) -> Result<TransactionInfo, ClientError> {
        self.call("tx", &json!({ "id": id }))
    }

    /// An account.
    ///
    /// # Errors
    /// As [`Self::call`]; `not_found` where there is none.
    pub fn account(&self, address: AccountId) -> Result<Account, ClientError> {
        self.call("account", &json!({ "address": address }))
    }

    /// Hands over a transaction without waiting for any check.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn broadcast_tx_async(&self, transaction: &Transaction) -> Result<Submitted, ClientError> {
        self.call("broadcast_tx_async", &bytes_of(transaction))
    }

    /// Hands over a transaction; answers once it has been checked and waits for a block.
    ///
    /// # Errors
    /// As [`Self::call`]; the node's reason says why a transaction is refused.
    pub fn broadcast_tx_sync(&self, transaction: &Transaction) -> Result<Submitted, ClientError> {
        self.call("broadcast_tx_sync", &bytes_of(transaction))
    }

    /// Hands over a transaction; answers once it has been committed.
    ///
    /// # Errors
    /// As [`Self::broadcast_tx_sync`]; `commit_timeout` leaves open whether it will be committed.
    pub fn broadcast_tx_commit(&self, transaction: &Transaction) -> Result<Committed, ClientError> {
        self.call("broadcast_tx_commit", &bytes_of(transaction))
    }
}

fn bytes_of(transaction: &Transaction) -> Value {
    json!({ "tx": hex::encode(transaction.bytes()) })
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
