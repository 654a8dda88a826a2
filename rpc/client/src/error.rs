//! How a call fails.

use serde::Deserialize;
use serde_json::Value;

/// What a node says when it does not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, thiserror::Error)]
#[error("{message} ({}, code {code})", self.reason())]
pub struct RpcError {
    /// Its number; never changes meaning.
    pub code: i32,
    /// For people.
    pub message: String,
    /// The reason and what belongs to it.
    #[serde(default)]
    pub data: Value,
}

impl RpcError {
    /// Its name for programs, as in `wrong_nonce`; `unknown` if the node gave none.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.data.get("reason").and_then(Value::as_str).unwrap_or("unknown")
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not an address that can be called.
    #[error("{0:?} is not an address of the form http://HOST:PORT")]
    Url(String),
    /// Nobody answered, or not to the end.
    #[error("no answer from {url}: {source}")]
    Unreachable {
        /// Who was asked.
        url: String,
        /// What happened.
        source: Box<ureq::Error>,
    },
    /// Something answered that is no Quorate node, or of another version.
    #[error("{url} does not answer as a Quorate node (HTTP {status}): {what}")]
    NotANode {
        /// Who was asked.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What is wrong with the answer.
        what: String,
    },
    /// The node refused or failed.
    #[error("{0}")]
    Rpc(#[from] RpcError),
}

impl ClientError {
    /// Whether the same call may work a little later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Rpc(error) => matches!(error.reason(), "busy" | "pool_full" | "timeout" | "commit_timeout"),
            Self::Url(_) | Self::NotANode { .. } => false,
        }
    }

    /// The node's reason, as in `wrong_nonce`, if the node gave one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Rpc(error) => Some(error.reason()),
            _ => None,
        }
    }
}
