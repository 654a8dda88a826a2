//! The state at one block, as what it changed over its parent.

use super::account::{Account, Organisation};
use super::changes::{Changes, Entry, Indexed};
use super::entry::{StateKey, StateValue, value_hash};
use super::tree::{KeyHash, LeafSource, Tree};
use crate::ids::{AccountId, Height, OrganisationId, StateRoot};
use crate::parameters::Parameters;
use std::sync::Arc;

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
    changed: Arc<Indexed>,
    tree: Tree,
}

impl Version {
    /// The version that the store holds, with its tree.
    #[must_use]
    pub fn stored(tree: Tree) -> Self {
        let changed = Arc::new(Indexed::new(Changes::default()));
        Self(Arc::new(Inner { parent: None, changed, tree }))
    }

    /// The version after `changes`.
    ///
    /// # Errors
    /// When a leaf that must be read from the store is damaged.
    pub fn child(&self, source: &dyn LeafSource, changes: Changes) -> Result<Self, StateError> {
        let changed = Arc::new(Indexed::new(changes));
        let values = changed
            .hashed()
            .map(|(hash, entry)| (*hash, entry.value.as_ref().map(|value| value_hash(&entry.key, value))));
        let tree = self.0.tree.update_all(source, values.collect())?;
        Ok(Self(Arc::new(Inner { parent: Some(self.clone()), changed, tree })))
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
    pub fn changes(&self) -> &Arc<Changes> {
        &self.0.changed.changes
    }

    /// The keys' hashes, ascending, and the places of their entries in [`Self::changes`].
    #[must_use]
    pub fn places(&self) -> &[(KeyHash, u32)] {
        &self.0.changed.hashed
    }

    /// What the block changed, ascending by the keys' hashes.
    pub fn hashed(&self) -> impl Iterator<Item = (&KeyHash, &Entry)> {
        self.0.changed.hashed()
    }

    /// The entry as this version or an unstored ancestor changed it; `None` if none of them did.
    #[must_use]
    pub fn overlaid(&self, key: &StateKey) -> Option<&Entry> {
        let mut version = self;
        loop {
            if let Some(change) = version.0.changed.get(key) {
                return Some(change);
            }
            version = version.0.parent.as_ref()?;
        }
    }

    /// The same version with the leaves that it changed given back to the store, which holds what it says of them.
    #[must_use]
    pub fn evicted(&self) -> Self {
        Self::stored(self.without_leaves_of(self))
    }

    /// The tree without the leaves that `flushed` changed and that are still the same.
    fn without_leaves_of(&self, flushed: &Self) -> Tree {
        self.0.tree.evict(&flushed.0.tree, flushed.places().iter().map(|(hash, _)| *hash))
    }

    /// The same version on top of `parent`, once the store holds `flushed`, an ancestor: the chain of versions
    /// stays as short as what is not stored, and the leaves that only `flushed` loaded are given back (see
    /// [`Tree::evict`]).
    #[must_use]
    pub fn rebased(&self, parent: &Self, flushed: &Self) -> Self {
        let (tree, changed) = (self.without_leaves_of(flushed), Arc::clone(&self.0.changed));
        Self(Arc::new(Inner { parent: Some(parent.clone()), changed, tree }))
    }

    /// The same version with another's tree: a mistake that only test builds make.
    #[cfg(feature = "mistakes")]
    pub(crate) fn rooted_as(&self, other: &Self) -> Self {
        let Inner { parent, changed, .. } = &*self.0;
        let (parent, changed, tree) = (parent.clone(), Arc::clone(changed), other.0.tree.clone());
        Self(Arc::new(Inner { parent, changed, tree }))
    }

    /// How many versions there are from this one down to the stored one.
    #[cfg(test)]
    pub(crate) fn depth(&self) -> usize {
        self.0.parent.as_ref().map_or(0, |parent| parent.depth() + 1)
    }
}
