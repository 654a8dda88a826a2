//! What all pages share.

use maud::{DOCTYPE, Markup, html};

/// A page: head, navigation, search, `body`.
pub(super) fn page(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Quorate" }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/explorer/style.css";
            }
            body {
                header {
                    nav aria-label="Explorer" { a.brand href="/explorer" { "Quorate" } }
                    form role="search" action="/explorer/search" method="get" {
                        input type="search" name="q" required maxlength="128" autocomplete="off"
                            spellcheck="false" aria-label="Search"
                            placeholder="Height, block hash, transaction id or address";
                        button { "Search" }
                    }
                }
                main { (body) }
                footer { "Served by this node from its own ledger." }
            }
        }
    }
}

/// A page that only says something.
pub(super) fn message_page(title: &str, message: &str) -> Markup {
    page(title, &html! { h1 { (title) } p { (message) } p { a href="/explorer" { "Back to the overview" } } })
}

/// Rows of names and values.
pub(super) fn facts(rows: &[(&str, Markup)]) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in rows { div { dt { (name) } dd { (value) } } }
        }
    }
}
