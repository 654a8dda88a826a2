//! What every request passes first: its size, the load, its time.

use crate::config::ServerConfig;
use crate::errors::ApiError;
use crate::json_rpc;
use crate::rejection::Rejection;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Limits on all requests together and on each.
#[derive(Debug)]
pub(crate) struct Guard {
    places: Semaphore,
    body_bytes_max: usize,
    timeout: Duration,
}

impl Guard {
    pub(crate) fn new(config: &ServerConfig) -> Self {
        Self {
            places: Semaphore::new(config.requests_max),
            body_bytes_max: config.body_bytes_max,
            timeout: config.request_timeout,
        }
    }

    /// A body that says it is too long is refused before a byte of it is read; one that does not say is cut
    /// off by the extractors at the same length.
    fn is_too_long(&self, request: &Request) -> bool {
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let length =
            announced.and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<u64>().ok());
        length.is_some_and(|length| length > self.body_bytes_max as u64)
    }
}

pub(crate) async fn pass(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    // What refuses a call must look like an answer to one.
    let refuse = match request.uri().path() {
        "/" => |error: &ApiError| json_rpc::refuse(error),
        _ => |error: &ApiError| error.clone().into_response(),
    };
    if guard.is_too_long(&request) {
        return refuse(&ApiError::BodyTooLarge(guard.body_bytes_max));
    }
    let Ok(_place) = guard.places.try_acquire() else {
        return refuse(&Rejection::Busy.into());
    };
    let answer = tokio::time::timeout(guard.timeout, next.run(request)).await;
    answer.unwrap_or_else(|_| refuse(&ApiError::Timeout))
}

/// A panic ends its own request only, and says nothing to the client.
pub(crate) fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of an unknown kind"), "a request panicked");
    ApiError::Internal.into_response()
}
