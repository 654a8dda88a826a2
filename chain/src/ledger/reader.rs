//! Reading what is committed, from any thread. Calls block on the disk.

use super::Tip;
use super::apply::{history_key, history_place};
use super::error::LedgerError;
use super::options::IndexLevel;
use super::record::{CommitRecord, read_body, read_commit};
use super::runs::Index;
use super::scrub::ScrubStatus;
use super::shared::Shared;
use super::state_at::StateAt;
use crate::block::{Block, BlockResult, Header};
use crate::certificate::{CommitCertificate, PATH_HEADERS_MAX};
use crate::codec::List;
use crate::ids::{AccountId, AssetId, BlockHash, ChainId, Epoch, Height, TransactionId};
use crate::receipt::Receipt;
use crate::state::tree::Proof;
use crate::state::{Account, Holding, StateError, StateKey, StateReader, StateValue};
use crate::transaction::Transaction;
use crate::validator::ValidatorSet;
use std::collections::BTreeSet;
use std::sync::Arc;

/// How often something at the tip is read again because its height was given up meanwhile.
const TIP_READS_MAX: usize = 16;
/// Most places of one answer of [`Reader::history`].
pub const HISTORY_PAGE_MAX: usize = 1_000;
/// Committed blocks kept in memory.
pub(super) const CACHED_BLOCKS_MAX: usize = 64;
/// Bytes of transactions above which a block is not kept in memory.
pub(super) const CACHED_BLOCK_TRANSACTIONS_MAX: usize = 2_000;
/// Most balances of an account that one answer lists.
pub(super) const BALANCES_MAX: usize = 1_000;

/// A final block with everything that proves it and followed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedBlock {
    /// The block.
    pub block: Block,
    /// The state after it.
    pub result: BlockResult,
    /// Its certificate, or that of the last header of `path`.
    pub certificate: CommitCertificate,
    /// Headers up to the certified descendant (R22); mostly empty.
    pub path: List<Header, 0, PATH_HEADERS_MAX>,
    /// What became of its transactions, in order.
    pub receipts: Vec<Receipt>,
}

/// A committed transaction.
#[derive(Clone, Debug)]
pub struct TransactionRecord {
    /// The block's height.
    pub height: Height,
    /// Its place in the block.
    pub index: u32,
    /// The transaction.
    pub transaction: Transaction,
    /// What became of it.
    pub receipt: Receipt,
}

/// An account at one height.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// The account.
    pub account: Account,
    /// What it holds, ascending by asset; at most 1,000 are listed.
    pub balances: Vec<(AssetId, Holding)>,
    /// The height at which it was read.
    pub height: Height,
}

/// An entry, or that there is none, with what proves it under the state root of a height.
#[derive(Clone, Debug)]
pub struct StateProof {
    /// The tip at which it was read: its result holds the state root, its certificate proves that.
    pub tip: Arc<Tip>,
    /// The value; `None` if there is none.
    pub value: Option<StateValue>,
    /// From the value's hash, or its absence, up to the state root.
    pub proof: Proof,
}

/// Reads what is committed. Cheap to clone.
#[derive(Clone)]
pub struct Reader(Arc<Shared>);

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("chain", &self.0.chain).finish()
    }
}

impl Reader {
    /// Blocks that are read without the disk.
    #[cfg(test)]
    pub(super) fn cached(&self) -> usize {
        self.0.remembered_count()
    }

    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// The chain.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        self.0.chain
    }

    /// The committed tip. Does not wait for the disk.
    #[must_use]
    pub fn tip(&self) -> Arc<Tip> {
        self.0.tip()
    }

    /// The block at a height; `None` above the tip, at 0, and for what has been pruned.
    ///
    /// # Errors
    /// When journal or store fail.
    pub fn block(&self, height: Height) -> Result<Option<Arc<CommittedBlock>>, LedgerError> {
        if let Some(block) = self.0.remembered(height) {
            return Ok(Some(block));
        }
        let Some(place) = self.0.block_place(height)? else { return Ok(None) };
        let commit = read_commit(&self.0.journal, place.commit)?;
        let block = read_body(&self.0.journal, place.body)?;
        if commit.block != place.hash || block.hash() != place.hash {
            let what = format!("the journal's block is not {}", place.hash);
            return Err(LedgerError::Damaged { height, what });
        }
        let CommitRecord { result, certificate, path, receipts, .. } = commit;
        Ok(Some(Arc::new(CommittedBlock { block, result, certificate, path, receipts })))
    }

    /// The block with a hash.
    ///
    /// # Errors
    /// When journal or store fail.
    pub fn block_by_hash(&self, hash: BlockHash) -> Result<Option<Arc<CommittedBlock>>, LedgerError> {
        match self.0.block_height(hash)? {
            Some(height) => self.block(height),
            None => Ok(None),
        }
    }

    /// The validators of an epoch; `None` above the tip's.
    ///
    /// # Errors
    /// When the store fails.
    pub fn validators_of(&self, epoch: Epoch) -> Result<Option<ValidatorSet>, LedgerError> {
        Ok(self.0.epoch_start(epoch)?.map(|start| start.validators))
    }

    /// The epoch of a height and its validators, by which the height's certificate is to be verified; `None`
    /// for genesis, and above the next height.
    ///
    /// # Errors
    /// When the store fails.
    pub fn validators_at(&self, height: Height) -> Result<Option<(Epoch, ValidatorSet)>, LedgerError> {
        let tip = self.tip();
        if height == Height::ZERO || height > tip.height.next() {
            return Ok(None);
        }
        // The last epoch that starts at or below the height.
        let (mut epoch, mut above) = (Epoch::ZERO, tip.epoch.next());
        while epoch.next() < above {
            let middle = Epoch(epoch.0.midpoint(above.0));
            match self.0.epoch_start(middle)? {
                Some(start) if start.first <= height => epoch = middle,
                _ => above = middle,
            }
        }
        Ok(self.validators_of(epoch)?.map(|validators| (epoch, validators)))
    }

    /// The last block of an epoch, whose certificate ended it (R46); `None` if the epoch goes on.
    ///
    /// # Errors
    /// When journal or store fail.
    pub fn epoch_end(&self, epoch: Epoch) -> Result<Option<Arc<CommittedBlock>>, LedgerError> {
        match self.0.epoch_start(epoch.next())? {
            Some(next) => self.block(next.first.previous()),
            None => Ok(None),
        }
    }

    /// A committed transaction.
    ///
    /// # Errors
    /// When journal or store fail.
    pub fn transaction(&self, id: TransactionId) -> Result<Option<TransactionRecord>, LedgerError> {
        let Some(place) = self.0.transaction_place(id)? else { return Ok(None) };
        let Some(committed) = self.block(place.height)? else { return Ok(None) };
        let at = place.index as usize;
        let found = committed.block.transactions.get(at).zip(committed.receipts.get(at));
        let Some((transaction, receipt)) = found.filter(|(transaction, _)| transaction.id() == id) else {
            let what = format!("the index leads to another transaction than {id}");
            return Err(LedgerError::Damaged { height: place.height, what });
        };
        Ok(Some(TransactionRecord {
            height: place.height,
            index: place.index,
            transaction: transaction.clone(),
            receipt: receipt.clone(),
        }))
    }

    /// The state at a committed height.
    ///
    /// # Errors
    /// [`LedgerError::Pruned`] says which heights are kept.
    pub fn at(&self, height: Height) -> Result<StateAt, LedgerError> {
        StateAt::new(&self.0, Some(height))
    }

    /// The state at the tip of now.
    ///
    /// # Errors
    /// None that is known: the tip's is always kept.
    pub fn latest(&self) -> Result<StateAt, LedgerError> {
        StateAt::new(&self.0, None)
    }

    /// Reads at one height, the tip's; again at a later one if that went too fast.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn at_tip<T>(&self, read: impl Fn(&StateAt) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        let mut answer = read(&self.latest()?);
        for _ in 1..TIP_READS_MAX {
            if !matches!(answer, Err(LedgerError::Pruned { .. })) {
                break;
            }
            answer = read(&self.latest()?);
        }
        answer
    }

    /// An entry at the tip; [`Self::latest`] also says which height that is.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get(&self, key: &StateKey) -> Result<Option<StateValue>, LedgerError> {
        self.at_tip(|state| state.get(key))
    }

    /// An account with its balances at the tip, all at one height.
    ///
    /// # Errors
    /// When the store fails.
    pub fn account(&self, id: AccountId) -> Result<Option<AccountRecord>, LedgerError> {
        self.at_tip(|state| state.account(id))
    }

    /// An entry with its proof under the tip's state root.
    ///
    /// # Errors
    /// When the store fails or does not fit the tree.
    pub fn prove(&self, key: &StateKey) -> Result<StateProof, LedgerError> {
        self.at_tip(|state| state.prove(key))
    }

    /// Where the transactions of an account are, latest first: those that it acts for and those that touched
    /// it, as height and index in the block. `before` is the last place of the page before.
    ///
    /// # Errors
    /// [`LedgerError::NotIndexed`] below [`IndexLevel::Full`]; else when the store fails.
    pub fn history(
        &self,
        account: AccountId,
        before: Option<(Height, u32)>,
        limit: usize,
    ) -> Result<Vec<(Height, u32)>, LedgerError> {
        self.0.needs(IndexLevel::Full, "the transactions of an account")?;
        let limit = limit.min(HISTORY_PAGE_MAX);
        let last = match before {
            None => (Height(u64::MAX), u32::MAX),
            Some((height, 0)) if height == Height::ZERO => return Ok(Vec::new()),
            Some((height, 0)) => (height.previous(), u32::MAX),
            Some((height, index)) => (height, index - 1),
        };
        let (first, last) = (history_key(account, Height::ZERO, 0), history_key(account, last.0, last.1));
        let mut places = BTreeSet::new();
        {
            let inner = self.0.inner();
            for batch in inner.batches() {
                let newest = batch.entered_range(Index::History, &first, &last).rev().take(limit);
                places.extend(newest.filter_map(history_place));
            }
        }
        let stored = self.0.read_runs(|runs| runs.latest(self.0.store.as_ref(), &first, &last, limit))?;
        places.extend(stored.iter().filter_map(|key| history_place(key)));
        Ok(places.into_iter().rev().take(limit).collect())
    }

    /// How far the scrub is.
    #[must_use]
    pub fn scrub(&self) -> ScrubStatus {
        self.0.scrub_status()
    }

    /// What was found damaged while the ledger ran, if anything: it has stopped then.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.0.failure().map(str::to_owned)
    }
}

impl StateReader for Reader {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        (0..TIP_READS_MAX)
            .map(|_| self.0.read(None, key))
            .find(|answer| !matches!(answer, Err(StateError::Pruned { .. })))
            .unwrap_or_else(|| self.0.read(None, key))
    }
}
