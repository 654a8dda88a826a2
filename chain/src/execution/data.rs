//! Instructions on data entries and documents.

use super::draft::{Draft, Outcome};
use super::ensure;
use super::permission::living;
use crate::codec::Bytes;
use crate::ids::{AccountId, Digest};
use crate::instruction::{DATA_KEY_BYTES_MAX, DATA_VALUE_BYTES_MAX, METADATA_BYTES_MAX};
use crate::receipt::{Event, ExecutionError};
use crate::state::{DataEntry, Document, StateKey, StateReader, StateValue};

type Key = Bytes<DATA_KEY_BYTES_MAX>;

fn entry<R: StateReader>(
    draft: &Draft<'_, R>,
    namespace: AccountId,
    key: &Key,
) -> Outcome<Option<DataEntry>> {
    match draft.get(&StateKey::Data(namespace, key.clone()))? {
        Some(StateValue::Data(entry)) => Ok(Some(entry)),
        _ => Ok(None),
    }
}

/// The entry, if it is there and the actor's.
fn owned<R: StateReader>(
    draft: &Draft<'_, R>,
    actor: AccountId,
    namespace: AccountId,
    key: &Key,
) -> Outcome<DataEntry> {
    let entry = entry(draft, namespace, key)?.ok_or(ExecutionError::UnknownData)?;
    ensure(entry.owner == actor, ExecutionError::NotDataOwner)?;
    Ok(entry)
}

pub(super) fn put<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    namespace: AccountId,
    key: &Key,
    value: &Bytes<DATA_VALUE_BYTES_MAX>,
) -> Outcome {
    let before = entry(draft, namespace, key)?;
    let owner = before.as_ref().map_or(namespace, |entry| entry.owner);
    ensure(owner == actor, ExecutionError::NotDataOwner)?;
    let entry = DataEntry { owner, payer: owner, value: value.clone(), height: draft.height };
    let place = StateKey::Data(namespace, key.clone());
    draft.put_paid(place, Some(StateValue::Data(entry)), owner, before.map(|entry| entry.payer))?;
    draft.emit(Event::DataPut { namespace, key: key.clone() });
    Ok(())
}

pub(super) fn delete<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    namespace: AccountId,
    key: &Key,
) -> Outcome {
    let entry = owned(draft, actor, namespace, key)?;
    draft.put_paid(StateKey::Data(namespace, key.clone()), None, actor, Some(entry.payer))?;
    draft.emit(Event::DataDeleted { namespace, key: key.clone() });
    Ok(())
}

pub(super) fn transfer<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    namespace: AccountId,
    key: &Key,
    to: AccountId,
) -> Outcome {
    let entry = owned(draft, actor, namespace, key)?;
    living(draft, to)?;
    // Whoever paid goes on paying until the new owner writes it: nobody fills another's quota.
    let entry = DataEntry { owner: to, ..entry };
    draft.put(StateKey::Data(namespace, key.clone()), Some(StateValue::Data(entry)))?;
    draft.emit(Event::DataTransferred { namespace, key: key.clone(), from: actor, to });
    Ok(())
}

pub(super) fn anchor<R: StateReader>(
    draft: &mut Draft<'_, R>,
    actor: AccountId,
    digest: Digest,
    size: u64,
    metadata: &Bytes<METADATA_BYTES_MAX>,
) -> Outcome {
    let place = StateKey::Document(actor, digest);
    ensure(draft.get(&place)?.is_none(), ExecutionError::DocumentExists)?;
    let document =
        Document { size, metadata: metadata.clone(), height: draft.height, timestamp_ms: draft.timestamp_ms };
    draft.put_paid(place, Some(StateValue::Document(document)), actor, None)?;
    draft.emit(Event::DocumentAnchored { account: actor, digest });
    Ok(())
}

pub(super) fn require<R: StateReader>(
    draft: &Draft<'_, R>,
    namespace: AccountId,
    key: &Key,
    digest: Option<Digest>,
) -> Outcome {
    let found = entry(draft, namespace, key)?.map(|entry| Digest(*blake3::hash(&entry.value).as_bytes()));
    ensure(found == digest, ExecutionError::ConditionData)
}
