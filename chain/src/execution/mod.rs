//! What a block does to the state: the check that it may be executed at all (R6), and its execution.
//!
//! | file | what |
//! | --- | --- |
//! | `admission.rs` | may this transaction execute at this height: chain, nonce, expiry, authority |
//! | `validity.rs` | R6 for a whole block, against its parent's state |
//! | `work.rs` | the entries that a block is changing, transaction by transaction |
//! | `instructions.rs` | one function an instruction |
//!
//! A transaction of a valid block always consumes its nonce. If one of its instructions fails, none of them
//! takes effect and the receipt says which and why.

mod admission;
mod instructions;
mod validity;
mod work;

pub use admission::{InvalidTransaction, check_against_state, check_form};
pub use validity::{BlockError, Parent, validate_block};

use crate::block::Block;
use crate::codec::List;
use crate::ids::Height;
use crate::parameters::Parameters;
use crate::receipt::{Receipt, ReceiptStatus};
use crate::state::{Changes, StateError, StateReader};
use crate::transaction::Transaction;
use work::Work;

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
    let mut work = Work::new(parent_state, parameters);
    let height = block.header.height;
    let mut receipts = Vec::with_capacity(block.transactions.len());
    for transaction in block.transactions.iter() {
        receipts.push(execute_transaction(&mut work, height, transaction)?);
    }
    Ok(Executed { changes: work.into_changes(), receipts })
}

fn execute_transaction<R: StateReader>(
    work: &mut Work<'_, R>,
    height: Height,
    transaction: &Transaction,
) -> Result<Receipt, StateError> {
    let body = transaction.body();
    let mut account = work.account(body.account)?.unwrap_or_default();
    account.nonce = body.nonce.next();
    work.put_account(body.account, account);
    work.begin();
    for (position, instruction) in body.instructions.iter().enumerate() {
        if let Err(error) = instructions::execute(work, height, body.account, instruction)? {
            work.roll_back();
            let instruction = u8::try_from(position).unwrap_or(u8::MAX);
            let status = ReceiptStatus::Failed { instruction, error };
            return Ok(Receipt { transaction: transaction.id(), status, events: List::default() });
        }
    }
    let events = List::new(work.finish()).map_err(|error| StateError::Store(error.0))?;
    Ok(Receipt { transaction: transaction.id(), status: ReceiptStatus::Success, events })
}

#[cfg(test)]
mod tests;
