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
    accounts.extend(body.parties());
    for event in receipt.events.iter() {
        match event {
            Event::OrganisationRegistered { .. } | Event::OrganisationStatusSet { .. } => {}
            Event::AccountRegistered { account, .. }
            | Event::AccountKeysSet { account }
            | Event::AccountRolesSet { account, .. }
            | Event::AccountStatusSet { account, .. }
            | Event::AssetCreated { issuer: account, .. }
            | Event::Minted { to: account, .. }
            | Event::Burned { from: account, .. }
            | Event::HolderFrozen { holder: account, .. }
            | Event::DataPut { namespace: account, .. }
            | Event::DataDeleted { namespace: account, .. }
            | Event::DocumentAnchored { account, .. } => accounts.push(*account),
            Event::Transferred { from, to, .. } => accounts.extend([*from, *to]),
            Event::DataTransferred { namespace, from, to, .. } => accounts.extend([*namespace, *from, *to]),
        }
    }
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}
