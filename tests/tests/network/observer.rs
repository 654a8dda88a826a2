//! A node without a vote.

use crate::chain::client;
use crate::devnet::Devnet;
use crate::nodes::Node;
use crate::program::{succeed, wait_until};
use quorate_chain::PublicKey;
use serde::Deserialize;
use std::fs;

#[derive(Deserialize)]
struct Keys {
    network: PublicKey,
}

#[test]
fn an_observer_follows() {
    let mut devnet = Devnet::start(4);
    let mut wallets = devnet.wallets();
    let mut chain = devnet.chain();
    let receiver = wallets[1].address();
    for number in 0..5 {
        chain.transfer(number % 4, &mut wallets[0], receiver, 1);
    }
    devnet.stop();

    // Its key is made known to the validators, who never need to know where it is.
    let home = devnet.beside("observer");
    let made = succeed(&["keys", "new", "--observer", "--home", home.to_str().unwrap(), "--json"]);
    let Keys { network } = serde_json::from_str(&made).unwrap();
    for index in 0..4 {
        let path = devnet.home(index).join("config.toml");
        let config = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("peers = [\"{network}\"]\n{config}")).unwrap();
    }
    let (rpc, p2p) = (devnet.spare_port(0), devnet.spare_port(1));
    let config = format!("rpc_listen = \"127.0.0.1:{rpc}\"\np2p_listen = \"127.0.0.1:{p2p}\"\n");
    fs::write(home.join("config.toml"), config).unwrap();
    fs::copy(devnet.dir().join("genesis.json"), home.join("genesis.json")).unwrap();
    devnet.start_again();

    let mut observer = Node::start(&home);
    let validators = chain.nodes.len();
    chain.nodes.push(client(rpc));
    // What was committed before it came, and what is committed from now on.
    let tip = chain.status(0).height;
    chain.wait_for_height(tip);
    wallets[0].ask_nonce(&chain.nodes[0]);
    for number in 0..4 {
        chain.transfer(number % 4, &mut wallets[0], receiver, 1);
    }
    // It takes transactions, too.
    chain.transfer(validators, &mut wallets[0], receiver, 1);
    let blocks = chain.check_all_blocks();
    assert!(blocks.len() as u64 > tip.0);
    let status = chain.status(validators);
    assert_eq!((status.validator, status.voting), (None, false));
    wait_until("it is connected to all validators", || chain.status(validators).peers == validators);

    // It goes on where it was.
    observer.kill();
    observer.wait();
    chain.transfer(0, &mut wallets[0], receiver, 1);
    observer.start_again();
    chain.check_all_blocks();
    drop(observer);
    devnet.stop();
}
