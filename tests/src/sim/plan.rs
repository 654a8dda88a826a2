//! Which faults happen when, and how the validator set changes; all from the seed.

use super::byzantine::Kind;
use super::fault::Fault;
use super::gap::{Gap, Trap};
use super::liveness::{ROUNDS, SKEW_MAX_MS};
use super::random::Random;
use super::roster::SetChangePlan;
use super::settings::TIMEOUT_BASE_MS;
use serde::{Deserialize, Serialize};

/// How wrong a clock is.
const HOUR_MS: i64 = 3_600_000;
/// How much too fast or too slow a clock is at most, millionths.
const DRIFT_MAX: u64 = 10_000;
/// Percent of the runs that have liars.
const LIARS_PERCENT: u64 = 50;
/// Percent of those in which as many lie as may.
const ALL_LIE_PERCENT: u64 = 70;
/// Percent of the others that may be faulty and are.
const LOST_PERCENT: u64 = 60;
/// Every run gets so high, however few transactions wait: the last set change is below it.
pub(super) const LAST_CHANGE_MAX: u64 = 26;

/// What happens in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// When which fault begins, ascending.
    pub faults: Vec<(u64, Fault)>,
    /// Which messages of which view reach whom.
    pub gaps: Vec<Gap>,
    /// Which processes end with what they send.
    pub traps: Vec<Trap>,
    /// A node whose NewViews lie; it counts among the faulty ones.
    pub liar: Option<usize>,
    /// Whether a client goes on asking the same node.
    pub loyal: bool,
    /// What each message takes longer than usual, also after healing, milliseconds.
    pub latency_ms: u64,
    /// Transactions that clients submit while there are faults, if not the usual number.
    pub transactions: Option<usize>,
    /// Nodes that are off from the start to the end; at most f for a run that must succeed.
    pub silent: Vec<usize>,
    /// Validators that lie, and how.
    pub byzantine: Vec<(usize, Kind)>,
    /// Whether twins both hear everybody and are heard; if not, each is in touch with one half.
    pub whole_twins: bool,
    /// What each node's wall clock is ahead, milliseconds; 0 where left out.
    pub skew_ms: Vec<i64>,
    /// How much faster each node's clocks run, millionths; 0 where left out.
    pub drift: Vec<i64>,
    /// When the faults end.
    pub heal_ms: u64,
    /// Whether a node's votes and blocks wait for one disk, or each for its own.
    pub one_disk: bool,
    /// How the validator set changes, ascending by height.
    pub changes: Vec<SetChangePlan>,
    /// Nodes beside the first validators: they follow from the start, and may get a seat.
    pub spares: usize,
}

impl Plan {
    /// What a view takes at least: the first time-out, or the rounds of a slow network, milliseconds.
    #[must_use]
    pub const fn base_ms(&self) -> u64 {
        TIMEOUT_BASE_MS + ROUNDS * self.latency_ms
    }

    /// Whether some clock is so wrong that honest primaries may be unfit (R6), also after healing.
    #[must_use]
    pub fn is_skewed(&self) -> bool {
        self.skew_ms.iter().any(|skew| skew.abs() > SKEW_MAX_MS)
    }

    /// A plan for `n` validators of which at most `f` are faulty.
    #[must_use]
    pub fn random(random: &mut Random, n: usize, f: usize) -> Self {
        let heal_ms = random.between(4_000, 12_000);
        let mut plan = Self { heal_ms, one_disk: random.chance(50), ..Self::default() };
        if random.chance(35) {
            plan.add_changes(random, n);
        }
        let nodes = n + plan.spares;
        // A smaller set bears fewer.
        plan.add_faulty(random, n, f.min(plan.least_f(n)));
        plan.add_clocks(random, nodes, f);
        let first = random.below(Fault::SURE as u64) as usize;
        let sure = (first..first + 3).map(|kind| kind % Fault::SURE);
        let mut faults: Vec<_> = sure
            .map(|kind| (random.between(50, heal_ms - 2_500), Fault::sure(random, nodes, kind)))
            .collect();
        for _ in 0..random.between(0, 11) {
            faults.push((random.between(50, heal_ms - 1_000), Fault::random(random, nodes)));
        }
        plan.faults.extend(faults);
        plan.faults.sort_by_key(|(at, _)| *at);
        plan
    }

    /// Validators that lie in half of the runs, and nodes that are silent or lose their disk: at most `f` together.
    fn add_faulty(&mut self, random: &mut Random, n: usize, f: usize) {
        let mut nodes: Vec<usize> = (0..n + self.spares).collect();
        let mut left = f;
        if random.chance(LIARS_PERCENT) {
            // With all of them the others need each other.
            let count = if random.chance(ALL_LIE_PERCENT) { f } else { random.between(1, f as u64) as usize };
            for _ in 0..count {
                let node = nodes.swap_remove(random.below(nodes.len() as u64) as usize);
                let kind = Kind::ALL[random.below(Kind::ALL.len() as u64) as usize];
                self.byzantine.push((node, kind));
            }
            left -= count;
        }
        nodes.retain(|node| *node < n);
        for _ in 0..left.min(nodes.len()) {
            let node = nodes.swap_remove(random.below(nodes.len() as u64) as usize);
            if random.chance(LOST_PERCENT) {
                self.lose(random, node);
            }
        }
    }

    /// A node is silent, or loses its disk.
    fn lose(&mut self, random: &mut Random, node: usize) {
        let at = random.between(500, self.heal_ms - 1_000);
        let down_ms = random.between(10, 900);
        let fault = match random.below(5) {
            0 => return self.silent.push(node),
            1 => Fault::LostChain { node, down_ms },
            2 => Fault::Wipe { node, down_ms },
            3 => Fault::BitFlip { node, wiped: random.chance(50), down_ms },
            _ => {
                let copied = random.between(100, at - 100);
                self.faults.push((copied, Fault::Backup { node }));
                Fault::OldDisk { node, down_ms }
            }
        };
        self.faults.push((at, fault));
    }

    fn add_clocks(&mut self, random: &mut Random, nodes: usize, f: usize) {
        self.skew_ms = (0..nodes).map(|_| random.below(40) as i64).collect();
        if random.chance(30) {
            for _ in 0..random.between(1, f as u64 + 1) {
                let node = random.below(nodes as u64) as usize;
                self.skew_ms[node] = HOUR_MS - 2 * HOUR_MS * random.below(2) as i64;
            }
        }
        if random.chance(30) {
            let drift = |random: &mut Random| random.below(2 * DRIFT_MAX + 1) as i64 - DRIFT_MAX as i64;
            self.drift = (0..nodes).map(|_| drift(random)).collect();
        }
    }

    /// One to three changes: each rotates a key, removes a validator or adds one, or several of these.
    pub(super) fn add_changes(&mut self, random: &mut Random, n: usize) {
        let count = random.between(1, 3);
        let mut seated: Vec<usize> = (0..n).collect();
        let mut height = 0;
        for left in (0..count).rev() {
            height = random.between(height + 2, LAST_CHANGE_MAX - 3 * left);
            let kinds = random.between(1, 7);
            let mut change = SetChangePlan { height, ..SetChangePlan::default() };
            if kinds & 1 == 1 {
                change.rotated = Some(seated[random.below(seated.len() as u64) as usize]);
            }
            // Four at least, so that one may fail.
            if kinds & 2 == 2 && (seated.len() > 4 || kinds & 4 == 4) {
                let removed = seated.remove(random.below(seated.len() as u64) as usize);
                change.removed = Some(removed);
            }
            if kinds & 4 == 4 || change.rotated.is_none() && change.removed.is_none() {
                change.added = Some(n + self.spares);
                seated.push(n + self.spares);
                self.spares += 1;
            }
            if change.rotated == change.removed {
                change.rotated = None;
            }
            self.changes.push(change);
        }
    }
}
