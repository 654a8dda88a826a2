//! What several nodes say of one chain.

use crate::program::wait_until;
use crate::proof::{Answer, Verifier};
use crate::wallet::Wallet;
use quorate_chain::{AccountId, Height};
use quorate_genesis::Genesis;
use quorate_rpc_client::{Client, Committed, Outcome, Status};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long an answer may take: more than a node waits for a commit.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a transfer may take to be committed, all attempts together.
const COMMIT_DEADLINE: Duration = Duration::from_secs(60);

/// The genesis document, and the nodes.
pub(crate) struct Chain {
    pub(crate) genesis: Genesis,
    pub(crate) nodes: Vec<Client>,
}

/// A client of the node at this port.
pub(crate) fn client(port: u16) -> Client {
    Client::with_timeout(&format!("http://127.0.0.1:{port}"), ANSWER_TIMEOUT).unwrap()
}

impl Chain {
    pub(crate) fn status(&self, node: usize) -> Status {
        self.nodes[node].status().unwrap()
    }

    /// Waits until every node answers, votes and is connected to all others.
    pub(crate) fn wait_until_voting(&self) {
        let all = self.nodes.len();
        for (index, node) in self.nodes.iter().enumerate() {
            wait_until(&format!("node {index} votes and has {} peers", all - 1), || {
                node.status().is_ok_and(|status| status.voting && status.peers + 1 >= all)
            });
        }
    }

    /// Waits until every node is at this height.
    pub(crate) fn wait_for_height(&self, height: Height) {
        for (index, node) in self.nodes.iter().enumerate() {
            wait_until(&format!("node {index} is at height {height}"), || {
                node.status().is_ok_and(|status| status.height >= height)
            });
        }
    }

    /// The tip that all nodes have come to.
    pub(crate) fn wait_for_agreement(&self) -> Status {
        let mut tips = Vec::new();
        wait_until("all nodes are at the same height", || {
            tips = self.nodes.iter().filter_map(|node| node.status().ok()).collect();
            tips.len() == self.nodes.len() && tips.iter().all(|tip| tip.height == tips[0].height)
        });
        for tip in &tips {
            assert_eq!(tip.chain_id, self.genesis.chain_id());
            let seen = (tip.block_hash, tip.result_hash, tip.state_root);
            assert_eq!(seen, (tips[0].block_hash, tips[0].result_hash, tips[0].state_root));
        }
        tips.swap_remove(0)
    }

    /// Checks every block of every node offline, and that all nodes have the same; gives the first node's.
    pub(crate) fn check_all_blocks(&self) -> Vec<Answer> {
        let tip = self.wait_for_agreement();
        let mut chains = self.nodes.iter().map(|node| {
            let mut verifier = Verifier::new(&self.genesis);
            let heights = (1..=tip.height.0).map(|height| verifier.next(&block(node, height)));
            heights.collect::<Vec<_>>()
        });
        let first = chains.next().unwrap();
        for other in chains {
            for (one, other) in first.iter().zip(&other) {
                let what = |block: &Answer| {
                    (
                        block.hash,
                        block.result.hash,
                        block.result.content.state_root,
                        block.transactions.clone(),
                    )
                };
                assert_eq!(what(one), what(other), "height {}", one.header.height);
            }
            assert_eq!(first.len(), other.len());
        }
        assert_eq!(first.last().map(|block| block.hash).unwrap_or(tip.block_hash), tip.block_hash);
        first
    }

    /// Hands a transfer to a node and waits until it is committed; asked again when the node can't say.
    pub(crate) fn transfer(&self, node: usize, from: &mut Wallet, to: AccountId, amount: u128) -> Committed {
        let transaction = from.transfer(to, amount);
        let deadline = Instant::now() + COMMIT_DEADLINE;
        let committed = loop {
            match self.nodes[node].broadcast_tx_commit(&transaction) {
                Ok(committed) => break committed,
                Err(error) => assert!(
                    error.is_transient() && Instant::now() < deadline,
                    "node {node} does not commit a transfer: {error}"
                ),
            }
        };
        assert_eq!(committed.id, transaction.id());
        assert_eq!((committed.receipt.status, &committed.receipt.error), (Outcome::Success, &None));
        committed
    }

    /// What the accounts of one node hold together, all at one height.
    pub(crate) fn sum_of_balances(&self, node: usize, accounts: &[AccountId]) -> u128 {
        let mut sum = 0;
        wait_until("all accounts were read at one height", || {
            let read = accounts.iter().map(|account| self.nodes[node].account(*account).unwrap());
            let read: Vec<_> = read.collect();
            sum = read.iter().flat_map(|account| &account.balances).map(|balance| balance.amount.0).sum();
            read.iter().all(|account| account.height == read[0].height)
        });
        sum
    }
}

/// A block as the node answers it, nothing left out.
pub(crate) fn block(node: &Client, height: u64) -> Value {
    node.call("block", &json!({ "height": height })).unwrap()
}
