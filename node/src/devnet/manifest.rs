//! `DIR/devnet.json`: what scripts need to know of a running devnet.

use super::child::Validator;
use super::folder::Folder;
use super::generate::{account_path, genesis_path};
use super::plan::Plan;
use crate::error::NodeError;
use crate::files::replace;
use quorate_chain::{AccountId, ChainId};
use quorate_genesis::Genesis;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The file's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The chain.
    pub(crate) chain_id: ChainId,
    /// All validators; one that died keeps its last process id.
    pub(crate) validators: Vec<Seat>,
    /// Accounts that can be used.
    pub(crate) accounts: Vec<DemoAccount>,
}

/// A validator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seat {
    /// Its index.
    pub(crate) index: u16,
    /// What it is called.
    pub(crate) name: String,
    /// Its process.
    pub(crate) pid: u32,
    /// Where it serves clients: a URL.
    pub(crate) rpc: String,
    /// Where it serves peers: `address:port`.
    pub(crate) p2p: String,
    /// Its folder.
    pub(crate) home: PathBuf,
}

/// An account whose key is in the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DemoAccount {
    /// What it is called.
    pub(crate) name: String,
    /// Its address.
    pub(crate) address: AccountId,
    /// Its key.
    pub(crate) key_file: PathBuf,
}

impl Manifest {
    /// Of a devnet with these processes.
    pub(super) fn new(genesis: &Genesis, folder: &Folder, plan: Plan, validators: &[Validator]) -> Self {
        let seat = |validator: &Validator| Seat {
            index: validator.index(),
            name: Plan::name(validator.index()),
            pid: validator.pid(),
            rpc: plan.url(validator.index()),
            p2p: plan.p2p(validator.index()).to_string(),
            home: validator.home().to_owned(),
        };
        let accounts = genesis.accounts().iter().filter_map(|account| {
            let name = account.name.as_ref()?.to_string();
            let key_file = account_path(folder.absolute(), &name);
            Some(DemoAccount { name, address: account.address, key_file })
        });
        Self {
            chain_id: genesis.chain_id(),
            validators: validators.iter().map(seat).collect(),
            accounts: accounts.collect(),
        }
    }

    /// Where it is.
    pub(super) fn path(dir: &Path) -> PathBuf {
        dir.join("devnet.json")
    }

    /// Writes it; readers never see half of it.
    pub(super) fn write(&self, folder: &Folder) -> Result<(), NodeError> {
        let json =
            serde_json::to_string_pretty(self).map_err(|error| NodeError::Devnet(error.to_string()))?;
        replace(&Self::path(folder.absolute()), (json + "\n").as_bytes())
    }

    /// Reads it.
    pub(super) fn load(dir: &Path) -> Result<Self, NodeError> {
        Self::load_file(Self::path(dir))
    }

    /// Reads it, wherever it is.
    pub(crate) fn load_file(path: PathBuf) -> Result<Self, NodeError> {
        let text = std::fs::read_to_string(&path).map_err(NodeError::file("read", &path))?;
        serde_json::from_str(&text).map_err(|error| NodeError::Config { path, message: error.to_string() })
    }
}

/// The devnet's document.
pub(super) fn load_genesis(folder: &Folder) -> Result<Genesis, NodeError> {
    Ok(Genesis::load(&genesis_path(folder.absolute()))?)
}
