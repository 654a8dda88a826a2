//! What nodes send each other beside gossip: frames on direct streams, requests and their answers.

use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::certificate::PATH_HEADERS_MAX;
use quorate_chain::codec::List;
use quorate_chain::{Block, BlockHash, CommitCertificate, Header, Height, Transaction};
use quorate_consensus::Message;

/// Most transactions of a gossip batch or relay frame; their bytes bound it long before.
pub(super) const BATCH_TRANSACTIONS_MAX: usize = 1_024;
/// Most bytes of a gossip batch.
pub(super) const BATCH_BYTES_MAX: usize = 60 * 1024;
/// Most blocks of an answer.
pub(super) const ANSWER_BLOCKS_MAX: usize = 64;
/// Bytes of blocks after which an answer holds no more of them.
pub(super) const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Transactions on their way from pool to pool.
pub(super) type Batch = List<Transaction, 1, BATCH_TRANSACTIONS_MAX>;

/// What goes over a direct stream.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub(super) enum Frame {
    /// For the consensus core.
    Consensus(Message) = 1,
    /// For the pool: what a validator waits for (R33).
    Transactions(Batch) = 2,
}

/// What one node asks another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub(super) enum Request {
    /// Certified blocks from this height on.
    Blocks(Height) = 1,
    /// The body of a block, committed or not.
    Body(BlockHash) = 2,
}

/// A block that proves itself.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct CertifiedBlock {
    pub(super) block: Block,
    pub(super) path: List<Header, 0, PATH_HEADERS_MAX>,
    pub(super) certificate: CommitCertificate,
}

/// Answer to [`Request::Blocks`], ascending; empty if there are none.
pub(super) type Blocks = List<CertifiedBlock, 0, ANSWER_BLOCKS_MAX>;

/// Answer to [`Request::Body`].
pub(super) type Body = Option<Block>;

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::codec::{decode, encode};

    #[test]
    fn golden_requests() {
        assert_eq!(encode(&Request::Blocks(Height(5))), [1, 5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encode(&Request::Body(BlockHash([9; 32]))), [&[2][..], &[9; 32]].concat());
        assert!(decode::<Frame>(&[2, 0, 0, 0, 0]).is_err(), "an empty batch");
        assert!(decode::<Request>(&[3]).is_err());
    }
}
