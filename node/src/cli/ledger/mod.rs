//! `quorate ledger`: the ledger of a node that does not run.
//!
//! | file | what |
//! | --- | --- |
//! | `verify.rs` `repair.rs` `export.rs` `import.rs` `stats.rs` | one command each |
//! | `progress.rs` | how far it is, and Ctrl-C |

mod export;
mod import;
mod progress;
mod repair;
mod stats;
mod verify;

use super::Output;
use crate::error::NodeError;
use clap::{Args, Subcommand};
use quorate_chain::Height;
use quorate_chain::ledger::{GenesisState, LedgerError, OpenReport, tools::ToolError};
use quorate_genesis::Genesis;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Check every block, certificate, root and index, and say what is damaged.
    ///
    /// Exit code 1 if anything is. Nothing is changed.
    Verify(verify::VerifyArgs),
    /// Make state and indexes again from the journal.
    ///
    /// The journal is checked first; if it is damaged, nothing is changed. The old store is kept beside the new
    /// one. Stopped with Ctrl-C, the next start of the node does the rest.
    RepairIndex(HomeArgs),
    /// Write blocks with their certificates into an archive.
    ///
    /// Every block is proven before it is written.
    Export(export::ExportArgs),
    /// Bring an archive's blocks into this ledger.
    ///
    /// Every block is proven by its certificate, executed and compared before it is committed. Run again after a
    /// stop, it goes on where it was.
    Import(import::ImportArgs),
    /// Count what the ledger holds, and what room that takes.
    Stats(HomeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct HomeArgs {
    /// The node's folder: genesis.json, data/. The node must not be running.
    #[arg(long, env = "QUORATE_HOME", value_name = "DIR")]
    home: PathBuf,
}

impl HomeArgs {
    fn data(&self) -> PathBuf {
        self.home.join("data")
    }

    fn genesis(&self) -> Result<GenesisState, NodeError> {
        Ok(Genesis::load(&self.home.join("genesis.json"))?.to_state())
    }
}

pub(crate) fn run(command: LedgerCommand, output: Output) -> Result<(), NodeError> {
    match command {
        LedgerCommand::Verify(args) => verify::run(&args, output),
        LedgerCommand::RepairIndex(args) => repair::run(&args, output),
        LedgerCommand::Export(args) => export::run(&args, output),
        LedgerCommand::Import(args) => import::run(&args, output),
        LedgerCommand::Stats(args) => stats::run(&args, output),
    }
}

/// A height as an argument: 1 or more.
fn height(text: &str) -> Result<Height, String> {
    match text.parse() {
        Ok(height) if height > 0 => Ok(Height(height)),
        _ => Err("not a height: heights are numbers from 1".into()),
    }
}

/// A tool's error, with what to do about a running node.
fn explain(error: ToolError) -> NodeError {
    match error {
        ToolError::Ledger(error) => locked(error),
        other => NodeError::LedgerTool(Box::new(other)),
    }
}

fn locked(error: LedgerError) -> NodeError {
    match error {
        LedgerError::Locked(path) => NodeError::Usage(format!(
            "{} is in use by another process: stop the node first, and start it again afterwards",
            path.display()
        )),
        other => other.into(),
    }
}

/// What opening a ledger did beside opening it.
fn tell_opening(report: &OpenReport, output: Output) {
    if let Some(why) = &report.rebuilt {
        output.progress(&format!("the store was made again from the journal: {why}"));
    } else if report.replayed > 0 {
        output.progress(&format!("brought {} blocks from the journal into the store", report.replayed));
    }
    if let Some(tail) = &report.torn_tail {
        output.progress(&format!("discarded {} unsynced bytes at {}", tail.bytes, tail.position));
    }
}

/// Bytes in words, as in `1.50 MiB`.
fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
