//! Clients that send until the nodes are killed, and what must be there afterwards.

use crate::chain::Chain;
use crate::wallet::Wallet;
use quorate_chain::crypto::SecretKey;
use quorate_chain::{AccountId, Height};
use quorate_rpc_client::{Client, Committed, Outcome};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::program::wait_until;

/// Accounts that send at the same time.
const SENDERS: usize = 4;
/// What each of them starts with.
const FUNDS: u128 = 100_000;
/// Transfers that are acknowledged before the nodes are killed.
pub(crate) const ACKNOWLEDGED: usize = 60;

/// The senders' accounts.
pub(crate) struct Load {
    senders: Vec<Wallet>,
}

impl Load {
    /// New accounts, with funds from the demo accounts.
    pub(crate) fn fund(chain: &Chain, demo: &mut [Wallet]) -> Self {
        let sender = |_| Wallet::new(SecretKey::generate(), chain.genesis.chain_id());
        let senders: Vec<Wallet> = (0..SENDERS).map(sender).collect();
        for (number, sender) in senders.iter().enumerate() {
            let from = number % demo.len();
            chain.transfer(number % chain.nodes.len(), &mut demo[from], sender.address(), FUNDS);
        }
        // The first node to be asked for a sender's account must know it.
        chain.wait_for_agreement();
        Self { senders }
    }

    /// Sends from all accounts, one transfer after the other from each, until so many are acknowledged; then
    /// `kill` ends the nodes in the middle of it. Gives all that was acknowledged.
    pub(crate) fn run(&mut self, chain: &Chain, acknowledged: usize, kill: impl FnOnce()) -> Vec<Committed> {
        let (done, killing) = (Mutex::new(Vec::new()), AtomicBool::new(false));
        let count = || done.lock().unwrap().len();
        let addresses: Vec<AccountId> = self.senders.iter().map(Wallet::address).collect();
        std::thread::scope(|scope| {
            for (number, wallet) in self.senders.iter_mut().enumerate() {
                let to = addresses[(number + 1) % addresses.len()];
                let node = chain.nodes[number % chain.nodes.len()].clone();
                let (done, killing) = (&done, &killing);
                scope.spawn(move || send(wallet, to, &node, done, killing));
            }
            let waited = catch_unwind(AssertUnwindSafe(|| {
                wait_until("enough transfers are acknowledged", || count() >= acknowledged);
            }));
            // The senders end with the nodes, so that a failure is one too.
            killing.store(true, Ordering::Release);
            kill();
            waited.unwrap_or_else(|panic| resume_unwind(panic));
        });
        done.into_inner().unwrap()
    }
}

fn send(
    wallet: &mut Wallet,
    to: AccountId,
    node: &Client,
    done: &Mutex<Vec<Committed>>,
    killing: &AtomicBool,
) {
    wallet.ask_nonce(node);
    loop {
        let transaction = wallet.transfer(to, 1);
        match node.broadcast_tx_commit(&transaction) {
            Ok(committed) => {
                assert_eq!(committed.receipt.status, Outcome::Success);
                done.lock().unwrap().push(committed);
            }
            Err(error) if killing.load(Ordering::Acquire) => {
                println!("a sender stops: {error}");
                return;
            }
            Err(error) => panic!("a transfer was not committed: {error}"),
        }
    }
}

/// Every acknowledged transfer is on every node where it was, nothing was made or lost, and it goes on.
pub(crate) fn check_nothing_lost(
    chain: &Chain,
    acknowledged: &[Committed],
    demo: &mut [Wallet],
    load: &mut Load,
) {
    let last = acknowledged.iter().map(|committed| committed.height).max().unwrap_or(Height::ZERO);
    chain.wait_for_height(last);
    for committed in acknowledged {
        for (index, node) in chain.nodes.iter().enumerate() {
            let found = node.tx(committed.id);
            let found = found.unwrap_or_else(|error| panic!("node {index} lost {committed:?}: {error}"));
            assert_eq!(found.committed, *committed, "node {index}");
        }
    }
    let wallets: Vec<&Wallet> = load.senders.iter().chain(demo.iter()).collect();
    let accounts: Vec<AccountId> = wallets.iter().map(|wallet| wallet.address()).collect();
    let supply: u128 = chain.genesis.accounts().iter().map(|account| account.balance.0).sum();
    for node in 0..chain.nodes.len() {
        assert_eq!(chain.sum_of_balances(node, &accounts), supply, "node {node}");
    }
    for node in 0..chain.nodes.len() {
        let to = load.senders[node % SENDERS].address();
        demo[0].ask_nonce(&chain.nodes[node]);
        let committed = chain.transfer(node, &mut demo[0], to, 1);
        assert!(committed.height > last);
        chain.wait_for_height(committed.height);
    }
}
