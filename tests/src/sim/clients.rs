//! Who submits transactions: each again and again, to one node after the other, until it is committed there.

use super::random::Random;
use quorate_chain::codec::{Bytes, List};
use quorate_chain::crypto::SecretKey;
use quorate_chain::transaction::{ChainTag, Instruction, TransactionBody};
use quorate_chain::{AccountId, Amount, AssetId, ChainId, Height, Nonce, Transaction};
use std::sync::OnceLock;

/// Transactions that clients submit while there are faults.
pub(super) const TRANSACTIONS: usize = 120;
/// Transactions of a run: one more is submitted when the network has healed.
pub(super) const ALL: usize = TRANSACTIONS + 1;

/// How long a client waits before it asks another node, milliseconds.
pub(super) fn patience_ms(random: &mut Random) -> u64 {
    random.between(1_000, 2_000)
}

/// Signed once for all runs of a process: what is in them does not matter to the core.
pub(super) fn transactions() -> &'static [Transaction] {
    static MADE: OnceLock<Vec<Transaction>> = OnceLock::new();
    let made = MADE.get_or_init(|| (0..ALL as u64).filter_map(transaction).collect());
    assert_eq!(made.len(), ALL, "a transfer is small enough to sign");
    made
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
