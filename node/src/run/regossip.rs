//! Gossip again. A node sends what its own clients brought until it is committed: somebody may have had no room for it
//! at first, and whatever follows it in its account waits there. What waits for long is sent by everybody: who brought
//! it may be gone.

use super::executor::Job;
use super::wire::Batch;
use quorate_chain::codec::encode;
use quorate_p2p::Network;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{MissedTickBehavior, interval};

/// How often the own clients' transactions are looked at.
const OWN_EVERY: Duration = Duration::from_secs(1);
/// How long ago they were sent.
const OWN_AFTER: Duration = Duration::from_secs(2);
/// Batches of them at once.
const OWN_BATCHES_MAX: usize = 8;
/// How often one batch of what waits for long is sent.
const EVERY: Duration = Duration::from_secs(5);
/// How long that has waited.
const AFTER: Duration = Duration::from_secs(5);

/// Goes on until the executor is gone.
pub(super) async fn run(executor: std::sync::mpsc::Sender<Job>, network: Network) {
    let [mut own, mut all] = [OWN_EVERY, EVERY].map(|every| {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks
    });
    loop {
        let batches = tokio::select! {
            _ = own.tick() => {
                let (answer, sent) = oneshot::channel();
                let asked = executor.send(Job::SentBefore(OWN_AFTER, OWN_BATCHES_MAX, answer));
                if asked.is_err() { return }
                sent.await.unwrap_or_default()
            }
            _ = all.tick() => {
                let (answer, waiting) = oneshot::channel();
                if executor.send(Job::Waiting(None, AFTER, answer)).is_err() { return }
                vec![waiting.await.unwrap_or_default()]
            }
        };
        for batch in batches.into_iter().filter_map(|batch| Batch::new(batch).ok()) {
            // The same batch may have been gossiped a little ago: then nobody lacks it.
            if let Err(error) = network.publish(encode(&batch).into()) {
                tracing::debug!(%error, "what waits was not gossiped again");
            }
        }
    }
}
