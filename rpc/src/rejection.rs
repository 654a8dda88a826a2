//! Why a transaction is not taken.

use quorate_chain::codec::DecodeError;
use quorate_chain::execution::InvalidTransaction;
use quorate_chain::mempool::Refused;
use quorate_chain::{AccountId, Height, Nonce};

/// Why a transaction is not taken. It changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The bytes are no transaction.
    #[error("the bytes are not a transaction: {0}")]
    Undecodable(String),
    /// More bytes than a transaction may have.
    #[error("the transaction has {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// How many it may have.
        max: usize,
    },
    /// It is made for another chain.
    #[error("the transaction is for another chain (tag {found}, this chain's is {expected})")]
    WrongChain {
        /// Tag of this chain, hex.
        expected: String,
        /// Tag in the transaction, hex.
        found: String,
    },
    /// A signature does not hold.
    #[error("a signature of the transaction does not hold")]
    InvalidSignature,
    /// There is no such account.
    #[error("there is no account {0}")]
    UnknownAccount(AccountId),
    /// The account or its sponsor is frozen or closed.
    #[error("the account {0} may not transact: it is frozen or closed")]
    AccountFrozen(AccountId),
    /// None of the account's roles lets it transact.
    #[error("the account {0} may not transact: it has none of the roles member, issuer, admin")]
    NoRole(AccountId),
    /// Whoever pays has spent its quota.
    #[error("the account {payer}, or its organisation, has spent its quota of work{}", retry(*.retry_ms))]
    QuotaSpent {
        /// The account whose quota pays.
        payer: AccountId,
        /// Milliseconds until there is enough, if nothing else is spent; `None`: never.
        retry_ms: Option<u64>,
    },
    /// The keys that signed may not act for the account.
    #[error("the signing keys may not act for the account {0}")]
    Unauthorised(AccountId),
    /// The nonce has been used or is too far ahead.
    #[error("the nonce is {found}, the account's next is {expected}")]
    WrongNonce {
        /// The account's next nonce at the committed tip.
        expected: Nonce,
        /// The transaction's.
        found: Nonce,
    },
    /// Another transaction of the account with this nonce waits.
    #[error("another transaction of the account with nonce {0} is waiting")]
    NonceTaken(Nonce),
    /// It was valid only until a height that has passed.
    #[error("the transaction was valid until height {valid_until}, the next block is {height}")]
    Expired {
        /// Last height at which it could execute.
        valid_until: Height,
        /// Height at which it would.
        height: Height,
    },
    /// It waits in the pool already.
    #[error("the transaction is waiting in the pool already")]
    Duplicate,
    /// The pool is full.
    #[error("the pool is full; try again when blocks have been committed")]
    PoolFull,
    /// The node has more to check than it can; nothing is known of the transaction.
    #[error("the node is busy; try again")]
    Busy,
    /// The node's disk is nearly full.
    #[error("the node's disk is nearly full and it takes no transactions; send it to another node")]
    DiskLow,
    /// The node could not read its own state. The text is for the log, never for the client.
    #[error("the node failed: {0}")]
    Internal(String),
}

fn retry(after: Option<u64>) -> String {
    after.map_or_else(|| ", and it does not come back".into(), |ms| format!("; try again in {ms} ms"))
}

impl Rejection {
    /// Whether the same bytes may be taken a little later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::PoolFull | Self::Busy | Self::QuotaSpent { .. } | Self::Internal(_))
    }
}

impl From<DecodeError> for Rejection {
    fn from(error: DecodeError) -> Self {
        Self::Undecodable(error.0)
    }
}

impl From<InvalidTransaction> for Rejection {
    fn from(error: InvalidTransaction) -> Self {
        match error {
            InvalidTransaction::Encoding(what) => Self::Undecodable(what),
            InvalidTransaction::WrongChain { expected, found } => Self::WrongChain { expected, found },
            InvalidTransaction::Signature => Self::InvalidSignature,
            InvalidTransaction::UnknownAccount(account) => Self::UnknownAccount(account),
            InvalidTransaction::Inactive(account) => Self::AccountFrozen(account),
            InvalidTransaction::NoRole(account) => Self::NoRole(account),
            InvalidTransaction::Unauthorised(account) => Self::Unauthorised(account),
            InvalidTransaction::Quota { payer, retry_ms } => Self::QuotaSpent { payer, retry_ms },
            InvalidTransaction::Nonce { expected, found } => Self::WrongNonce { expected, found },
            InvalidTransaction::Expired { valid_until, height } => Self::Expired { valid_until, height },
            InvalidTransaction::State(error) => Self::Internal(error.to_string()),
        }
    }
}

impl From<Refused> for Rejection {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Duplicate => Self::Duplicate,
            Refused::NonceTaken(nonce) => Self::NonceTaken(nonce),
            Refused::Nonce { expected, found, .. } => Self::WrongNonce { expected, found },
            Refused::Gapped { missing, found } => Self::WrongNonce { expected: missing, found },
            Refused::Full => Self::PoolFull,
        }
    }
}
