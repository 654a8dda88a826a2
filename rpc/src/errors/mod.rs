//! Every error that a client can see: one code, one reason, one HTTP status, on every door.
//!
//! The same object goes out everywhere: `{code, message, data: {reason, …}}`, in JSON-RPC's `error` and in
//! the body of a REST answer. Codes and reasons never change meaning; messages may.

mod kinds;

pub use kinds::{ErrorKind, error_table};

use crate::rejection::Rejection;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use jsonrpsee::types::ErrorObjectOwned;
use quorate_chain::ledger::LedgerError;
use quorate_chain::{Height, TransactionId};
use serde_json::{Map, Value, json};

/// When to try again after `busy` or `pool_full`, seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

/// An error on its way to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The body is not JSON.
    #[error("the body is not JSON")]
    Parse,
    /// Not a JSON-RPC request.
    #[error("not a JSON-RPC 2.0 request")]
    InvalidRequest,
    /// No such method or path.
    #[error("there is no {0}")]
    UnknownMethod(String),
    /// A parameter is wrong.
    #[error("{0}")]
    BadParameters(String),
    /// The node failed; the details are in its log only.
    #[error("the node failed; its log says how")]
    Internal,
    /// Wrong HTTP method.
    #[error("this path does not take that HTTP method")]
    MethodNotAllowed,
    /// Not declared to be JSON.
    #[error("the content type must be application/json")]
    UnsupportedMediaType,
    /// Too long a body.
    #[error("the body is longer than {0} bytes")]
    BodyTooLarge(usize),
    /// Too many calls in a batch.
    #[error("the batch has more than {0} calls")]
    BatchTooLarge(usize),
    /// Too long an answer.
    #[error("the answer is longer than {0} bytes")]
    ResponseTooLarge(usize),
    /// The request took too long.
    #[error("the request took too long")]
    Timeout,
    /// The node is stopping.
    #[error("the node is stopping")]
    Stopping,
    /// Not there.
    #[error("there is no {what} at this node, which is at height {height}")]
    NotFound {
        /// What was asked for.
        what: String,
        /// The node's committed height.
        height: Height,
    },
    /// This node does not index it.
    #[error("{0}")]
    NotIndexed(String),
    /// The state at a height is not kept.
    #[error("the state is kept for heights {first} to {last} only")]
    Pruned {
        /// The lowest height that can be read.
        first: Height,
        /// The highest.
        last: Height,
    },
    /// The transaction was refused.
    #[error("{0}")]
    Rejected(#[from] Rejection),
    /// The transaction has been committed before.
    #[error("the transaction has been committed at height {height}")]
    AlreadyCommitted {
        /// Which.
        id: TransactionId,
        /// Where.
        height: Height,
        /// Its place in the block.
        index: u32,
    },
    /// The transaction was taken, but not committed in time.
    #[error("the transaction is waiting, but was not committed in time; ask for it by its id")]
    CommitTimeout(TransactionId),
}

impl ApiError {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Parse => ErrorKind::ParseError,
            Self::InvalidRequest => ErrorKind::InvalidRequest,
            Self::UnknownMethod(_) => ErrorKind::UnknownMethod,
            Self::BadParameters(_) => ErrorKind::BadParameters,
            Self::Internal => ErrorKind::Internal,
            Self::MethodNotAllowed => ErrorKind::MethodNotAllowed,
            Self::UnsupportedMediaType => ErrorKind::UnsupportedMediaType,
            Self::BodyTooLarge(_) => ErrorKind::BodyTooLarge,
            Self::BatchTooLarge(_) => ErrorKind::BatchTooLarge,
            Self::ResponseTooLarge(_) => ErrorKind::ResponseTooLarge,
            Self::Timeout => ErrorKind::Timeout,
            Self::Stopping => ErrorKind::Stopping,
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::NotIndexed(_) => ErrorKind::NotIndexed,
            Self::Pruned { .. } => ErrorKind::Pruned,
            Self::Rejected(rejection) => rejection_kind(rejection),
            Self::AlreadyCommitted { .. } => ErrorKind::AlreadyCommitted,
            Self::CommitTimeout(_) => ErrorKind::CommitTimeout,
        }
    }

    /// What the answer's `data` holds, the reason among it.
    fn data(&self) -> Value {
        let more = match self {
            Self::BodyTooLarge(max) | Self::ResponseTooLarge(max) => json!({ "max_bytes": max }),
            Self::BatchTooLarge(max) => json!({ "max": max }),
            Self::NotFound { height, .. } => json!({ "height": height }),
            Self::Pruned { first, last } => json!({ "first": first, "last": last }),
            Self::Rejected(rejection) => rejection_data(rejection),
            Self::AlreadyCommitted { id, height, index } => {
                json!({ "id": id, "height": height, "index": index })
            }
            Self::CommitTimeout(id) => json!({ "id": id, "known": "pending" }),
            _ => Value::Null,
        };
        let mut data = Map::from_iter([("reason".to_owned(), json!(self.kind().reason()))]);
        if let Value::Object(more) = more {
            data.extend(more);
        }
        Value::Object(data)
    }

    /// What is shown: a failure's details are not.
    fn message(&self) -> String {
        match self {
            Self::Rejected(Rejection::Internal(_)) => Self::Internal.to_string(),
            other => other.to_string(),
        }
    }

    /// The object that every door answers with.
    #[must_use]
    pub fn object(&self) -> ErrorObjectOwned {
        ErrorObjectOwned::owned(self.kind().code(), self.message(), Some(self.data()))
    }
}

const fn rejection_kind(rejection: &Rejection) -> ErrorKind {
    match rejection {
        Rejection::Undecodable(_) => ErrorKind::Undecodable,
        Rejection::TooLarge { .. } => ErrorKind::TransactionTooLarge,
        Rejection::WrongChain { .. } => ErrorKind::WrongChain,
        Rejection::InvalidSignature => ErrorKind::InvalidSignature,
        Rejection::UnknownAccount(_) => ErrorKind::UnknownAccount,
        Rejection::AccountFrozen(_) => ErrorKind::AccountFrozen,
        Rejection::NoRole(_) => ErrorKind::NoRole,
        Rejection::QuotaSpent { .. } => ErrorKind::QuotaSpent,
        Rejection::Unauthorised(_) => ErrorKind::Unauthorised,
        Rejection::WrongNonce { .. } => ErrorKind::WrongNonce,
        Rejection::NonceTaken(_) => ErrorKind::NonceTaken,
        Rejection::Expired { .. } => ErrorKind::Expired,
        Rejection::Duplicate => ErrorKind::Duplicate,
        Rejection::PoolFull => ErrorKind::PoolFull,
        Rejection::Busy => ErrorKind::Busy,
        Rejection::DiskLow => ErrorKind::DiskLow,
        Rejection::Internal(_) => ErrorKind::Internal,
    }
}

fn rejection_data(rejection: &Rejection) -> Value {
    match rejection {
        Rejection::TooLarge { bytes, max } => json!({ "bytes": bytes, "max_bytes": max }),
        Rejection::WrongChain { expected, found } => json!({ "expected": expected, "found": found }),
        Rejection::UnknownAccount(account)
        | Rejection::AccountFrozen(account)
        | Rejection::NoRole(account)
        | Rejection::Unauthorised(account) => json!({ "account": account }),
        Rejection::QuotaSpent { payer, retry_ms } => {
            json!({ "account": payer, "retry_after_ms": retry_ms })
        }
        Rejection::WrongNonce { expected, found } => json!({ "expected": expected, "found": found }),
        Rejection::NonceTaken(nonce) => json!({ "nonce": nonce }),
        Rejection::Expired { valid_until, height } => {
            json!({ "valid_until": valid_until, "height": height })
        }
        Rejection::PoolFull | Rejection::Busy => json!({ "retry_after": RETRY_AFTER_SECONDS }),
        Rejection::Undecodable(_)
        | Rejection::InvalidSignature
        | Rejection::Duplicate
        | Rejection::DiskLow
        | Rejection::Internal(_) => Value::Null,
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::NotIndexed { .. } => Self::NotIndexed(error.to_string()),
            LedgerError::Pruned { first, last } => Self::Pruned { first, last },
            error => {
                tracing::error!(%error, "a read of the ledger failed");
                Self::Internal
            }
        }
    }
}

impl From<ApiError> for ErrorObjectOwned {
    fn from(error: ApiError) -> Self {
        error.object()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let kind = self.kind();
        let mut response = (kind.status(), axum::Json(json!({ "error": self.object() }))).into_response();
        if matches!(kind, ErrorKind::Busy | ErrorKind::PoolFull) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SECONDS));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn kinds_are_distinct_and_the_table_has_them_all() {
        let codes: BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.code()).collect();
        let reasons: BTreeSet<_> = ErrorKind::ALL.iter().map(|kind| kind.reason()).collect();
        assert_eq!((codes.len(), reasons.len()), (ErrorKind::ALL.len(), ErrorKind::ALL.len()));
        assert!(ErrorKind::ALL.is_sorted(), "each once, in the order of the enum");
        assert_eq!(ErrorKind::ALL.last().map(|kind| *kind as usize + 1), Some(ErrorKind::ALL.len()));
    }

    #[test]
    fn failures_keep_their_details_to_themselves() {
        let error = ApiError::Rejected(Rejection::Internal("/secret/path".into()));
        assert_eq!(error.kind(), ErrorKind::Internal);
        assert!(!error.object().to_string().contains("secret"));
        assert!(!serde_json::to_string(&error.object()).unwrap().contains("secret"));
    }

    #[test]
    fn details_are_beside_the_reason() {
        let rejection =
            Rejection::WrongNonce { expected: quorate_chain::Nonce(4), found: quorate_chain::Nonce(9) };
        let object = ApiError::from(rejection).object();
        let data: Value = serde_json::from_str(object.data().unwrap().get()).unwrap();
        assert_eq!(data, json!({ "reason": "wrong_nonce", "expected": 4, "found": 9 }));
    }
}
