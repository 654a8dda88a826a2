//! `quorate genesis`.

use super::Output;
use super::output::table;
use crate::error::NodeError;
use clap::{Args, Subcommand};
use quorate_chain::parameters::Parameters;
use quorate_chain::state::Roles;
use quorate_chain::{Amount, TimestampMs};
use quorate_genesis::{Genesis, GenesisAccount, member};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Debug, Subcommand)]
pub(crate) enum GenesisCommand {
    /// Join members' cards into the genesis document.
    ///
    /// The order of the cards is that of the validators' indices. The same cards, accounts, parameters,
    /// name and time give the same chain id.
    Merge(MergeArgs),
    /// Check a genesis document and print its chain id.
    Check {
        /// The document.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The members' card files, in the order of their indices.
    #[arg(required = true, value_name = "CARD")]
    cards: Vec<PathBuf>,
    /// An account, what it holds of the native asset, and what it may do (admin, issuer, member, auditor; only
    /// member if nothing is said); may be repeated.
    #[arg(long = "account", value_name = "ADDRESS=AMOUNT[,ROLE...]")]
    accounts: Vec<AccountArg>,
    /// What people call the chain.
    #[arg(long, default_value = "quorate")]
    name: String,
    /// The chain's time at height 0 [default: now].
    #[arg(long, value_name = "MS")]
    timestamp_ms: Option<u64>,
    /// JSON file with parameters that differ from their defaults.
    #[arg(long, value_name = "FILE")]
    parameters: Option<PathBuf>,
    /// The document to write; must not be there yet.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `ADDRESS=AMOUNT[,ROLE...]`.
#[derive(Clone, Debug)]
struct AccountArg(GenesisAccount);

impl FromStr for AccountArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, rest) = text.split_once('=').ok_or("not ADDRESS=AMOUNT[,ROLE...]")?;
        let mut rest = rest.split(',');
        let address = address.parse().map_err(|error| format!("address: {error}"))?;
        let amount = rest.next().unwrap_or_default().parse().map_err(|error| format!("amount: {error}"))?;
        let account = GenesisAccount::member(address, Amount(amount));
        let roles = rest.try_fold(Roles::NONE, |roles, name| match Roles::named(name) {
            Some(role) => Ok(roles | role),
            None => Err(format!("{name:?} is no role; there are admin, issuer, member, auditor")),
        })?;
        let roles = if roles == Roles::NONE { account.roles } else { roles };
        Ok(Self(GenesisAccount { roles, ..account }))
    }
}

pub(crate) fn run(command: GenesisCommand, output: Output) -> Result<(), NodeError> {
    match command {
        GenesisCommand::Merge(args) => merge(args, output),
        GenesisCommand::Check { file } => report(&Genesis::load(&file)?, &file, output),
    }
}

fn merge(args: MergeArgs, output: Output) -> Result<(), NodeError> {
    let cards = args.cards.iter().map(|path| member::load_card(path)).collect::<Result<Vec<_>, _>>()?;
    let accounts = args.accounts.into_iter().map(|account| account.0).collect();
    let parameters = args.parameters.as_deref().map(load_parameters).transpose()?.unwrap_or_default();
    let time = args.timestamp_ms.map_or_else(now, TimestampMs);
    let genesis = Genesis::merge(cards, accounts, parameters, &args.name, time)?;
    write(&genesis, &args.out)?;
    report(&genesis, &args.out, output)
}

fn load_parameters(path: &Path) -> Result<Parameters, NodeError> {
    let text = std::fs::read_to_string(path).map_err(NodeError::file("read", path))?;
    serde_json::from_str(&text)
        .map_err(|error| NodeError::Config { path: path.to_owned(), message: error.to_string() })
}

/// The system's time.
pub(crate) fn now() -> TimestampMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimestampMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Writes a document that must not be there yet; a chain's start is never overwritten.
pub(crate) fn write(genesis: &Genesis, path: &Path) -> Result<(), NodeError> {
    let json = genesis.to_json()?;
    let mut file = File::create_new(path).map_err(NodeError::file("make", path))?;
    file.write_all(json.as_bytes()).and_then(|()| file.sync_all()).map_err(NodeError::file("write", path))
}

fn report(genesis: &Genesis, path: &Path, output: Output) -> Result<(), NodeError> {
    let quorum = genesis.validator_set().quorum();
    let supply: u128 = genesis.accounts().iter().map(|account| account.balance.0).sum();
    let mut rows = vec![
        ("chain id", genesis.chain_id().to_string()),
        ("name", genesis.name().to_owned()),
        ("time", format!("{} ms", genesis.timestamp_ms())),
        (
            "validators",
            format!("{}, of which {} may be faulty; a quorum is {}", quorum.n(), quorum.f(), quorum.q()),
        ),
    ];
    for card in genesis.members() {
        rows.push(("", format!("{} at {}", &*card.validator.name, &*card.address)));
    }
    rows.push(("accounts", format!("{}, together {supply}", genesis.accounts().len())));
    rows.push(("document", path.display().to_string()));
    let seats = genesis.members().iter().map(|card| {
        let seat = &card.validator;
        json!({ "name": seat.name, "address": card.address, "identity": seat.identity,
            "consensus": seat.consensus, "network": seat.network })
    });
    let json = json!({
        "chain_id": genesis.chain_id(), "name": genesis.name(), "timestamp_ms": genesis.timestamp_ms(),
        "validators": seats.collect::<Vec<Value>>(), "faulty_max": quorum.f(), "quorum": quorum.q(),
        "accounts": genesis.accounts().len(), "supply": Amount(supply), "document": path,
    });
    if (2..4).contains(&quorum.n()) {
        output.progress(&format!(
            "warning: of {} validators none may be faulty; four are needed to survive one that is",
            quorum.n()
        ));
    }
    output.answer(&table(&rows), &json)
}
