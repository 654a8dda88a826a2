//! Headers, blocks, results: a chain of three.

use crate::receipts::receipts;
use crate::transactions::{everything, transfer};
use crate::{CHAIN, bytes, file};
use quorate_chain::block::{PROTOCOL_VERSION, transactions_root};
use quorate_chain::codec::List;
use quorate_chain::ids::{MerkleRoot, ValidatorSetHash};
use quorate_chain::receipt::receipts_root;
use quorate_chain::validator::fixture::validator_set;
use quorate_chain::{
    Block, BlockHash, BlockResult, Epoch, Header, Height, ResultHash, StateRoot, TimestampMs, Transaction,
    ValidatorIndex,
};
use serde_json::json;

/// A block and its result.
pub(crate) struct Made {
    pub(crate) block: Block,
    pub(crate) result: BlockResult,
}

fn made(height: u64, parent: BlockHash, parent_result: ResultHash, transactions: Vec<Transaction>) -> Made {
    let header = Header {
        version: PROTOCOL_VERSION,
        height: Height(height),
        epoch: Epoch(3),
        parent,
        timestamp_ms: TimestampMs(1_700_000_000_000 + height),
        transactions_root: transactions_root(&transactions),
        transaction_count: u32::try_from(transactions.len()).unwrap(),
        parent_result,
        proposer: ValidatorIndex(2),
    };
    let receipts_root = if transactions.is_empty() { receipts_root(&[]) } else { receipts_root(&receipts()) };
    let result = BlockResult {
        state_root: StateRoot([height as u8; 32]),
        receipts_root,
        next_set_hash: validator_set(4).hash(),
    };
    Made { block: Block { header, transactions: List::new(transactions).unwrap() }, result }
}

/// Heights 1 to 3, of epoch 3. The second has transactions.
pub(crate) fn chain() -> [Made; 3] {
    let start = BlockResult {
        state_root: StateRoot([0; 32]),
        receipts_root: MerkleRoot::default(),
        next_set_hash: ValidatorSetHash::default(),
    };
    let first = made(1, CHAIN.genesis_block(), start.hash(), Vec::new());
    let transactions = vec![everything(), transfer(8), transfer(9)];
    let second = made(2, first.block.hash(), first.result.hash(), transactions);
    let third = made(3, second.block.hash(), second.result.hash(), Vec::new());
    [first, second, third]
}

#[test]
fn blocks() {
    let shown = chain().map(|Made { block, result }| {
        assert!(block.is_bound());
        json!({
            "header": { "fields": block.header, "bytes": bytes(&block.header), "hash": block.hash() },
            "transactions": block.transactions.iter().map(Transaction::id).collect::<Vec<_>>(),
            "bytes": bytes(&block),
            "result": { "fields": result, "bytes": bytes(&result), "hash": result.hash() },
        })
    });
    file::check("blocks", &json!({ "chain": CHAIN, "blocks": shown }));
}
