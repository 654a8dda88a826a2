//! The state at one committed height.

use super::Tip;
use super::error::LedgerError;
use super::leaves::Leaves;
use super::reader::{AccountRecord, BALANCES_MAX, StateProof};
use super::shared::Shared;
use super::store::{StoreError, Table};
use crate::ids::{AccountId, AssetId, Height};
use crate::state::tree::Tree;
use crate::state::{Holding, StateError, StateKey, StateReader, StateValue, value_hash};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Reads the state at one height, from any thread. Calls block on the disk. Once the height is no longer kept,
/// whatever is asked answers [`LedgerError::Pruned`].
#[derive(Clone)]
pub struct StateAt {
    shared: Arc<Shared>,
    tip: Arc<Tip>,
    tree: Tree,
}

impl std::fmt::Debug for StateAt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StateAt").field("height", &self.tip.height).finish()
    }
}

impl StateAt {
    /// The state at a height, or at the tip.
    pub(super) fn new(shared: &Arc<Shared>, height: Option<Height>) -> Result<Self, LedgerError> {
        let (tip, tree) = {
            let inner = shared.inner();
            let past = inner.history.at(height.unwrap_or_else(|| inner.history.last()))?;
            (Arc::clone(&past.tip), past.tree.clone())
        };
        Ok(Self { shared: Arc::clone(shared), tip, tree })
    }

    /// The height.
    #[must_use]
    pub fn height(&self) -> Height {
        self.tip.height
    }

    /// The tip as it was at this height: the block, its result, its certificate.
    #[must_use]
    pub const fn tip(&self) -> &Arc<Tip> {
        &self.tip
    }

    /// An entry.
    ///
    /// # Errors
    /// [`LedgerError::Pruned`]; else when the store fails.
    pub fn get(&self, key: &StateKey) -> Result<Option<StateValue>, LedgerError> {
        Ok(self.shared.read(Some(self.tip.height), key)?)
    }

    /// An account with its balances.
    ///
    /// # Errors
    /// As [`Self::get`].
    pub fn account(&self, id: AccountId) -> Result<Option<AccountRecord>, LedgerError> {
        let Some(StateValue::Account(account)) = self.get(&StateKey::Account(id))? else { return Ok(None) };
        let native = Holding { amount: account.balance, frozen: false };
        let mut balances: Vec<_> =
            Some((AssetId::NATIVE, native)).filter(|(_, native)| native.amount.0 > 0).into_iter().collect();
        let assets = self.held(id)?;
        // No page of the index was cut off.
        let all = assets.len() < BALANCES_MAX;
        for asset in assets {
            if let Some(StateValue::Balance(holding)) = self.get(&StateKey::Balance(id, asset))? {
                balances.push((asset, holding));
            }
            if balances.len() >= BALANCES_MAX {
                break;
            }
        }
        let held = balances.iter().filter(|(asset, _)| *asset != AssetId::NATIVE).count();
        if all && held < account.holdings as usize {
            let what = format!("{held} of {} holdings of {id} are in the store", account.holdings);
            return Err(self.shared.missing(what));
        }
        Ok(Some(AccountRecord { account, balances, height: self.tip.height }))
    }

    /// Assets of which the account may hold something, ascending: what is indexed, what is on its way there,
    /// and what was removed since.
    fn held(&self, id: AccountId) -> Result<BTreeSet<AssetId>, LedgerError> {
        let (first, last) = ([id.0, [0; 32]].concat(), [id.0, [0xff; 32]].concat());
        let asset = |key: &[u8]| key.get(32..).and_then(|asset| asset.try_into().ok()).map(AssetId);
        let mut assets = BTreeSet::new();
        {
            let (first, last) = ((Table::Holdings, first.clone()), (Table::Holdings, last.clone()));
            let inner = self.shared.inner();
            for batch in inner.batches() {
                assets.extend(batch.index_range(&first, &last).filter_map(|((_, key), _)| asset(key)));
            }
        }
        let stored = self.shared.store.range(Table::Holdings, &first, &last, BALANCES_MAX);
        let stored = stored.inspect_err(|error| self.shared.fail(&error.to_string()))?;
        assets.extend(stored.iter().filter_map(|(key, _)| asset(key)));
        assets.extend(self.shared.inner().history.removed(self.tip.height, id));
        Ok(assets)
    }

    /// An entry with its proof under the height's state root.
    ///
    /// # Errors
    /// As [`Self::get`]; when the store does not fit the root, it is damaged.
    pub fn prove(&self, key: &StateKey) -> Result<StateProof, LedgerError> {
        let value = self.get(key)?;
        let hash = key.hash();
        let leaves = Leaves { shared: &self.shared, height: Some(self.tip.height) };
        let proof = self.tree.prove(&leaves, &hash).map_err(|error| self.not_proven(&error.into()))?;
        let proven = proof.verify(&self.tree.root(), &hash).map_err(StateError::from)?;
        if proven != value.as_ref().map(|value| value_hash(key, value)) {
            let what = format!("the entry at {key:?} does not fit the state root");
            return Err(self.not_proven(&StateError::Tree(what)));
        }
        Ok(StateProof { tip: Arc::clone(&self.tip), value, proof })
    }

    /// Either the height was given up meanwhile, or the store is damaged.
    fn not_proven(&self, error: &StateError) -> LedgerError {
        if let Err(pruned) = self.shared.inner().history.at(self.tip.height) {
            return pruned.into();
        }
        self.shared.fail(&error.to_string());
        LedgerError::Store(StoreError::Failed(error.to_string()))
    }
}

impl StateReader for StateAt {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        self.shared.read(Some(self.tip.height), key)
    }
}
