//! The power goes off for all four: what was written and not synced is gone, or torn.

use crate::devnet::Devnet;
use crate::load::{Load, check_nothing_lost};
use crate::nodes::Node;
use quorate_tests::power_loss::Loss;

/// Transfers that are acknowledged before each loss: the shim makes each write slower.
const ACKNOWLEDGED: usize = 24;

#[test]
fn power_loss_under_load_loses_nothing_acknowledged() {
    let mut devnet = Devnet::start(4);
    let chain = devnet.chain();
    let mut wallets = devnet.wallets();
    // The folder is made; from here on the nodes run without the devnet.
    devnet.stop();
    let start =
        |index| Node::start_with_shadow(&devnet.home(index), &devnet.beside(&format!("shadow-{index}")));
    let mut nodes: Vec<Node> = (0..4).map(start).collect();
    chain.wait_until_voting();
    let mut load = Load::fund(&chain, &mut wallets);
    let mut acknowledged = Vec::new();
    for loss in [Loss::Drop, Loss::Tear { seed: 1 }] {
        acknowledged.extend(load.run(&chain, ACKNOWLEDGED, || nodes.iter_mut().for_each(Node::kill)));
        nodes.iter_mut().for_each(Node::wait);
        for node in &mut nodes {
            node.lose_power(loss);
            node.start_again();
        }
        chain.wait_until_voting();
        check_nothing_lost(&chain, &acknowledged, &mut wallets, &mut load);
    }
    chain.check_all_blocks();
}
