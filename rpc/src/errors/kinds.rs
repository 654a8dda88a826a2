//! The kinds of errors, and the table of them.

use axum::http::StatusCode;
use std::fmt::Write;

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
