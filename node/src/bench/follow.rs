//! Follows the chain and sees what is committed, as a client does: by asking a node, which answers as soon as there
//! is a block.

use super::network::Node;
use super::schedule::Schedule;
use super::tally::Tally;
use super::timeline::Timeline;
use quorate_chain::{Height, TransactionId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a node is asked to wait for a block.
const WAIT: Duration = Duration::from_millis(500);
/// After a node did not answer.
const PAUSE: Duration = Duration::from_millis(50);

/// What the follower works with.
pub(super) struct Follower<'a> {
    /// All nodes: one is asked at a time, the next if it does not answer.
    pub(super) nodes: &'a [Node],
    /// The first height that may hold a transaction of the run.
    pub(super) from: Height,
    /// Which transaction an id is.
    pub(super) numbers: &'a HashMap<TransactionId, u32>,
    /// When they were due.
    pub(super) schedule: Schedule,
    /// When the run started.
    pub(super) start: Instant,
    /// Where each transaction is.
    pub(super) tally: &'a Tally,
    /// Latencies; the lock is held once a block.
    pub(super) timeline: &'a Mutex<Timeline>,
    /// Set when the run is over.
    pub(super) over: &'a AtomicBool,
}

impl Follower<'_> {
    /// Follows until the run is over; gives how many blocks held transactions of the run.
    pub(super) fn run(&self) -> u64 {
        let (mut height, mut blocks) = (self.from, 0);
        let mut nodes = self.nodes.iter().cycle();
        let Some(mut node) = nodes.next() else { return 0 };
        while !self.over.load(Ordering::Relaxed) {
            match node.client.outcomes(height, WAIT) {
                Ok(found) => {
                    let seen = Instant::now().saturating_duration_since(self.start);
                    for block in found {
                        blocks += u64::from(self.see(&block.transactions, seen));
                        height = block.height.next();
                    }
                }
                Err(_) => {
                    std::thread::sleep(PAUSE);
                    node = nodes.next().unwrap_or(node);
                }
            }
        }
        blocks
    }

    /// Whether any of them is of this run.
    fn see(&self, transactions: &[(TransactionId, bool)], seen: Duration) -> bool {
        let mut timeline = self.timeline.lock().unwrap_or_else(PoisonError::into_inner);
        let mut any = false;
        for (id, succeeded) in transactions {
            let Some(number) = self.numbers.get(id).map(|number| *number as usize) else { continue };
            any = true;
            if self.tally.commit(number, *succeeded) {
                timeline.record(self.schedule.due(number), seen);
            }
        }
        any
    }
}
