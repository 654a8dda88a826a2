//! `quorate ledger repair-index`.

use super::super::Output;
use super::super::output::table;
use super::progress::Meter;
use super::{HomeArgs, explain};
use crate::error::NodeError;
use quorate_chain::ledger::tools::repair_index;
use serde_json::json;

pub(super) fn run(args: &HomeArgs, output: Output) -> Result<(), NodeError> {
    let genesis = args.genesis()?;
    let mut meter = Meter::new(output)?;
    let repaired = repair_index(&args.data(), &genesis, &mut meter);
    meter.clear();
    let repaired = repaired.map_err(explain)?;
    let mut rows =
        vec![("height", repaired.tip.to_string()), ("blocks applied", repaired.report.replayed.to_string())];
    if let Some(aside) = &repaired.aside {
        rows.push(("old store", format!("{} (may be removed)", aside.display())));
    }
    let json = json!({ "height": repaired.tip, "blocks_applied": repaired.report.replayed, "old_store": repaired.aside });
    output.answer(&table(&rows), &json)
}
