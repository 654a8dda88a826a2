//! The overview.

use super::words::{block_link, count, full, set_of, short, time, validator};
use super::{PageError, layout};
use crate::api::Api;
use crate::errors::ApiError;
use crate::shapes::{HealthStatus, Status};
use axum::extract::State;
use maud::{Markup, html};
use quorate_chain::ledger::{CommittedBlock, Reader, Tip};
use quorate_chain::{Height, OrganisationId, ValidatorSet};
use std::sync::Arc;

/// Blocks on the page.
const BLOCKS_MAX: u64 = 20;

pub(super) async fn page(State(api): State<Api>) -> Result<Markup, PageError> {
    let (tip, blocks) = api.reads.run(latest).await?;
    let status = api.status_at(&tip);
    Ok(layout::page(
        "Overview",
        &html! {
            h1 { (status.name) }
            (health(&api))
            (chain(&status, &tip))
            h2 { "Latest blocks" }
            (block_table(&tip, &blocks))
            h2 { "Validators" }
            (validator_table(&status, &tip.validators))
        },
    ))
}

/// The tip and the latest blocks, newest first.
fn latest(reader: &Reader) -> Result<(Arc<Tip>, Vec<Arc<CommittedBlock>>), ApiError> {
    let tip = reader.tip();
    let lowest = tip.height.0.saturating_sub(BLOCKS_MAX) + 1;
    let mut blocks = Vec::new();
    for height in (lowest..=tip.height.0).rev() {
        blocks.extend(reader.block(Height(height))?);
    }
    Ok((tip, blocks))
}

fn health(api: &Api) -> Markup {
    let health = api.health();
    let (class, text) = match health.status {
        HealthStatus::Ok => ("ok", "The node is up to date."),
        HealthStatus::RecordLost => {
            ("warn", "The node follows without voting: its vote record is not whole.")
        }
        HealthStatus::CatchingUp => ("warn", "The node is catching up."),
        HealthStatus::Halted => ("bad", "The node is halted."),
    };
    html! {
        p.badge.(class) { (text) @if let Some(reason) = health.reason { " " (reason) } }
    }
}

fn chain(status: &Status, tip: &Tip) -> Markup {
    layout::facts(&[
        ("Chain", full(&status.chain_id.to_string())),
        ("Height", html! { strong { (status.height) } }),
        (
            "Last block",
            html! { @if status.height == Height::ZERO { "none yet" } @else { (time(tip.timestamp_ms)) } },
        ),
        ("State root", short(&status.state_root.to_string())),
        ("Epoch · view", html! { (status.epoch) " · " (status.view) }),
        ("Primary", validator(status.primary, Some(&tip.validators))),
        ("Waiting", html! { (count(status.mempool_transactions, "transaction")) }),
        ("Peers", html! { (status.peers) }),
        ("Version", html! { (status.version) " (" (status.build) ")" }),
    ])
}

fn block_table(tip: &Tip, blocks: &[Arc<CommittedBlock>]) -> Markup {
    if blocks.is_empty() {
        return html! { p { "No block has been committed yet: blocks are made when there are transactions." } };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th.number { "Height" } th { "Block" } th.number { "Transactions" } th { "Time" } th { "Proposer" }
                th.number { "Signatures" }
            } }
            tbody { @for committed in blocks {
                @let header = &committed.block.header;
                @let set = set_of(header.epoch, (tip.epoch, &tip.validators));
                tr {
                    td.number { (block_link(header.height)) }
                    td { (short(&committed.block.hash().to_string())) }
                    td.number { (header.transaction_count) }
                    td { (time(header.timestamp_ms)) }
                    td { (validator(header.proposer, set)) }
                    td.number { (committed.certificate.signatures.len()) }
                }
            } }
        } }
    }
}

fn validator_table(status: &Status, set: &ValidatorSet) -> Markup {
    html! {
        p {
            (count(set.validators().len(), "validator")) "; " (set.quorum().q())
            " signatures make a certificate; " (set.quorum().f()) " faulty ones are survived."
        }
        div.scroll { table {
            thead { tr { th.number { "Seat" } th { "Name" } th { "Organisation" } th { "Consensus key" } th { "Role now" } } }
            tbody { @for (index, seat) in set.indices().zip(set.validators()) { tr {
                td.number { (index) }
                td { (*seat.name) }
                td { (organisation(seat.organisation)) }
                td { (short(&seat.consensus.to_string())) }
                td {
                    @if index == status.primary { "primary " }
                    @if status.validator == Some(index) { "this node" }
                }
            } } }
        } }
    }
}

fn organisation(id: OrganisationId) -> Markup {
    short(&id.to_string())
}
