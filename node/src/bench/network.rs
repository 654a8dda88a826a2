//! The nodes that are loaded, and the key that funds the senders.

use super::Options;
use crate::cli::Output;
use crate::devnet::Manifest;
use crate::error::NodeError;
use quorate_chain::crypto::SecretKey;
use quorate_chain::{AccountId, ChainId};
use quorate_genesis::{KeyFile, KeyKind};
use quorate_rpc_client::Client;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a node may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);
/// Where a devnet is unless it is said otherwise.
const DEFAULT_DEVNET: &str = ".quorate/devnet";

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    /// What the figures call it.
    pub(super) name: String,
    /// Where it is called.
    pub(super) client: Client,
    /// Its process and folder, if it runs on this machine.
    pub(super) process: Option<(u32, PathBuf)>,
}

/// All that is known of the network.
#[derive(Debug)]
pub(super) struct Network {
    /// The nodes that answer.
    pub(super) nodes: Vec<Node>,
    /// The chain.
    pub(super) chain: ChainId,
    /// The account with funds.
    pub(super) funder: SecretKey,
}

impl Network {
    /// Asks the nodes that the options name.
    ///
    /// # Errors
    /// When none answers, or they are not of one chain.
    pub(super) fn open(options: &Options, output: Output) -> Result<Self, NodeError> {
        let (all, key) = match (options.rpc.is_empty(), &options.key) {
            (false, Some(key)) => (by_urls(&options.rpc)?, key.clone()),
            _ => devnet(options.network.as_deref())?,
        };
        let funder = KeyFile::load(&key, KeyKind::Account)?.into_secret();
        let (mut nodes, mut chain, mut last) = (Vec::new(), None, None);
        for node in all {
            match node.client.status() {
                Ok(status) if *chain.get_or_insert(status.chain_id) != status.chain_id => {
                    return Err(NodeError::Usage(format!(
                        "{} is of chain {}, the nodes before it of another one: name nodes of one network",
                        node.name, status.chain_id
                    )));
                }
                Ok(_) => nodes.push(node),
                Err(error) => {
                    output.progress(&format!("{} is left out: {error}", node.name));
                    last = Some(error);
                }
            }
        }
        match (chain, last) {
            (Some(chain), _) => Ok(Self { nodes, chain, funder }),
            (None, Some(error)) => Err(NodeError::Usage(format!(
                "no node answers; is the network running? `quorate devnet` starts one. The last said: {error}"
            ))),
            (None, None) => Err(NodeError::Usage("the network has no nodes".to_owned())),
        }
    }

    /// The account with funds.
    pub(super) fn funder_address(&self) -> AccountId {
        self.funder.public().into()
    }
}

fn by_urls(urls: &[String]) -> Result<Vec<Node>, NodeError> {
    let node = |url: &String| {
        let client = Client::with_timeout(url, ANSWER_TIMEOUT)?;
        Ok(Node { name: url.clone(), client, process: None })
    };
    urls.iter().map(node).collect()
}

fn devnet(given: Option<&Path>) -> Result<(Vec<Node>, PathBuf), NodeError> {
    let path = given.unwrap_or(Path::new(DEFAULT_DEVNET));
    let path = if path.is_dir() { path.join("devnet.json") } else { path.to_owned() };
    if !path.exists() {
        return Err(NodeError::Usage(format!(
            "{} is not there: start a network with `quorate devnet --dir DIR` and name DIR/devnet.json with \
             --network, or name nodes with --rpc and --key",
            path.display()
        )));
    }
    let manifest = Manifest::load_file(path.clone())?;
    let Some(account) = manifest.accounts.into_iter().next() else {
        let message = "names no account; use --rpc and --key instead".to_owned();
        return Err(NodeError::Config { path, message });
    };
    let node = |seat: crate::devnet::Seat| {
        let client = Client::with_timeout(&seat.rpc, ANSWER_TIMEOUT)?;
        Ok(Node { name: seat.name, client, process: Some((seat.pid, seat.home)) })
    };
    let nodes = manifest.validators.into_iter().map(node).collect::<Result<_, NodeError>>()?;
    Ok((nodes, account.key_file))
}
