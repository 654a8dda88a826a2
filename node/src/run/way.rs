//! A transaction's way through a node, told by events of the target `quorate::way` at level `trace`: where it has come
//! to, by its id. Costs a look at a flag while nobody listens.

use quorate_chain::{Height, Transaction, TransactionId};
use tracing::Level;

/// All of these have come so far, in a block of this height if it is one.
pub(super) fn tell<'a>(
    transactions: impl IntoIterator<Item = &'a Transaction>,
    stage: &'static str,
    height: Option<Height>,
) {
    if tracing::enabled!(target: "quorate::way", Level::TRACE) {
        for transaction in transactions {
            tell_one(transaction.id(), stage, height);
        }
    }
}

/// The same of one.
pub(super) fn tell_one(id: TransactionId, stage: &'static str, height: Option<Height>) {
    let height = height.map(|height| height.0);
    tracing::trace!(target: "quorate::way", transaction = %id, stage, height);
}
