//! `quorate ledger verify`.

use super::super::Output;
use super::super::output::table;
use super::progress::Meter;
use super::{HomeArgs, explain, height};
use crate::error::NodeError;
use clap::Args;
use quorate_chain::Height;
use quorate_chain::ledger::tools::{
    Damage, Findings, Part, Remedy, StateVerdict, Verified, VerifyOptions, verify,
};
use serde_json::{Value, json};

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    home: HomeArgs,
    /// The first height to check; the blocks below are only read.
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    from: Option<Height>,
    /// The last height to check; below the ledger's last one, state and indexes are left out.
    #[arg(long, value_name = "HEIGHT", value_parser = height)]
    to: Option<Height>,
    /// Execute every block once more, in HOME/data/verify-scratch, which needs as much room as the ledger.
    #[arg(long)]
    execute: bool,
}

pub(super) fn run(args: &VerifyArgs, output: Output) -> Result<(), NodeError> {
    if args.from.zip(args.to).is_some_and(|(from, to)| from > to) {
        return Err(NodeError::Usage("--from is above --to".into()));
    }
    let (genesis, data) = (args.home.genesis()?, args.home.data());
    let execute_in = args.execute.then(|| data.clone());
    let options = VerifyOptions { from: args.from, to: args.to, execute_in };
    let mut meter = Meter::new(output)?;
    let verified = verify(&data, &genesis, &options, &mut meter);
    meter.clear();
    let verified = verified.map_err(explain)?;
    let whole = verified.findings.count() == 0;
    output.answer(&text(&verified), &to_json(&verified))?;
    let count = verified.findings.count();
    if whole { Ok(()) } else { Err(NodeError::LedgerDamaged(format!("{count} things are damaged"))) }
}

fn text(verified: &Verified) -> String {
    let findings = &verified.findings;
    let mut rows = vec![
        ("height", format!("{}, at {} ms", verified.tip, verified.tip_time_ms)),
        ("proven", format!("{} blocks with {} transactions", verified.proven, verified.transactions)),
        ("set changes", verified.epochs.to_string()),
        ("state", state(&verified.state)),
    ];
    if let Some(height) = verified.executed {
        rows.push(("executed", format!("up to height {height}, with the certified results")));
    }
    if verified.uncommitted > 0 {
        rows.push(("uncommitted", format!("{} bodies above the tip, which stay", verified.uncommitted)));
    }
    if let Some(tail) = &verified.torn_tail {
        let text = format!("{} bytes at {}; the next start discards them", tail.bytes, tail.position);
        rows.push(("unsynced tail", text));
    }
    for Damage { part, what, .. } in findings.listed() {
        let part = if *part == Part::Journal { "journal" } else { "store" };
        rows.push(("damaged", format!("{part}: {what}")));
    }
    let unlisted = findings.count() - findings.listed().len() as u64;
    if unlisted > 0 {
        rows.push(("", format!("and {unlisted} more")));
    }
    if let Some(first) = findings.first_height() {
        rows.push(("good", format!("blocks 1 to {}", first.previous())));
    }
    rows.push(("what to do", remedy(findings).to_owned()));
    table(&rows)
}

fn state(state: &StateVerdict) -> String {
    match state {
        StateVerdict::Whole { entries, applied } => {
            format!("{entries} entries with the certified root; durable up to height {applied}")
        }
        StateVerdict::Damaged => "damaged".to_owned(),
        StateVerdict::NotChecked(why) => format!("not checked: {why}"),
    }
}

const fn remedy(findings: &Findings) -> &'static str {
    match findings.remedy() {
        Remedy::Nothing => "nothing: all that was looked at is whole",
        Remedy::RepairIndex => {
            "the journal is whole: run `quorate ledger repair-index`, or start the node, which does the same"
        }
        Remedy::Import => {
            "get an archive of a peer (`quorate ledger export`), move data/journal/chain and data/state aside, \
             leave data/journal/votes where it is, and run `quorate ledger import`"
        }
    }
}

fn to_json(verified: &Verified) -> Value {
    let findings = &verified.findings;
    let state = match &verified.state {
        StateVerdict::Whole { entries, applied } => {
            json!({ "verdict": "whole", "entries": entries, "checkpoint_height": applied })
        }
        StateVerdict::Damaged => json!({ "verdict": "damaged" }),
        StateVerdict::NotChecked(why) => json!({ "verdict": "not_checked", "reason": why }),
    };
    let damage = |damage: &Damage| {
        let part = if damage.part == Part::Journal { "journal" } else { "store" };
        json!({ "part": part, "from_height": damage.height, "what": damage.what })
    };
    json!({
        "whole": findings.count() == 0, "height": verified.tip, "time_ms": verified.tip_time_ms,
        "blocks_proven": verified.proven, "transactions": verified.transactions,
        "set_changes": verified.epochs, "uncommitted_bodies": verified.uncommitted,
        "unsynced_tail_bytes": verified.torn_tail.map_or(0, |tail| tail.bytes), "state": state,
        "executed_to": verified.executed, "damage_count": findings.count(),
        "damage": findings.listed().iter().map(damage).collect::<Vec<_>>(),
        "damaged_from_height": findings.first_height(), "what_to_do": remedy(findings),
    })
}
