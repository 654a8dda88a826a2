//! What is logged changes while a node runs, and a transaction's way can be followed.

use crate::devnet::Devnet;
use crate::program::wait_until;
use rustix::process::Signal;
use std::fs;

#[test]
fn a_transaction_s_way_is_logged_once_that_is_asked_for() {
    let devnet = Devnet::start(4);
    let (chain, mut wallets) = (devnet.chain(), devnet.wallets());
    let (config, log) = (devnet.home(0).join("config.toml"), devnet.home(0).join("node.log"));
    let old = fs::read_to_string(&config).unwrap();
    let lines = |part: &str| {
        let text = fs::read_to_string(&log).unwrap();
        text.lines().filter(|line| line.contains(part)).map(str::to_owned).collect::<Vec<_>>()
    };
    let change = |text: String, said: &str, times: usize| {
        fs::write(&config, text).unwrap();
        devnet.signal(0, Signal::USR1);
        wait_until(said, || lines(said).len() == times);
    };
    let receiver = wallets[1].address();
    let first = chain.transfer(0, &mut wallets[0], receiver, 1).id.to_string();
    assert!(lines(&first).is_empty(), "nobody asked");
    change(format!("log = \"info,quorate::way=trace\"\n{old}"), "what is logged has changed", 1);
    let second = chain.transfer(0, &mut wallets[0], receiver, 1).id.to_string();
    for stage in ["verified", "waiting", "executed", "committed"] {
        let stage = format!("stage=\"{stage}\"");
        wait_until(&stage, || lines(&second).iter().any(|line| line.contains(&stage)));
    }
    change(format!("log = \"info,[[[\"\n{old}"), "what is logged stays as it is", 1);
    change(old.clone(), "what is logged has changed", 2);
    let third = chain.transfer(0, &mut wallets[0], receiver, 1).id.to_string();
    assert!(lines(&third).is_empty(), "nobody asks any more");
}
