//! A devnet's keys and genesis, made as members of a consortium make them, all at once.

use super::folder::Folder;
use super::plan::Plan;
use crate::cli::{now, write_genesis};
use crate::error::NodeError;
use quorate_chain::Amount;
use quorate_chain::codec::Text;
use quorate_chain::parameters::Parameters;
use quorate_chain::state::Roles;
use quorate_genesis::{Genesis, GenesisAccount, GenesisError, KeyFile, KeyKind, member};
use std::path::Path;

/// Accounts to play with.
const ACCOUNTS: [&str; 2] = ["demo-1", "demo-2"];
/// What each may do: the first one everything, so that all can be tried.
const ROLES: [Roles; 2] = [Roles::ALL, Roles::MEMBER];
/// What each of them starts with, in units of the native asset.
pub(super) const BALANCE: Amount = Amount(1_000_000);

/// Of each validator's ledger, a quarter of a node's default: they share a machine.
const CACHE_BYTES: u64 = 128 * 1024 * 1024;

/// Makes everything that a start needs; the marker comes last.
pub(super) fn generate(folder: &Folder, plan: Plan) -> Result<(), NodeError> {
    let dir = folder.absolute();
    let mut cards = Vec::new();
    for index in plan.indices() {
        let (name, home) = (Plan::name(index), dir.join(Plan::name(index)));
        cards.push(member::create(&home, &name, &plan.p2p(index).to_string(), None)?);
        let config = format!(
            "rpc_listen = \"{}\"\np2p_listen = \"{}\"\ncache_bytes = {CACHE_BYTES}\n",
            plan.rpc(index),
            plan.p2p(index)
        );
        let path = home.join("config.toml");
        std::fs::write(&path, config).map_err(NodeError::file("write", &path))?;
    }
    let accounts = ACCOUNTS
        .iter()
        .zip(ROLES)
        .map(|(name, roles)| account(dir, name, roles))
        .collect::<Result<_, _>>()?;
    let genesis = Genesis::merge(cards, accounts, Parameters::default(), "devnet", now())?;
    write_genesis(&genesis, &genesis_path(dir))?;
    for index in plan.indices() {
        write_genesis(&genesis, &dir.join(Plan::name(index)).join("genesis.json"))?;
    }
    folder.mark_generated(plan)
}

fn account(dir: &Path, name: &str, roles: Roles) -> Result<GenesisAccount, NodeError> {
    let key = KeyFile::generate(KeyKind::Account);
    key.write_new(&account_path(dir, name))?;
    let text = |source| GenesisError::Text { what: "the account's name", source };
    let name = Some(Text::new(name).map_err(text)?);
    Ok(GenesisAccount { name, roles, ..GenesisAccount::member(key.public().into(), BALANCE) })
}

/// Where the document is.
pub(super) fn genesis_path(dir: &Path) -> std::path::PathBuf {
    dir.join("genesis.json")
}

/// Where the key of a demo account is.
pub(super) fn account_path(dir: &Path, name: &str) -> std::path::PathBuf {
    dir.join("accounts").join(format!("{name}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ConfigFile, NodeConfig};

    #[test]
    fn every_home_is_a_validators() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), false).unwrap();
        let plan = Plan { version: 1, validators: 4, base_port: 26600 };
        generate(&folder, plan).unwrap();
        assert_eq!(folder.generated().unwrap(), Some(plan));
        for index in plan.indices() {
            let home = dir.path().join(Plan::name(index));
            let config = NodeConfig::load(&home, &ConfigFile::load(&home).unwrap()).unwrap();
            assert_eq!((config.rpc_listen, config.p2p_listen), (plan.rpc(index), plan.p2p(index)));
            assert_eq!(config.ledger.cache_bytes, CACHE_BYTES);
            assert_eq!((config.name, config.peers.len()), (Plan::name(index), 3));
            let key = config.consensus_key.unwrap().public();
            assert_eq!(config.genesis.validator_set().index_of(key).map(|i| i.0), Some(index));
        }
    }

    #[test]
    fn keys_of_two_cards_do_not_go_together() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path(), false).unwrap();
        generate(&folder, Plan { version: 1, validators: 2, base_port: 26600 }).unwrap();
        let [own, other] = [0, 1].map(|i| dir.path().join(Plan::name(i)).join("keys/network.json"));
        std::fs::remove_file(&own).unwrap();
        std::fs::rename(other, own).unwrap();
        let error = NodeConfig::load(&dir.path().join("validator-0"), &ConfigFile::default()).unwrap_err();
        assert!(matches!(error, NodeError::NetworkKey { seat } if seat == "validator-0"));
    }
}
