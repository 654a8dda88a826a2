//! What the network does to a message, for now.

use super::fault::Nodes;
use super::random::Random;

/// Longest delay of a message when nothing is wrong, milliseconds.
const DELAY_MAX_MS: u64 = 8;
/// How late the second copy of a doubled message comes at most, milliseconds.
const REPLAY_MAX_MS: u64 = 2_000;

/// What is wrong until when, and whether a message has felt it yet.
struct Condition<T> {
    what: T,
    until_ms: u64,
    kind: &'static str,
    felt: bool,
}

/// Messages from a node of the first to a node of the second are lost, and those the other way perhaps.
#[derive(Clone, Copy)]
struct Cut {
    from: Nodes,
    to: Nodes,
    both: bool,
}

impl Cut {
    const fn holds(self, from: usize, to: usize) -> bool {
        self.from >> from & self.to >> to & 1 == 1 || self.both && self.from >> to & self.to >> from & 1 == 1
    }
}

/// Conditions of the network.
#[derive(Default)]
pub(super) struct Weather {
    cuts: Vec<Condition<Cut>>,
    links: Vec<Condition<([usize; 2], u64)>>,
    lossy: Option<Condition<u64>>,
    slow: Option<Condition<u64>>,
    flaky: Option<(u64, u64)>,
    /// Kinds of conditions that were felt since they were asked for last.
    felt: Vec<&'static str>,
}

impl<T: Copy> Condition<T> {
    const fn new(what: T, until_ms: u64, kind: &'static str) -> Self {
        Self { what, until_ms, kind, felt: false }
    }

    fn feel(&mut self, felt: &mut Vec<&'static str>) -> T {
        if !std::mem::replace(&mut self.felt, true) {
            felt.push(self.kind);
        }
        self.what
    }
}

impl Weather {
    pub(super) fn cut(&mut self, (from, to): (Nodes, Nodes), both: bool, until_ms: u64, kind: &'static str) {
        self.cuts.push(Condition::new(Cut { from, to, both }, until_ms, kind));
    }

    pub(super) fn slow_link(&mut self, nodes: [usize; 2], delay_ms: u64, until_ms: u64, kind: &'static str) {
        self.links.push(Condition::new((nodes, delay_ms), until_ms, kind));
    }

    pub(super) const fn lossy(&mut self, percent: u64, until_ms: u64, kind: &'static str) {
        self.lossy = Some(Condition::new(percent, until_ms, kind));
    }

    pub(super) const fn slow(&mut self, delay_ms: u64, until_ms: u64, kind: &'static str) {
        self.slow = Some(Condition::new(delay_ms, until_ms, kind));
    }

    pub(super) const fn flaky(&mut self, permille: u64, until_ms: u64) {
        self.flaky = Some((permille, until_ms));
    }

    /// What was felt for the first time since the last call.
    pub(super) fn take_felt(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.felt)
    }

    /// Whether a process crashes now.
    pub(super) fn strikes(&self, now_ms: u64, random: &mut Random) -> bool {
        let permille = self.flaky.filter(|(_, until)| now_ms < *until).map_or(0, |(permille, _)| permille);
        permille > 0 && random.below(1_000) < permille
    }

    /// After how many milliseconds the copies of a message arrive: none, one or two.
    pub(super) fn arrivals(
        &mut self,
        now_ms: u64,
        (from, to): (usize, usize),
        random: &mut Random,
    ) -> [Option<u64>; 2] {
        self.cuts.retain(|cut| now_ms < cut.until_ms);
        self.links.retain(|link| now_ms < link.until_ms);
        let cut = self.cuts.iter_mut().find(|cut| cut.what.holds(from, to));
        if let Some(cut) = cut {
            cut.feel(&mut self.felt);
            return [None; 2];
        }
        let mut delay_ms = random.between(1, DELAY_MAX_MS);
        if let Some(slow) = self.slow.as_mut().filter(|slow| now_ms < slow.until_ms) {
            delay_ms += random.below(slow.feel(&mut self.felt));
        }
        let link = self.links.iter_mut().find(|l| l.what.0 == [from, to] || l.what.0 == [to, from]);
        if let Some(link) = link {
            delay_ms += random.below(link.feel(&mut self.felt).1);
        }
        let Some(lossy) = self.lossy.as_mut().filter(|lossy| now_ms < lossy.until_ms) else {
            return [Some(delay_ms), None];
        };
        let percent = lossy.what;
        let (lost, doubled) = (random.chance(percent), random.chance(percent));
        if lost || doubled {
            lossy.feel(&mut self.felt);
        }
        let first = Some(delay_ms).filter(|_| !lost);
        [first, doubled.then(|| delay_ms + random.below(REPLAY_MAX_MS))]
    }
}
