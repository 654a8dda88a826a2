//! The entries that a block is changing. What one transaction changes can be undone until it succeeds.

use super::quota::Limits;
use crate::codec::encode;
use crate::ids::{AccountId, Amount, AssetId, Height, OrganisationId, TimestampMs};
use crate::parameters::Parameters;
use crate::receipt::{Event, ExecutionError};
use crate::state::{
    Account, Asset, Changes, Holding, Organisation, StateError, StateKey, StateReader, StateValue,
};
use hashbrown::HashMap;

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

/// A change, and what was there before it in the draft: `None` is the parent's.
type Undo = (StateKey, Option<Option<StateValue>>);

/// State of an execution: the parent's, and what the block changed so far.
pub(super) struct Draft<'a, R> {
    parent: &'a R,
    pub(super) parameters: &'a Parameters,
    pub(super) height: Height,
    pub(super) timestamp_ms: TimestampMs,
    changes: HashMap<StateKey, Option<StateValue>>,
    undo: Vec<Undo>,
    events: Vec<Event>,
    /// Whether a transaction of this block set keys, roles or a status: then those behind it are looked at
    /// once more, as their authority was checked against the parent's state.
    pub(super) authority_changed: bool,
}

impl<R: StateReader> StateReader for Draft<'_, R> {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
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
            changes: HashMap::with_capacity(2 * transactions),
            undo: Vec::new(),
            events: Vec::new(),
            authority_changed: false,
        }
    }

    /// From here on changes can be undone; what was changed so far stays whatever becomes of the rest.
    pub(super) fn begin(&mut self) {
        self.undo.clear();
        self.events.clear();
    }

    /// Undoes everything since [`Self::begin`].
    pub(super) fn roll_back(&mut self) {
        while let Some((key, before)) = self.undo.pop() {
            match before {
                Some(change) => self.changes.insert(key, change),
                None => self.changes.remove(&key),
            };
        }
        self.events.clear();
    }

    /// Keeps everything since [`Self::begin`]; gives its events.
    pub(super) fn finish(&mut self) -> Vec<Event> {
        self.undo.clear();
        std::mem::take(&mut self.events)
    }

    pub(super) fn into_changes(self) -> Changes {
        let mut changes: Vec<_> = self.changes.into_iter().map(Some).collect();
        // Entries are large: their places are sorted, and each is moved once.
        let mut order: Vec<_> = (0..changes.len()).collect();
        order.sort_unstable_by(|one, other| key(&changes[*one]).cmp(&key(&changes[*other])));
        order.into_iter().filter_map(|at| changes[at].take()).collect()
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn put(&mut self, key: StateKey, value: Option<StateValue>) {
        let before = self.changes.insert(key.clone(), value);
        self.undo.push((key, before));
    }

    pub(super) fn put_account(&mut self, id: AccountId, account: Account) {
        self.put(StateKey::Account(id), Some(StateValue::Account(account)));
    }

    pub(super) fn put_organisation(&mut self, id: OrganisationId, organisation: Organisation) {
        self.put(StateKey::Organisation(id), Some(StateValue::Organisation(organisation)));
    }

    pub(super) fn asset(&self, id: AssetId) -> Result<Option<Asset>, StateError> {
        match self.get(&StateKey::Asset(id))? {
            Some(StateValue::Asset(asset)) => Ok(Some(asset)),
            _ => Ok(None),
        }
    }

    pub(super) fn put_asset(&mut self, id: AssetId, asset: Asset) {
        self.put(StateKey::Asset(id), Some(StateValue::Asset(asset)));
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

    /// Puts an account with work spent of its bucket, and of its organisation's.
    pub(super) fn charge_work(
        &mut self,
        id: AccountId,
        mut account: Account,
        work: u64,
    ) -> Result<(), StateError> {
        let (parameters, at) = (self.parameters, self.timestamp_ms);
        Limits::of_account(parameters).charge(&mut account.quota, at, work);
        if let Some(key) = account.organisation
            && let Some(mut organisation) = self.organisation_entry(key)?
        {
            Limits::of_organisation(parameters).charge(&mut organisation.quota, at, work);
            self.put_organisation(key, organisation);
        }
        self.put_account(id, account);
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
        self.put(key, value);
        Ok(())
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
            self.put_organisation(key, organisation);
        }
        self.put_account(id, account);
        Ok(true)
    }
}

/// Bytes that an entry is charged for: its key and value as they are hashed.
fn entry_bytes(key: &StateKey, value: &StateValue) -> u64 {
    (encode(key).len() + encode(value).len()) as u64
}

fn key(change: &Option<(StateKey, Option<StateValue>)>) -> Option<&StateKey> {
    change.as_ref().map(|(key, _)| key)
}
