//! `quorate ledger import`.

use super::super::Output;
use super::super::output::table;
use super::progress::Meter;
use super::{HomeArgs, explain, locked, tell_opening};
use crate::error::NodeError;
use clap::Args;
use quorate_chain::ledger::Ledger;
use quorate_chain::ledger::tools::import;
use serde_json::json;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    home: HomeArgs,
    /// The archive to read, or `-` for standard input.
    #[arg(long, value_name = "FILE|-")]
    from: PathBuf,
}

pub(super) fn run(args: &ImportArgs, output: Output) -> Result<(), NodeError> {
    let genesis = args.home.genesis()?;
    let from_stdin = args.from.as_os_str() == "-";
    let file = if from_stdin {
        None
    } else {
        Some(File::open(&args.from).map_err(NodeError::file("open", &args.from))?)
    };
    let mut opened = Ledger::open(&args.home.data(), &genesis).map_err(locked)?;
    tell_opening(&opened.report, output);
    let mut meter = Meter::new(output)?;
    let imported = match file {
        None => import(&mut opened.ledger, std::io::stdin().lock(), 0, &mut meter),
        Some(file) => {
            let total = file.metadata().map_err(NodeError::file("read", &args.from))?.len();
            import(&mut opened.ledger, BufReader::new(file), total, &mut meter)
        }
    };
    meter.clear();
    let imported = imported.map_err(explain).inspect_err(|_| {
        let height = opened.ledger.tip().height;
        output.progress(&format!("the ledger is at height {height}; the same import goes on there"));
    })?;
    let rows = [
        ("height", imported.tip.to_string()),
        ("blocks", format!("{} committed, {} there before", imported.committed, imported.skipped)),
        ("transactions", imported.transactions.to_string()),
    ];
    let json = json!({
        "height": imported.tip, "blocks_committed": imported.committed, "blocks_kept": imported.skipped,
        "transactions": imported.transactions,
    });
    output.answer(&table(&rows), &json)
}
