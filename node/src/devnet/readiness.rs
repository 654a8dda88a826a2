//! Asks the validators until a block can be committed.

use super::plan::Plan;
use quorate_rpc_client::{Client, ClientError, Status};
use std::time::Duration;
use tokio::sync::mpsc;

/// How often each validator is asked.
const ASK_EVERY: Duration = Duration::from_millis(100);
/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// Reports that may wait to be read.
const REPORTS_MAX: usize = 16;

/// What the asking has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Report {
    /// So many validators vote and see a quorum.
    Waiting(usize),
    /// A quorum does: the last report.
    Ready,
}

/// A client that does not wait long.
pub(super) fn client(plan: Plan, index: u16) -> Result<Client, ClientError> {
    Client::with_timeout(&plan.url(index), ANSWER_TIMEOUT)
}

/// Asks on a thread of its own until a quorum is ready or nobody reads the reports any more.
pub(super) fn watch(plan: Plan) -> std::io::Result<mpsc::Receiver<Report>> {
    let (reports, receiver) = mpsc::channel(REPORTS_MAX);
    let ask = move || {
        let clients: Vec<Client> = plan.indices().filter_map(|index| client(plan, index).ok()).collect();
        let mut last = None;
        while !reports.is_closed() {
            let ready =
                clients.iter().filter(|client| client.status().is_ok_and(|s| is_ready(&s, plan))).count();
            let report = if ready >= plan.quorum() { Report::Ready } else { Report::Waiting(ready) };
            if last.replace(report) != Some(report) && reports.blocking_send(report).is_err() {
                return;
            }
            if report == Report::Ready {
                return;
            }
            std::thread::sleep(ASK_EVERY);
        }
    };
    std::thread::Builder::new().name("readiness".into()).spawn(ask)?;
    Ok(receiver)
}

fn is_ready(status: &Status, plan: Plan) -> bool {
    status.voting && status.peers + 1 >= plan.quorum()
}
