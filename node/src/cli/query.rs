//! `quorate query`. With `--json` it prints what the node answered, unchanged.

use super::Output;
use super::output::table;
use crate::error::NodeError;
use clap::{Args, Subcommand};
use quorate_chain::{AccountId, AssetId, Height, TransactionId};
use quorate_rpc_client::{Account, Block, Client, Outcome, Status, TransactionInfo};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

#[derive(Debug, Subcommand)]
pub(crate) enum QueryCommand {
    /// Where the node is.
    Status {
        #[command(flatten)]
        node: NodeAddress,
    },
    /// A block with the signatures that prove it.
    Block {
        /// Its height [default: the latest].
        height: Option<u64>,
        #[command(flatten)]
        node: NodeAddress,
    },
    /// A committed transaction.
    Tx {
        /// Its id.
        id: TransactionId,
        #[command(flatten)]
        node: NodeAddress,
    },
    /// An account.
    Account {
        /// Its address.
        address: AccountId,
        #[command(flatten)]
        node: NodeAddress,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NodeAddress {
    /// The node to ask, as in http://127.0.0.1:26600.
    #[arg(long, value_name = "URL")]
    rpc: String,
}

pub(crate) fn run(command: &QueryCommand, output: Output) -> Result<(), NodeError> {
    match command {
        QueryCommand::Status { node } => ask(node, "status", &json!({}), status, output),
        QueryCommand::Block { height, node } => {
            let params = height.map_or_else(|| json!({}), |height| json!({ "height": Height(height) }));
            ask(node, "block", &params, block, output)
        }
        QueryCommand::Tx { id, node } => ask(node, "tx", &json!({ "id": id }), transaction, output),
        QueryCommand::Account { address, node } => {
            ask(node, "account", &json!({ "address": address }), account, output)
        }
    }
}

/// `text` says the answer in words.
fn ask<T: DeserializeOwned>(
    node: &NodeAddress,
    method: &str,
    params: &Value,
    text: fn(&T) -> String,
    output: Output,
) -> Result<(), NodeError> {
    let node = Client::new(&node.rpc)?;
    if output.is_json() {
        return output.answer("", &node.call(method, params)?);
    }
    output.text(&text(&node.call(method, params)?))
}

fn status(status: &Status) -> String {
    let votes = match (status.validator, status.voting) {
        (Some(index), true) => format!("yes, as validator {index}"),
        (Some(index), false) => format!("no, but it is validator {index}"),
        (None, _) => "no, it is an observer".to_owned(),
    };
    let mut rows = vec![
        ("node", status.name.clone()),
        ("chain id", status.chain_id.to_string()),
        ("height", status.height.to_string()),
        ("block", status.block_hash.to_string()),
        ("state root", status.state_root.to_string()),
        ("epoch", status.epoch.to_string()),
        ("view", format!("{}, led by validator {}", status.view, status.primary)),
        ("votes", votes),
        ("peers", status.peers.to_string()),
        ("catching up", if status.catching_up { "yes" } else { "no" }.to_owned()),
    ];
    if let Some(reason) = &status.halted {
        rows.push(("halted", reason.clone()));
    }
    if let Some(reason) = &status.record_lost {
        rows.push(("vote record lost", reason.clone()));
    }
    table(&rows)
}

fn block(block: &Block) -> String {
    let signers: Vec<_> = block.commit.signatures.iter().map(|s| s.validator.to_string()).collect();
    let proof = match block.path.len() {
        0 => "its own certificate".to_owned(),
        headers => format!("the certificate of height {}, {headers} headers on", block.commit.height),
    };
    let mut rows = vec![
        ("height", block.header.height.to_string()),
        ("block", block.hash.to_string()),
        ("parent", block.header.parent.to_string()),
        ("time", format!("{} ms", block.header.timestamp_ms)),
        ("state root", block.result.state_root.to_string()),
        ("proof", format!("{proof}, signed by validators {}", signers.join(", "))),
        ("transactions", block.transactions.len().to_string()),
    ];
    for transaction in &block.transactions {
        rows.push(("", transaction["id"].as_str().unwrap_or_default().to_owned()));
    }
    table(&rows)
}

fn transaction(info: &TransactionInfo) -> String {
    let committed = &info.committed;
    let receipt = match (committed.receipt.status, committed.receipt.error.as_deref()) {
        (Outcome::Success, _) => "success".to_owned(),
        (Outcome::Failed, reason) => format!("failed: {}", reason.unwrap_or("no reason given")),
    };
    let said = &info.transaction;
    let mut rows = vec![
        ("id", committed.id.to_string()),
        ("height", committed.height.to_string()),
        ("index", committed.index.to_string()),
        ("receipt", receipt),
        ("account", said["account"].as_str().unwrap_or_default().to_owned()),
        ("nonce", said["nonce"].to_string()),
    ];
    for instruction in said["instructions"].as_array().into_iter().flatten() {
        rows.push(("instruction", instruction.to_string()));
    }
    table(&rows)
}

fn account(account: &Account) -> String {
    let mut rows = vec![
        ("address", account.address.to_string()),
        ("nonce", account.nonce.to_string()),
        ("status", word(&account.status)),
        ("roles", account.roles.names().collect::<Vec<_>>().join(", ")),
        ("may spend", format!("{} work units", account.quota.work_left)),
        ("pays for", format!("{} bytes of state", account.quota.state_bytes)),
        ("at height", account.height.to_string()),
    ];
    if let Some(organisation) = account.organisation {
        rows.push(("organisation", organisation.to_string()));
    }
    for key in &account.keys {
        rows.push(("key", format!("{}, weight {} of {}", key.key, key.weight, account.threshold)));
    }
    for balance in &account.balances {
        let asset =
            if balance.asset == AssetId::NATIVE { String::new() } else { format!(" of {}", balance.asset) };
        let frozen = if balance.frozen { ", frozen" } else { "" };
        rows.push(("balance", format!("{}{asset}{frozen}", balance.amount)));
    }
    table(&rows)
}

/// What a value is called in JSON.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
