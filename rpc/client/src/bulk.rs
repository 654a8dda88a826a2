//! Calls for high rates: many transactions in one request, and what became of all that was committed.

use crate::client::Client;
use crate::error::{ClientError, RpcError};
use quorate_chain::codec::decode;
use quorate_chain::{Height, TimestampMs, TransactionId};
use serde::Deserialize;
use std::time::Duration;

/// Of [`Client::broadcast_many`]: all that are not refused are taken.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Many {
    /// How many were taken.
    pub taken: u32,
    /// The others.
    pub refused: Vec<Refused>,
}

/// One of many that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refused {
    /// Its place in the request, from 0.
    pub index: usize,
    /// Why.
    pub error: RpcError,
}

/// What became of a block's transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockOutcomes {
    /// Which block.
    pub height: Height,
    /// The block's time.
    pub timestamp_ms: TimestampMs,
    /// Its transactions in their order, and whether they took effect.
    pub transactions: Vec<(TransactionId, bool)>,
}

/// As it comes.
type Block = (Height, TimestampMs, Vec<(TransactionId, bool)>);

#[derive(Deserialize)]
struct Failed {
    error: RpcError,
}

impl Client {
    /// Hands over many transactions; answers once each has been checked. `list` is a borsh list of their bytes: a
    /// count, then each with its length before it (all `u32`, little-endian).
    ///
    /// # Errors
    /// As [`Self::call`]; a transaction that is refused is no error.
    pub fn broadcast_many(&self, list: &[u8]) -> Result<Many, ClientError> {
        let url = self.path("v1/transactions/batch");
        let request = self.agent.post(&url).content_type("application/octet-stream");
        let (status, body) = self.read(request.send(list))?;
        self.json(status, &body)
    }

    /// What became of the transactions of the blocks from a height on, as many as one answer takes. Waits so long
    /// for the first of them, but no longer than the node allows; none: it has not come.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn outcomes(&self, from: Height, wait: Duration) -> Result<Vec<BlockOutcomes>, ClientError> {
        let url = self.path(&format!("v1/outcomes?from={from}&wait_ms={}", wait.as_millis()));
        let (status, body) = self.read(self.agent.get(&url).call())?;
        if status != 200 {
            let failed: Failed = self.json(status, &body)?;
            return Err(failed.error.into());
        }
        let blocks: Vec<Block> = decode(&body).map_err(|error| self.not_a_node(status, error.0))?;
        let block =
            |(height, timestamp_ms, transactions)| BlockOutcomes { height, timestamp_ms, transactions };
        Ok(blocks.into_iter().map(block).collect())
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    fn json<T: for<'de> Deserialize<'de>>(&self, status: u16, body: &[u8]) -> Result<T, ClientError> {
        if let Ok(failed) = serde_json::from_slice::<Failed>(body) {
            return Err(failed.error.into());
        }
        serde_json::from_slice(body).map_err(|error| self.not_a_node(status, error.to_string()))
    }
}
