//! What waits in a pool is there after a restart.

use crate::devnet::Devnet;
use crate::nodes::Node;
use crate::program::{wait_for, wait_until};
use std::fs;

/// One of four alone commits nothing, so what it is given waits.
#[test]
fn what_waits_when_a_node_is_stopped_is_committed_after_its_next_start() {
    let mut devnet = Devnet::start(4);
    let (chain, mut wallets) = (devnet.chain(), devnet.wallets());
    let receiver = wallets[1].address();
    chain.transfer(0, &mut wallets[0], receiver, 1);
    chain.wait_for_agreement();
    devnet.stop();
    let (home, config) = (devnet.home(0), devnet.home(0).join("config.toml"));
    let settings = fs::read_to_string(&config).unwrap();
    let payment = wallets[0].transfer(receiver, 1);
    for keeps in [false, true] {
        fs::write(&config, format!("keep_pool = {keeps}\n{settings}")).unwrap();
        let mut alone = Node::start(&home);
        wait_until("it serves", || chain.nodes[0].status().is_ok());
        // The second time it would be there already, had it been kept.
        chain.nodes[0].broadcast_tx_sync(&payment).unwrap();
        alone.stop();
        assert_eq!(home.join("data/pool").exists(), keeps);
    }
    let _all: Vec<Node> = (0..4).map(|index| Node::start(&devnet.home(index))).collect();
    wait_for("it is committed", || chain.nodes[1].tx(payment.id()).ok());
    assert!(!home.join("data/pool").exists());
}
