//! The state at one block, as what it changed over its parent.

use super::account::{Account, Organisation};
use super::entry::{StateKey, StateValue, value_hash};
use super::tree::{KeyHash, LeafSource, Tree, ValueHash};
use crate::ids::{AccountId, Height, OrganisationId, StateRoot};
use crate::parameters::Parameters;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a block changed: `None` removes the entry.
pub type Changes = BTreeMap<StateKey, Option<StateValue>>;

/// An entry or digest that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The store failed or holds bytes that do not fit their checksum.
    #[error("reading the state: {0}")]
    Store(String),
    /// A stored leaf does not fit the tree.
    #[error("the state does not fit its root: {0}")]
    Tree(String),
    /// The state at a height that is not kept.
    #[error("the state is kept for heights {first} to {last} only; ask for one of these")]
    Pruned {
        /// The lowest height that can be read.
        first: Height,
        /// The highest: the tip's.
        last: Height,
    },
}

impl From<super::tree::Error> for StateError {
    fn from(error: super::tree::Error) -> Self {
        Self::Tree(error.to_string())
    }
}

/// Reads entries of one version of the state.
pub trait StateReader {
    /// The entry's value; `None` if there is none.
    ///
    /// # Errors
    /// When the store fails.
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError>;

    /// The chain's parameters in this version.
    ///
    /// # Errors
    /// When the store fails, or there are none.
    fn parameters(&self) -> Result<Parameters, StateError> {
        match self.get(&StateKey::Parameters)? {
            Some(StateValue::Parameters(parameters)) => Ok(parameters),
            _ => Err(StateError::Store("the state has no parameters".into())),
        }
    }

    /// An account; `None` if there is none.
    ///
    /// # Errors
    /// When the store fails.
    fn account_entry(&self, id: AccountId) -> Result<Option<Account>, StateError> {
        match self.get(&StateKey::Account(id))? {
            Some(StateValue::Account(account)) => Ok(Some(account)),
            _ => Ok(None),
        }
    }

    /// An organisation; `None` if there is none.
    ///
    /// # Errors
    /// When the store fails.
    fn organisation_entry(&self, id: OrganisationId) -> Result<Option<Organisation>, StateError> {
        match self.get(&StateKey::Organisation(id))? {
            Some(StateValue::Organisation(organisation)) => Ok(Some(organisation)),
            _ => Ok(None),
        }
    }
}

/// The state after a block: its changes over the parent's version, and the tree over all entries. Versions
/// form a chain down to the committed one, whose entries are in the store.
#[derive(Clone)]
pub struct Version(Arc<Inner>);

struct Inner {
    /// `None` for the version that the store holds.
    parent: Option<Version>,
    changes: Arc<Changes>,
    /// The changed keys' hashes, in the order of `changes`.
    hashes: Arc<[KeyHash]>,
    tree: Tree,
}

impl Version {
    /// The version that the store holds, with its tree.
    #[must_use]
    pub fn stored(tree: Tree) -> Self {
        Self(Arc::new(Inner { parent: None, changes: Arc::default(), hashes: Arc::default(), tree }))
    }

    /// The version after `changes`.
    ///
    /// # Errors
    /// When a leaf that must be read from the store is damaged.
    pub fn child(&self, source: &dyn LeafSource, changes: Changes) -> Result<Self, StateError> {
        let hashes: Arc<[KeyHash]> = changes.keys().map(StateKey::hash).collect();
        let values = changes.iter().zip(hashes.iter()).map(|((key, value), hash)| {
            let value: Option<ValueHash> = value.as_ref().map(|value| value_hash(key, value));
            (*hash, value)
        });
        let tree = self.0.tree.update_all(source, values.collect())?;
        let (parent, changes) = (Some(self.clone()), Arc::new(changes));
        Ok(Self(Arc::new(Inner { parent, changes, hashes, tree })))
    }

    /// The root over all entries.
    #[must_use]
    pub fn root(&self) -> StateRoot {
        StateRoot(self.0.tree.root())
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.0.tree
    }

    /// What the block changed.
    #[must_use]
    pub fn changes(&self) -> &Changes {
        &self.0.changes
    }

    /// The hashes of the keys that the block changed, in the order of [`Self::changes`].
    #[must_use]
    pub fn hashes(&self) -> &[KeyHash] {
        &self.0.hashes
    }

    /// The entry as this version or an unstored ancestor changed it: `None` if none of them did,
    /// `Some(None)` if it was removed.
    #[must_use]
    pub fn overlaid(&self, key: &StateKey) -> Option<Option<&StateValue>> {
        let mut version = self;
        loop {
            if let Some(change) = version.0.changes.get(key) {
                return Some(change.as_ref());
            }
            version = version.0.parent.as_ref()?;
        }
    }

    /// The same version with these keys' leaves given back to the store, which holds what this version says
    /// of them.
    #[must_use]
    pub fn evicted(&self, keys: impl IntoIterator<Item = KeyHash>) -> Self {
        Self::stored(self.0.tree.evict(&self.0.tree, keys))
    }

    /// The same version on top of `parent`, once the store holds `flushed`, an ancestor that changed `keys`:
    /// the chain of versions stays as short as what is not stored, and the leaves that only `flushed` loaded
    /// are given back (see [`Tree::evict`]).
    #[must_use]
    pub fn rebased(&self, parent: &Self, flushed: &Self, keys: &[KeyHash]) -> Self {
        let tree = self.0.tree.evict(&flushed.0.tree, keys.iter().copied());
        let (changes, hashes) = (Arc::clone(&self.0.changes), Arc::clone(&self.0.hashes));
        Self(Arc::new(Inner { parent: Some(parent.clone()), changes, hashes, tree }))
    }

    /// The same version with another's tree: a mistake that only test builds make.
    #[cfg(feature = "mistakes")]
    pub(crate) fn rooted_as(&self, other: &Self) -> Self {
        let Inner { parent, changes, hashes, .. } = &*self.0;
        let (parent, tree) = (parent.clone(), other.0.tree.clone());
        let (changes, hashes) = (Arc::clone(changes), Arc::clone(hashes));
        Self(Arc::new(Inner { parent, changes, hashes, tree }))
    }

    /// How many versions there are from this one down to the stored one.
    #[cfg(test)]
    pub(crate) fn depth(&self) -> usize {
        self.0.parent.as_ref().map_or(0, |parent| parent.depth() + 1)
    }
}
