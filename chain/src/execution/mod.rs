//! What a block does to the state: the check that it may be executed at all (R6), and its execution.
//!
//! | file | what |
//! | --- | --- |
//! | `admission.rs` | may this transaction execute at this height: chain, nonce, expiry, authority |
//! | `validity.rs` | R6 for a whole block, against its parent's state |
//! | `quota.rs` | what a transaction costs, and the buckets that pay for it |
//! | `draft.rs` | the entries that a block is changing, transaction by transaction |
//! | `fixture.rs` | what must hold in every state, for tests |
//! | `permission.rs` | who may manage whom |
//! | `accounts.rs` `assets.rs` `data.rs` | the instructions, one function each |
//!
//! A transaction of a valid block always consumes its nonce. If one of its instructions fails, none of them
//! takes effect and the receipt says which and why.

mod accounts;
mod admission;
mod assets;
mod data;
mod draft;
pub mod fixture;
mod permission;
mod quota;
mod validity;

pub use admission::{Admission, InvalidTransaction, check_form};
pub use quota::{TRANSACTION_WORK, TRANSACTION_WORK_MAX, WITNESS_WORK, instruction_work, work, work_left};
pub use validity::{BlockError, Parent, validate_block};

use crate::block::Block;
use crate::codec::List;
use crate::ids::AccountId;
use crate::instruction::Instruction;
use crate::parameters::Parameters;
use crate::receipt::{ExecutionError, Receipt, ReceiptStatus};
use crate::state::{Changes, StateError, StateReader};
use crate::transaction::Transaction;
use draft::{Draft, Outcome, Stop};

/// What execution of a block gave.
#[derive(Debug)]
pub struct Executed {
    /// Every entry that it changed.
    pub changes: Changes,
    /// One a transaction, in order.
    pub receipts: Vec<Receipt>,
}

/// Executes a valid block on its parent's state. Deterministic: equal inputs give equal outputs everywhere.
///
/// # Errors
/// When the state cannot be read; never because of what the block holds.
pub fn execute_block<R: StateReader>(
    parent_state: &R,
    parameters: &Parameters,
    block: &Block,
) -> Result<Executed, StateError> {
    let (header, count) = (&block.header, block.transactions.len());
    let mut draft = Draft::new(parent_state, parameters, header.height, header.timestamp_ms, count);
    let mut receipts = Vec::with_capacity(count);
    for transaction in block.transactions.iter() {
        receipts.push(execute_transaction(&mut draft, transaction)?);
    }
    Ok(Executed { changes: draft.into_changes(), receipts })
}

fn execute_transaction<R: StateReader>(
    draft: &mut Draft<'_, R>,
    transaction: &Transaction,
) -> Result<Receipt, StateError> {
    let body = transaction.body();
    if let Some(account) = draft.account_mut(body.account)? {
        account.nonce = body.nonce.next();
    }
    draft.charge_work(body.sponsor.unwrap_or(body.account), work(transaction))?;
    draft.begin();
    let status = match execute_steps(draft, transaction)? {
        Ok(()) => ReceiptStatus::Success,
        Err((position, error)) => {
            draft.roll_back();
            ReceiptStatus::Failed { instruction: u8::try_from(position).unwrap_or(u8::MAX), error }
        }
    };
    let events = List::new(draft.finish()).map_err(|error| StateError::Store(error.0))?;
    Ok(Receipt { transaction: transaction.id(), status, events })
}

/// All steps; the inner error is the first one that failed.
fn execute_steps<R: StateReader>(
    draft: &mut Draft<'_, R>,
    transaction: &Transaction,
) -> Result<Result<(), (usize, ExecutionError)>, StateError> {
    if draft.authority_changed
        && let Err(error) = admission::may_still_act(draft, transaction)
    {
        return match error {
            InvalidTransaction::State(error) => Err(error),
            _ => Ok(Err((0, ExecutionError::Unauthorised))),
        };
    }
    let body = transaction.body();
    for (position, step) in body.instructions.iter().enumerate() {
        match execute_step(draft, body.actor(step), &step.instruction) {
            Ok(()) => {}
            Err(Stop::Failed(error)) => return Ok(Err((position, error))),
            Err(Stop::State(error)) => return Err(error),
        }
    }
    Ok(Ok(()))
}

fn execute_step<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    instruction: &Instruction,
) -> Outcome {
    match instruction {
        Instruction::RegisterOrganisation { organisation, name } => {
            accounts::register_organisation(draft, actor, *organisation, name)
        }
        Instruction::SetOrganisationStatus { organisation, status } => {
            accounts::set_organisation_status(draft, actor, *organisation, *status)
        }
        Instruction::RegisterAccount { account, organisation, roles } => {
            accounts::register(draft, actor, *account, *organisation, *roles)
        }
        Instruction::SetAccountKeys { account, keys, threshold } => {
            accounts::set_keys(draft, actor, *account, keys, *threshold)
        }
        Instruction::SetAccountRoles { account, roles } => {
            accounts::set_roles(draft, actor, *account, *roles)
        }
        Instruction::SetAccountStatus { account, status } => {
            accounts::set_status(draft, actor, *account, *status)
        }
        Instruction::Transfer { to, asset, amount, memo: _ } => {
            assets::transfer(draft, actor, *to, *asset, *amount)
        }
        Instruction::CreateAsset { symbol, decimals, rules, supply_max, supply } => {
            let asset = crate::state::Asset {
                issuer: Some(actor),
                symbol: symbol.clone(),
                decimals: *decimals,
                rules: *rules,
                supply_max: *supply_max,
                supply: *supply,
            };
            assets::create(draft, actor, asset)
        }
        Instruction::Mint { asset, to, amount } => assets::mint(draft, actor, *asset, *to, *amount),
        Instruction::Burn { asset, amount } => assets::burn(draft, actor, *asset, *amount),
        Instruction::FreezeHolder { asset, holder, frozen } => {
            assets::freeze_holder(draft, actor, *asset, *holder, *frozen)
        }
        Instruction::PutData { namespace, key, value } => data::put(draft, actor, *namespace, key, value),
        Instruction::DeleteData { namespace, key } => data::delete(draft, actor, *namespace, key),
        Instruction::TransferData { namespace, key, to } => {
            data::transfer(draft, actor, *namespace, key, *to)
        }
        Instruction::AnchorDocument { digest, size, metadata } => {
            data::anchor(draft, actor, *digest, *size, metadata)
        }
        Instruction::RequireBalance { account, asset, at_least } => {
            assets::require_balance(draft, *account, *asset, *at_least)
        }
        Instruction::RequireData { namespace, key, digest } => data::require(draft, *namespace, key, *digest),
        Instruction::RequireHeightBelow { height } => {
            ensure(draft.height < *height, ExecutionError::ConditionHeight)
        }
    }
}

fn ensure(holds: bool, error: ExecutionError) -> Outcome {
    if holds { Ok(()) } else { Err(error.into()) }
}

#[cfg(test)]
mod tests;
