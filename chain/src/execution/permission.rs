//! Who may manage whom.
//!
//! | who | what |
//! | --- | --- |
//! | an admin without organisation: the *chain's* admin | organisations; all accounts and roles |
//! | an admin of an organisation | the accounts of that organisation; all roles but the issuer's |
//! | an account | its own keys; closing itself |
//! | where the chain is open, a member | registers members without organisation |

use super::draft::{Draft, Outcome};
use crate::ids::{AccountId, OrganisationId};
use crate::receipt::ExecutionError;
use crate::state::{Account, AccountStatus, Roles, StateReader};

/// The acting account, which is there: a transaction of an unknown one is not admitted.
pub(super) fn acting<R: StateReader>(draft: &Draft<'_, R>, actor: AccountId) -> Outcome<Account> {
    draft.account_entry(actor)?.ok_or_else(|| ExecutionError::UnknownAccount.into())
}

/// An account that is there and not closed.
pub(super) fn living<R: StateReader>(draft: &Draft<'_, R>, id: AccountId) -> Outcome<Account> {
    let account = draft.account_entry(id)?.ok_or(ExecutionError::UnknownAccount)?;
    not_closed(&account)?;
    Ok(account)
}

/// Fails if an account is closed.
pub(super) fn not_closed(account: &Account) -> Outcome {
    super::ensure(account.status != AccountStatus::Closed, ExecutionError::AccountClosed)
}

/// Fails unless the actor is one of the chain's admins.
pub(super) fn of_chain_admin(actor: &Account) -> Outcome {
    super::ensure(is_chain_admin(actor), ExecutionError::NotPermitted)
}

fn is_chain_admin(actor: &Account) -> bool {
    actor.roles.has(Roles::ADMIN) && actor.organisation.is_none()
}

/// Whether the actor manages the accounts of this organisation; `None`: those without one.
pub(super) fn manages(actor: &Account, organisation: Option<OrganisationId>) -> bool {
    let own = actor.organisation.is_some() && actor.organisation == organisation;
    is_chain_admin(actor) || (actor.roles.has(Roles::ADMIN) && own)
}

/// Whether the actor, who manages an account, may turn one set of its roles into another.
pub(super) fn may_change_roles(actor: &Account, from: Roles, to: Roles) -> bool {
    is_chain_admin(actor) || !from.differing(to).has(Roles::ISSUER)
}
