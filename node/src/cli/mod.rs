//! The command line. Each command has a file with its arguments and what it prints; `--json` gives one JSON
//! object on one line of standard output, errors go to standard error.
//!
//! Exit codes: 0 done, 1 failed (a transaction that was committed as failed, or a damaged ledger, too), 2 wrong arguments.

mod bench;
mod devnet;
mod genesis;
pub(crate) mod interrupt;
mod keys;
mod ledger;
mod log;
mod node;
mod output;
mod query;
mod tx;

pub(crate) use genesis::{now, write as write_genesis};
pub(crate) use node::stop_signals;
pub(crate) use output::{Output, table};

use crate::VERSION;
use crate::error::NodeError;
use crate::run::{PROBE_COMMAND, look_at_store};
use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

/// A permissioned blockchain node: PBFT over certified blocks.
#[derive(Debug, Parser)]
#[command(name = "quorate", version = VERSION, propagate_version = true, arg_required_else_help = true)]
#[command(
    after_help = "Try it: `quorate devnet` starts four validators on this machine and says what to do next."
)]
struct Cli {
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node: a validator, or an observer if its home has no consensus key.
    Node(node::NodeArgs),
    /// Run several validators on this machine, for trying things out.
    Devnet(devnet::DevnetArgs),
    /// Load a network with transactions at a fixed rate, and say how fast it commits them.
    Bench(bench::BenchArgs),
    /// Make and show keys.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Make and check genesis documents.
    #[command(subcommand)]
    Genesis(genesis::GenesisCommand),
    /// Look after the ledger of a node that does not run.
    #[command(subcommand)]
    Ledger(ledger::LedgerCommand),
    /// Sign a transaction and hand it to a node.
    #[command(subcommand)]
    Tx(tx::TxCommand),
    /// Ask a node.
    #[command(subcommand)]
    Query(query::QueryCommand),
    /// Open the store in a folder, within limits: a node does that in a process of its own after a crash.
    #[command(name = PROBE_COMMAND, hide = true)]
    ProbeStore {
        /// The folder `data/state` of a node that is not running.
        folder: PathBuf,
    },
}

/// Does what the arguments say.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let output = Output::new(cli.json);
    let done = match cli.command {
        Command::Node(args) => node::run(args),
        Command::Devnet(args) => devnet::run(&args, output),
        Command::Bench(args) => bench::run(args, output),
        Command::Keys(command) => keys::run(&command, output),
        Command::Genesis(command) => genesis::run(command, output),
        Command::Ledger(command) => ledger::run(command, output),
        Command::Tx(command) => tx::run(command, output),
        Command::Query(command) => query::run(&command, output),
        Command::ProbeStore { folder } => look_at_store(&folder).map_err(NodeError::Stopped),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
