//! One account.

use super::steps::{role_names, state};
use super::words::{block_link, full};
use super::{PageError, layout};
use crate::api::Api;
use crate::rest::{Segment, parse_id};
use crate::shapes::AccountView;
use axum::extract::State;
use maud::{Markup, html};
use quorate_chain::{AssetId, Height};

pub(super) async fn page(State(api): State<Api>, Segment(address): Segment) -> Result<Markup, PageError> {
    let account = api.account(parse_id("address", &address)?).await?;
    Ok(layout::page(
        "Account",
        &html! {
            h1 { "Account" }
            (facts(&account))
            h2 { "Balances" }
            (balances(&account))
            p.neighbours { a href={ "/v1/accounts/" (account.address) } { "JSON" } }
        },
    ))
}

fn facts(account: &AccountView) -> Markup {
    let mut rows = vec![
        ("Address", full(&account.address.to_string())),
        ("Status", html! { (state(account.status)) }),
        ("Roles", html! { (role_names(account.roles)) }),
        ("Keys", keys(account)),
        ("May spend", html! { (account.quota.work_left) " work units" }),
        ("Pays for", html! { (account.quota.state_bytes) " bytes of state" }),
        ("Next nonce", html! { (account.nonce) }),
        (
            "As of",
            match account.height {
                Height::ZERO => html! { "genesis" },
                height => html! { "block " (block_link(height)) },
            },
        ),
    ];
    if let Some(organisation) = account.organisation {
        rows.push(("Organisation", full(&organisation.to_string())));
    }
    layout::facts(&rows)
}

fn keys(account: &AccountView) -> Markup {
    if account.keys.is_empty() {
        return html! { "the one that it is named after" };
    }
    html! {
        "a weight of " (account.threshold) " of"
        @for key in &account.keys { div { (full(&key.key.to_string())) ", weight " (key.weight) } }
    }
}

fn balances(account: &AccountView) -> Markup {
    if account.balances.is_empty() {
        return html! { p { "It holds nothing." } };
    }
    html! {
        div.scroll { table {
            thead { tr { th { "Asset" } th.number { "Amount" } } }
            tbody { @for balance in &account.balances { tr {
                td { @if balance.asset == AssetId::NATIVE { "native" } @else { (full(&balance.asset.to_string())) } }
                td.number { (balance.amount) @if balance.frozen { " (frozen)" } }
            } } }
        } }
    }
}
