//! Assets, exchanges, several signers, on a network of one validator, by the commands that people use.

use crate::devnet::Devnet;
use crate::program::{fail, succeed};
use quorate_chain::AssetId;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// A devnet and its two accounts.
struct Town {
    devnet: Devnet,
    rpc: String,
    keys: [String; 2],
    addresses: [String; 2],
}

impl Town {
    fn start() -> Self {
        let devnet = Devnet::start(1);
        let rpc = devnet.manifest().validators[0].rpc.clone();
        let keys = [1, 2].map(|i| text(&devnet.dir().join(format!("accounts/demo-{i}.json"))));
        let wallets = devnet.wallets();
        let addresses = [0, 1].map(|i: usize| wallets[i].address().to_string());
        Self { devnet, rpc, keys, addresses }
    }

    /// Sends and waits; what the command says of the receipt.
    fn tx(&self, signer: usize, arguments: &[&str]) -> Value {
        let tail = ["--key", &self.keys[signer], "--rpc", &self.rpc, "--wait", "--json"];
        let done: Value = serde_json::from_str(&succeed(&[&["tx"], arguments, &tail[..]].concat())).unwrap();
        assert_eq!(done["receipt"]["status"], "success");
        done
    }

    fn account(&self, who: usize) -> Value {
        let asked = ["query", "account", &self.addresses[who], "--rpc", &self.rpc, "--json"];
        serde_json::from_str(&succeed(&asked)).unwrap()
    }

    /// What an account holds, native first.
    fn held(&self, who: usize) -> Vec<String> {
        let account = self.account(who);
        let balances = account["balances"].as_array().unwrap();
        balances.iter().map(|balance| balance["amount"].as_str().unwrap().to_owned()).collect()
    }
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_asset_is_exchanged_by_two_who_both_sign() {
    let mut town = Town::start();
    town.tx(0, &["create-asset", "--symbol", "EUR", "--decimals", "2", "--supply", "1000"]);
    let asset = town.account(0)["balances"][1]["asset"].clone();
    let steps = |amount: &str| {
        let [first, second] = &town.addresses;
        let native = AssetId::NATIVE.to_string();
        json!([
            { "type": "transfer", "to": second, "asset": asset, "amount": "400", "memo": "" },
            { "type": "transfer", "actor": second, "to": first, "asset": native, "amount": amount, "memo": "" },
        ])
    };
    let file = town.devnet.beside("steps.json");
    fs::write(&file, steps("7").to_string()).unwrap();
    let file = text(&file);
    // One who has not signed gives nothing.
    let alone = ["tx", "steps", &file, "--key", &town.keys[0], "--rpc", &town.rpc, "--wait"];
    assert!(fail(&alone).contains("unauthorised"));
    town.tx(0, &["steps", &file, "--account", &town.addresses[0], "--key", &town.keys[1]]);
    assert_eq!([town.held(0), town.held(1)], [["1000007", "600"], ["999993", "400"]]);
    // What the second can't give, the first doesn't either.
    fs::write(&file, steps("9999999").to_string()).unwrap();
    let both = [&alone[..5], &["--key", &town.keys[1], "--rpc", &town.rpc, "--wait"]].concat();
    assert!(fail(&both).contains("insufficient_balance"));
    assert_eq!([town.held(0), town.held(1)], [["1000007", "600"], ["999993", "400"]]);
    town.devnet.stop();
}

#[test]
fn two_of_three_keys_sign_one_after_the_other() {
    let mut town = Town::start();
    let home = town.devnet.beside("keys");
    fs::create_dir(&home).unwrap();
    let made = [0, 1, 2].map(|i| {
        let file = text(&home.join(format!("{i}.json")));
        let made = succeed(&["keys", "account", "--out", &file, "--json"]);
        let made: Value = serde_json::from_str(&made).unwrap();
        (file, made["address"].as_str().unwrap().to_owned())
    });
    let [a, b, c] = made.each_ref().map(|(_, key)| key.as_str());
    town.tx(0, &["set-keys", "--with", a, "--with", b, "--with", c, "--threshold", "2"]);
    let (file, [first, second]) = (text(&home.join("pay.json")), &town.addresses);
    let alone =
        ["tx", "transfer", "--to", second, "--amount", "5", "--key", &town.keys[0], "--rpc", &town.rpc];
    assert!(fail(&alone).contains("unauthorised"), "the first key acts no more");
    let start = ["tx", "transfer", "--account", first, "--to", second, "--amount", "5"];
    succeed(&[&start[..], &["--key", &made[0].0, "--rpc", &town.rpc, "--out", &file]].concat());
    let submit = ["tx", "submit", &file, "--rpc", &town.rpc, "--wait"];
    assert!(fail(&submit).contains("unauthorised"), "one of three");
    let shown = succeed(&["tx", "sign", &file]);
    assert!(shown.contains(a) && !shown.contains(b) && shown.contains("\"amount\": \"5\""), "{shown}");
    succeed(&["tx", "sign", &file, "--key", &made[2].0]);
    succeed(&submit);
    assert_eq!(town.held(1), ["1000005"]);
    town.devnet.stop();
}
