//! A commit's changes into the store: state, holdings, indexes. Absolute values, so doing it twice does no harm.

use super::journal::Position;
use super::record::CommitRecord;
use super::store::{Store, StoreError, Table};
use crate::block::Block;
use crate::codec::{decode, encode};
use crate::crypto::Domain;
use crate::ids::{BlockHash, Epoch, Height, TransactionId};
use crate::state::tree::ValueHash;
use crate::state::{Changes, StateKey, StateValue};
use crate::validator::ValidatorSet;
use borsh::{BorshDeserialize, BorshSerialize};

/// Where a committed block is in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct BlockPlace {
    pub(super) hash: BlockHash,
    pub(super) body: Position,
    pub(super) commit: Position,
}

/// Where a committed transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct TransactionPlace {
    pub(super) height: Height,
    pub(super) index: u32,
}

/// Where an epoch starts, and who votes in it.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(super) struct EpochStart {
    pub(super) first: Height,
    pub(super) validators: ValidatorSet,
}

/// The epoch and validators that follow when these changes ended an epoch (R45).
pub(super) fn next_epoch(changes: &Changes) -> Option<(Epoch, &ValidatorSet)> {
    match changes.get(&StateKey::Validators) {
        Some(Some(StateValue::Validators(epoch, validators))) => Some((*epoch, validators)),
        _ => None,
    }
}

pub(super) fn apply(
    store: &dyn Store,
    record: &CommitRecord,
    commit: Position,
    block: &Block,
) -> Result<(), StoreError> {
    apply_changes(store, &record.changes)?;
    index(store, record, commit, block)
}

/// Where the block and its transactions are, and the epoch that starts after it.
pub(super) fn index(
    store: &dyn Store,
    record: &CommitRecord,
    commit: Position,
    block: &Block,
) -> Result<(), StoreError> {
    for (index, transaction) in block.transactions.iter().enumerate() {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let place = encode(&TransactionPlace { height: record.height, index });
        store.set(Table::Transactions, &transaction.id().0, Some(&place))?;
    }
    if let Some((epoch, validators)) = next_epoch(&record.changes) {
        start_epoch(store, epoch, record.height.next(), validators)?;
    }
    let place = BlockPlace { hash: record.block, body: record.body, commit };
    store.set(Table::Blocks, &record.height.0.to_be_bytes(), Some(&encode(&place)))?;
    store.set(Table::Hashes, &record.block.0, Some(&encode(&record.height)))
}

pub(super) fn start_epoch(
    store: &dyn Store,
    epoch: Epoch,
    first: Height,
    validators: &ValidatorSet,
) -> Result<(), StoreError> {
    let start = EpochStart { first, validators: validators.clone() };
    store.set(Table::Epochs, &epoch.0.to_be_bytes(), Some(&encode(&start)))
}

pub(super) fn apply_changes(store: &dyn Store, changes: &Changes) -> Result<(), StoreError> {
    for (key, value) in changes {
        let entry = value.as_ref().map(|value| encode(&(key, value)));
        store.set(Table::State, &key.hash().0, entry.as_deref())?;
        if let StateKey::Balance(account, asset) = key {
            let holding = [account.0, asset.0].concat();
            store.set(Table::Holdings, &holding, value.as_ref().map(|_| &[][..]))?;
        }
    }
    Ok(())
}

/// The value of a state entry as [`apply_changes`] stores it.
pub(super) fn state_value(entry: &[u8]) -> Option<StateValue> {
    decode::<(StateKey, StateValue)>(entry).ok().map(|(_, value)| value)
}

/// Hash of the value of a stored state entry: its bytes are what is hashed.
pub(super) fn state_value_hash(entry: &[u8]) -> ValueHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(Domain::StateValue.tag()).update(entry);
    ValueHash(*hasher.finalize().as_bytes())
}

pub(super) fn block_place(store: &dyn Store, height: Height) -> Result<Option<BlockPlace>, StoreError> {
    decoded(store, Table::Blocks, &height.0.to_be_bytes())
}

pub(super) fn block_height(store: &dyn Store, hash: BlockHash) -> Result<Option<Height>, StoreError> {
    decoded(store, Table::Hashes, &hash.0)
}

pub(super) fn transaction_place(
    store: &dyn Store,
    id: TransactionId,
) -> Result<Option<TransactionPlace>, StoreError> {
    decoded(store, Table::Transactions, &id.0)
}

pub(super) fn epoch_start(store: &dyn Store, epoch: Epoch) -> Result<Option<EpochStart>, StoreError> {
    decoded(store, Table::Epochs, &epoch.0.to_be_bytes())
}

fn decoded<T: BorshDeserialize>(
    store: &dyn Store,
    table: Table,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = store.get(table, key)? else { return Ok(None) };
    let damaged = |_| StoreError::Damaged { table: table.name(), key: hex::encode(key) };
    decode(&bytes).map(Some).map_err(damaged)
}
