//! What a monitoring system reads, in the text format of OpenMetrics, at `/metrics`.

use crate::api::Api;
use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::fmt::Write;

pub(crate) fn routes() -> Router<Api> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(api): State<Api>) -> Response {
    let (node, tip) = (api.node(), api.status());
    let gauges: [(&str, &str, u64); 9] = [
        ("height", "Committed height.", tip.height.0),
        ("epoch", "Epoch of the next height.", node.epoch.0),
        ("view", "View that the node is in.", node.view.0),
        ("voting", "1 if the node takes part in votes.", node.voting.into()),
        ("catching_up", "1 if it lacks committed heights that it knows of.", node.catching_up.into()),
        ("halted", "1 if it has stopped taking part.", node.halted.is_some().into()),
        ("record_lost", "1 if its vote record is not whole.", node.record_lost.is_some().into()),
        ("peers", "Connected peers.", node.peers.len() as u64),
        ("mempool_transactions", "Transactions that wait for a block.", node.mempool_transactions as u64),
    ];
    let mut text = String::new();
    for (name, help, value) in gauges {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "# HELP quorate_{name} {help}\n# TYPE quorate_{name} gauge\nquorate_{name} {value}\n"
        );
    }
    text += &(api.view.metrics.0)();
    text += "# EOF\n";
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
}
