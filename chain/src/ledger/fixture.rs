//! The next block of a ledger and its certificate without consensus, for tests and benches of this and other
//! crates. The certificate is signed by the well-known keys of [`crate::validator::fixture`].

use super::{CommittedBlock, Ledger, LedgerError};
use crate::block::{Block, PROTOCOL_VERSION, transactions_root};
use crate::certificate::CommitVote;
use crate::certificate::fixture::commit_certificate;
use crate::codec::List;
use crate::ids::{TimestampMs, ValidatorIndex, View};
use crate::transaction::Transaction;
use crate::{Header, ResultHash};
use std::sync::Arc;

/// A block of these transactions on the tip, made by validator 0 a millisecond after it.
///
/// # Panics
/// When there are more transactions than a block takes.
#[must_use]
#[allow(clippy::expect_used)]
pub fn next_block(ledger: &Ledger, transactions: Vec<Transaction>) -> Block {
    let tip = ledger.tip();
    let header = Header {
        version: PROTOCOL_VERSION,
        height: tip.height.next(),
        epoch: tip.epoch,
        parent: tip.block,
        timestamp_ms: TimestampMs(tip.timestamp_ms.0 + 1),
        transactions_root: transactions_root(&transactions),
        transaction_count: u32::try_from(transactions.len()).expect("a block's transactions"),
        parent_result: tip.result.hash(),
        proposer: ValidatorIndex(0),
    };
    Block { header, transactions: List::new(transactions).expect("a block's transactions") }
}

/// What these validators sign to make the block and its result final, in view 0.
#[must_use]
pub fn commit_vote(header: &Header, result: ResultHash) -> CommitVote {
    CommitVote { epoch: header.epoch, view: View(0), height: header.height, block: header.hash(), result }
}

/// Makes a child of the tip final with a certificate of these validators: body, execution, commit.
///
/// # Errors
/// The ledger's.
pub fn commit(
    ledger: &mut Ledger,
    block: &Block,
    signers: &[u16],
) -> Result<Arc<CommittedBlock>, LedgerError> {
    ledger.append_body(block)?;
    let result = ledger.execute(block)?.hash();
    let certificate = commit_certificate(ledger.chain, commit_vote(&block.header, result), signers);
    ledger.commit(block.hash(), List::default(), certificate)
}
