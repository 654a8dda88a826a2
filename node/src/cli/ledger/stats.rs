//! `quorate ledger stats`.

use super::super::Output;
use super::super::output::table;
use super::progress::Meter;
use super::{HomeArgs, bytes, explain};
use crate::error::NodeError;
use quorate_chain::ledger::tools::{KindStats, Stats, stats};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) fn run(args: &HomeArgs, output: Output) -> Result<(), NodeError> {
    let genesis = args.genesis()?;
    let mut meter = Meter::new(output)?;
    let counted = stats(&args.data(), &genesis, &mut meter);
    meter.clear();
    let counted = counted.map_err(explain)?;
    output.answer(&text(&counted), &to_json(&counted))?;
    if counted.damaged > 0 {
        return Err(NodeError::LedgerDamaged(format!(
            "{} places could not be read and are not counted; `quorate ledger verify` says which",
            counted.damaged
        )));
    }
    Ok(())
}

fn text(stats: &Stats) -> String {
    let time = |time: Option<_>| time.map_or_else(|| "none".to_owned(), |time| format!("{time} ms"));
    let each = |bytes: Option<u64>| bytes.map_or_else(|| "none".to_owned(), |bytes| format!("{bytes} bytes"));
    let checkpoint = stats.checkpoint.map_or_else(|| "none".to_owned(), |height| height.to_string());
    let rows = [
        ("height", stats.height.to_string()),
        ("epoch", stats.epoch.to_string()),
        ("transactions", format!("{}, of which {} failed", stats.transactions, stats.failed)),
        ("first block", time(stats.first_ms)),
        ("last block", time(stats.last_ms)),
        ("last checkpoint", checkpoint),
        ("journal", format!("{} in {} segments", bytes(stats.journal_bytes), stats.segments)),
        ("  bodies", bytes(stats.body_bytes)),
        ("  commits", bytes(stats.commit_bytes)),
        ("store", bytes(stats.store_bytes)),
        ("a transaction", format!("{} in all files", each(stats.bytes_per_transaction()))),
        ("", format!("{} in the journal's records", each(stats.journal_bytes_per_transaction()))),
    ];
    let kinds = stats.state.iter().map(|(kind, sum)| (format!("state: {kind}"), sum));
    let tables = stats.indexes.iter().map(|(name, sum)| (format!("index: {name}"), sum));
    let kinds: Vec<_> = kinds
        .chain(tables)
        .map(|(name, sum)| (name, format!("{} entries, {}", sum.entries, bytes(sum.bytes))))
        .collect();
    let kinds = kinds.iter().map(|(name, sum)| (name.as_str(), sum.clone()));
    table(&rows.into_iter().chain(kinds).collect::<Vec<_>>())
}

fn to_json(stats: &Stats) -> Value {
    let sums = |kinds: &BTreeMap<String, KindStats>| {
        let sum = |sum: &KindStats| json!({ "entries": sum.entries, "bytes": sum.bytes });
        kinds.iter().map(|(kind, of)| (kind.clone(), sum(of))).collect::<serde_json::Map<_, _>>()
    };
    json!({
        "height": stats.height, "epoch": stats.epoch, "transactions": stats.transactions,
        "failed_transactions": stats.failed, "first_block_ms": stats.first_ms, "last_block_ms": stats.last_ms,
        "checkpoint_height": stats.checkpoint, "journal_segments": stats.segments,
        "journal_bytes": stats.journal_bytes, "body_bytes": stats.body_bytes,
        "commit_bytes": stats.commit_bytes, "store_bytes": stats.store_bytes,
        "bytes_per_transaction": stats.bytes_per_transaction(),
        "journal_bytes_per_transaction": stats.journal_bytes_per_transaction(),
        "state": sums(&stats.state), "indexes": sums(&stats.indexes), "damaged_places": stats.damaged,
    })
}
