//! One block.

use super::words::{account_link, block_link, count, full, set_of, short, time, transaction_link, validator};
use super::{PageError, layout};
use crate::api::{Api, At, find_block};
use crate::rest::Segment;
use axum::extract::State;
use maud::{Markup, html};
use quorate_chain::Height;
use quorate_chain::ledger::{CommittedBlock, Reader};
use quorate_chain::receipt::ReceiptStatus;
use quorate_chain::validator::ValidatorSet;

/// Transactions on the page; the API has all of them.
const TRANSACTIONS_MAX: usize = 500;

pub(super) async fn page(State(api): State<Api>, Segment(at): Segment) -> Result<Markup, PageError> {
    let at: At = at.parse()?;
    let read = move |reader: &Reader| Ok((find_block(reader, at)?, reader.tip()));
    let (committed, tip) = api.reads.run(read).await?;
    let set = set_of(committed.block.header.epoch, (tip.epoch, &tip.validators));
    let height = committed.block.header.height;
    Ok(layout::page(
        &format!("Block {height}"),
        &html! {
            h1 { "Block " (height) }
            (neighbours(height, tip.height))
            (header(&committed, set))
            h2 { "Certificate" }
            (certificate(&committed, set))
            h2 { "Result" }
            (result(&committed))
            h2 { (count(committed.block.transactions.len(), "transaction")) }
            (transactions(&committed))
        },
    ))
}

fn neighbours(height: Height, tip: Height) -> Markup {
    html! { p.neighbours {
        @if height > Height(1) { a href={ "/explorer/blocks/" (height.previous()) } { "← Block " (height.previous()) } }
        @if height < tip { a href={ "/explorer/blocks/" (height.next()) } { "Block " (height.next()) " →" } }
        a href={ "/v1/blocks/" (height) } { "JSON" }
    } }
}

fn header(committed: &CommittedBlock, set: Option<&ValidatorSet>) -> Markup {
    let header = &committed.block.header;
    let bytes: usize = committed.block.transactions.iter().map(|t| t.bytes().len()).sum();
    layout::facts(&[
        ("Hash", full(&committed.block.hash().to_string())),
        ("Parent", full(&header.parent.to_string())),
        ("Time", time(header.timestamp_ms)),
        ("Epoch", html! { (header.epoch) }),
        ("Proposer", validator(header.proposer, set)),
        ("Transactions", html! { (header.transaction_count) " (" (count(bytes, "byte")) ")" }),
        ("Transactions root", full(&header.transactions_root.to_string())),
        ("Parent result", full(&header.parent_result.to_string())),
        ("Protocol version", html! { (header.version) }),
    ])
}

fn certificate(committed: &CommittedBlock, set: Option<&ValidatorSet>) -> Markup {
    let certificate = &committed.certificate;
    let signed = |index| certificate.signatures.iter().find(|one| one.validator == index);
    html! {
        p {
            (count(certificate.signatures.len(), "signature")) " in epoch " (certificate.epoch) ", view "
            (certificate.view)
            @if let Some(set) = set { "; " (set.quorum().q()) " make a quorum" }
            "."
            @if !committed.path.is_empty() {
                " It is the certificate of block " (block_link(certificate.height)) ", "
                (count(committed.path.len(), "header")) " above, which binds this block."
            }
        }
        @match set {
            Some(set) => ul.signers {
                @for (index, seat) in set.indices().zip(set.validators()) {
                    @match signed(index) {
                        Some(one) => li.ok {
                            "✓ " (*seat.name) " signed "
                            (short(&hex::encode(one.signature.0)))
                        },
                        None => li.warn { "– " (*seat.name) " is not among the signers" },
                    }
                }
            },
            // The set of an earlier epoch is not at hand, so nobody can be said to be missing.
            None => ul.signers {
                @for one in certificate.signatures.iter() {
                    li.ok { "✓ " (validator(one.validator, None)) " signed " (short(&hex::encode(one.signature.0))) }
                }
            },
        }
    }
}

fn result(committed: &CommittedBlock) -> Markup {
    let result = &committed.result;
    layout::facts(&[
        ("Result hash", full(&result.hash().to_string())),
        ("State root", full(&result.state_root.to_string())),
        ("Receipts root", full(&result.receipts_root.to_string())),
        ("Next validator set", full(&result.next_set_hash.to_string())),
    ])
}

fn transactions(committed: &CommittedBlock) -> Markup {
    let all = &committed.block.transactions;
    if all.is_empty() {
        return html! { p { "None: a heartbeat." } };
    }
    html! {
        div.scroll { table {
            thead { tr {
                th.number { "#" } th { "Transaction" } th { "Account" } th.number { "Nonce" } th.number { "Instructions" }
                th { "Status" }
            } }
            tbody { @for (position, transaction) in all.iter().enumerate().take(TRANSACTIONS_MAX) {
                @let body = transaction.body();
                tr {
                    td.number { (position) }
                    td { (transaction_link(transaction.id())) }
                    td { (account_link(body.account)) }
                    td.number { (body.nonce) }
                    td.number { (body.instructions.len()) }
                    td {
                        @match committed.receipts.get(position).map(|receipt| receipt.status) {
                            Some(ReceiptStatus::Success) => span.ok { "✓ success" },
                            Some(ReceiptStatus::Failed { error, .. }) => span.bad { "✗ failed: " (error) },
                            None => "not known",
                        }
                    }
                }
            } }
        } }
        @if all.len() > TRANSACTIONS_MAX {
            p { "The first " (TRANSACTIONS_MAX) " are shown; the JSON has all." }
        }
    }
}
