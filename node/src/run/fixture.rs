//! What the tests of a node's parts share: a chain without consensus, transactions, and networks that are
//! connected.

use quorate_chain::block::transactions_root;
use quorate_chain::codec::{Bytes, List};
use quorate_chain::crypto::SecretKey;
use quorate_chain::instruction::Instruction;
use quorate_chain::ledger::fixture::{commit, next_block};
use quorate_chain::ledger::{GenesisState, Ledger, Reader};
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{Account, StateKey, StateValue};
use quorate_chain::transaction::TransactionBody;
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{
    Block, ChainId, Epoch, Header, Height, Nonce, ResultHash, TimestampMs, Transaction, ValidatorIndex, View,
};
use quorate_consensus::{EpochContext, Message, SealedBlock, Unsigned};
use quorate_p2p::{Event, Network, PeerAddress, start};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::mpsc;

pub(super) const CHAIN: ChainId = ChainId([7; 32]);
/// Longer than anything that is expected takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

fn key() -> SecretKey {
    SecretKey::from_seed(&[1; 32])
}

/// The only client writes so many bytes.
pub(super) fn transaction(nonce: u64, value_bytes: usize) -> Transaction {
    let namespace = key().public().into();
    let put = Instruction::PutData {
        namespace,
        key: Bytes::new(vec![1]).unwrap(),
        value: Bytes::new(vec![2; value_bytes]).unwrap(),
    };
    let body = TransactionBody::new(CHAIN, namespace, Nonce(nonce), vec![put]).unwrap();
    Transaction::sign(body, CHAIN, &[&key()]).unwrap()
}

/// Transactions of this length each.
pub(super) fn transactions(nonces: std::ops::Range<u64>, bytes: usize) -> Vec<Transaction> {
    let rest = transaction(0, 0).bytes().len();
    nonces.map(|nonce| transaction(nonce, bytes - rest)).collect()
}

/// Epoch 0 of the chain.
pub(super) fn context() -> EpochContext {
    EpochContext {
        chain: CHAIN,
        epoch: Epoch(0),
        set: Arc::new(validator_set(4)),
        start_height: Height::ZERO,
        start_block: CHAIN.genesis_block(),
        start_result: ResultHash([0; 32]),
    }
}

/// A ledger in a folder of its own.
pub(super) struct Chain {
    pub(super) ledger: Ledger,
    pub(super) reader: Reader,
    _folder: TempDir,
}

impl Chain {
    pub(super) fn open() -> Self {
        let validators = validator_set(4);
        let entries = BTreeMap::from([
            (StateKey::Parameters, StateValue::Parameters(Parameters::default())),
            (StateKey::Validators, StateValue::Validators(Epoch(0), validators.clone())),
            (StateKey::Account(key().public().into()), StateValue::Account(Account::default())),
        ]);
        let genesis = GenesisState { chain: CHAIN, timestamp_ms: TimestampMs(1), validators, entries };
        let folder = tempfile::tempdir().unwrap();
        let opened = Ledger::open(folder.path(), &genesis).unwrap();
        Self { ledger: opened.ledger, reader: opened.reader, _folder: folder }
    }

    /// Commits a block of these.
    pub(super) fn commit(&mut self, transactions: Vec<Transaction>) {
        let block = next_block(&self.ledger, transactions);
        commit(&mut self.ledger, &block, &[0, 1, 2]).unwrap();
    }
}

/// A proposal of the first primary.
pub(super) fn proposal(transactions: Vec<Transaction>) -> (Message, Block) {
    let header = Header {
        version: 1,
        height: Height(1),
        epoch: Epoch(0),
        parent: CHAIN.genesis_block(),
        timestamp_ms: TimestampMs(2),
        transactions_root: transactions_root(&transactions),
        transaction_count: u32::try_from(transactions.len()).unwrap(),
        parent_result: ResultHash([0; 32]),
        proposer: ValidatorIndex(0),
    };
    let block = Block { header, transactions: List::new(transactions).unwrap() };
    let sealed = SealedBlock::new(block.clone()).unwrap();
    let unsigned = Unsigned::Proposal(Epoch(0), View(0), sealed);
    (unsigned.sign(CHAIN, ValidatorIndex(0), &consensus_key(0)), block)
}

/// A network of this node and what comes in on it.
pub(super) type Wire = (Network, mpsc::Receiver<Event>);

async fn wire(seed: u8) -> Wire {
    let listen = (Ipv4Addr::LOCALHOST, 0).into();
    let config = quorate_p2p::Config {
        network_secret: [seed; 32],
        chain: CHAIN.to_string(),
        listen,
        peers: Vec::new(),
    };
    start(config).await.unwrap()
}

/// A network that nobody is connected to.
pub(super) async fn lone() -> Wire {
    wire(1).await
}

/// Two that are connected with each other.
pub(super) async fn pair() -> [Wire; 2] {
    let both = [wire(1).await, wire(2).await];
    for (one, other) in [(0, 1), (1, 0)] {
        let (network, other) = (&both[one].0, &both[other].0);
        let address = Some(other.local_address().to_string());
        network.set_peers(vec![PeerAddress { key: other.local_key(), address }]);
    }
    for (network, _) in &both {
        until("connected", || network.connected().len() == 1).await;
    }
    both
}

/// The next request that comes in.
pub(super) async fn request(
    events: &mut mpsc::Receiver<Event>,
) -> (quorate_p2p::NetworkKey, bytes::Bytes, quorate_p2p::Responder) {
    loop {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
        if let Event::Request { from, request, responder } = event {
            return (from, request, responder);
        }
    }
}

/// Waits for a condition that nothing tells of.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
