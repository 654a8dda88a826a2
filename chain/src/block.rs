//! Blocks and their results.
//!
//! The view is not in the header: a block that is proposed again in a later view keeps its hash. The result
//! (state after the block) is not in its header either, because the block is ordered while it executes; the
//! child's header and the commit certificate bind it.

use crate::codec::List;
use crate::crypto::{Domain, hash};
use crate::ids::{
    BlockHash, Epoch, Height, MerkleRoot, ResultHash, StateRoot, TimestampMs, TransactionId, ValidatorIndex,
    ValidatorSetHash,
};
use crate::merkle;
use crate::transaction::Transaction;
use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

/// Most transactions of a block, whatever the parameters say.
pub const BLOCK_TRANSACTIONS_MAX: usize = 20_000;
/// Most bytes of a block's transactions, whatever the parameters say.
pub const BLOCK_BYTES_MAX: usize = 3 * 1024 * 1024;
/// The only protocol version so far.
pub const PROTOCOL_VERSION: u16 = 1;

/// What a block's hash covers.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Header {
    /// Rules that the block follows.
    pub version: u16,
    /// Its place in the chain.
    pub height: Height,
    /// The epoch whose set certifies it.
    pub epoch: Epoch,
    /// The block before it; the chain id for the first one.
    pub parent: BlockHash,
    /// When its first proposer made it, above its parent's time.
    pub timestamp_ms: TimestampMs,
    /// Merkle root over the transaction ids.
    pub transactions_root: MerkleRoot,
    /// How many transactions.
    pub transaction_count: u32,
    /// Result of the block before it.
    pub parent_result: ResultHash,
    /// Who made it first.
    pub proposer: ValidatorIndex,
}

impl Header {
    /// The block's hash.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        BlockHash(hash(Domain::Header, self))
    }
}

/// A header and the transactions that it binds.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// In the order in which they execute.
    pub transactions: List<Transaction, 0, BLOCK_TRANSACTIONS_MAX>,
}

impl Block {
    /// Hash of the header.
    #[must_use]
    pub fn hash(&self) -> BlockHash {
        self.header.hash()
    }

    /// Whether the transactions are those that the header binds.
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.transactions.len() == self.header.transaction_count as usize
            && transactions_root(&self.transactions) == self.header.transactions_root
    }
}

/// Merkle root over the ids.
#[must_use]
pub fn transactions_root(transactions: &[Transaction]) -> MerkleRoot {
    let ids: Vec<_> = transactions.iter().map(|t| t.id().0).collect();
    merkle::root(&ids)
}

/// Proof that a transaction is in a block; `None` if it is not.
#[must_use]
pub fn prove_transaction(block: &Block, id: TransactionId) -> Option<merkle::MerkleProof> {
    let ids: Vec<_> = block.transactions.iter().map(|t| t.id().0).collect();
    let index = ids.iter().position(|other| *other == id.0)?;
    merkle::prove(&ids, index)
}

/// What a block did; its hash is in every Commit vote for the block and in the child's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct BlockResult {
    /// Root of the state after the block.
    pub state_root: StateRoot,
    /// Merkle root over the receipts' hashes.
    pub receipts_root: MerkleRoot,
    /// The set that certifies the next block.
    pub next_set_hash: ValidatorSetHash,
}

impl BlockResult {
    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> ResultHash {
        ResultHash(hash(Domain::Result, self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_header_bytes() {
        let header = Header {
            version: 1,
            height: Height(2),
            epoch: Epoch(3),
            parent: BlockHash([4; 32]),
            timestamp_ms: TimestampMs(5),
            transactions_root: MerkleRoot([6; 32]),
            transaction_count: 7,
            parent_result: ResultHash([8; 32]),
            proposer: ValidatorIndex(9),
        };
        let expected = [
            &1u16.to_le_bytes()[..],
            &2u64.to_le_bytes(),
            &3u64.to_le_bytes(),
            &[4; 32],
            &5u64.to_le_bytes(),
            &[6; 32],
            &7u32.to_le_bytes(),
            &[8; 32],
            &9u16.to_le_bytes(),
        ]
        .concat();
        assert_eq!(crate::codec::encode(&header), expected);
        let tagged = [&b"quorate/header/1\0"[..], &expected].concat();
        assert_eq!(header.hash().0, *blake3::hash(&tagged).as_bytes());
    }
}
