//! JSON-RPC 2.0 over HTTP POST.
//!
//! jsonrpsee holds the table of methods, so that other transports can share it; reading requests is done
//! here, because its HTTP server answers what it cannot read in forms of its own (text for a wrong content
//! type, 500 for an overlong body of unknown length) and with codes that no table of ours has.

use crate::api::{Api, At};
use crate::config::ServerConfig;
use crate::errors::ApiError;
use crate::rest::read_error;
use crate::submission;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jsonrpsee::core::RegisterMethodError;
use jsonrpsee::core::server::{MethodCallback, MethodResponse};
use jsonrpsee::types::error::OVERSIZED_RESPONSE_CODE;
use jsonrpsee::types::{Id, InvalidRequest, Notification, Params, Request};
use jsonrpsee::{ConnectionId, Extensions, RpcModule};
use quorate_chain::{AccountId, TransactionId};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::value::RawValue;

/// The methods and the limits on calling them; a clone shares the methods.
#[derive(Clone, Debug)]
pub(crate) struct JsonRpc {
    module: RpcModule<Api>,
    body_bytes_max: usize,
    batch_max: usize,
    response_bytes_max: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AtParameters {
    #[serde(default)]
    height: At,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IdParameters {
    id: TransactionId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressParameters {
    address: AccountId,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubmitParameters {
    tx: String,
}

/// Parameters by name (an object), by position (an array, in the order of the fields) or none.
fn parse<T: DeserializeOwned>(params: &Params<'_>) -> Result<T, ApiError> {
    let text = params.as_str().unwrap_or("{}");
    serde_json::from_str(text).map_err(|error| {
        // The position in the text says nothing to who sees only the parameters.
        let message = error.to_string();
        let message = message.split(" at line ").next().unwrap_or("malformed");
        ApiError::BadParameters(message.to_owned())
    })
}

fn methods(api: Api) -> Result<RpcModule<Api>, RegisterMethodError> {
    let mut module = RpcModule::new(api);
    register_reads(&mut module)?;
    register_submissions(&mut module)?;
    Ok(module)
}

fn register_reads(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_async_method("health", |params, api, _| async move {
        parse::<NoParameters>(&params).map(|_| api.health())
    })?;
    module.register_async_method("status", |params, api, _| async move {
        parse::<NoParameters>(&params).map(|_| api.status())
    })?;
    module.register_async_method("genesis", |params, api, _| async move {
        parse::<NoParameters>(&params).map(|_| api.genesis())
    })?;
    module.register_async_method("validators", |params, api, _| async move {
        parse::<NoParameters>(&params).map(|_| api.validators())
    })?;
    module.register_async_method("block", |params, api, _| async move {
        api.block(parse::<AtParameters>(&params)?.height).await
    })?;
    module.register_async_method("commit", |params, api, _| async move {
        api.commit(parse::<AtParameters>(&params)?.height).await
    })?;
    module.register_async_method("tx", |params, api, _| async move {
        api.transaction(parse::<IdParameters>(&params)?.id).await
    })?;
    module.register_async_method("account", |params, api, _| async move {
        api.account(parse::<AddressParameters>(&params)?.address).await
    })?;
    Ok(())
}

fn register_submissions(module: &mut RpcModule<Api>) -> Result<(), RegisterMethodError> {
    module.register_async_method("broadcast_tx_async", |params, api, _| async move {
        api.broadcast_async(submission::from_hex(&parse::<SubmitParameters>(&params)?.tx)?)
    })?;
    module.register_async_method("broadcast_tx_sync", |params, api, _| async move {
        api.broadcast_sync(submission::from_hex(&parse::<SubmitParameters>(&params)?.tx)?).await
    })?;
    module.register_async_method("broadcast_tx_commit", |params, api, _| async move {
        api.broadcast_commit(submission::from_hex(&parse::<SubmitParameters>(&params)?.tx)?).await
    })?;
    Ok(())
}

impl JsonRpc {
    /// # Errors
    /// When two methods have one name.
    pub(crate) fn new(config: &ServerConfig, api: Api) -> Result<Self, RegisterMethodError> {
        Ok(Self {
            module: methods(api)?,
            body_bytes_max: config.body_bytes_max,
            batch_max: config.batch_max,
            response_bytes_max: config.response_bytes_max,
        })
    }

    /// The answer to one request object; `None` to a notification, which is not acted on: who wants no
    /// answer calls `broadcast_tx_async`.
    async fn one(&self, text: &str) -> Option<MethodResponse> {
        match serde_json::from_str::<Request<'_>>(text) {
            Ok(request) => Some(self.call(request).await),
            Err(_) if is_notification(text) => None,
            Err(_) => Some(unreadable(text)),
        }
    }

    async fn call(&self, request: Request<'_>) -> MethodResponse {
        let (id, max) = (request.id.clone().into_owned(), self.response_bytes_max);
        let Some(MethodCallback::Async(callback)) = self.module.method(&request.method) else {
            let method: String = request.method.chars().take(64).collect();
            return MethodResponse::error(id, ApiError::UnknownMethod(format!("method {method:?}")));
        };
        let params = Params::new(request.params.as_deref().map(RawValue::get)).into_owned();
        let answer = callback(id.clone(), params, ConnectionId(0), max, Extensions::new()).await;
        if answer.as_error_code() == Some(OVERSIZED_RESPONSE_CODE) {
            return MethodResponse::error(id, ApiError::ResponseTooLarge(max));
        }
        answer
    }

    /// One call after the other, in their order.
    async fn batch(&self, calls: Vec<&RawValue>) -> Result<Option<String>, ApiError> {
        if calls.is_empty() {
            return Err(ApiError::InvalidRequest);
        }
        if calls.len() > self.batch_max {
            return Err(ApiError::BatchTooLarge(self.batch_max));
        }
        let mut answers = String::new();
        for call in calls {
            let Some(answer) = self.one(call.get()).await else { continue };
            let answer = answer.as_json().get();
            if answers.len() + answer.len() > self.response_bytes_max {
                return Err(ApiError::ResponseTooLarge(self.response_bytes_max));
            }
            answers.push(if answers.is_empty() { '[' } else { ',' });
            answers.push_str(answer);
        }
        let some = !answers.is_empty();
        answers.push(']');
        Ok(some.then_some(answers))
    }
}

fn is_notification(text: &str) -> bool {
    serde_json::from_str::<InvalidRequest<'_>>(text).is_err()
        && serde_json::from_str::<Notification<'_, Option<IgnoredAny>>>(text).is_ok()
}

/// JSON or not, with an id or without.
fn unreadable(text: &str) -> MethodResponse {
    if serde_json::from_str::<IgnoredAny>(text).is_err() {
        return MethodResponse::error(Id::Null, ApiError::Parse);
    }
    let id = serde_json::from_str::<InvalidRequest<'_>>(text).map_or(Id::Null, |request| request.id);
    MethodResponse::error(id, ApiError::InvalidRequest)
}

/// POST to `/`.
pub(crate) async fn handle(
    State(json_rpc): State<JsonRpc>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    if !is_json(&headers) {
        return refuse(&ApiError::UnsupportedMediaType);
    }
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return refuse(&read_error(&rejection, json_rpc.body_bytes_max)),
    };
    let Ok(text) = std::str::from_utf8(&body) else {
        return refuse(&ApiError::Parse);
    };
    if text.trim_ascii_start().starts_with('[') {
        let Ok(calls) = serde_json::from_str::<Vec<&RawValue>>(text) else {
            return refuse(&ApiError::Parse);
        };
        return match json_rpc.batch(calls).await {
            Ok(Some(answers)) => answer(StatusCode::OK, answers),
            Ok(None) => StatusCode::NO_CONTENT.into_response(),
            Err(error) => refuse(&error),
        };
    }
    match json_rpc.one(text).await {
        Some(response) => {
            let unread = [ApiError::Parse, ApiError::InvalidRequest].map(|e| Some(e.kind().code()));
            let read = !unread.contains(&response.as_error_code());
            let status = if read { StatusCode::OK } else { StatusCode::BAD_REQUEST };
            answer(status, response.as_json().get().to_owned())
        }
        None => StatusCode::NO_CONTENT.into_response(),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    declared.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case("application/json")
}

/// One answer to the whole HTTP request.
pub(crate) fn refuse(error: &ApiError) -> Response {
    let object = MethodResponse::error(Id::Null, error.object());
    answer(error.kind().status(), object.as_json().get().to_owned())
}

fn answer(status: StatusCode, json: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], json).into_response()
}
