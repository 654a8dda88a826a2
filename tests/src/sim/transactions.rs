//! Transactions of the simulated clients.

use quorate_chain::codec::{Bytes, List};
use quorate_chain::crypto::SecretKey;
use quorate_chain::transaction::{ChainTag, Instruction, TransactionBody};
use quorate_chain::{AccountId, Amount, AssetId, ChainId, Height, Nonce, Transaction};
use std::sync::OnceLock;

/// Transactions that clients submit in a run.
pub(super) const TRANSACTIONS: usize = 120;

/// Signed once for all runs of a process: what is in them does not matter to the core.
pub(super) fn transactions() -> &'static [Transaction] {
    static MADE: OnceLock<Vec<Transaction>> = OnceLock::new();
    MADE.get_or_init(|| (0..TRANSACTIONS as u64 + 1).filter_map(transaction).collect())
}

fn transaction(nonce: u64) -> Option<Transaction> {
    let key = SecretKey::from_seed(&[77; 32]);
    let memo = Bytes::default();
    let transfer =
        Instruction::Transfer { to: AccountId([9; 32]), asset: AssetId::NATIVE, amount: Amount(1), memo };
    let body = TransactionBody {
        chain: ChainTag::from(ChainId::default()),
        account: key.public().into(),
        nonce: Nonce(nonce),
        valid_until: Height::ZERO,
        sponsor: None,
        instructions: List::new(vec![transfer]).ok()?,
    };
    Transaction::sign(body, ChainId::default(), &[&key]).ok()
}
