//! Calls for high rates: many transactions in one request, and what became of all that was committed, block by
//! block. Both speak borsh, so that a client spends its time on other things than JSON.

use crate::api::Api;
use crate::errors::ApiError;
use crate::rejection::Rejection;
use crate::submission;
use quorate_chain::codec::{Bytes, List, decode, encode};
use quorate_chain::ledger::Reader;
use quorate_chain::receipt::ReceiptStatus;
use quorate_chain::transaction::TRANSACTION_BYTES_MAX;
use quorate_chain::{Height, TimestampMs, TransactionId};
use serde::Serialize;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Most transactions of one request.
pub const MANY_MAX: usize = 1_000;
/// Most blocks of one answer.
pub const OUTCOME_BLOCKS_MAX: usize = 64;
/// An answer ends with the block that brings it to so many transactions.
pub const OUTCOME_TRANSACTIONS_MAX: usize = 20_000;
/// Longest wait for a block.
pub const OUTCOME_WAIT_MAX: Duration = Duration::from_secs(10);

/// A block's height and time, and its transactions in their order: which, and whether they took effect.
pub type BlockOutcomes = (Height, TimestampMs, Vec<(TransactionId, bool)>);

/// Of `POST /v1/transactions/batch`: all that are not refused are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ManyView {
    /// How many were.
    pub(crate) taken: u32,
    /// The others, in their order.
    pub(crate) refused: Vec<RefusedView>,
}

/// One of many that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct RefusedView {
    /// Its place in the request, from 0.
    pub(crate) index: u32,
    /// Why: the object that every door answers with.
    pub(crate) error: Value,
}

/// Transactions as they come: a borsh list of byte strings.
type Many = List<Bytes<TRANSACTION_BYTES_MAX>, 1, MANY_MAX>;

/// Reads the list; its transactions are decoded one by one, so that a bad one spoils no other.
fn read_many(body: &[u8]) -> Result<Many, ApiError> {
    let count = body.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize);
    if count > MANY_MAX {
        return Err(ApiError::BatchTooLarge(MANY_MAX));
    }
    decode(body).map_err(|error| ApiError::BadParameters(format!("the list of transactions: {error}")))
}

impl Api {
    /// Hands over all of them, then waits for each one's check. Those of one account may wait for one another, so
    /// a gap is no refusal.
    pub(crate) async fn broadcast_many(&self, body: &[u8]) -> Result<ManyView, ApiError> {
        let many = read_many(body)?;
        let deadline = Instant::now() + self.check_timeout;
        let mut handed_over = Vec::with_capacity(many.len());
        for bytes in many.iter() {
            handed_over.push(match submission::from_bytes(bytes) {
                Ok(transaction) => {
                    let id = transaction.id();
                    self.hand_over_by(transaction, deadline).await.map(|checked| (id, checked))
                }
                Err(rejection) => Err(rejection.into()),
            });
        }
        let mut answer = ManyView::default();
        for (index, one) in (0..).zip(handed_over) {
            let verdict = match one {
                Ok((id, checked)) => self.verdict_by(id, checked, deadline).await,
                Err(error) => Err(error),
            };
            match verdict {
                Ok(()) => answer.taken += 1,
                Err(error) => answer.refused.push(RefusedView { index, error: json!(error.object()) }),
            }
        }
        Ok(answer)
    }

    /// What became of the transactions of the blocks from a height on; waits for the first of them, at most so
    /// long. Nothing if it has not come.
    pub(crate) async fn outcomes(&self, from: Height, wait: Duration) -> Result<Vec<u8>, ApiError> {
        if from == Height::ZERO {
            return Err(ApiError::BadParameters("from: the first block is at height 1".to_owned()));
        }
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return Err(Rejection::Busy.into());
        };
        let deadline = Instant::now() + wait.min(OUTCOME_WAIT_MAX);
        let mut committed = self.view.committed.clone();
        while *committed.borrow_and_update() < from {
            match timeout_at(deadline, committed.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(ApiError::Stopping),
                Err(_) => return Ok(encode(&Vec::<BlockOutcomes>::new())),
            }
        }
        self.reads.run(move |reader| collect(reader, from).map(|blocks| encode(&blocks))).await
    }
}

fn collect(reader: &Reader, from: Height) -> Result<Vec<BlockOutcomes>, ApiError> {
    let mut blocks = Vec::new();
    let (mut height, mut transactions) = (from, 0);
    while blocks.len() < OUTCOME_BLOCKS_MAX && transactions < OUTCOME_TRANSACTIONS_MAX {
        let Some(found) = reader.block(height)? else { break };
        let outcomes = found.block.transactions.iter().zip(&found.receipts);
        let outcomes: Vec<_> = outcomes
            .map(|(transaction, receipt)| (transaction.id(), receipt.status == ReceiptStatus::Success))
            .collect();
        transactions += outcomes.len();
        blocks.push((height, found.block.header.timestamp_ms, outcomes));
        height = height.next();
    }
    Ok(blocks)
}
