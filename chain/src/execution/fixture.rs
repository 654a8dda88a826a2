//! What must hold in every state, for tests and fuzz targets of this and other crates.

use crate::ids::{AccountId, Amount, AssetId};
use crate::parameters::Parameters;
use crate::state::{Account, AccountStatus, Asset, Organisation, Quota, StateKey, StateValue};
use std::collections::BTreeMap;

/// What is held of each asset, and how many entries of it each account has.
#[derive(Default)]
struct Sums {
    held: BTreeMap<AssetId, u128>,
    holdings: BTreeMap<AccountId, u32>,
}

/// Checks all entries of a state whose accounts hold this much of the native asset, and in which nothing was spent
/// or charged that `parameters` do not allow: what is held adds up to the supply, accounts count their holdings,
/// quotas are kept, and what is closed holds nothing.
///
/// # Panics
/// When something does not hold.
pub fn check_state<'a>(
    entries: impl Iterator<Item = (&'a StateKey, &'a StateValue)> + Clone,
    parameters: &Parameters,
    native: Amount,
) {
    let sums = sum(entries.clone());
    let mut held = sums.held;
    assert_eq!(held.remove(&AssetId::NATIVE).unwrap_or(0), native.0, "the native supply");
    for (key, value) in entries {
        match (key, value) {
            (StateKey::Account(id), StateValue::Account(account)) => {
                check_account(account, sums.holdings.get(id).copied().unwrap_or(0), parameters);
            }
            (StateKey::Organisation(_), StateValue::Organisation(Organisation { quota, .. })) => {
                let (work, bytes) =
                    (parameters.organisation_work_max, parameters.organisation_state_bytes_max);
                check_quota(quota, work, bytes);
            }
            (StateKey::Asset(id), StateValue::Asset(asset)) if *id != AssetId::NATIVE => {
                check_asset(asset, held.remove(id).unwrap_or(0));
            }
            _ => {}
        }
    }
    assert!(held.is_empty(), "held of assets that are not there: {held:?}");
}

fn sum<'a>(entries: impl Iterator<Item = (&'a StateKey, &'a StateValue)>) -> Sums {
    let mut sums = Sums::default();
    for (key, value) in entries {
        let (asset, amount) = match (key, value) {
            (StateKey::Account(_), StateValue::Account(account)) => (AssetId::NATIVE, account.balance.0),
            (StateKey::Balance(account, asset), StateValue::Balance(holding)) => {
                assert!(holding.amount.0 > 0 || holding.frozen, "an empty entry");
                *sums.holdings.entry(*account).or_default() += 1;
                (*asset, holding.amount.0)
            }
            _ => continue,
        };
        let sum = sums.held.entry(asset).or_default();
        let more = sum.checked_add(amount);
        assert!(more.is_some(), "more of {asset:?} than any supply");
        *sum = more.unwrap_or_default();
    }
    sums
}

fn check_account(account: &Account, holdings: u32, parameters: &Parameters) {
    assert_eq!(account.holdings, holdings, "{account:?}");
    check_quota(&account.quota, parameters.account_work_max, parameters.account_state_bytes_max);
    let empty = account.balance.0 == 0 && account.holdings == 0;
    assert!(account.status != AccountStatus::Closed || empty, "closed, but not empty: {account:?}");
}

fn check_quota(quota: &Quota, work_max: u64, state_bytes_max: u64) {
    assert!(quota.spent <= work_max.saturating_mul(1_000), "{quota:?}");
    assert!(quota.state_bytes <= state_bytes_max, "{quota:?}");
}

fn check_asset(asset: &Asset, held: u128) {
    assert_eq!(asset.supply.0, held, "what is held adds up to the supply: {asset:?}");
    assert!(asset.supply_max.is_none_or(|most| asset.supply <= most), "{asset:?}");
}
