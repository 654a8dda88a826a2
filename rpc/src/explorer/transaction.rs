//! One transaction.

use super::steps::{event, instruction};
use super::words::{account_link, block_link, full, time};
use super::{PageError, layout};
use crate::api::{Api, not_found};
use crate::errors::ApiError;
use crate::rest::{Segment, parse_id};
use axum::extract::State;
use maud::{Markup, html};
use quorate_chain::ledger::{Reader, TransactionRecord};
use quorate_chain::receipt::ReceiptStatus;
use quorate_chain::{Height, TimestampMs, TransactionId};

pub(super) async fn page(State(api): State<Api>, Segment(id): Segment) -> Result<Markup, PageError> {
    let id: TransactionId = parse_id("id", &id)?;
    let (record, at) = api.reads.run(move |reader| find(reader, id)).await?;
    Ok(layout::page(
        "Transaction",
        &html! {
            h1 { "Transaction" }
            (status(&record))
            (origin(&record, at))
            h2 { "What it asked for" }
            ol.steps start="0" {
                @for step in record.transaction.body().instructions.iter() {
                    li { (instruction(record.transaction.body().actor(step), &step.instruction)) }
                }
            }
            h2 { "What it did" }
            (events(&record))
            p.neighbours { a href={ "/v1/transactions/" (id) } { "JSON" } }
        },
    ))
}

/// The transaction and the time of its block.
fn find(reader: &Reader, id: TransactionId) -> Result<(TransactionRecord, Option<TimestampMs>), ApiError> {
    let record =
        reader.transaction(id)?.ok_or_else(|| not_found(reader, format!("committed transaction {id}")))?;
    let at = reader.block(record.height)?.map(|committed| committed.block.header.timestamp_ms);
    Ok((record, at))
}

fn status(record: &TransactionRecord) -> Markup {
    match record.receipt.status {
        ReceiptStatus::Success => html! { p.badge.ok { "✓ Success: every instruction took effect." } },
        ReceiptStatus::Failed { instruction, error } => html! {
            p.badge.bad {
                "✗ Failed at instruction " (instruction) ": " (error) ". None took effect; the nonce is used."
            }
        },
    }
}

fn origin(record: &TransactionRecord, at: Option<TimestampMs>) -> Markup {
    let (transaction, body) = (&record.transaction, record.transaction.body());
    let until = match body.valid_until {
        Height::ZERO => html! { "no limit" },
        height => html! { "height " (height) },
    };
    let mut rows = vec![
        ("Id", full(&transaction.id().to_string())),
        ("Block", html! { (block_link(record.height)) ", position " (record.index) }),
        ("Account", account_link(body.account)),
        ("Nonce", html! { (body.nonce) }),
        ("Valid until", until),
        ("Signed by", html! { @for key in transaction.signers() { div { (full(&key.to_string())) } } }),
        ("Size", html! { (transaction.bytes().len()) " bytes" }),
    ];
    if let Some(at) = at {
        rows.insert(2, ("Time", time(at)));
    }
    if let Some(sponsor) = body.sponsor {
        rows.push(("Paid by", account_link(sponsor)));
    }
    layout::facts(&rows)
}

fn events(record: &TransactionRecord) -> Markup {
    if record.receipt.events.is_empty() {
        return html! { p { "Nothing but using its nonce." } };
    }
    html! { ul.steps { @for one in record.receipt.events.iter() { li { (event(one)) } } } }
}
