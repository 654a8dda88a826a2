//! Blocks that a Byzantine primary can propose.

use super::node::CLOCK_START_MS;
use super::signing::CHAIN;
use super::world::World;
use crate::fuzz::script::Script;
use quorate_chain::block::{PROTOCOL_VERSION, transactions_root};
use quorate_chain::codec::{Bytes, List};
use quorate_chain::crypto::SecretKey;
use quorate_chain::instruction::Instruction;
use quorate_chain::transaction::TransactionBody;
use quorate_chain::{
    Amount, AssetId, Block, Epoch, Header, Height, Nonce, ResultHash, TimestampMs, Transaction,
    ValidatorIndex,
};
use quorate_consensus::SealedBlock;
use std::sync::LazyLock;

/// The fields of a header that a block needs of its parent.
struct Parent {
    height: Height,
    block: quorate_chain::BlockHash,
    timestamp_ms: TimestampMs,
}

static TRANSACTIONS: LazyLock<Vec<Transaction>> = LazyLock::new(|| (0..4).map(transaction).collect());

/// A few transactions, the same in every run.
pub(super) fn transactions() -> &'static [Transaction] {
    &TRANSACTIONS
}

fn transaction(nonce: u64) -> Transaction {
    let key = SecretKey::from_seed(&[0x71; 32]);
    let account = key.public().into();
    let memo = Bytes::default();
    let pay = Instruction::Transfer { to: account, asset: AssetId::NATIVE, amount: Amount(1), memo };
    let body = TransactionBody::new(CHAIN, account, Nonce(nonce), vec![pay]).expect("one instruction");
    Transaction::sign(body, CHAIN, &[&key]).expect("one key, few bytes")
}

impl World {
    /// A block on any known one; most of what a header says can be wrong.
    pub(super) fn forge_block(&self, epoch: Epoch, script: &mut Script<'_>) -> Option<SealedBlock> {
        let lies = script.byte();
        let parent = match script.recent(&self.blocks, 8) {
            Some(block) if lies & 0x40 == 0 => Parent {
                height: block.height(),
                block: block.hash(),
                timestamp_ms: block.header().timestamp_ms,
            },
            // On what is committed: at the highest height, or at genesis.
            _ => self.committed_parent(if lies & 0x80 == 0 { self.oracle.height() } else { Height::ZERO }),
        };
        let true_result = self.results.get(&parent.block).copied().unwrap_or_default();
        let clock_ms = CLOCK_START_MS + self.now_ms;
        let timestamp_ms = match lies >> 1 & 3 {
            0 => parent.timestamp_ms.next().0.max(clock_ms),
            1 => parent.timestamp_ms.next().0,
            2 => clock_ms + 20 * u64::from(script.byte()),
            _ => parent.timestamp_ms.0,
        };
        let transactions = &self.transactions[..usize::from(lies >> 3 & 1)];
        let header = Header {
            version: PROTOCOL_VERSION,
            height: if lies & 0x31 == 0x31 { parent.height.next().next() } else { parent.height.next() },
            epoch,
            parent: parent.block,
            timestamp_ms: TimestampMs(timestamp_ms),
            transactions_root: transactions_root(transactions),
            transaction_count: transactions.len() as u32,
            parent_result: if lies & 0x30 == 0x10 { ResultHash([lies; 32]) } else { true_result },
            proposer: ValidatorIndex(if lies & 0x30 == 0x20 { 0 } else { self.byzantine as u16 }),
        };
        SealedBlock::new(Block { header, transactions: List::new(transactions.to_vec()).ok()? })
    }

    fn committed_parent(&self, height: Height) -> Parent {
        let block = self.oracle.at(height).map_or(CHAIN.genesis_block(), |(block, _)| block);
        let timestamp_ms = self.by_hash.get(&block).map_or(TimestampMs(0), |b| b.header().timestamp_ms);
        Parent { height, block, timestamp_ms }
    }
}
