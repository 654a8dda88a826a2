//! The explorer: pages made by the node itself. No script, no outside asset, nothing to build.
//!
//! | file | page |
//! | --- | --- |
//! | `overview.rs` | `/explorer`: the chain, its validators, the latest blocks |
//! | `block.rs` | `/explorer/blocks/{height}`: header, certificate, result, transactions |
//! | `transaction.rs` | `/explorer/transactions/{id}`: what it did and how it ended |
//! | `account.rs` | `/explorer/accounts/{address}`: nonce and balances |
//! | `search.rs` | `/explorer/search?q=`: finds what a text names |
//! | `layout.rs` | what all pages share, the page of an error among it |
//! | `words.rs` | hashes, times and instructions as people read them |
//!
//! maud escapes whatever comes from the chain; the content security policy is the second wall.

mod account;
mod block;
mod layout;
mod overview;
mod search;
mod steps;
mod transaction;
mod words;

use crate::api::Api;
use crate::errors::ApiError;
use axum::Router;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// Only this node's own stylesheet, and forms that lead back to it.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";
const STYLE: &str = include_str!("style.css");

pub(crate) fn routes() -> Router<Api> {
    Router::new()
        .route("/", get(overview::page))
        .route("/blocks/{height}", get(block::page))
        .route("/transactions/{id}", get(transaction::page))
        .route("/accounts/{address}", get(account::page))
        .route("/search", get(search::page))
        .route("/style.css", get(style))
        .fallback(
            |uri: Uri| async move { PageError(ApiError::UnknownMethod(format!("page {}", uri.path()))) },
        )
        .layer(map_response(secure))
}

async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "max-age=300")];
    (headers, STYLE).into_response()
}

async fn secure(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// An error as a page.
struct PageError(ApiError);

impl<E: Into<ApiError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let kind = self.0.kind();
        let title = match kind.status() {
            StatusCode::NOT_FOUND => "Not found",
            status if status.is_client_error() => "That is not understood",
            _ => "That did not work",
        };
        let message = self.0.object().message().to_owned();
        (kind.status(), layout::message_page(title, &message)).into_response()
    }
}
