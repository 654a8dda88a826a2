//! Which accounts a transaction concerns.

use crate::ids::AccountId;
use crate::receipt::{Event, Receipt};
use crate::transaction::Transaction;

/// The accounts that a transaction acts for or touches by an event, ascending, each once.
#[must_use]
pub fn accounts_of(transaction: &Transaction, receipt: &Receipt) -> Vec<AccountId> {
    let body = transaction.body();
    let mut accounts = vec![body.account];
    accounts.extend(body.sponsor);
    for event in receipt.events.iter() {
        match event {
            Event::Transferred { from, to, .. } => accounts.extend([*from, *to]),
            Event::DataPut { namespace, .. } => accounts.push(*namespace),
        }
    }
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}
