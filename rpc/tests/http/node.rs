//! A node of one thread behind a real server.

use quorate_chain::codec::{Bytes, Text};
use quorate_chain::crypto::SecretKey;
use quorate_chain::execution::{Admission, InvalidTransaction, check_form};
use quorate_chain::instruction::Instruction;
use quorate_chain::ledger::fixture::{commit, next_block};
use quorate_chain::ledger::{GenesisState, Ledger, Reader};
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{Account, AccountStatus, StateKey, StateValue};
use quorate_chain::transaction::TransactionBody;
use quorate_chain::validator::fixture::validator_set;
use quorate_chain::{
    AccountId, Amount, AssetId, ChainId, Epoch, Height, Nonce, TimestampMs, Transaction, TransactionId,
    ValidatorSet,
};
use quorate_rpc::{MoreMetrics, NodeStatus, NodeView, Rejection, Server, ServerConfig, Submission};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) const CHAIN: ChainId = ChainId([7; 32]);
pub(crate) const NAUGHTY: &str = "<script>alert(1)</script>";
pub(crate) const GENESIS: &str = "{\n  \"name\": \"test chain\", \"big\": 18446744073709551615\n}";
/// Submissions that wait for the node.
pub(crate) const QUEUE_MAX: usize = 4;
/// 2025-06-01 12:00:00 UTC.
const START_MS: u64 = 1_748_779_200_000;

/// What the node does with what comes in.
#[derive(Clone, Debug, Default)]
pub(crate) enum Conduct {
    /// Checks it and commits it in a block of its own.
    #[default]
    Commit,
    /// Checks it and never commits it.
    Hold,
    /// Refuses it like this.
    Refuse(Rejection),
    /// Neither takes nor answers anything, until it is told otherwise.
    Stall,
    /// Ends.
    Quit,
}

/// The server, the node behind it and its ledger; all end when it is dropped.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    pub(crate) reader: Reader,
    pub(crate) status: watch::Sender<NodeStatus>,
    conduct: Arc<Mutex<Conduct>>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<tokio::task::JoinHandle<()>>,
    runtime: Runtime,
    _folder: TempDir,
}

pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// Alice has money, Bob is the receiver, Carol is frozen.
pub(crate) fn alice() -> AccountId {
    key(1).public().into()
}
pub(crate) fn bob() -> AccountId {
    key(2).public().into()
}
pub(crate) fn carol() -> AccountId {
    key(3).public().into()
}

pub(crate) fn validators() -> ValidatorSet {
    let mut seats = validator_set(4).validators().to_vec();
    seats[0].name = Text::new(NAUGHTY).unwrap();
    ValidatorSet::new(seats).unwrap()
}

fn genesis() -> GenesisState {
    let rich = Account { balance: Amount(1000), ..Account::default() };
    let frozen = Account { status: AccountStatus::Frozen, ..Account::default() };
    let entries = BTreeMap::from([
        (StateKey::Parameters, StateValue::Parameters(Parameters::default())),
        (StateKey::Validators, StateValue::Validators(Epoch(0), validators())),
        (StateKey::Account(alice()), StateValue::Account(rich)),
        (StateKey::Account(carol()), StateValue::Account(frozen)),
    ]);
    GenesisState { chain: CHAIN, timestamp_ms: TimestampMs(START_MS), validators: validators(), entries }
}

pub(crate) fn transfer(to: AccountId, amount: u128, memo: &[u8]) -> Instruction {
    let memo = Bytes::new(memo.to_vec()).unwrap();
    Instruction::Transfer { to, asset: AssetId::NATIVE, amount: Amount(amount), memo }
}

pub(crate) fn body(account: AccountId, nonce: u64, instruction: Instruction) -> TransactionBody {
    TransactionBody::new(CHAIN, account, Nonce(nonce), vec![instruction]).unwrap()
}

/// Alice's transfer to Bob.
pub(crate) fn payment(nonce: u64, amount: u128) -> Transaction {
    Transaction::sign(body(alice(), nonce, transfer(bob(), amount, b"")), CHAIN, &[&key(1)]).unwrap()
}

impl Node {
    pub(crate) fn start() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut ServerConfig)) -> Self {
        Self::with_block(change, Vec::new())
    }

    /// One whose first block has these transactions; none make no block.
    pub(crate) fn with_block(change: impl FnOnce(&mut ServerConfig), first: Vec<Transaction>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let opened = Ledger::open(folder.path(), &genesis()).unwrap();
        let mut config = ServerConfig::new((Ipv4Addr::LOCALHOST, 0).into());
        change(&mut config);
        let (submit, submissions) = mpsc::channel(QUEUE_MAX);
        let (status, status_seen) = watch::channel(NodeStatus { voting: true, ..NodeStatus::default() });
        let (committed, committed_seen) = watch::channel(Height::ZERO);
        let conduct = Arc::new(Mutex::new(Conduct::default()));
        let view = NodeView {
            reader: opened.reader.clone(),
            committed: committed_seen,
            status: status_seen,
            submit,
            genesis_json: GENESIS.into(),
            name: "node <b>one</b>".into(),
            version: "0.1.0",
            metrics: MoreMetrics::default(),
            build: "abcdef0",
        };
        let runtime = Runtime::new().unwrap();
        let server = runtime.block_on(Server::bind(config, view)).unwrap();
        let address = server.local_addr();
        let (stop, stopped) = oneshot::channel();
        let server = runtime.spawn(server.run(async move {
            let _ = stopped.await;
        }));
        let mut worker =
            Worker { ledger: opened.ledger, committed, conduct: Arc::clone(&conduct), seen: Vec::new() };
        if !first.is_empty() {
            worker.commit(first);
        }
        std::thread::spawn(move || worker.run(submissions));
        let (stop, server) = (Some(stop), Some(server));
        Self { address, reader: opened.reader, status, conduct, stop, server, runtime, _folder: folder }
    }

    pub(crate) fn conduct(&self, conduct: Conduct) {
        *self.conduct.lock().unwrap() = conduct;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Ends the server; returns when it has ended.
    pub(crate) fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.runtime.block_on(self.server.take().unwrap()).unwrap();
    }
}

struct Worker {
    ledger: Ledger,
    committed: watch::Sender<Height>,
    conduct: Arc<Mutex<Conduct>>,
    /// What is held in the pool.
    seen: Vec<TransactionId>,
}

impl Worker {
    fn run(mut self, mut submissions: mpsc::Receiver<Submission>) {
        while let Some(submission) = submissions.blocking_recv() {
            let conduct = self.awake();
            let answer = match &conduct {
                Conduct::Refuse(rejection) => Err(rejection.clone()),
                Conduct::Stall | Conduct::Quit => return,
                Conduct::Commit | Conduct::Hold => self.check(&submission.transaction),
            };
            let taken = answer.is_ok();
            let _ = submission.answer.send(answer);
            if taken && matches!(conduct, Conduct::Commit) {
                self.commit(vec![submission.transaction]);
            }
        }
    }

    fn awake(&self) -> Conduct {
        loop {
            let conduct = self.conduct.lock().unwrap().clone();
            if !matches!(conduct, Conduct::Stall) {
                return conduct;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn check(&mut self, transaction: &Transaction) -> Result<(), Rejection> {
        let tip = self.ledger.tip();
        let (height, block) = (tip.height.next(), tip.block);
        check_form(transaction, CHAIN, height)?;
        if !transaction.verify_signatures(CHAIN) {
            return Err(InvalidTransaction::Signature.into());
        }
        let state = self.ledger.reader_at(block).unwrap();
        let mut admission = Admission::new(&state, self.ledger.parameters(), tip.timestamp_ms);
        let expected = admission.check(transaction)?;
        let found = transaction.body().nonce;
        if found != expected {
            return Err(Rejection::WrongNonce { expected, found });
        }
        if self.seen.contains(&transaction.id()) {
            return Err(Rejection::Duplicate);
        }
        self.seen.push(transaction.id());
        Ok(())
    }

    fn commit(&mut self, transactions: Vec<Transaction>) {
        let mut block = next_block(&self.ledger, transactions);
        block.header.timestamp_ms.0 += 999;
        // Validator 2 does not sign.
        commit(&mut self.ledger, &block, &[0, 1, 3]).unwrap();
        self.committed.send_replace(block.header.height);
    }
}
