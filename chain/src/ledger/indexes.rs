//! Reading the indexes: tail, then store. What the store does not have was never there, though sled loses pages where a
//! file rots and says nothing.
//!
//! An entry of the state is compared with the tree. A block or epoch up to the tip must be there, and an account says
//! how much it holds. Of the other indexes every page is named by the one before it or by the manifest (`runs/`).

use super::apply::{BlockPlace, EpochStart, TransactionPlace, decoded};
use super::error::LedgerError;
use super::options::IndexLevel;
use super::runs::{Index, Manifest};
use super::shared::Shared;
use super::store::{StoreError, Table};
use super::tail::IndexKey;
use crate::ids::{BlockHash, Epoch, Height, TransactionId};
use std::sync::{Arc, PoisonError};

/// How often runs are read again because others took their place meanwhile.
pub(super) const RUN_READS_MAX: usize = 64;

impl Shared {
    /// What an index has at a key.
    fn indexed(&self, key: &IndexKey) -> Result<Option<Vec<u8>>, LedgerError> {
        if let Some(value) = self.inner().unwritten_index(key) {
            return Ok(value.clone());
        }
        self.store.get(key.0, &key.1).map_err(|error| self.unreadable(error))
    }

    /// The store could not be read: the ledger stops.
    fn unreadable(&self, error: StoreError) -> LedgerError {
        self.fail(&error.to_string());
        error.into()
    }

    fn index<T: borsh::BorshDeserialize>(&self, table: Table, key: &[u8]) -> Result<Option<T>, LedgerError> {
        let bytes = self.indexed(&(table, key.to_vec()))?;
        self.decoded(bytes, table.name(), key)
    }

    fn decoded<T: borsh::BorshDeserialize>(
        &self,
        bytes: Option<Vec<u8>>,
        index: &'static str,
        key: &[u8],
    ) -> Result<Option<T>, LedgerError> {
        decoded(bytes, index, key).map_err(|error| self.unreadable(error))
    }

    /// The runs that are in the store now. Who looks into the tail as well does that first.
    fn manifest(&self) -> Arc<Manifest> {
        Arc::clone(&self.manifest.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shows readers which runs there are now.
    pub(super) fn show_runs(&self, runs: &Arc<Manifest>) {
        if !Arc::ptr_eq(&self.manifest(), runs) {
            *self.manifest.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(runs);
        }
    }

    /// Reads by the runs of now; again if what is missing was merged and removed meanwhile.
    pub(super) fn read_runs<T>(
        &self,
        read: impl Fn(&Manifest) -> Result<T, StoreError>,
    ) -> Result<T, LedgerError> {
        let mut manifest = self.manifest();
        for _ in 0..RUN_READS_MAX {
            let error = match read(&manifest) {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let now = self.manifest();
            if Arc::ptr_eq(&manifest, &now) {
                return Err(self.unreadable(error));
            }
            manifest = now;
        }
        Err(StoreError::Failed("runs are merged faster than they can be read".into()).into())
    }

    /// What an index whose entries are set once has at a key.
    fn entered<T: borsh::BorshDeserialize>(
        &self,
        index: Index,
        key: &[u8],
    ) -> Result<Option<T>, LedgerError> {
        let unwritten = self.inner().unwritten_entry(&(index, key.to_vec())).cloned();
        let bytes = match unwritten {
            Some(value) => Some(value),
            None => self.read_runs(|runs| runs.get(self.store.as_ref(), index, key))?,
        };
        self.decoded(bytes, index.name(), key)
    }

    pub(super) fn block_place(&self, height: Height) -> Result<Option<BlockPlace>, LedgerError> {
        let tip = self.tip().height;
        let place = self.index(Table::Blocks, &height.0.to_be_bytes())?;
        let must_be = Height::ZERO < height && height <= tip;
        self.there(place, must_be, || format!("the place of block {height} is missing"))
    }

    pub(super) fn block_height(&self, hash: BlockHash) -> Result<Option<Height>, LedgerError> {
        self.entered(Index::Hashes, &hash.0)
    }

    pub(super) fn transaction_place(
        &self,
        id: TransactionId,
    ) -> Result<Option<TransactionPlace>, LedgerError> {
        self.needs(IndexLevel::Tx, "transactions by id")?;
        self.entered(Index::Transactions, &id.0)
    }

    pub(super) fn epoch_start(&self, epoch: Epoch) -> Result<Option<EpochStart>, LedgerError> {
        let last = self.tip().epoch;
        let start = self.index(Table::Epochs, &epoch.0.to_be_bytes())?;
        self.there(start, epoch <= last, || format!("the start of epoch {epoch} is missing"))
    }

    /// Refuses what this node does not index.
    pub(super) fn needs(&self, level: IndexLevel, what: &'static str) -> Result<(), LedgerError> {
        let own = self.options.index;
        if own >= level { Ok(()) } else { Err(LedgerError::NotIndexed { what, level, own }) }
    }

    /// What an index must have, or may.
    pub(super) fn there<T>(
        &self,
        found: Option<T>,
        must_be: bool,
        what: impl FnOnce() -> String,
    ) -> Result<Option<T>, LedgerError> {
        if found.is_none() && must_be { Err(self.missing(what())) } else { Ok(found) }
    }

    /// Something is missing in the store: the ledger stops.
    pub(super) fn missing(&self, what: String) -> LedgerError {
        self.fail(&what);
        StoreError::Failed(what).into()
    }
}
