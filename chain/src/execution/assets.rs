//! Instructions on assets. What accounts hold of an asset always adds up to its supply.

use super::accounts::make;
use super::draft::{Draft, Outcome};
use super::ensure;
use super::permission::{acting, living, not_closed};
use crate::ids::{AccountId, Amount, AssetId};
use crate::instruction::DECIMALS_MAX;
use crate::receipt::{Event, ExecutionError};
use crate::state::{Account, Asset, Holding, Roles, StateKey, StateReader, StateValue, asset_id};

pub(super) fn transfer<R: StateReader>(
    draft: &mut Draft<'_, R>,
    from: AccountId,
    to: AccountId,
    asset: AssetId,
    amount: Amount,
) -> Outcome {
    take(draft, from, asset, amount)?;
    if draft.account(to)?.is_none() {
        ensure(draft.parameters.open, ExecutionError::UnknownReceiver)?;
        make(draft, from, to, Account::default())?;
    }
    give(draft, from, to, asset, amount)?;
    draft.emit(Event::Transferred { from, to, asset, amount });
    Ok(())
}

pub(super) fn create<R: StateReader>(draft: &mut Draft<'_, R>, issuer: AccountId, asset: Asset) -> Outcome {
    ensure(acting(draft, issuer)?.roles.has(Roles::ISSUER), ExecutionError::NotPermitted)?;
    ensure(asset.decimals <= DECIMALS_MAX, ExecutionError::TooManyDecimals)?;
    let bound = asset.supply_max.unwrap_or(Amount(u128::MAX));
    ensure(asset.supply <= bound, ExecutionError::SupplyExceeded)?;
    let id = asset_id(issuer, &asset.symbol);
    ensure(draft.asset(id)?.is_none(), ExecutionError::AssetExists)?;
    let supply = asset.supply;
    draft.put_paid(StateKey::Asset(id), Some(StateValue::Asset(asset)), issuer, None)?;
    draft.emit(Event::AssetCreated { asset: id, issuer });
    if supply.0 > 0 {
        give(draft, issuer, issuer, id, supply)?;
        draft.emit(Event::Minted { asset: id, to: issuer, amount: supply });
    }
    Ok(())
}

pub(super) fn mint<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    id: AssetId,
    to: AccountId,
    amount: Amount,
) -> Outcome {
    let mut asset = issued_by(draft, actor, id)?;
    ensure(asset.rules.mint, ExecutionError::AgainstRules)?;
    ensure(amount.0 > 0, ExecutionError::ZeroAmount)?;
    let bound = asset.supply_max.unwrap_or(Amount(u128::MAX));
    let supply = asset.supply.0.checked_add(amount.0).filter(|supply| *supply <= bound.0);
    asset.supply = Amount(supply.ok_or(ExecutionError::SupplyExceeded)?);
    draft.put_asset(id, asset)?;
    give(draft, actor, to, id, amount)?;
    draft.emit(Event::Minted { asset: id, to, amount });
    Ok(())
}

pub(super) fn burn<R: StateReader>(
    draft: &mut Draft<'_, R>,
    from: AccountId,
    id: AssetId,
    amount: Amount,
) -> Outcome {
    let mut asset = draft.asset(id)?.ok_or(ExecutionError::UnknownAsset)?;
    ensure(asset.rules.burn, ExecutionError::AgainstRules)?;
    take(draft, from, id, amount)?;
    asset.supply = Amount(asset.supply.0.checked_sub(amount.0).ok_or(ExecutionError::SupplyExceeded)?);
    draft.put_asset(id, asset)?;
    draft.emit(Event::Burned { asset: id, from, amount });
    Ok(())
}

pub(super) fn freeze_holder<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    id: AssetId,
    holder: AccountId,
    frozen: bool,
) -> Outcome {
    let asset = issued_by(draft, actor, id)?;
    ensure(asset.rules.freeze, ExecutionError::AgainstRules)?;
    living(draft, holder)?;
    let holding = draft.holding(holder, id)?;
    put_holding(draft, actor, holder, id, Holding { frozen, ..holding })?;
    draft.emit(Event::HolderFrozen { asset: id, holder, frozen });
    Ok(())
}

pub(super) fn require_balance<R: StateReader>(
    draft: &Draft<'_, R>,
    account: AccountId,
    asset: AssetId,
    at_least: Amount,
) -> Outcome {
    ensure(draft.amount(account, asset)? >= at_least, ExecutionError::ConditionBalance)
}

/// The asset, if the actor issues it and is still an issuer.
fn issued_by<R: StateReader>(draft: &Draft<'_, R>, actor: AccountId, id: AssetId) -> Outcome<Asset> {
    let asset = draft.asset(id)?.ok_or(ExecutionError::UnknownAsset)?;
    let issues = asset.issuer == Some(actor) && acting(draft, actor)?.roles.has(Roles::ISSUER);
    ensure(issues, ExecutionError::NotPermitted)?;
    Ok(asset)
}

/// Takes an amount from who holds it.
fn take<R: StateReader>(
    draft: &mut Draft<'_, R>,
    from: AccountId,
    asset: AssetId,
    amount: Amount,
) -> Outcome {
    ensure(amount.0 > 0, ExecutionError::ZeroAmount)?;
    let less = |held: u128| held.checked_sub(amount.0).ok_or(ExecutionError::InsufficientBalance);
    change(draft, from, from, asset, less)
}

/// Gives an amount to an account that is there and not closed; `payer` pays for a new entry.
fn give<R: StateReader>(
    draft: &mut Draft<'_, R>,
    payer: AccountId,
    to: AccountId,
    asset: AssetId,
    amount: Amount,
) -> Outcome {
    not_closed(draft.account(to)?.ok_or(ExecutionError::UnknownAccount)?)?;
    let more = |held: u128| held.checked_add(amount.0).ok_or(ExecutionError::BalanceOverflow);
    change(draft, payer, to, asset, more)
}

/// Changes what an account holds, unless its holding is frozen; `payer` pays for a new entry.
fn change<R: StateReader>(
    draft: &mut Draft<'_, R>,
    payer: AccountId,
    id: AccountId,
    asset: AssetId,
    to: impl FnOnce(u128) -> Result<u128, ExecutionError>,
) -> Outcome {
    if asset == AssetId::NATIVE {
        let balance = draft.account(id)?.ok_or(ExecutionError::UnknownAccount)?.balance;
        let balance = Amount(to(balance.0)?);
        if let Some(account) = draft.account_mut(id)? {
            account.balance = balance;
        }
        return Ok(());
    }
    let holding = draft.holding(id, asset)?;
    let amount = Amount(to(holding.amount.0)?);
    ensure(!holding.frozen, ExecutionError::HolderFrozen)?;
    put_holding(draft, payer, id, asset, Holding { amount, ..holding })
}

/// Puts what an account holds of an asset that is not the native one. An empty holding has no entry; the
/// holder's account counts the others.
fn put_holding<R: StateReader>(
    draft: &mut Draft<'_, R>,
    payer: AccountId,
    holder: AccountId,
    asset: AssetId,
    holding: Holding,
) -> Outcome {
    let key = StateKey::Balance(holder, asset);
    let was = draft.get(&key)?.is_some();
    let is = holding != Holding::default();
    let value = is.then_some(StateValue::Balance(holding));
    if was == is {
        if is {
            draft.put(key, value)?;
        }
        return Ok(());
    }
    // Who made the entry paid for its bytes, and is not known any more when it goes: they are not given back.
    if is {
        draft.put_paid(key, value, payer, None)?;
    } else {
        draft.put(key, None)?;
    }
    if let Some(account) = draft.account_mut(holder)? {
        account.holdings =
            if is { account.holdings.saturating_add(1) } else { account.holdings.saturating_sub(1) };
    }
    Ok(())
}
