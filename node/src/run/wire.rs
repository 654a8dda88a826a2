//! What nodes send each other beside gossip: frames on direct streams, requests and their answers.

use borsh::{BorshDeserialize, BorshSerialize};
use quorate_chain::block::BLOCK_TRANSACTIONS_MAX;
use quorate_chain::certificate::PATH_HEADERS_MAX;
use quorate_chain::codec::List;
use quorate_chain::{Block, BlockHash, CommitCertificate, Header, Height, Transaction};
use quorate_consensus::Message;
use quorate_consensus::message::CompactProposal;

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
    /// For the consensus core, once its transactions are found.
    Proposal(CompactProposal) = 3,
}

/// What one node asks another.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub(super) enum Request {
    /// Certified blocks from this height on.
    Blocks(Height) = 1,
    /// The body of a block, committed or not.
    Body(BlockHash) = 2,
    /// Transactions of a block that the other has proposed, by their places in it.
    Transactions(BlockHash, Places) = 3,
}

/// Places of a block, from 0.
pub(super) type Places = List<u16, 1, BLOCK_TRANSACTIONS_MAX>;

/// Answer to [`Request::Transactions`]: all of them, in the order of the places.
pub(super) type Found = Option<List<Transaction, 1, BLOCK_TRANSACTIONS_MAX>>;

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
    use quorate_chain::block::transactions_root;
    use quorate_chain::certificate::ValidatorSignature;
    use quorate_chain::codec::{Bytes, decode, encode};
    use quorate_chain::crypto::SecretKey;
    use quorate_chain::instruction::Instruction;
    use quorate_chain::transaction::TransactionBody;
    use quorate_chain::{
        Amount, AssetId, ChainId, Epoch, Nonce, ResultHash, Signature, TimestampMs, ValidatorIndex, View,
    };

    #[test]
    fn golden_requests() {
        assert_eq!(encode(&Request::Blocks(Height(5))), [1, 5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encode(&Request::Body(BlockHash([9; 32]))), [&[2][..], &[9; 32]].concat());
        assert!(decode::<Frame>(&[2, 0, 0, 0, 0]).is_err(), "an empty batch");
        assert!(decode::<Request>(&[3]).is_err());
    }

    fn transaction() -> Transaction {
        let key = SecretKey::from_seed(&[1; 32]);
        let account = key.public().into();
        let pay = Instruction::Transfer {
            to: account,
            asset: AssetId::NATIVE,
            amount: Amount(1),
            memo: Bytes::default(),
        };
        let chain = ChainId([1; 32]);
        let body = TransactionBody::new(chain, account, Nonce(0), vec![pay]).unwrap();
        Transaction::sign(body, chain, &[&key]).unwrap()
    }

    #[test]
    fn a_batch_and_an_answer_are_filled_and_take_no_more() {
        let batch = Batch::new(vec![transaction(); BATCH_TRANSACTIONS_MAX]).unwrap();
        let bytes = encode(&Frame::Transactions(batch.clone()));
        assert_eq!(decode::<Frame>(&bytes), Ok(Frame::Transactions(batch)));
        assert!(Batch::new(vec![transaction(); BATCH_TRANSACTIONS_MAX + 1]).is_err());
        let header = Header {
            version: 1,
            height: Height(1),
            epoch: Epoch(0),
            parent: BlockHash([1; 32]),
            timestamp_ms: TimestampMs(1),
            transactions_root: transactions_root(&[]),
            transaction_count: 0,
            parent_result: ResultHash([2; 32]),
            proposer: ValidatorIndex(0),
        };
        let signature = ValidatorSignature { validator: ValidatorIndex(0), signature: Signature([4; 64]) };
        let certificate = CommitCertificate {
            epoch: Epoch(0),
            view: View(0),
            height: Height(1),
            block_hash: header.hash(),
            result_hash: ResultHash([3; 32]),
            signatures: List::new(vec![signature]).unwrap(),
        };
        let block = Block { header, transactions: List::default() };
        let block = CertifiedBlock { block, path: List::default(), certificate };
        let blocks = Blocks::new(vec![block.clone(); ANSWER_BLOCKS_MAX]).unwrap();
        assert_eq!(decode::<Blocks>(&encode(&blocks)), Ok(blocks));
        assert!(Blocks::new(vec![block; ANSWER_BLOCKS_MAX + 1]).is_err());
    }
}
