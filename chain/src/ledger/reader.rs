//! Reading what is committed, from any thread. Calls block on the disk.

use super::Tip;
use super::apply::{
    apply_changes, block_height, block_place, epoch_start, index, state_value, state_value_hash,
    transaction_place,
};
use super::error::LedgerError;
use super::journal::{self, Position};
use super::record::{CommitRecord, read_body, read_commit};
use super::store::{Store, StoreError, Table};
use crate::block::{Block, BlockResult, Header};
use crate::certificate::{CommitCertificate, PATH_HEADERS_MAX};
use crate::codec::List;
use crate::ids::{AccountId, AssetId, BlockHash, ChainId, Epoch, Height, TransactionId};
use crate::receipt::Receipt;
use crate::state::tree::{self, KeyHash, LEAF_KEYS_MAX, LeafSource, Prefix, Proof, Tree};
use crate::state::{Account, Holding, StateError, StateKey, StateReader, StateValue};
use crate::transaction::Transaction;
use crate::validator::ValidatorSet;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

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

/// What readers and the one writer share.
pub(super) struct Shared {
    pub(super) chain: ChainId,
    pub(super) store: Box<dyn Store>,
    pub(super) journal: journal::Reader,
    /// Held for writing while a block's changes go into the store, so that a reader sees one height.
    committed: RwLock<(Arc<Tip>, Tree)>,
    /// The same tip for those who want nothing else: they never wait for the store.
    tip: RwLock<Arc<Tip>>,
    cache: Mutex<VecDeque<Arc<CommittedBlock>>>,
}

impl Shared {
    pub(super) fn new(
        chain: ChainId,
        store: Box<dyn Store>,
        journal: journal::Reader,
        tip: Tip,
        tree: Tree,
    ) -> Self {
        let tip = Arc::new(tip);
        let committed = RwLock::new((Arc::clone(&tip), tree));
        Self { chain, store, journal, committed, tip: RwLock::new(tip), cache: Mutex::default() }
    }

    pub(super) fn install(
        &self,
        record: &CommitRecord,
        commit: Position,
        block: &Arc<CommittedBlock>,
        tip: Tip,
        tree: Tree,
    ) -> Result<(), LedgerError> {
        // What the indexes lead to is durable already; only the state must be seen whole.
        index(self.store.as_ref(), record, commit, &block.block)?;
        let tip = Arc::new(tip);
        let mut committed = self.committed.write().unwrap_or_else(PoisonError::into_inner);
        apply_changes(self.store.as_ref(), &record.changes)?;
        *committed = (Arc::clone(&tip), tree);
        *self.tip.write().unwrap_or_else(PoisonError::into_inner) = tip;
        drop(committed);
        self.remember(block);
        Ok(())
    }

    fn remember(&self, block: &Arc<CommittedBlock>) {
        if block.block.transactions.len() > CACHED_BLOCK_TRANSACTIONS_MAX {
            return;
        }
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHED_BLOCKS_MAX {
            cache.pop_front();
        }
        cache.push_back(Arc::clone(block));
    }

    /// An entry as the store has it now.
    pub(super) fn stored(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        let entry = self.store.get(Table::State, &key.hash().0).map_err(store_error)?;
        let Some(entry) = entry else { return Ok(None) };
        state_value(&entry).map(Some).ok_or_else(|| StateError::Store(format!("no entry at {key:?}")))
    }
}

fn store_error(error: StoreError) -> StateError {
    StateError::Store(error.to_string())
}

fn pair((key, entry): (Vec<u8>, Vec<u8>)) -> Result<tree::Pair, tree::Error> {
    let key: [u8; 32] = key.try_into().map_err(|_| tree::Error::source(StoreError::Failed("key".into())))?;
    Ok((KeyHash(key), state_value_hash(&entry)))
}

impl LeafSource for Shared {
    fn leaf(&self, prefix: &Prefix) -> Result<Vec<tree::Pair>, tree::Error> {
        let (first, last) = prefix.range();
        // One more than a leaf holds shows that the store does not fit the tree.
        let max = LEAF_KEYS_MAX + 1;
        let pairs = self.store.range(Table::State, &first.0, &last.0, max).map_err(tree::Error::source)?;
        pairs.into_iter().map(pair).collect()
    }
}

/// All pairs of the state in order, for building the tree.
pub(super) fn state_pairs(store: &dyn Store) -> impl Iterator<Item = Result<tree::Pair, tree::Error>> {
    StatePairs { store, from: Some([0; 32]), page: Vec::new().into_iter() }
}

/// Pages through the state table.
struct StatePairs<'a> {
    store: &'a dyn Store,
    from: Option<[u8; 32]>,
    page: std::vec::IntoIter<(Vec<u8>, Vec<u8>)>,
}

impl StatePairs<'_> {
    const PAGE: usize = 1_000;
}

impl Iterator for StatePairs<'_> {
    type Item = Result<tree::Pair, tree::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.len() == 0 {
            let from = self.from.take()?;
            match self.store.range(Table::State, &from, &[0xff; 32], Self::PAGE) {
                Ok(page) => {
                    if page.len() == Self::PAGE {
                        self.from = page.last().and_then(|(key, _)| successor(key));
                    }
                    self.page = page.into_iter();
                }
                Err(error) => return Some(Err(tree::Error::source(error))),
            }
        }
        self.page.next().map(pair)
    }
}

/// The key behind `key`; `None` behind the last one.
fn successor(key: &[u8]) -> Option<[u8; 32]> {
    let mut next: [u8; 32] = key.try_into().ok()?;
    for byte in next.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(next);
        }
    }
    None
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
        self.0.cache.lock().unwrap_or_else(PoisonError::into_inner).len()
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
        Arc::clone(&self.0.tip.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The block at a height; `None` above the tip, at 0, and for what has been pruned.
    ///
    /// # Errors
    /// When journal or store fail.
    pub fn block(&self, height: Height) -> Result<Option<Arc<CommittedBlock>>, LedgerError> {
        let cached = {
            let cache = self.0.cache.lock().unwrap_or_else(PoisonError::into_inner);
            cache.iter().rev().find(|block| block.block.header.height == height).cloned()
        };
        if cached.is_some() {
            return Ok(cached);
        }
        let Some(place) = block_place(self.0.store.as_ref(), height)? else { return Ok(None) };
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
        match block_height(self.0.store.as_ref(), hash)? {
            Some(height) => self.block(height),
            None => Ok(None),
        }
    }

    /// The validators of an epoch; `None` above the tip's.
    ///
    /// # Errors
    /// When the store fails.
    pub fn validators_of(&self, epoch: Epoch) -> Result<Option<ValidatorSet>, LedgerError> {
        Ok(epoch_start(self.0.store.as_ref(), epoch)?.map(|start| start.validators))
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
            match epoch_start(self.0.store.as_ref(), middle)? {
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
        match epoch_start(self.0.store.as_ref(), epoch.next())? {
            Some(next) => self.block(next.first.previous()),
            None => Ok(None),
        }
    }

    /// A committed transaction.
    ///
    /// # Errors
    /// When journal or store fail.
    pub fn transaction(&self, id: TransactionId) -> Result<Option<TransactionRecord>, LedgerError> {
        let Some(place) = transaction_place(self.0.store.as_ref(), id)? else { return Ok(None) };
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

    /// An entry at the tip.
    ///
    /// # Errors
    /// When the store fails.
    pub fn get(&self, key: &StateKey) -> Result<Option<StateValue>, LedgerError> {
        let _height = self.0.committed.read().unwrap_or_else(PoisonError::into_inner);
        Ok(self.0.stored(key)?)
    }

    /// An account with its balances, all at one height.
    ///
    /// # Errors
    /// When the store fails.
    pub fn account(&self, id: AccountId) -> Result<Option<AccountRecord>, LedgerError> {
        let committed = self.0.committed.read().unwrap_or_else(PoisonError::into_inner);
        let Some(StateValue::Account(account)) = self.0.stored(&StateKey::Account(id))? else {
            return Ok(None);
        };
        let (first, last) = ([id.0, [0; 32]].concat(), [id.0, [0xff; 32]].concat());
        let native = Holding { amount: account.balance, frozen: false };
        let mut balances: Vec<_> =
            Some((AssetId::NATIVE, native)).filter(|(_, native)| native.amount.0 > 0).into_iter().collect();
        for (holding, _) in self.0.store.range(Table::Holdings, &first, &last, BALANCES_MAX)? {
            let asset = holding.get(32..).and_then(|asset| asset.try_into().ok()).map(AssetId);
            let Some(asset) = asset else { continue };
            if let Some(StateValue::Balance(holding)) = self.0.stored(&StateKey::Balance(id, asset))? {
                balances.push((asset, holding));
            }
        }
        Ok(Some(AccountRecord { account, balances, height: committed.0.height }))
    }

    /// An entry with its proof under the tip's state root.
    ///
    /// # Errors
    /// When the store fails or does not fit the tree.
    pub fn prove(&self, key: &StateKey) -> Result<StateProof, LedgerError> {
        let committed = self.0.committed.read().unwrap_or_else(PoisonError::into_inner);
        let value = self.0.stored(key)?;
        let proof = committed.1.prove(&*self.0, &key.hash()).map_err(StateError::from)?;
        Ok(StateProof { tip: Arc::clone(&committed.0), value, proof })
    }
}

impl StateReader for Reader {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        let _height = self.0.committed.read().unwrap_or_else(PoisonError::into_inner);
        self.0.stored(key)
    }
}
