//! Whether a transaction may execute: checks without its effects.

use crate::ids::{AccountId, ChainId, Height, Nonce};
use crate::state::{Account, AccountStatus, StateError, StateKey, StateReader, StateValue};
use crate::transaction::{ChainTag, Transaction};

/// Why a transaction may not execute. Each has a code of its own in every answer to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTransaction {
    /// The bytes are no transaction.
    #[error("not a transaction: {0}")]
    Encoding(String),
    /// It is made for another chain.
    #[error("the transaction is for another chain (its chain tag is {found}, this chain's is {expected})")]
    WrongChain {
        /// Tag of this chain, hex.
        expected: String,
        /// Tag in the transaction, hex.
        found: String,
    },
    /// A signature does not hold.
    #[error("a signature of the transaction does not hold")]
    Signature,
    /// There is no such account.
    #[error("there is no account {0}")]
    UnknownAccount(AccountId),
    /// The account, or its sponsor, may not transact.
    #[error("the account {0} may not transact (frozen or closed)")]
    Inactive(AccountId),
    /// The keys that signed may not act for the account and the sponsor.
    #[error("the signing keys may not act for the account {0}")]
    Unauthorised(AccountId),
    /// The nonce is not the next one.
    #[error("the nonce is {found}, the account's next is {expected}")]
    Nonce {
        /// The account's next nonce.
        expected: Nonce,
        /// The transaction's.
        found: Nonce,
    },
    /// It was valid only until a height that has passed.
    #[error("the transaction was valid until height {valid_until}, the next block is {height}")]
    Expired {
        /// Last height at which it could execute.
        valid_until: Height,
        /// Height at which it would.
        height: Height,
    },
    /// The state could not be read; not the transaction's fault.
    #[error("{0}")]
    State(#[from] StateError),
}

impl InvalidTransaction {
    /// Whether honest nodes never pass on such bytes: no state could make them valid.
    #[must_use]
    pub const fn is_peer_fault(&self) -> bool {
        matches!(self, Self::Encoding(_) | Self::WrongChain { .. } | Self::Signature)
    }
}

/// What can be checked without state and without signatures.
///
/// # Errors
/// [`InvalidTransaction::WrongChain`] or [`InvalidTransaction::Expired`].
pub fn check_form(
    transaction: &Transaction,
    chain: ChainId,
    height: Height,
) -> Result<(), InvalidTransaction> {
    let body = transaction.body();
    let expected = ChainTag::from(chain);
    if body.chain != expected {
        return Err(InvalidTransaction::WrongChain {
            expected: hex::encode(expected.0),
            found: hex::encode(body.chain.0),
        });
    }
    if body.valid_until != Height::ZERO && body.valid_until < height {
        return Err(InvalidTransaction::Expired { valid_until: body.valid_until, height });
    }
    Ok(())
}

fn active_account<R: StateReader>(state: &R, id: AccountId) -> Result<Account, InvalidTransaction> {
    match state.get(&StateKey::Account(id))? {
        Some(StateValue::Account(account)) if account.status == AccountStatus::Active => Ok(account),
        Some(StateValue::Account(_)) => Err(InvalidTransaction::Inactive(id)),
        _ => Err(InvalidTransaction::UnknownAccount(id)),
    }
}

/// Whether account and sponsor may transact by these signatures; gives the account's next nonce. Every
/// signer must act for one of the two.
///
/// # Errors
/// Says who may not, or that the state could not be read.
pub fn check_against_state<R: StateReader>(
    state: &R,
    transaction: &Transaction,
) -> Result<Nonce, InvalidTransaction> {
    let body = transaction.body();
    let account = active_account(state, body.account)?;
    let Some(sponsor) = body.sponsor else {
        return if account.authorises(body.account, transaction.signers()) {
            Ok(account.nonce)
        } else {
            Err(InvalidTransaction::Unauthorised(body.account))
        };
    };
    let sponsor_account = active_account(state, sponsor)?;
    let own = |key| account.acts(body.account, key);
    let paying = |key| sponsor_account.acts(sponsor, key);
    if !transaction.signers().all(|key| own(key) || paying(key))
        || !account.authorises(body.account, transaction.signers().filter(|key| own(*key)))
    {
        return Err(InvalidTransaction::Unauthorised(body.account));
    }
    if !sponsor_account.authorises(sponsor, transaction.signers().filter(|key| paying(*key))) {
        return Err(InvalidTransaction::Unauthorised(sponsor));
    }
    Ok(account.nonce)
}
