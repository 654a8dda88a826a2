//! Finds what a text names.

use super::{PageError, layout};
use crate::api::Api;
use crate::errors::ApiError;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use quorate_chain::ledger::{LedgerError, Reader};
use quorate_chain::{AccountId, BlockHash, Height, TransactionId};
use serde::Deserialize;

/// Characters of the text that are repeated when nothing was found.
const SHOWN_MAX: usize = 128;

#[derive(Debug, Deserialize)]
pub(super) struct SearchQuery {
    q: String,
}

pub(super) async fn page(
    State(api): State<Api>,
    query: Result<Query<SearchQuery>, QueryRejection>,
) -> Result<Response, PageError> {
    let Query(query) = query.map_err(|error| ApiError::BadParameters(error.body_text()))?;
    let text = query.q.trim().to_owned();
    let sought = text.clone();
    match api.reads.run(move |reader| find(reader, &sought)).await? {
        Some(place) => Ok(Redirect::to(&place).into_response()),
        None => {
            let shown: String = text.chars().take(SHOWN_MAX).collect();
            let message = format!(
                "No block, transaction or account is called “{shown}”. A height is a number; hashes, \
                 transaction ids and addresses have 64 hex digits."
            );
            Ok((StatusCode::NOT_FOUND, layout::message_page("Nothing found", &message)).into_response())
        }
    }
}

/// Where to look; hashes of all kinds look alike, so each kind is tried.
fn find(reader: &Reader, text: &str) -> Result<Option<String>, ApiError> {
    if let Ok(height) = text.parse() {
        return Ok(reader.block(Height(height))?.map(|_| format!("/explorer/blocks/{height}")));
    }
    let text = text.to_ascii_lowercase();
    let Ok(block) = text.parse::<BlockHash>() else { return Ok(None) };
    if let Some(committed) = reader.block_by_hash(block)? {
        return Ok(Some(format!("/explorer/blocks/{}", committed.block.header.height)));
    }
    let transaction = match reader.transaction(TransactionId(block.0)) {
        // Then it is looked for among the accounts only.
        Err(LedgerError::NotIndexed { .. }) => None,
        found => found?,
    };
    if transaction.is_some() {
        return Ok(Some(format!("/explorer/transactions/{text}")));
    }
    let account = reader.account(AccountId(block.0))?;
    Ok(account.map(|_| format!("/explorer/accounts/{text}")))
}
