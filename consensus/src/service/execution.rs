//! States by block: executing on the parent's state before anything is final, results, validity (R6, R23).

use super::operation;
use super::pool::Pool;
use super::reply::receipt_hash;
use super::wire::{BLOCK_BYTES_MAX, BLOCK_OPERATIONS_MAX};
use super::{Error, Service};
use crate::message::SealedBlock;
use quorate_chain::block::PROTOCOL_VERSION;
use quorate_chain::crypto::{Domain, hash};
use quorate_chain::{
    BlockHash, BlockResult, ChainId, Height, Nonce, ResultHash, StateRoot, Transaction, ValidatorIndex,
    ValidatorSet, merkle,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The service, and the next nonce of each host by seat.
#[derive(Clone, Debug)]
struct State<S> {
    service: S,
    next: Vec<Nonce>,
}

/// A block's effects.
#[derive(Clone, Debug)]
struct Executed<S> {
    height: Height,
    state: State<S>,
    replies: Vec<Vec<u8>>,
    result: BlockResult,
}

/// The committed state, and those of blocks in flight.
#[derive(Debug)]
pub(super) struct Execution<S> {
    chain: ChainId,
    set: Arc<ValidatorSet>,
    tip: BlockHash,
    committed: State<S>,
    in_flight: BTreeMap<BlockHash, Executed<S>>,
}

impl<S: Service> Execution<S> {
    /// At height 0.
    pub(super) fn new(chain: ChainId, set: Arc<ValidatorSet>, service: S) -> Self {
        let next = vec![Nonce::ZERO; set.validators().len()];
        let committed = State { service, next };
        Self { chain, set, tip: chain.genesis_block(), committed, in_flight: BTreeMap::new() }
    }

    /// The committed state's service.
    pub(super) const fn service(&self) -> &S {
        &self.committed.service
    }

    /// The hosts' next nonces at the committed state.
    pub(super) fn next(&self) -> &[Nonce] {
        &self.committed.next
    }

    /// The committed state's result, with no replies: the one of height 0.
    pub(super) fn start_result(&self) -> BlockResult {
        self.result(&self.committed, &[])
    }

    fn result(&self, state: &State<S>, receipts: &[[u8; 32]]) -> BlockResult {
        BlockResult {
            state_root: StateRoot(hash(Domain::StateValue, &(state.service.digest(), &state.next))),
            receipts_root: merkle::root(receipts),
            next_set_hash: self.set.hash(),
        }
    }

    /// The hosts' next nonces after a block, which is the tip or was executed.
    pub(super) fn next_after(&self, block: BlockHash) -> Option<&[Nonce]> {
        self.state(block).map(|state| &state.next[..])
    }

    fn state(&self, block: BlockHash) -> Option<&State<S>> {
        if block == self.tip {
            return Some(&self.committed);
        }
        self.in_flight.get(&block).map(|executed| &executed.state)
    }

    /// Makes sure that a block's state is at hand, if it stands on the tip.
    pub(super) fn reach(&mut self, block: BlockHash, bodies: &BTreeMap<BlockHash, SealedBlock>) {
        if let Some(body) = bodies.get(&block).filter(|_| self.state(block).is_none()) {
            self.execute(body, bodies);
        }
    }

    /// R6, as far as the replica has not checked it: limits, form, authenticity and nonces of operations.
    pub(super) fn is_valid(&self, block: &SealedBlock, pool: &Pool) -> bool {
        let transactions = &block.block().transactions;
        let bytes: usize = transactions.iter().map(|t| t.bytes().len()).sum();
        let fits = transactions.len() <= BLOCK_OPERATIONS_MAX && bytes <= BLOCK_BYTES_MAX;
        if !fits || block.header().version != PROTOCOL_VERSION {
            return false;
        }
        let Some(parent) = self.state(block.header().parent) else { return false };
        let mut next = parent.next.clone();
        transactions.iter().all(|transaction| {
            let Some(operation) = operation::read(transaction, &self.set, self.chain) else { return false };
            let Some(expected) = next.get_mut(usize::from(operation.host.0)) else { return false };
            let in_turn = operation.nonce == *expected;
            *expected = expected.next();
            in_turn && (pool.contains(operation.host, transaction) || self.check(transaction).is_ok())
        })
    }

    /// Checks an operation by itself, whatever the state; gives its host.
    ///
    /// # Errors
    /// [`Error::ForgedOperation`].
    pub(super) fn check(&self, transaction: &Transaction) -> Result<ValidatorIndex, Error> {
        operation::read(transaction, &self.set, self.chain)
            .filter(|operation| self.committed.service.validate(operation.bytes))
            .filter(|_| transaction.verify_signatures(self.chain))
            .map(|operation| operation.host)
            .ok_or(Error::ForgedOperation)
    }

    /// Executes a block, and before it those of its ancestors above the tip whose states were dropped. `None`
    /// if one of those is not among `bodies`, so that it does not stand on the tip.
    pub(super) fn execute(
        &mut self,
        block: &SealedBlock,
        bodies: &BTreeMap<BlockHash, SealedBlock>,
    ) -> Option<ResultHash> {
        let mut path = vec![block];
        while let Some(block) = path.pop() {
            if self.in_flight.contains_key(&block.hash()) {
                continue;
            }
            let parent = block.header().parent;
            if let Some(state) = self.state(parent) {
                let executed = self.execute_on(state.clone(), block);
                self.in_flight.insert(block.hash(), executed);
            } else {
                let body = bodies.get(&parent).filter(|body| body.height() < block.height())?;
                path.push(block);
                path.push(body);
            }
        }
        Some(self.in_flight.get(&block.hash())?.result.hash())
    }

    fn execute_on(&self, mut state: State<S>, block: &SealedBlock) -> Executed<S> {
        let (mut replies, mut receipts) = (Vec::new(), Vec::new());
        for transaction in block.block().transactions.iter() {
            let reply = self.execute_one(&mut state, transaction).unwrap_or_default();
            receipts.push(receipt_hash(transaction.id(), &reply));
            replies.push(reply);
        }
        let result = self.result(&state, &receipts);
        Executed { height: block.height(), state, replies, result }
    }

    /// `None`, and nothing done, for what [`Self::is_valid`] forbids: of a certified block an honest part of a
    /// quorum has checked all that, and here is the second guard that nothing executes twice.
    fn execute_one(&self, state: &mut State<S>, transaction: &Transaction) -> Option<Vec<u8>> {
        let operation = operation::read(transaction, &self.set, self.chain)?;
        let next = state.next.get_mut(usize::from(operation.host.0)).filter(|n| **n == operation.nonce)?;
        *next = next.next();
        Some(state.service.execute(operation.bytes))
    }

    /// Makes a block the tip; gives its result and replies. `None` if it does not stand on the tip.
    pub(super) fn commit(&mut self, block: &SealedBlock) -> Option<(BlockResult, Vec<Vec<u8>>)> {
        if block.header().parent != self.tip {
            return None;
        }
        self.execute(block, &BTreeMap::new())?;
        let executed = self.in_flight.remove(&block.hash())?;
        (self.tip, self.committed) = (block.hash(), executed.state);
        self.in_flight.retain(|_, other| other.height > executed.height);
        Some((executed.result, executed.replies))
    }

    /// Drops a tentative execution (R23).
    pub(super) fn discard(&mut self, block: BlockHash) {
        self.in_flight.remove(&block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::block::transactions_root;
    use quorate_chain::codec::List;
    use quorate_chain::validator::fixture::{consensus_key, validator_set};
    use quorate_chain::{Block, Epoch, Header, TimestampMs};

    const CHAIN: ChainId = ChainId([1; 32]);

    #[derive(Clone)]
    struct Still;

    impl Service for Still {
        fn validate(&self, _: &[u8]) -> bool {
            true
        }

        fn execute(&mut self, _: &[u8]) -> Vec<u8> {
            Vec::new()
        }

        fn digest(&self) -> [u8; 32] {
            [9; 32]
        }
    }

    fn operation(host: u16, nonce: u64) -> Transaction {
        operation::sign(b"x", Nonce(nonce), CHAIN, &consensus_key(host)).unwrap()
    }

    fn block(parent: BlockHash, height: u64, transactions: Vec<Transaction>) -> SealedBlock {
        let header = Header {
            version: PROTOCOL_VERSION,
            height: Height(height),
            epoch: Epoch::ZERO,
            parent,
            timestamp_ms: TimestampMs(height),
            transactions_root: transactions_root(&transactions),
            transaction_count: u32::try_from(transactions.len()).unwrap(),
            parent_result: ResultHash::default(),
            proposer: ValidatorIndex(0),
        };
        SealedBlock::new(Block { header, transactions: List::new(transactions).unwrap() }).unwrap()
    }

    #[test]
    fn r6_a_block_holds_authentic_operations_each_in_turn_and_no_more_than_it_may() {
        let mut execution = Execution::new(CHAIN, Arc::new(validator_set(2)), Still);
        let genesis = CHAIN.genesis_block();
        let first = block(genesis, 1, vec![operation(0, 0), operation(1, 0), operation(0, 1)]);
        let pool = Pool::new(2);
        assert!(execution.is_valid(&first, &pool));
        assert!(execution.execute(&first, &BTreeMap::new()).is_some());
        let valid = |transactions| execution.is_valid(&block(first.hash(), 2, transactions), &pool);
        assert!(valid(vec![]));
        assert!(valid(vec![operation(0, 2), operation(1, 1)]));
        assert!(!valid(vec![operation(0, 1)]), "again");
        assert!(!valid(vec![operation(0, 3)]), "a gap");
        assert!(!valid(vec![operation(0, 2), operation(0, 2)]), "twice");
        assert!(!valid(vec![operation(2, 0)]), "no host's");
        let mut bytes = operation(0, 2).bytes().to_vec();
        *bytes.last_mut().unwrap() ^= 1;
        assert!(!valid(vec![Transaction::from_bytes(&bytes).unwrap()]), "forged");
        let many = |count: usize| (0..count as u64).map(|nonce| operation(1, 1 + nonce)).collect();
        assert!(valid(many(BLOCK_OPERATIONS_MAX)));
        assert!(!valid(many(BLOCK_OPERATIONS_MAX + 1)));
        let long = |count: usize| {
            let one =
                |nonce| operation::sign(&[0; 16_000], Nonce(1 + nonce), CHAIN, &consensus_key(1)).unwrap();
            (0..count as u64).map(one).collect()
        };
        assert!(valid(long(BLOCK_BYTES_MAX / 16_384)));
        assert!(!valid(long(BLOCK_BYTES_MAX / 16_000 + 1)));
        let mut other = block(first.hash(), 2, vec![]).block().as_ref().clone();
        other.header.version += 1;
        assert!(!execution.is_valid(&SealedBlock::new(other).unwrap(), &pool), "another version");
        assert!(!execution.is_valid(&block(BlockHash([9; 32]), 2, vec![]), &pool), "from nowhere");
    }

    #[test]
    fn states_that_were_dropped_are_found_again_and_nothing_executes_twice() {
        let mut execution = Execution::new(CHAIN, Arc::new(validator_set(2)), Still);
        let first = block(CHAIN.genesis_block(), 1, vec![operation(0, 0)]);
        let second = block(first.hash(), 2, vec![operation(0, 0), operation(0, 1)]);
        let third = block(second.hash(), 3, vec![operation(0, 2)]);
        let bodies: BTreeMap<_, _> = [&first, &second].map(|b| (b.hash(), b.clone())).into();
        assert_eq!(execution.execute(&third, &BTreeMap::new()), None);
        let result = execution.execute(&third, &bodies);
        assert!(result.is_some());
        for block in [&first, &second, &third] {
            execution.discard(block.hash());
        }
        assert_eq!(execution.next_after(second.hash()), None);
        execution.reach(second.hash(), &bodies);
        assert_eq!(execution.next_after(second.hash()), Some(&[Nonce(2), Nonce(0)][..]), "once");
        assert_eq!(execution.execute(&third, &bodies), result);
        assert!(execution.commit(&second).is_none(), "not on the tip");
        let replies = [&first, &second, &third].map(|block| execution.commit(block).unwrap().1.len());
        assert_eq!(replies, [1, 2, 1]);
        assert!(execution.in_flight.is_empty());
    }

    #[test]
    fn golden_result() {
        let execution = Execution::new(CHAIN, Arc::new(validator_set(2)), Still);
        let state = [&b"quorate/state-value/1\0"[..], &[9; 32], &2u32.to_le_bytes(), &[0; 16]].concat();
        let result = execution.start_result();
        assert_eq!(result.state_root.0, *blake3::hash(&state).as_bytes());
        assert_eq!(result.receipts_root, merkle::root(&[]));
        assert_eq!(result.next_set_hash, validator_set(2).hash());
    }
}
