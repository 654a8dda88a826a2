//! What a commit writes into the store: state, holdings, indexes. Absolute values, so doing it twice does no harm.

use super::accounts::accounts_of;
use super::journal::Position;
use super::options::IndexLevel;
use super::record::CommitRef;
use super::runs::Index;
use super::store::{StoreError, Table};
use super::tail::{IndexKey, RunKey};
use crate::block::Block;
use crate::codec::{decode, encode};
use crate::crypto::Domain;
use crate::ids::{AccountId, BlockHash, Epoch, Height};
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
    match changes.value(&StateKey::Validators) {
        Some(StateValue::Validators(epoch, validators)) => Some((*epoch, validators)),
        _ => None,
    }
}

/// A commit, as the indexes see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Commit<'a> {
    pub(super) record: CommitRef<'a>,
    /// Where the record is in the journal.
    pub(super) position: Position,
    pub(super) block: &'a Block,
}

/// Where the block is, who holds what, and the epoch that starts after it.
pub(super) fn index_entries(commit: &Commit<'_>) -> Vec<(IndexKey, Option<Vec<u8>>)> {
    let Commit { record, position, block } = commit;
    let holdings = record.changes.iter().filter_map(|entry| holding(&entry.key, entry.value.is_some()));
    let mut entries: Vec<_> = holdings.collect();
    if let Some((epoch, validators)) = next_epoch(record.changes) {
        entries.push(epoch_entry(epoch, record.height.next(), validators));
    }
    let place = BlockPlace { hash: block.hash(), body: record.body, commit: *position };
    entries.push(((Table::Blocks, record.height.0.to_be_bytes().to_vec()), Some(encode(&place))));
    entries
}

/// What is entered once into the indexes of a level: the block's hash, its transactions.
pub(super) fn run_entries(commit: &Commit<'_>, level: IndexLevel) -> Vec<(RunKey, Vec<u8>)> {
    let height = commit.record.height;
    let mut entries = vec![((Index::Hashes, commit.record.block.0.to_vec()), encode(&height))];
    if level == IndexLevel::None {
        return entries;
    }
    for (transaction, index) in commit.block.transactions.iter().zip(0u32..) {
        let place = encode(&TransactionPlace { height, index });
        entries.push(((Index::Transactions, transaction.id().0.to_vec()), place));
        let receipt = commit.record.receipts.get(index as usize);
        if let Some(receipt) = receipt.filter(|_| level == IndexLevel::Full) {
            let accounts = accounts_of(transaction, receipt).into_iter();
            let keys = accounts.map(|account| history_key(account, height, index));
            entries.extend(keys.map(|key| ((Index::History, key), Vec::new())));
        }
    }
    entries
}

/// Account, height, index in the block: ascending as they came.
pub(super) fn history_key(account: AccountId, height: Height, index: u32) -> Vec<u8> {
    [&account.0[..], &height.0.to_be_bytes(), &index.to_be_bytes()].concat()
}

/// Height and index of a key of [`Index::History`].
pub(super) fn history_place(key: &[u8]) -> Option<(Height, u32)> {
    let (height, index) = key.get(32..)?.split_at_checked(8)?;
    Some((Height(u64::from_be_bytes(height.try_into().ok()?)), u32::from_be_bytes(index.try_into().ok()?)))
}

pub(super) fn epoch_entry(
    epoch: Epoch,
    first: Height,
    validators: &ValidatorSet,
) -> (IndexKey, Option<Vec<u8>>) {
    let start = EpochStart { first, validators: validators.clone() };
    ((Table::Epochs, epoch.0.to_be_bytes().to_vec()), Some(encode(&start)))
}

/// The account and asset of a balance, and whether there is one.
pub(super) fn holding(key: &StateKey, held: bool) -> Option<(IndexKey, Option<Vec<u8>>)> {
    match key {
        StateKey::Balance(account, asset) => {
            Some(((Table::Holdings, [account.0, asset.0].concat()), held.then(Vec::new)))
        }
        _ => None,
    }
}

/// A state entry's bytes in the store.
pub(super) fn state_entry(key: &StateKey, value: &StateValue) -> Vec<u8> {
    encode(&(key, value))
}

/// The value of a state entry as [`state_entry`] makes it; `None` if it is another key's.
pub(super) fn state_value(key: &StateKey, entry: &[u8]) -> Option<StateValue> {
    let (found, value) = decode::<(StateKey, StateValue)>(entry).ok()?;
    (found == *key).then_some(value)
}

/// Hash of the value of a stored state entry: its bytes are what is hashed.
pub(super) fn state_value_hash(entry: &[u8]) -> ValueHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(Domain::StateValue.tag()).update(entry);
    ValueHash(*hasher.finalize().as_bytes())
}

/// The value that an index has at a key.
pub(super) fn decoded<T: BorshDeserialize>(
    bytes: Option<Vec<u8>>,
    index: &'static str,
    key: &[u8],
) -> Result<Option<T>, StoreError> {
    let Some(bytes) = bytes else { return Ok(None) };
    let damaged = |_| StoreError::Damaged { table: index, key: hex::encode(key) };
    decode(&bytes).map(Some).map_err(damaged)
}
