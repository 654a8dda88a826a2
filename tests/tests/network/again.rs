//! All validators end in the middle of the load and start again, many times in a row: killed, or with the power.
//!
//! As a campaign, of one validator or of four (`QUORATE_ROUNDS=200`, `QUORATE_VALIDATORS=4`):
//! `QUORATE_ROUNDS=200 cargo test --release -p quorate-tests --test network again -- --nocapture --test-threads 1`

use crate::chain::Chain;
use crate::devnet::Devnet;
use crate::load::{Load, check_nothing_lost};
use crate::nodes::Node;
use crate::wallet::Wallet;
use quorate_rpc_client::Committed;
use quorate_tests::power_loss::Loss;
use std::time::Instant;

/// Rounds in every test run.
const ROUNDS: u64 = 10;
/// Transfers that are acknowledged before each end, at least; a few more in some rounds, so that it comes at any
/// moment of a block.
const ACKNOWLEDGED: usize = 12;
/// Ways in which the moment varies.
const PHASES: u64 = 9;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

struct Nodes {
    chain: Chain,
    wallets: Vec<Wallet>,
    load: Load,
    nodes: Vec<Node>,
    /// Its folder, whose processes have ended.
    _devnet: Devnet,
}

impl Nodes {
    fn start(with_shadow: bool) -> Self {
        let validators = u16::try_from(number("QUORATE_VALIDATORS", 1)).unwrap();
        let mut devnet = Devnet::start(validators);
        let chain = devnet.chain();
        let mut wallets = devnet.wallets();
        devnet.stop();
        let start = |index: usize| match with_shadow {
            true => Node::start_with_shadow(&devnet.home(index), &devnet.beside(&format!("shadow-{index}"))),
            false => Node::start(&devnet.home(index)),
        };
        let nodes: Vec<Node> = (0..validators.into()).map(start).collect();
        chain.wait_until_voting();
        let load = Load::fund(&chain, &mut wallets);
        Self { chain, wallets, load, nodes, _devnet: devnet }
    }

    /// S1–S3: after each end everything that was acknowledged in the round is there and it goes on; at the last,
    /// all that ever was, and every block of every node holds.
    fn rounds(&mut self, mut after_end: impl FnMut(u64, &mut Node)) {
        let mut all: Vec<Committed> = Vec::new();
        let begun = Instant::now();
        for round in 0..number("QUORATE_ROUNDS", ROUNDS) {
            let count = ACKNOWLEDGED + (round % PHASES) as usize;
            let nodes = &mut self.nodes;
            let done = self.load.run(&self.chain, count, || nodes.iter_mut().for_each(Node::kill));
            nodes.iter_mut().for_each(Node::wait);
            for node in nodes {
                after_end(round, node);
                node.start_again();
            }
            self.chain.wait_until_voting();
            check_nothing_lost(&self.chain, &done, &mut self.wallets, &mut self.load);
            all.extend(done);
            println!("round {round}: {} acknowledged so far, {:?}", all.len(), begun.elapsed());
        }
        check_nothing_lost(&self.chain, &all, &mut self.wallets, &mut self.load);
        println!("{} blocks", self.chain.check_all_blocks().len());
    }
}

#[test]
fn power_loss_again_and_again_loses_nothing_acknowledged() {
    Nodes::start(true).rounds(|round, node| {
        let loss = if round % 3 == 0 { Loss::Drop } else { Loss::Tear { seed: round } };
        node.lose_power(loss);
    });
}

#[test]
fn kills_again_and_again_lose_nothing_acknowledged() {
    Nodes::start(false).rounds(|_, _| {});
}
