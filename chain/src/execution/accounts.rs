//! Instructions on organisations and accounts.

use super::draft::{Draft, Outcome};
use super::ensure;
use super::permission::{acting, living, manages, may_change_roles, of_chain_admin};
use crate::codec::{List, Text};
use crate::crypto::check_registrable;
use crate::ids::{AccountId, OrganisationId, PublicKey};
use crate::receipt::{Event, ExecutionError};
use crate::state::{
    ACCOUNT_KEYS_MAX, Account, AccountKey, AccountStatus, Organisation, Roles, StateKey, StateReader,
    StateValue, check_keys,
};
use crate::validator::NAME_BYTES_MAX;

pub(super) fn register_organisation<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    organisation: OrganisationId,
    name: &Text<NAME_BYTES_MAX>,
) -> Outcome {
    of_chain_admin(&acting(draft, actor)?)?;
    ensure(draft.organisation_entry(organisation)?.is_none(), ExecutionError::OrganisationExists)?;
    sound_key(PublicKey(organisation.0))?;
    draft.put_organisation(organisation, Organisation::new(name.clone()))?;
    draft.emit(Event::OrganisationRegistered { organisation });
    Ok(())
}

pub(super) fn set_organisation_status<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    organisation: OrganisationId,
    status: AccountStatus,
) -> Outcome {
    of_chain_admin(&acting(draft, actor)?)?;
    let mut entry = draft.organisation_entry(organisation)?.ok_or(ExecutionError::UnknownOrganisation)?;
    ensure(entry.status != AccountStatus::Closed, ExecutionError::OrganisationClosed)?;
    entry.status = status;
    draft.put_organisation(organisation, entry)?;
    draft.authority_changed = true;
    draft.emit(Event::OrganisationStatusSet { organisation, status });
    Ok(())
}

pub(super) fn register<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    account: AccountId,
    organisation: Option<OrganisationId>,
    roles: Roles,
) -> Outcome {
    let acting = acting(draft, actor)?;
    let plain = draft.parameters.open && organisation.is_none() && roles == Roles::MEMBER;
    let managed = manages(&acting, organisation) && may_change_roles(&acting, Roles::NONE, roles);
    ensure(plain || managed, ExecutionError::NotPermitted)?;
    if let Some(organisation) = organisation {
        let entry = draft.organisation_entry(organisation)?.ok_or(ExecutionError::UnknownOrganisation)?;
        ensure(entry.status != AccountStatus::Closed, ExecutionError::OrganisationClosed)?;
    }
    ensure(draft.account_entry(account)?.is_none(), ExecutionError::AccountExists)?;
    make(draft, actor, account, Account::new(organisation, roles))
}

/// Puts a new account, which `payer` pays for in bytes of state.
pub(super) fn make<R: StateReader>(
    draft: &mut Draft<'_, R>,
    payer: AccountId,
    id: AccountId,
    account: Account,
) -> Outcome {
    sound_key(PublicKey(id.0))?;
    let (organisation, roles) = (account.organisation, account.roles);
    draft.put_paid(StateKey::Account(id), Some(StateValue::Account(account)), payer, None)?;
    draft.emit(Event::AccountRegistered { account: id, organisation, roles });
    Ok(())
}

pub(super) fn set_keys<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    id: AccountId,
    keys: &List<AccountKey, 0, ACCOUNT_KEYS_MAX>,
    threshold: u16,
) -> Outcome {
    let acting = acting(draft, actor)?;
    let mut account = living(draft, id)?;
    ensure(actor == id || manages(&acting, account.organisation), ExecutionError::NotPermitted)?;
    check_keys(keys, threshold).map_err(|_| ExecutionError::BadKeys)?;
    keys.iter().try_for_each(|key| sound_key(key.key))?;
    account.keys = keys.clone();
    account.threshold = threshold;
    put_managed(draft, id, account, Event::AccountKeysSet { account: id })
}

pub(super) fn set_roles<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    id: AccountId,
    roles: Roles,
) -> Outcome {
    let acting = acting(draft, actor)?;
    let mut account = living(draft, id)?;
    let may = manages(&acting, account.organisation) && may_change_roles(&acting, account.roles, roles);
    ensure(may, ExecutionError::NotPermitted)?;
    account.roles = roles;
    put_managed(draft, id, account, Event::AccountRolesSet { account: id, roles })
}

pub(super) fn set_status<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    id: AccountId,
    status: AccountStatus,
) -> Outcome {
    let acting = acting(draft, actor)?;
    let mut account = living(draft, id)?;
    let closes_itself = actor == id && status == AccountStatus::Closed;
    ensure(closes_itself || manages(&acting, account.organisation), ExecutionError::NotPermitted)?;
    if status == AccountStatus::Closed {
        ensure(account.balance.0 == 0 && account.holdings == 0, ExecutionError::HoldsAssets)?;
    }
    account.status = status;
    put_managed(draft, id, account, Event::AccountStatusSet { account: id, status })
}

/// Puts an account whose keys, roles or status were set.
fn put_managed<R: StateReader>(
    draft: &mut Draft<'_, R>,
    id: AccountId,
    account: Account,
    event: Event,
) -> Outcome {
    draft.put_account(id, account)?;
    draft.authority_changed = true;
    draft.emit(event);
    Ok(())
}

fn sound_key(key: PublicKey) -> Outcome {
    check_registrable(key).map_err(|_| ExecutionError::WeakKey.into())
}
