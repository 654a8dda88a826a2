//! A connection: hands over what is due, all of it in one request, and what was refused for now once more.
//!
//! One request is under way at a time, so the lane is bounded by the node: what becomes due meanwhile waits here for
//! the next request, and its latency counts. A node that does not answer is left for the next one, which is given
//! everything of this lane that is open.

use super::network::Node;
use super::schedule::Schedule;
use super::tally::Tally;
use super::verdict::Verdict;
use super::work::LaneWork;
use quorate_rpc::MANY_MAX;
use quorate_rpc_client::{ClientError, Many};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Most bytes of a request: fewer than a node takes.
const REQUEST_BYTES_MAX: usize = 900 * 1024;
/// Longest sleep: so soon the stop signal is seen.
const SLEEP_MAX: Duration = Duration::from_millis(50);
/// After a node did not answer.
const PAUSE: Duration = Duration::from_millis(200);

/// What a lane works with.
pub(super) struct Lane<'a> {
    /// Its number.
    pub(super) number: usize,
    /// Its transactions.
    pub(super) work: &'a LaneWork,
    /// When they are due.
    pub(super) schedule: Schedule,
    /// All nodes; the lane begins with the one of its number.
    pub(super) nodes: &'a [Node],
    /// Where each transaction is.
    pub(super) tally: &'a Tally,
    /// When the run starts.
    pub(super) start: Instant,
    /// When the lane ends though it has not sent everything.
    pub(super) end: Instant,
    /// Ends it at once.
    pub(super) stop: &'a AtomicBool,
}

/// What a lane remembers.
#[derive(Default)]
struct Progress {
    /// The place of the next one that was not handed over.
    next: usize,
    /// Places to be handed over once more, and when.
    again: BTreeSet<(Instant, usize)>,
    /// Why the last refusal of each was, by transaction number.
    reasons: BTreeMap<usize, String>,
    /// Turns to other nodes.
    turns: usize,
}

impl Lane<'_> {
    /// Sends until all are taken or refused for good, or it is time to end; gives why each refused one was.
    pub(super) fn run(&self) -> BTreeMap<usize, String> {
        let mut progress = Progress::default();
        let all = self.schedule.of_lane(self.number);
        while progress.next < all || !progress.again.is_empty() {
            let now = Instant::now();
            if self.stop.load(Ordering::Relaxed) || now >= self.end {
                break;
            }
            let places = self.due(&mut progress, now);
            if places.is_empty() {
                let next = self.next_due(&progress, all);
                std::thread::sleep(next.saturating_duration_since(now).min(SLEEP_MAX));
            } else {
                self.send(&mut progress, &places);
            }
        }
        // Neither taken nor refused for good: the last word stands.
        for (_, place) in std::mem::take(&mut progress.again) {
            self.tally.refuse(self.schedule.number(self.number, place));
        }
        progress.reasons
    }

    fn node(&self, progress: &Progress) -> Option<&Node> {
        self.nodes.get((self.number + progress.turns) % self.nodes.len().max(1))
    }

    fn due_at(&self, place: usize) -> Instant {
        self.start + self.schedule.due(self.schedule.number(self.number, place))
    }

    fn next_due(&self, progress: &Progress, all: usize) -> Instant {
        let fresh = (progress.next < all).then(|| self.due_at(progress.next));
        let again = progress.again.first().map(|(when, _)| *when);
        fresh.into_iter().chain(again).min().unwrap_or(self.end)
    }

    /// What is due and fits into a request: first what was refused, then fresh ones.
    fn due(&self, progress: &mut Progress, now: Instant) -> Vec<usize> {
        let (mut places, mut bytes) = (Vec::new(), 0);
        let all = self.schedule.of_lane(self.number);
        loop {
            let again = progress.again.first().copied().filter(|(when, _)| *when <= now);
            let fresh = progress.next < all && self.due_at(progress.next) <= now;
            let place = match again {
                Some((_, place)) => place,
                None if fresh => progress.next,
                None => return places,
            };
            bytes += self.work.stretch(place..place + 1).len();
            if places.len() == MANY_MAX || (bytes > REQUEST_BYTES_MAX && !places.is_empty()) {
                return places;
            }
            match again {
                Some(entry) => drop(progress.again.remove(&entry)),
                None => progress.next += 1,
            }
            places.push(place);
        }
    }

    fn send(&self, progress: &mut Progress, places: &[usize]) {
        let Some(node) = self.node(progress) else { return };
        let mut list = (places.len() as u32).to_le_bytes().to_vec();
        for place in places {
            list.extend(self.work.stretch(*place..place + 1));
            self.tally.send(self.schedule.number(self.number, *place));
        }
        match node.client.broadcast_many(&list) {
            Ok(answer) => self.take(progress, places, &answer),
            Err(error) => self.turn(progress, places, &error),
        }
    }

    fn take(&self, progress: &mut Progress, places: &[usize], answer: &Many) {
        let now = Instant::now();
        for refused in &answer.refused {
            let Some(place) = places.get(refused.index).copied() else { continue };
            let number = self.schedule.number(self.number, place);
            match Verdict::of(&refused.error) {
                Verdict::Taken => {}
                Verdict::Again(pause) => {
                    progress.again.insert((now + pause, place));
                    progress.reasons.insert(number, refused.error.reason().to_owned());
                }
                Verdict::Final => {
                    progress.reasons.insert(number, refused.error.reason().to_owned());
                    self.tally.refuse(number);
                }
            }
        }
    }

    /// The request as a whole failed. A busy node is given time; from any other one the lane turns to the next, with
    /// all that is open: what the other had taken may be gone with it.
    fn turn(&self, progress: &mut Progress, places: &[usize], error: &ClientError) {
        let again = Instant::now() + PAUSE;
        let reason = error.reason().unwrap_or("unreachable").to_owned();
        let busy = reason == "busy";
        let open = |place: &usize| self.tally.is_open(self.schedule.number(self.number, *place));
        let places: Vec<_> = if busy { places.to_vec() } else { (0..progress.next).filter(open).collect() };
        let anew: BTreeSet<_> = places.iter().copied().collect();
        progress.again.retain(|(_, waiting)| !anew.contains(waiting));
        for place in places {
            progress.again.insert((again, place));
            progress.reasons.insert(self.schedule.number(self.number, place), reason.clone());
        }
        if !busy {
            progress.turns += 1;
            self.tally.turn();
        }
    }
}
