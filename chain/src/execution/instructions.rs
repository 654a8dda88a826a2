//! One function an instruction. The inner result is the instruction's own failure, the outer one the disk's.

use super::work::Work;
use crate::codec::Bytes;
use crate::ids::{AccountId, Amount, AssetId, Height};
use crate::receipt::{Event, ExecutionError};
use crate::state::{Account, DataEntry, StateError, StateKey, StateReader, StateValue};
use crate::transaction::{DATA_KEY_BYTES_MAX, DATA_VALUE_BYTES_MAX, Instruction};

type Outcome = Result<Result<(), ExecutionError>, StateError>;

pub(super) fn execute<R: StateReader>(
    work: &mut Work<'_, R>,
    height: Height,
    account: AccountId,
    instruction: &Instruction,
) -> Outcome {
    match instruction {
        Instruction::Transfer { to, asset, amount, memo: _ } => transfer(work, account, *to, *asset, *amount),
        Instruction::PutData { namespace, key, value } => {
            put_data(work, height, account, *namespace, key, value)
        }
    }
}

fn transfer<R: StateReader>(
    work: &mut Work<'_, R>,
    from: AccountId,
    to: AccountId,
    asset: AssetId,
    amount: Amount,
) -> Outcome {
    if amount.0 == 0 {
        return Ok(Err(ExecutionError::ZeroAmount));
    }
    let Some(left) = work.balance(from, asset)?.0.checked_sub(amount.0) else {
        return Ok(Err(ExecutionError::InsufficientBalance));
    };
    if work.account(to)?.is_none() {
        if !work.parameters().open {
            return Ok(Err(ExecutionError::UnknownReceiver));
        }
        work.put_account(to, Account::default());
    }
    // The sender's side is written first, so that a transfer to oneself changes nothing.
    work.put_balance(from, asset, Amount(left));
    let Some(sum) = work.balance(to, asset)?.0.checked_add(amount.0) else {
        return Ok(Err(ExecutionError::BalanceOverflow));
    };
    work.put_balance(to, asset, Amount(sum));
    work.emit(Event::Transferred { from, to, asset, amount });
    Ok(Ok(()))
}

fn put_data<R: StateReader>(
    work: &mut Work<'_, R>,
    height: Height,
    account: AccountId,
    namespace: AccountId,
    key: &Bytes<DATA_KEY_BYTES_MAX>,
    value: &Bytes<DATA_VALUE_BYTES_MAX>,
) -> Outcome {
    let place = StateKey::Data(namespace, key.clone());
    let owner = match work.get(&place)? {
        Some(StateValue::Data(entry)) => entry.owner,
        _ => namespace,
    };
    if owner != account {
        return Ok(Err(ExecutionError::NotDataOwner));
    }
    let entry = DataEntry { owner, value: value.clone(), height };
    work.put(place, Some(StateValue::Data(entry)));
    work.emit(Event::DataPut { namespace, key: key.clone() });
    Ok(Ok(()))
}
