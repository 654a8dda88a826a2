//! `quorate keys`.

use super::Output;
use super::output::table;
use crate::error::NodeError;
use clap::Subcommand;
use quorate_chain::{AccountId, OrganisationId};
use quorate_genesis::{KeyFile, KeyKind, member, vote_record};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a member's three keys, its vote record and the signed card for the genesis document.
    ///
    /// Keys are never overwritten. Hand out HOME/card.json only; move HOME/keys/identity.json to an offline
    /// place: the node does not need it.
    New {
        /// The node's folder.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// What people call the validator.
        #[arg(long, required_unless_present = "observer")]
        name: Option<String>,
        /// Where other validators reach it.
        #[arg(long, value_name = "HOST:PORT", required_unless_present = "observer")]
        address: Option<String>,
        /// The organisation that runs it [default: the one that its identity key stands for].
        #[arg(long, value_name = "KEY")]
        organisation: Option<OrganisationId>,
        /// Make only the network key of a node that follows without voting.
        #[arg(long, conflicts_with_all = ["name", "address", "organisation"])]
        observer: bool,
    },
    /// Show a node's public keys.
    Show {
        /// The node's folder.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
    },
    /// Make the key of an account; its address is its public key.
    Account {
        /// The file to make.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

pub(crate) fn run(command: &KeysCommand, output: Output) -> Result<(), NodeError> {
    match command {
        KeysCommand::New { home, observer: true, .. } => {
            let network = member::create_observer(home)?;
            output.answer(&table(&[("network key", network.to_string())]), &json!({ "network": network }))
        }
        KeysCommand::New { home, name, address, organisation, .. } => {
            let (name, address) =
                (name.as_deref().unwrap_or_default(), address.as_deref().unwrap_or_default());
            member::create(home, name, address, *organisation)?;
            show(home, output)
        }
        KeysCommand::Show { home } => show(home, output),
        KeysCommand::Account { out } => {
            let key = KeyFile::generate(KeyKind::Account);
            key.write_new(out)?;
            let address = AccountId::from(key.public());
            let text = table(&[("address", address.to_string()), ("key file", out.display().to_string())]);
            output.answer(&text, &json!({ "address": address, "key_file": out }))
        }
    }
}

fn show(home: &Path, output: Output) -> Result<(), NodeError> {
    let (mut rows, mut object) = (Vec::new(), Map::new());
    let card = member::card_path(home);
    if exists(&card)? {
        let loaded = member::load_card(&card)?;
        for (name, value) in [
            ("name", loaded.validator.name.to_string()),
            ("address", loaded.address.to_string()),
            ("organisation", loaded.validator.organisation.to_string()),
        ] {
            object.insert(name.to_owned(), json!(value));
            rows.push((name, value));
        }
        object.insert("card".to_owned(), json!(card));
        rows.push(("card", card.display().to_string()));
    }
    for (kind, name) in
        [(KeyKind::Identity, "identity"), (KeyKind::Consensus, "consensus"), (KeyKind::Network, "network")]
    {
        let path = kind.path(home);
        if !exists(&path)? {
            continue;
        }
        let key = KeyFile::load(&path, kind)?;
        if kind == KeyKind::Consensus {
            vote_record::check(home, &key)?;
        }
        object.insert(name.to_owned(), json!(key.public()));
        rows.push((name, key.public().to_string()));
    }
    if rows.is_empty() {
        return Err(NodeError::Usage(format!("there are neither keys nor a card in {}", home.display())));
    }
    output.answer(&table(&rows), &Value::Object(object))
}

fn exists(path: &Path) -> Result<bool, NodeError> {
    path.try_exists().map_err(NodeError::file("look for", path))
}
