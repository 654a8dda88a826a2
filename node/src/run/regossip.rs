//! Gossip again of what waits for long: who joined meanwhile, or lost a batch, hears of it.

use super::executor::Job;
use super::wire::Batch;
use quorate_chain::codec::encode;
use quorate_p2p::Network;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

/// How often, one batch at a time.
const EVERY: Duration = Duration::from_secs(5);
/// How long a transaction waits before.
pub(super) const AFTER: Duration = Duration::from_secs(5);

/// Goes on until the executor is gone.
pub(super) async fn run(executor: std::sync::mpsc::Sender<Job>, network: Network) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let (answer, waiting) = oneshot::channel();
        if executor.send(Job::Waiting(AFTER, answer)).is_err() {
            return;
        }
        let Ok(Ok(batch)) = waiting.await.map(Batch::new) else { continue };
        // The same batch may have been gossiped a little ago: then nobody lacks it.
        if let Err(error) = network.publish(encode(&batch).into()) {
            tracing::debug!(%error, "what waits was not gossiped again");
        }
    }
}
