//! The entries that a block is changing. What one transaction changes can be undone until it succeeds.

use super::quota::Limits;
use crate::codec::encode;
use crate::ids::{AccountId, Amount, AssetId, Height, OrganisationId, TimestampMs};
use crate::parameters::Parameters;
use crate::receipt::{Event, ExecutionError};
use crate::state::{
    Account, Asset, Changes, Holding, Organisation, StateError, StateKey, StateReader, StateValue,
};
use hashbrown::{DefaultHashBuilder, HashTable};
use std::hash::BuildHasher;

/// Why an instruction ends early.
pub(super) enum Stop {
    /// It failed: the receipt says so.
    Failed(ExecutionError),
    /// The state could not be read: nobody knows what it does.
    State(StateError),
}

impl From<ExecutionError> for Stop {
    fn from(error: ExecutionError) -> Self {
        Self::Failed(error)
    }
}

impl From<StateError> for Stop {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

/// What an instruction gives.
pub(super) type Outcome<T = ()> = Result<T, Stop>;

/// An entry that the block changes or looks at.
struct Slot {
    key: StateKey,
    /// What is there now.
    value: Option<StateValue>,
    /// Whether it is the parent's: it was only looked at, or what changed it was undone.
    parents: bool,
}

/// A change of a slot, and what it was before.
struct Undo {
    slot: usize,
    value: Option<StateValue>,
    parents: bool,
}

/// State of an execution: the parent's, and what the block changed so far.
pub(super) struct Draft<'a, R> {
    parent: &'a R,
    pub(super) parameters: &'a Parameters,
    pub(super) height: Height,
    pub(super) timestamp_ms: TimestampMs,
    slots: Vec<Slot>,
    /// Places in `slots`, by a hash that nobody outside can foresee.
    places: HashTable<usize>,
    hasher: DefaultHashBuilder,
    undo: Vec<Undo>,
    events: Vec<Event>,
    /// Whether a transaction of this block set keys, roles or a status: then those behind it are looked at
    /// once more, as their authority was checked against the parent's state.
    pub(super) authority_changed: bool,
}

impl<R: StateReader> StateReader for Draft<'_, R> {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        match self.place(self.hasher.hash_one(key), key).map(|at| &self.slots[at]) {
            Some(slot) => Ok(slot.value.clone()),
            None => self.parent.get(key),
        }
    }
}

impl<'a, R: StateReader> Draft<'a, R> {
    pub(super) fn new(
        parent: &'a R,
        parameters: &'a Parameters,
        height: Height,
        timestamp_ms: TimestampMs,
        transactions: usize,
    ) -> Self {
        Self {
            parent,
            parameters,
            height,
            timestamp_ms,
            // Most transactions change two entries.
            slots: Vec::with_capacity(2 * transactions),
            places: HashTable::with_capacity(2 * transactions),
            hasher: DefaultHashBuilder::default(),
            undo: Vec::new(),
            events: Vec::new(),
            authority_changed: false,
        }
    }

    fn place(&self, hash: u64, key: &StateKey) -> Option<usize> {
        self.places.find(hash, |at| self.slots[*at].key == *key).copied()
    }

    /// From here on changes can be undone; what was changed so far stays whatever becomes of the rest.
    pub(super) fn begin(&mut self) {
        self.undo.clear();
        self.events.clear();
    }

    /// Undoes everything since [`Self::begin`].
    pub(super) fn roll_back(&mut self) {
        while let Some(Undo { slot, value, parents }) = self.undo.pop() {
            let slot = &mut self.slots[slot];
            (slot.value, slot.parents) = (value, parents);
        }
        self.events.clear();
    }

    /// Keeps everything since [`Self::begin`]; gives its events.
    pub(super) fn finish(&mut self) -> Vec<Event> {
        self.undo.clear();
        std::mem::take(&mut self.events)
    }

    pub(super) fn into_changes(self) -> Changes {
        self.slots.into_iter().filter(|slot| !slot.parents).map(|slot| (slot.key, slot.value)).collect()
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn put(&mut self, key: StateKey, value: Option<StateValue>) -> Result<(), StateError> {
        let slot = self.slot(key)?;
        let Slot { value: now, parents, .. } = &mut self.slots[slot];
        let (value, parents) = (std::mem::replace(now, value), std::mem::take(parents));
        self.undo.push(Undo { slot, value, parents });
        Ok(())
    }

    /// The place of an entry's slot, which is filled from the parent if it is new.
    fn slot(&mut self, key: StateKey) -> Result<usize, StateError> {
        let hash = self.hasher.hash_one(&key);
        if let Some(slot) = self.place(hash, &key) {
            return Ok(slot);
        }
        let (slot, value) = (self.slots.len(), self.parent.get(&key)?);
        self.places.insert_unique(hash, slot, |at| self.hasher.hash_one(&self.slots[*at].key));
        self.slots.push(Slot { key, value, parents: true });
        Ok(slot)
    }

    /// An account where it is; `None` if there is none.
    pub(super) fn account(&mut self, id: AccountId) -> Result<Option<&Account>, StateError> {
        let slot = self.slot(StateKey::Account(id))?;
        match &self.slots[slot].value {
            Some(StateValue::Account(account)) => Ok(Some(account)),
            _ => Ok(None),
        }
    }

    /// An account to be changed where it is; `None` if there is none.
    pub(super) fn account_mut(&mut self, id: AccountId) -> Result<Option<&mut Account>, StateError> {
        let at = self.slot(StateKey::Account(id))?;
        let slot = &mut self.slots[at];
        let undo = || Undo { slot: at, value: slot.value.clone(), parents: slot.parents };
        let undo = matches!(slot.value, Some(StateValue::Account(_))).then(undo);
        match &mut slot.value {
            Some(StateValue::Account(account)) => {
                self.undo.extend(undo);
                slot.parents = false;
                Ok(Some(account))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn put_account(&mut self, id: AccountId, account: Account) -> Result<(), StateError> {
        self.put(StateKey::Account(id), Some(StateValue::Account(account)))
    }

    pub(super) fn put_organisation(
        &mut self,
        id: OrganisationId,
        organisation: Organisation,
    ) -> Result<(), StateError> {
        self.put(StateKey::Organisation(id), Some(StateValue::Organisation(organisation)))
    }

    pub(super) fn asset(&self, id: AssetId) -> Result<Option<Asset>, StateError> {
        match self.get(&StateKey::Asset(id))? {
            Some(StateValue::Asset(asset)) => Ok(Some(asset)),
            _ => Ok(None),
        }
    }

    pub(super) fn put_asset(&mut self, id: AssetId, asset: Asset) -> Result<(), StateError> {
        self.put(StateKey::Asset(id), Some(StateValue::Asset(asset)))
    }

    /// What an account holds of an asset that is not the native one; nothing where there is no entry.
    pub(super) fn holding(&self, account: AccountId, asset: AssetId) -> Result<Holding, StateError> {
        match self.get(&StateKey::Balance(account, asset))? {
            Some(StateValue::Balance(holding)) => Ok(holding),
            _ => Ok(Holding::default()),
        }
    }

    /// What an account holds of any asset.
    pub(super) fn amount(&self, account: AccountId, asset: AssetId) -> Result<Amount, StateError> {
        if asset == AssetId::NATIVE {
            return Ok(self.account_entry(account)?.map_or(Amount::default(), |account| account.balance));
        }
        Ok(self.holding(account, asset)?.amount)
    }

    /// Spends work of an account's bucket, and of its organisation's.
    pub(super) fn charge_work(&mut self, id: AccountId, work: u64) -> Result<(), StateError> {
        let (parameters, at) = (self.parameters, self.timestamp_ms);
        let Some(account) = self.account_mut(id)? else { return Ok(()) };
        Limits::of_account(parameters).charge(&mut account.quota, at, work);
        if let Some(key) = account.organisation
            && let Some(mut organisation) = self.organisation_entry(key)?
        {
            Limits::of_organisation(parameters).charge(&mut organisation.quota, at, work);
            self.put_organisation(key, organisation)?;
        }
        Ok(())
    }

    /// Puts an entry that `payer` pays for in bytes of state, and gives back what the entry before it cost
    /// whoever paid for that.
    pub(super) fn put_paid(
        &mut self,
        key: StateKey,
        value: Option<StateValue>,
        payer: AccountId,
        payer_before: Option<AccountId>,
    ) -> Outcome {
        if let Some(before) = payer_before
            && let Some(old) = self.get(&key)?
        {
            let bytes = entry_bytes(&key, &old);
            self.change_state_bytes(before, |held, _| Some(held.saturating_sub(bytes)))?;
        }
        if let Some(value) = &value {
            let bytes = entry_bytes(&key, value);
            let more = |held: u64, limits: Limits| {
                held.checked_add(bytes).filter(|held| *held <= limits.state_bytes)
            };
            if !self.change_state_bytes(payer, more)? {
                return Err(ExecutionError::StateQuota.into());
            }
        }
        Ok(self.put(key, value)?)
    }

    /// Whether account and organisation could change.
    fn change_state_bytes(
        &mut self,
        id: AccountId,
        change: impl Fn(u64, Limits) -> Option<u64>,
    ) -> Result<bool, StateError> {
        let Some(mut account) = self.account_entry(id)? else { return Ok(false) };
        let Some(held) = change(account.quota.state_bytes, Limits::of_account(self.parameters)) else {
            return Ok(false);
        };
        account.quota.state_bytes = held;
        if let Some(key) = account.organisation
            && let Some(mut organisation) = self.organisation_entry(key)?
        {
            let limits = Limits::of_organisation(self.parameters);
            let Some(held) = change(organisation.quota.state_bytes, limits) else { return Ok(false) };
            organisation.quota.state_bytes = held;
            self.put_organisation(key, organisation)?;
        }
        self.put_account(id, account)?;
        Ok(true)
    }
}

/// Bytes that an entry is charged for: its key and value as they are hashed.
fn entry_bytes(key: &StateKey, value: &StateValue) -> u64 {
    (encode(key).len() + encode(value).len()) as u64
}
