//! The entries that a block is changing, with the changes of one transaction kept apart until it succeeds.

use crate::ids::{AccountId, Amount, AssetId};
use crate::parameters::Parameters;
use crate::receipt::Event;
use crate::state::{Account, Changes, StateError, StateKey, StateReader, StateValue};

/// State of an execution: parent's state ← block's changes ← transaction's changes.
pub(super) struct Work<'a, R> {
    parent: &'a R,
    parameters: &'a Parameters,
    block: Changes,
    transaction: Changes,
    events: Vec<Event>,
}

impl<'a, R: StateReader> Work<'a, R> {
    pub(super) fn new(parent: &'a R, parameters: &'a Parameters) -> Self {
        Self { parent, parameters, block: Changes::new(), transaction: Changes::new(), events: Vec::new() }
    }

    /// The chain's parameters.
    pub(super) fn parameters(&self) -> &'a Parameters {
        self.parameters
    }

    /// Keeps what was changed so far whatever becomes of the rest of the transaction.
    pub(super) fn begin(&mut self) {
        self.block.extend(std::mem::take(&mut self.transaction));
        self.events.clear();
    }

    /// Undoes everything since [`Self::begin`].
    pub(super) fn roll_back(&mut self) {
        self.transaction.clear();
        self.events.clear();
    }

    /// Keeps everything since [`Self::begin`]; gives its events.
    pub(super) fn finish(&mut self) -> Vec<Event> {
        self.block.extend(std::mem::take(&mut self.transaction));
        std::mem::take(&mut self.events)
    }

    pub(super) fn into_changes(mut self) -> Changes {
        self.block.extend(std::mem::take(&mut self.transaction));
        self.block
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(super) fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        match self.transaction.get(key).or_else(|| self.block.get(key)) {
            Some(change) => Ok(change.clone()),
            None => self.parent.get(key),
        }
    }

    pub(super) fn put(&mut self, key: StateKey, value: Option<StateValue>) {
        self.transaction.insert(key, value);
    }

    pub(super) fn account(&self, id: AccountId) -> Result<Option<Account>, StateError> {
        match self.get(&StateKey::Account(id))? {
            Some(StateValue::Account(account)) => Ok(Some(account)),
            _ => Ok(None),
        }
    }

    pub(super) fn put_account(&mut self, id: AccountId, account: Account) {
        self.put(StateKey::Account(id), Some(StateValue::Account(account)));
    }

    pub(super) fn balance(&self, id: AccountId, asset: AssetId) -> Result<Amount, StateError> {
        match self.get(&StateKey::Balance(id, asset))? {
            Some(StateValue::Balance(amount)) => Ok(amount),
            _ => Ok(Amount::default()),
        }
    }

    /// An empty balance has no entry.
    pub(super) fn put_balance(&mut self, id: AccountId, asset: AssetId, amount: Amount) {
        let value = Some(StateValue::Balance(amount)).filter(|_| amount.0 > 0);
        self.put(StateKey::Balance(id, asset), value);
    }
}
