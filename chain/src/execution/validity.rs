//! R6: whether a fresh block may be prepared, against its parent's state.
//!
//! Who proposed it and whether its time is not ahead of the own clock is the consensus core's part.

use super::admission::{Admission, InvalidTransaction, check_form};
use crate::block::{Block, PROTOCOL_VERSION};
use crate::ids::{BlockHash, ChainId, Epoch, Height, ResultHash, TimestampMs, TransactionId};
use crate::parameters::Parameters;
use crate::state::{StateError, StateReader};

/// What a block's header must agree with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// Height of the parent.
    pub height: Height,
    /// Its hash.
    pub block: BlockHash,
    /// Its time.
    pub timestamp_ms: TimestampMs,
    /// Its result by the own execution.
    pub result: ResultHash,
    /// The epoch that the child must be of.
    pub epoch: Epoch,
}

/// Why nobody may prepare a block.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// A field of the header is not what the parent demands.
    #[error("the block's {0} does not follow from its parent")]
    Header(&'static str),
    /// The transactions are not those that the header binds.
    #[error("the block's transactions do not fit its header")]
    Transactions,
    /// More transactions, bytes or work than allowed.
    #[error("the block is over the limit of {0}")]
    TooLarge(&'static str),
    /// A transaction that may not execute at its place.
    #[error("transaction {id}: {error}")]
    Transaction {
        /// Which.
        id: TransactionId,
        /// Why not.
        error: InvalidTransaction,
    },
    /// The parent ends its epoch and is not committed yet: a child waits for that (R45).
    #[error("the block's parent {0} ends its epoch and is not committed yet")]
    EpochEnd(BlockHash),
    /// The state could not be read; not the block's fault.
    #[error("{0}")]
    State(#[from] StateError),
}

impl BlockError {
    /// Whether the block is bad, as opposed to early, or the own disk.
    #[must_use]
    pub const fn is_peer_fault(&self) -> bool {
        !matches!(
            self,
            Self::EpochEnd(_)
                | Self::State(_)
                | Self::Transaction { error: InvalidTransaction::State(_), .. }
        )
    }
}

/// Checks all of R6 that follows from block, parent and parent's state. `authentic` says whether a
/// transaction's signatures are known to hold (they were checked when it entered the pool); the others are
/// verified here, in one batch.
///
/// # Errors
/// Says what is wrong with the block.
pub fn validate_block<R: StateReader>(
    parent_state: &R,
    parameters: &Parameters,
    chain: ChainId,
    parent: &Parent,
    block: &Block,
    authentic: impl Fn(TransactionId) -> bool,
) -> Result<(), BlockError> {
    check_header(parameters, parent, block)?;
    let admission = Admission::new(parent_state, parameters, block.header.timestamp_ms);
    let mut admission = admission.for_count(block.transactions.len());
    for transaction in block.transactions.iter() {
        let invalid = |error| BlockError::Transaction { id: transaction.id(), error };
        check_form(transaction, chain, block.header.height).map_err(invalid)?;
        admission.admit(transaction).map_err(invalid)?;
    }
    if admission.work() > parameters.block_work_max {
        return Err(BlockError::TooLarge("work"));
    }
    check_signatures(chain, block, authentic)
}

fn check_header(parameters: &Parameters, parent: &Parent, block: &Block) -> Result<(), BlockError> {
    let header = &block.header;
    let follows = [
        ("version", header.version == PROTOCOL_VERSION),
        ("height", header.height == parent.height.next()),
        ("parent", header.parent == parent.block),
        ("parent result", header.parent_result == parent.result),
        ("epoch", header.epoch == parent.epoch),
        ("time", header.timestamp_ms > parent.timestamp_ms),
    ];
    if let Some((name, _)) = follows.iter().find(|(_, ok)| !ok) {
        return Err(BlockError::Header(name));
    }
    if block.transactions.len() > parameters.block_transactions_max as usize {
        return Err(BlockError::TooLarge("transactions"));
    }
    let bytes: usize = block.transactions.iter().map(|t| t.bytes().len()).sum();
    if bytes > parameters.block_bytes_max as usize {
        return Err(BlockError::TooLarge("bytes"));
    }
    if block.is_bound() { Ok(()) } else { Err(BlockError::Transactions) }
}

fn check_signatures(
    chain: ChainId,
    block: &Block,
    authentic: impl Fn(TransactionId) -> bool,
) -> Result<(), BlockError> {
    let unknown: Vec<_> = block
        .transactions
        .iter()
        .filter(|t| !authentic(t.id()))
        .map(|transaction| (transaction, transaction.signed_bytes(chain)))
        .collect();
    let mut owners = Vec::new();
    let mut signed = Vec::new();
    for (transaction, message) in &unknown {
        for one in transaction.signed_messages(message) {
            owners.push(transaction.id());
            signed.push(one);
        }
    }
    let verdicts = crate::crypto::verify_batch(&signed);
    match verdicts.iter().position(|ok| !ok) {
        None => Ok(()),
        Some(bad) => Err(BlockError::Transaction { id: owners[bad], error: InvalidTransaction::Signature }),
    }
}
