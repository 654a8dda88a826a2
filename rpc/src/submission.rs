//! Taking transactions: decoded here, checked by the node, and found again in the chain.

use crate::api::Api;
use crate::errors::ApiError;
use crate::rejection::Rejection;
use crate::shapes::{CommittedView, SubmittedView};
use crate::view::Submission;
use quorate_chain::transaction::TRANSACTION_BYTES_MAX;
use quorate_chain::{Height, Transaction, TransactionId};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

pub(crate) type Checked = oneshot::Receiver<Result<(), Rejection>>;

/// Decodes a transaction from its bytes.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Transaction, Rejection> {
    check_size(bytes.len())?;
    Ok(Transaction::from_bytes(bytes)?)
}

/// Decodes a transaction from hex digits of either case.
pub(crate) fn from_hex(digits: &str) -> Result<Transaction, Rejection> {
    check_size(digits.len() / 2)?;
    let bytes = hex::decode(digits).map_err(|error| Rejection::Undecodable(format!("not hex: {error}")))?;
    from_bytes(&bytes)
}

const fn check_size(bytes: usize) -> Result<(), Rejection> {
    let max = TRANSACTION_BYTES_MAX;
    if bytes > max { Err(Rejection::TooLarge { bytes, max }) } else { Ok(()) }
}

impl Api {
    /// Hands a transaction over without waiting for its check.
    pub(crate) fn broadcast_async(&self, transaction: Transaction) -> Result<SubmittedView, ApiError> {
        let id = transaction.id();
        self.hand_over(transaction)?;
        Ok(SubmittedView { id })
    }

    /// Waits for the check.
    pub(crate) async fn broadcast_sync(&self, transaction: Transaction) -> Result<SubmittedView, ApiError> {
        let id = transaction.id();
        let checked = self.hand_over(transaction)?;
        self.verdict_by(id, checked, Instant::now() + self.check_timeout).await?;
        Ok(SubmittedView { id })
    }

    /// What the check says; of one that was committed before, that it was.
    pub(crate) async fn verdict_by(
        &self,
        id: TransactionId,
        checked: Checked,
        deadline: Instant,
    ) -> Result<(), ApiError> {
        let Err(error) = self.checked(checked, deadline).await else { return Ok(()) };
        match self.committed_before(id, &error).await? {
            Some(CommittedView { height, index, .. }) => {
                Err(ApiError::AlreadyCommitted { id, height, index })
            }
            None => Err(error),
        }
    }

    /// Waits for the block. Asking again for one that waits or is committed is no error: it is the answer
    /// to a client that lost the first one.
    pub(crate) async fn broadcast_commit(&self, transaction: Transaction) -> Result<CommittedView, ApiError> {
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(Rejection::Busy.into());
        };
        let (id, valid_until) = (transaction.id(), transaction.body().valid_until);
        let checked = self.hand_over(transaction)?;
        match self.checked(checked, Instant::now() + self.check_timeout).await {
            Ok(()) | Err(ApiError::Rejected(Rejection::Duplicate)) => {
                self.wait_for_commit(id, valid_until).await
            }
            Err(error) => self.committed_before(id, &error).await?.ok_or(error),
        }
    }

    fn hand_over(&self, transaction: Transaction) -> Result<Checked, ApiError> {
        let (answer, checked) = oneshot::channel();
        match self.view.submit.try_send(Submission { transaction, answer }) {
            Ok(()) => Ok(checked),
            Err(TrySendError::Full(_)) => Err(Rejection::Busy.into()),
            Err(TrySendError::Closed(_)) => Err(ApiError::Stopping),
        }
    }

    /// Hands over one of many: a full queue makes it wait.
    pub(crate) async fn hand_over_by(
        &self,
        transaction: Transaction,
        deadline: Instant,
    ) -> Result<Checked, ApiError> {
        let (answer, checked) = oneshot::channel();
        match timeout_at(deadline, self.view.submit.send(Submission { transaction, answer })).await {
            Ok(Ok(())) => Ok(checked),
            Ok(Err(_)) => Err(ApiError::Stopping),
            Err(_) => Err(Rejection::Busy.into()),
        }
    }

    async fn checked(&self, checked: Checked, deadline: Instant) -> Result<(), ApiError> {
        match timeout_at(deadline, checked).await {
            Ok(Ok(verdict)) => Ok(verdict.inspect_err(log_failure)?),
            Ok(Err(_)) => Err(ApiError::Stopping),
            Err(_) => Err(Rejection::Busy.into()),
        }
    }

    /// A used nonce may have been used by this very transaction.
    async fn committed_before(
        &self,
        id: TransactionId,
        error: &ApiError,
    ) -> Result<Option<CommittedView>, ApiError> {
        match error {
            ApiError::Rejected(Rejection::WrongNonce { .. } | Rejection::Expired { .. }) => {
                match self.find(id).await {
                    // Then nobody here can tell.
                    Err(ApiError::NotIndexed(_)) => Ok(None),
                    found => found,
                }
            }
            _ => Ok(None),
        }
    }

    async fn find(&self, id: TransactionId) -> Result<Option<CommittedView>, ApiError> {
        let read = move |reader: &quorate_chain::ledger::Reader| {
            Ok(reader.transaction(id)?.map(|record| (&record).into()))
        };
        self.reads.run(read).await
    }

    async fn wait_for_commit(
        &self,
        id: TransactionId,
        valid_until: Height,
    ) -> Result<CommittedView, ApiError> {
        let deadline = Instant::now() + self.commit_timeout;
        let mut committed = self.view.committed.clone();
        loop {
            let height = *committed.borrow_and_update();
            if let Some(found) = self.find(id).await? {
                return Ok(found);
            }
            if valid_until != Height::ZERO && valid_until <= height {
                return Err(Rejection::Expired { valid_until, height: height.next() }.into());
            }
            match timeout_at(deadline, committed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ApiError::Stopping),
                Err(_) => return Err(ApiError::CommitTimeout(id)),
            }
        }
    }
}

fn log_failure(rejection: &Rejection) {
    if let Rejection::Internal(what) = rejection {
        tracing::error!(what, "a transaction could not be checked");
    }
}
