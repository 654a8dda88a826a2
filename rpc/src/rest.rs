//! The calls as REST resources under `/v1`.

use crate::api::{Api, At};
use crate::errors::ApiError;
use crate::shapes::{
    AccountView, BlockView, CommitView, Health, HealthStatus, Status, TransactionAnswer, Validators,
};
use crate::submission;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use quorate_chain::Height;
use serde::Deserialize;
use std::str::FromStr;
use std::time::Duration;

pub(crate) fn routes(body_bytes_max: usize) -> Router<Api> {
    let submit = move |api: State<Api>, mode: Result<Query<SubmitQuery>, QueryRejection>, body| {
        submit(api, mode, body, body_bytes_max)
    };
    let submit_many = move |api: State<Api>, body| submit_many(api, body, body_bytes_max);
    Router::new()
        .route("/health", get(health))
        .route("/status", get(status))
        .route("/genesis", get(genesis))
        .route("/validators", get(validators))
        .route("/blocks/{height}", get(block))
        .route("/commits/{height}", get(commit))
        .route("/transactions", post(submit))
        .route("/transactions/batch", post(submit_many))
        .route("/transactions/{id}", get(transaction))
        .route("/outcomes", get(outcomes))
        .route("/accounts/{address}", get(account))
}

async fn health(State(api): State<Api>) -> (StatusCode, Json<Health>) {
    let health = api.health();
    let halted = health.status == HealthStatus::Halted;
    (if halted { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, Json(health))
}

async fn status(State(api): State<Api>) -> Json<Status> {
    Json(api.status())
}

async fn genesis(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], api.view.genesis_json.to_string()).into_response()
}

async fn validators(State(api): State<Api>) -> Json<Validators> {
    Json(api.validators())
}

/// A piece of the path. Bytes that are no text are refused in the form that all errors have.
pub(crate) struct Segment(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(text)| Self(text)).map_err(|error| ApiError::BadParameters(error.body_text()))
    }
}

async fn block(State(api): State<Api>, Segment(at): Segment) -> Result<Json<BlockView>, ApiError> {
    api.block(at.parse::<At>()?).await.map(Json)
}

async fn commit(State(api): State<Api>, Segment(at): Segment) -> Result<Json<CommitView>, ApiError> {
    api.commit(at.parse::<At>()?).await.map(Json)
}

async fn transaction(
    State(api): State<Api>,
    Segment(id): Segment,
) -> Result<Json<TransactionAnswer>, ApiError> {
    api.transaction(parse_id("id", &id)?).await.map(Json)
}

async fn account(State(api): State<Api>, Segment(address): Segment) -> Result<Json<AccountView>, ApiError> {
    api.account(parse_id("address", &address)?).await.map(Json)
}

pub(crate) fn parse_id<T: FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<T, ApiError> {
    text.parse().map_err(|error| ApiError::BadParameters(format!("{name}: {error}")))
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Async,
    #[default]
    Sync,
    Commit,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmitQuery {
    #[serde(default)]
    mode: Mode,
}

/// The body is the transaction's bytes.
async fn submit(
    State(api): State<Api>,
    query: Result<Query<SubmitQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
    body_bytes_max: usize,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::BadParameters(error.body_text()))?;
    let bytes = body.map_err(|rejection| read_error(&rejection, body_bytes_max))?;
    let transaction = submission::from_bytes(&bytes)?;
    Ok(match query.mode {
        Mode::Async => (StatusCode::ACCEPTED, Json(api.broadcast_async(transaction)?)).into_response(),
        Mode::Sync => (StatusCode::ACCEPTED, Json(api.broadcast_sync(transaction).await?)).into_response(),
        Mode::Commit => Json(api.broadcast_commit(transaction).await?).into_response(),
    })
}

/// The body is a borsh list of transactions' bytes.
async fn submit_many(
    State(api): State<Api>,
    body: Result<Bytes, BytesRejection>,
    body_bytes_max: usize,
) -> Result<Response, ApiError> {
    let bytes = body.map_err(|rejection| read_error(&rejection, body_bytes_max))?;
    Ok((StatusCode::ACCEPTED, Json(api.broadcast_many(&bytes).await?)).into_response())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OutcomesQuery {
    from: Height,
    #[serde(default)]
    wait_ms: u64,
}

async fn outcomes(
    State(api): State<Api>,
    query: Result<Query<OutcomesQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query.map_err(|error| ApiError::BadParameters(error.body_text()))?;
    let bytes = api.outcomes(query.from, Duration::from_millis(query.wait_ms)).await?;
    Ok(([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// A body that could not be read: too long, or the client went away.
pub(crate) fn read_error(rejection: &BytesRejection, body_bytes_max: usize) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        ApiError::BodyTooLarge(body_bytes_max)
    } else {
        ApiError::BadParameters("the body was cut short".to_owned())
    }
}
