//! Every error that a client can see: one code, one reason, one HTTP status, on every door.
//!
//! The same object goes out everywhere: `{code, message, data: {reason, …}}`, in JSON-RPC's `error` and in
//! the body of a REST answer. Codes and reasons never change meaning; messages may.

use crate::rejection::Rejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jsonrpsee::types::ErrorObjectOwned;
use quorate_chain::ledger::LedgerError;
use quorate_chain::{Height, TransactionId};
use serde_json::{Map, Value, json};
use std::fmt::Write;

/// When to try again after `busy` or `pool_full`, seconds.
const RETRY_AFTER_SECONDS: u64 = 1;

/// The kinds of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // `row` says what each means.
pub enum ErrorKind {
    ParseError,
    InvalidRequest,
    UnknownMethod,
    BadParameters,
    Internal,
    MethodNotAllowed,
    UnsupportedMediaType,
    BodyTooLarge,
    BatchTooLarge,
    ResponseTooLarge,
    Timeout,
    Busy,
    Stopping,
    NotFound,
    NotIndexed,
    Pruned,
    Undecodable,
    TransactionTooLarge,
    WrongChain,
    InvalidSignature,
    UnknownAccount,
    AccountFrozen,
    Unauthorised,
    WrongNonce,
    NonceTaken,
    Expired,
    Duplicate,
    AlreadyCommitted,
    PoolFull,
    CommitTimeout,
    NoRole,
    QuotaSpent,
    DiskLow,
}

/// What the table says of a kind.
struct Row {
    code: i32,
    status: StatusCode,
    reason: &'static str,
    meaning: &'static str,
    data: &'static str,
}

const fn row(
    code: i32,
    status: StatusCode,
    reason: &'static str,
    data: &'static str,
    meaning: &'static str,
) -> Row {
    Row { code, status, reason, meaning, data }
}

impl ErrorKind {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 33] = [
        Self::ParseError,
        Self::InvalidRequest,
        Self::UnknownMethod,
        Self::BadParameters,
        Self::Internal,
        Self::MethodNotAllowed,
        Self::UnsupportedMediaType,
        Self::BodyTooLarge,
        Self::BatchTooLarge,
        Self::ResponseTooLarge,
        Self::Timeout,
        Self::Busy,
        Self::Stopping,
        Self::NotFound,
        Self::NotIndexed,
        Self::Pruned,
        Self::Undecodable,
        Self::TransactionTooLarge,
        Self::WrongChain,
        Self::InvalidSignature,
        Self::UnknownAccount,
        Self::AccountFrozen,
        Self::Unauthorised,
        Self::WrongNonce,
        Self::NonceTaken,
        Self::Expired,
        Self::Duplicate,
        Self::AlreadyCommitted,
        Self::PoolFull,
        Self::CommitTimeout,
        Self::NoRole,
        Self::QuotaSpent,
        Self::DiskLow,
    ];

    #[rustfmt::skip]
    const fn row(self) -> Row {
        use StatusCode as S;
        match self {
            Self::ParseError => row(-32700, S::BAD_REQUEST, "parse_error", "", "The body is not JSON."),
            Self::InvalidRequest => row(-32600, S::BAD_REQUEST, "invalid_request", "", "JSON, but not a JSON-RPC 2.0 request; or an empty batch."),
            Self::UnknownMethod => row(-32601, S::NOT_FOUND, "unknown_method", "", "There is no such method or path."),
            Self::BadParameters => row(-32602, S::BAD_REQUEST, "bad_parameters", "", "A parameter is missing, unknown or malformed; the message says which."),
            Self::Internal => row(-32603, S::INTERNAL_SERVER_ERROR, "internal", "", "The node failed; its log says how."),
            Self::MethodNotAllowed => row(1001, S::METHOD_NOT_ALLOWED, "method_not_allowed", "", "The path is there, but not for this HTTP method."),
            Self::UnsupportedMediaType => row(1002, S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "", "JSON-RPC wants `Content-Type: application/json`."),
            Self::BodyTooLarge => row(1003, S::PAYLOAD_TOO_LARGE, "body_too_large", "max_bytes", "The request's body is longer than allowed; it was not read."),
            Self::BatchTooLarge => row(1004, S::PAYLOAD_TOO_LARGE, "batch_too_large", "max", "More calls in a batch than allowed; none was made."),
            Self::ResponseTooLarge => row(1005, S::INTERNAL_SERVER_ERROR, "response_too_large", "max_bytes", "The answer would be longer than allowed: ask for less at once."),
            Self::Timeout => row(1006, S::GATEWAY_TIMEOUT, "timeout", "", "The request took longer than allowed; a transaction in it may still be committed."),
            Self::Busy => row(1007, S::SERVICE_UNAVAILABLE, "busy", "retry_after", "Too much at once; try again after so many seconds."),
            Self::Stopping => row(1008, S::SERVICE_UNAVAILABLE, "stopping", "", "The node is stopping."),
            Self::NotFound => row(1009, S::NOT_FOUND, "not_found", "height", "No such block, transaction or account at this node's height."),
            Self::NotIndexed => row(1010, S::NOT_IMPLEMENTED, "not_indexed", "", "This node does not index what is asked for; the message says which setting does."),
            Self::Pruned => row(1011, S::GONE, "pruned", "first, last", "The state at that height is not kept; `first` to `last` are."),
            Self::Undecodable => row(2001, S::BAD_REQUEST, "undecodable", "", "The bytes are not the canonical encoding of a transaction."),
            Self::TransactionTooLarge => row(2002, S::PAYLOAD_TOO_LARGE, "transaction_too_large", "bytes, max_bytes", "More bytes than a transaction may have."),
            Self::WrongChain => row(2003, S::UNPROCESSABLE_ENTITY, "wrong_chain", "expected, found", "It is made for another chain; the data has the first four bytes of both chain ids."),
            Self::InvalidSignature => row(2004, S::UNPROCESSABLE_ENTITY, "invalid_signature", "", "A signature does not hold."),
            Self::UnknownAccount => row(2005, S::UNPROCESSABLE_ENTITY, "unknown_account", "account", "There is no such account, so it cannot transact."),
            Self::AccountFrozen => row(2006, S::UNPROCESSABLE_ENTITY, "account_frozen", "account", "The account, or its sponsor, is frozen or closed."),
            Self::Unauthorised => row(2007, S::UNPROCESSABLE_ENTITY, "unauthorised", "account", "The keys that signed may not act for the account."),
            Self::WrongNonce => row(2008, S::CONFLICT, "wrong_nonce", "expected, found", "The nonce has been used or is too far ahead; `expected` is the account's next."),
            Self::NonceTaken => row(2009, S::CONFLICT, "nonce_taken", "nonce", "Another transaction of the account with this nonce is waiting."),
            Self::Expired => row(2010, S::UNPROCESSABLE_ENTITY, "expired", "valid_until, height", "Its last valid height has passed; it can never be committed."),
            Self::Duplicate => row(2011, S::CONFLICT, "duplicate", "", "It is waiting in the pool already."),
            Self::AlreadyCommitted => row(2012, S::CONFLICT, "already_committed", "id, height, index", "It has been committed; the data says where."),
            Self::PoolFull => row(2013, S::SERVICE_UNAVAILABLE, "pool_full", "retry_after", "Too many transactions wait; try again after so many seconds."),
            Self::CommitTimeout => row(2014, S::GATEWAY_TIMEOUT, "commit_timeout", "id, known", "Taken into the pool, but no block had it in time. It may still be committed: ask for it by its id."),
            Self::NoRole => row(2015, S::UNPROCESSABLE_ENTITY, "no_role", "account", "None of the account's roles lets it transact."),
            Self::QuotaSpent => row(2016, S::TOO_MANY_REQUESTS, "quota_spent", "account, retry_after_ms", "The account, or its organisation, has spent its quota of work; the data says when there is enough again."),
            Self::DiskLow => row(2017, S::SERVICE_UNAVAILABLE, "disk_low", "", "The node's disk is nearly full, so it takes no transactions; send it to another node. It goes on by itself once there is space."),
        }
    }

    /// Its number in JSON-RPC and REST answers.
    #[must_use]
    pub const fn code(self) -> i32 {
        self.row().code
    }

    /// Its name for programs.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        self.row().reason
    }

    /// The status of a REST answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().status
    }
}

/// The table of all errors in Markdown, as in `docs/ERRORS.md`.
#[must_use]
pub fn error_table() -> String {
    let mut table = String::from(
        "| code | reason | HTTP | more in `data` | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for kind in ErrorKind::ALL {
        let row = kind.row();
        let (code, status, reason, meaning) = (row.code, row.status.as_u16(), row.reason, row.meaning);
        // Writing into a String cannot fail.
        let _ = writeln!(table, "| {code} | `{reason}` | {status} | {} | {meaning} |", row.data);
    }
    table
}

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
