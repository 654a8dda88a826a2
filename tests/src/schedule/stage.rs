//! The verbs of a script: letters and time.

use super::actor::Actor;
use super::checker::Checker;
use super::executor::start_result;
use super::letter::{Letter, Which, all};
use super::setup::{STATUS_MS, Setup};
use quorate_consensus::{Input, Message, Replica};
use std::collections::BTreeMap;

/// Events after which a script is taken to run in a circle.
const EVENTS_MAX: usize = 2_000_000;

/// Nothing was committed in the time allowed; where everyone stood then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stall(pub String);

/// Validators on a stage. Seats of Byzantine ones have no machine.
pub struct Stage {
    pub(super) setup: Setup,
    pub(super) actors: BTreeMap<usize, Actor>,
    pub(super) mail: Vec<Letter>,
    pub(super) checker: Checker,
    pub(super) elapsed_ms: u64,
    /// What Byzantine validators keep saying to whom.
    pub(super) repeated: Vec<(usize, Vec<usize>, Message)>,
    repeated_at_ms: u64,
    pub(super) nonce: u64,
    story: Vec<String>,
}

impl Stage {
    /// Starts all honest validators; each has asked the others what it signed before (R47).
    #[must_use]
    pub fn new(mut setup: Setup) -> Self {
        setup.context.start_result = start_result(&setup);
        let seats = (0..setup.n()).filter(|seat| !setup.byzantine.contains(seat));
        let actors: BTreeMap<_, _> = seats.map(|seat| (seat, Actor::new(seat, &setup))).collect();
        let mut stage = Self {
            checker: Checker::new(setup.context.set.quorum().q()),
            actors,
            setup,
            mail: Vec::new(),
            elapsed_ms: 0,
            repeated: Vec::new(),
            repeated_at_ms: 0,
            nonce: 0,
            story: Vec::new(),
        };
        for seat in stage.honest() {
            stage.restart(seat);
        }
        stage.run(&all());
        stage
    }

    /// Seats of the honest.
    #[must_use]
    pub fn honest(&self) -> Vec<usize> {
        self.actors.keys().copied().collect()
    }

    pub(super) fn actor(&mut self, seat: usize) -> &mut Actor {
        self.actors.get_mut(&seat).expect("an honest seat")
    }

    /// Delivers those of these letters that are in the mail now, in order; gives how many.
    pub fn deliver(&mut self, which: &Which) -> usize {
        let (now, later) = std::mem::take(&mut self.mail).into_iter().partition(|l| which.means(l));
        self.mail = later;
        let now: Vec<Letter> = now;
        let count = now.len();
        for letter in now {
            self.arrive(letter);
        }
        count
    }

    /// Delivers these letters, and those that follow from them, until there are no more. No time passes.
    pub fn run(&mut self, which: &Which) {
        let mut events = 0;
        while let count @ 1.. = self.deliver(which) {
            events += count;
            assert!(events < EVENTS_MAX, "letters follow from letters for ever");
        }
    }

    /// These letters never arrive; gives how many.
    pub fn lose(&mut self, which: &Which) -> usize {
        let before = self.mail.len();
        self.mail.retain(|letter| !which.means(letter));
        before - self.mail.len()
    }

    /// Time passes for some: clocks that count from a start need not agree. Nothing arrives meanwhile.
    pub fn pass_for(&mut self, seats: &[usize], ms: u64) {
        let mut left = ms;
        for _ in 0..EVENTS_MAX {
            self.tick(seats);
            if left == 0 {
                return;
            }
            let step = self.next_tick(seats).map_or(left, |next| next.clamp(1, left));
            self.advance(seats, step);
            left -= step;
        }
    }

    /// Time passes for all, and these letters arrive meanwhile, each in its time.
    pub fn flow(&mut self, ms: u64, which: &Which) {
        self.flow_until(ms, which, |_| false);
    }

    /// As [`Self::flow`], until something has come about; gives whether it has.
    pub fn flow_until(&mut self, ms: u64, which: &Which, done: impl Fn(&Self) -> bool) -> bool {
        let (seats, end_ms) = (self.honest(), self.elapsed_ms + ms);
        for _ in 0..EVENTS_MAX {
            self.repeat();
            let now_ms = self.elapsed_ms;
            let due = |letter: &Letter| letter.due_ms <= now_ms && which.means(letter);
            let (now, later) = std::mem::take(&mut self.mail).into_iter().partition(due);
            self.mail = later;
            let now: Vec<Letter> = now;
            for letter in now {
                self.arrive(letter);
            }
            self.tick(&seats);
            if done(self) {
                return true;
            }
            if self.elapsed_ms >= end_ms {
                return false;
            }
            let letters = self.mail.iter().filter(|l| which.means(l)).map(|l| l.due_ms.max(now_ms + 1));
            let repeats = (!self.repeated.is_empty()).then_some(self.repeated_at_ms + STATUS_MS);
            let ticks = self.next_tick(&seats).map(|next| now_ms + next.max(1));
            let next_ms =
                letters.chain(repeats).chain(ticks).min().unwrap_or(end_ms).clamp(now_ms + 1, end_ms);
            self.elapsed_ms = next_ms;
            self.advance(&seats, next_ms - now_ms);
        }
        false
    }

    fn advance(&mut self, seats: &[usize], ms: u64) {
        seats.iter().for_each(|seat| self.actor(*seat).time_ms += ms);
    }

    fn tick(&mut self, seats: &[usize]) {
        for seat in seats {
            let due = |actor: &Actor| {
                let deadline = actor.replica.as_ref().and_then(Replica::deadline);
                deadline.is_some_and(|deadline| deadline.0 <= actor.time_ms)
            };
            if due(self.actor(*seat)) {
                self.step(*seat, Input::Tick);
            }
        }
    }

    /// Milliseconds until the next timer of these validators.
    fn next_tick(&self, seats: &[usize]) -> Option<u64> {
        let actors = seats.iter().filter_map(|seat| self.actors.get(seat));
        let next = |actor: &Actor| {
            let deadline = actor.replica.as_ref().and_then(Replica::deadline)?;
            Some(deadline.0.saturating_sub(actor.time_ms))
        };
        actors.filter_map(next).min()
    }

    /// What Byzantine validators keep saying, whenever it is time.
    fn repeat(&mut self) {
        if self.repeated_at_ms + STATUS_MS > self.elapsed_ms {
            return;
        }
        self.repeated_at_ms = self.elapsed_ms;
        for (from, to, message) in self.repeated.clone() {
            self.send(from, &to, &message);
        }
    }

    pub(super) fn up(&self) -> impl Iterator<Item = &Replica> {
        self.actors.values().filter_map(|actor| actor.replica.as_ref())
    }

    /// Delivers everything and lets so many time-outs pass: all honest validators commit a block that nobody
    /// had committed before.
    ///
    /// # Errors
    /// When they don't; says where they stand.
    pub fn progress(&mut self, timeouts: u64) -> Result<(), Stall> {
        let highest = self.up().map(|replica| replica.tip().height.0).max().unwrap_or(0);
        self.note(|| format!("healing from height {highest}"));
        if self.flow_until(timeouts * self.setup.timeout_base_ms, &all(), |stage| stage.all_at(highest + 1)) {
            return Ok(());
        }
        Err(Stall(self.describe()))
    }

    /// As [`Self::progress`], with a transaction that all honest validators hold.
    ///
    /// # Errors
    /// As [`Self::progress`].
    pub fn heal(&mut self, timeouts: u64) -> Result<(), Stall> {
        let up: Vec<_> = self.actors.values().filter(|a| a.replica.is_some()).map(|a| a.seat).collect();
        self.submit(&up);
        self.progress(timeouts)
    }

    pub(super) fn note(&mut self, text: impl FnOnce() -> String) {
        self.story.push(format!("{:>7} ms  {}", self.elapsed_ms, text()));
    }
}

impl Drop for Stage {
    /// A script that fails tells how it came to that.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}\n{}", self.story.join("\n"), self.describe());
        }
    }
}
