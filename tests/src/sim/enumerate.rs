//! Twins by enumeration (Twins, Bano et al., OPODIS'21): every way in which two small sets of nodes can be parted,
//! view after view, while one of four validators runs its key on two nodes.
//!
//! ```text
//!   index ─► whose key is doubled × for each of three views: what of it is parted, and who is on which side
//!   seed  ─► index (modulo their number), and what an index leaves open: depths, delays, transactions
//! ```
//!
//! Who leads a view follows from its number, so the leaders are enumerated by the place of the doubled validator: it
//! leads the first, second or third view, or the one in which all are together again. The two sides follow the views,
//! not the clock (`gap.rs`), and no view goes on beyond a few heights: so each of the three is come to in nearly every
//! run. Asks, statuses and transactions are not parted: they move the views, as the paper's rounds move by themselves.
//!
//! Twins are honest each by itself, and both in touch with all of their side. Which of them is heard follows from the
//! sides: one that shares its side with nobody is not. What is the same but for the names of the twins, or of sides, is
//! there once; and so is a partition in which neither side has a quorum, wherever it runs.

use super::byzantine::Kind;
use super::fault::{Nodes, all_nodes};
use super::gap::{BODY, CHAIN, COMMIT, Gap, Kinds, NEW_VIEW, PREPARE, PROPOSAL, VIEW_CHANGE};
use super::plan::Plan;
use super::random::Random;
use super::scenario::Scenario;
use std::sync::LazyLock;

/// Validators.
const REPLICAS: usize = 4;
/// Heights in flight.
const WINDOW: u64 = 4;
/// Views that are parted.
const VIEWS: usize = 3;
/// The most heights above its lowest that a view comes to.
const DEPTH_MAX: u64 = 3;

/// What of a view is parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Stage {
    /// All of it, from the view change on.
    Whole,
    /// Prepares, and then nobody hears of a Commit.
    Prepares,
    /// Commits, and who has heard of them.
    Commits,
}

/// Who is apart from the first of the three with one node, a bit each: the second, the third, the twins.
type Apart = u8;
const SECOND: Apart = 1;
const THIRD: Apart = 1 << 1;
const TWIN: Apart = 1 << 2;
const OTHER_TWIN: Apart = 1 << 3;
const ALL: Apart = SECOND | THIRD | TWIN | OTHER_TWIN;

/// How one view is parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Cut {
    stage: Stage,
    apart: Apart,
}

impl Cut {
    /// All are together.
    const NONE: Self = Self { stage: Stage::Whole, apart: 0 };

    /// The one that stands for it, if another one comes to the same.
    const fn normal(self) -> Self {
        const NOBODY: Apart = TWIN | OTHER_TWIN | SECOND;
        match (self.stage, self.apart) {
            (Stage::Commits, 0) => Self::NONE,
            (Stage::Commits, _) if self.is_without_quorum() => Self { apart: NOBODY, ..self },
            // All are prepared and nobody hears of a Commit.
            (Stage::Prepares, 0) => Self { stage: Stage::Commits, apart: NOBODY },
            // Nobody is prepared.
            (Stage::Whole | Stage::Prepares, _) if self.is_without_quorum() => {
                Self { stage: Stage::Whole, apart: NOBODY }
            }
            _ => self,
        }
    }

    /// Whether neither side has three validators.
    const fn is_without_quorum(self) -> bool {
        const FIRST_ALONE: Apart = SECOND | THIRD;
        let both = TWIN | OTHER_TWIN;
        match self.apart & FIRST_ALONE {
            0 => false,
            // The twins are with the one that is alone.
            FIRST_ALONE => self.apart & both == 0,
            _ => self.apart & both == both,
        }
    }

    /// Whether the twins are apart, and then whether it is the other one that is with the first.
    const fn twins(self) -> Option<bool> {
        match (self.apart & TWIN != 0, self.apart & OTHER_TWIN != 0) {
            (apart, other) if apart == other => None,
            (apart, _) => Some(apart),
        }
    }

    /// With the names of the twins exchanged.
    const fn exchanged(self) -> Self {
        let both = TWIN | OTHER_TWIN;
        let apart = if self.twins().is_some() { self.apart ^ both } else { self.apart };
        Self { apart, ..self }
    }
}

/// How the views are parted, one after the other.
type Path = [Cut; VIEWS];

/// The one that stands for all that are the same but for names.
fn normal(path: Path) -> Path {
    let path = path.map(Cut::normal);
    let other_first = path.into_iter().find_map(Cut::twins).unwrap_or(false);
    if other_first { path.map(Cut::exchanged) } else { path }
}

/// All that are not the same but for names, in order.
static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
    let stages = [Stage::Whole, Stage::Prepares, Stage::Commits];
    let cuts = stages.into_iter().flat_map(|stage| (0..=ALL).map(move |apart| Cut { stage, apart }));
    let cuts: Vec<_> = cuts.filter(|cut| cut.normal() == *cut).collect();
    let mut paths = vec![[Cut::NONE; VIEWS]];
    for view in 0..VIEWS {
        let with = |cut: Cut, mut path: Path| {
            path[view] = cut;
            path
        };
        paths = paths.into_iter().flat_map(|path| cuts.iter().map(move |cut| with(*cut, path))).collect();
    }
    paths.retain(|path| normal(*path) == *path);
    paths
});

/// How many plans there are.
fn count() -> u64 {
    (REPLICAS * PATHS.len()) as u64
}

/// Whose key is doubled, and how the views are parted.
fn decode(index: u64) -> (usize, Path) {
    let index = index as usize;
    (index % REPLICAS, PATHS[index / REPLICAS % PATHS.len()])
}

/// What there is to know of a scenario whose seeds are numbers of plans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enumeration {
    /// How many plans there are: 0 to this are all; then they come again, with other delays.
    pub plans: u64,
    /// Validators.
    pub replicas: usize,
    /// Heights in flight.
    pub window: u64,
}

impl Scenario {
    /// What its seeds go over, if they are numbers of plans.
    #[must_use]
    pub fn enumeration(&self) -> Option<Enumeration> {
        let all = || Enumeration { plans: count(), replicas: REPLICAS, window: WINDOW };
        (self.name == scenario().name).then(all)
    }
}

/// The scenario of these plans.
pub(super) const fn scenario() -> Scenario {
    Scenario { name: "twins-enumerated", about: "one key on two nodes, every partition of three views", plan }
}

/// The plan whose number the stream was seeded with. More validators than four are where others of these are.
fn plan(random: &mut Random, n: usize, _: usize) -> Plan {
    let (twinned, path) = decode(random.seed() % count());
    let mut plan = Plan {
        byzantine: vec![(twinned, Kind::Twins)],
        whole_twins: true,
        heal_ms: random.between(2_400, 3_200),
        transactions: Some(random.between(12, 24) as usize),
        one_disk: random.chance(50),
        ..Plan::default()
    };
    for (view, cut) in path.into_iter().enumerate() {
        plan.part(random, n, view as u64, (twinned, cut));
    }
    plan
}

/// Who is apart, of `n` nodes and the second one of the twins.
fn nodes_apart(n: usize, twinned: usize, apart: Apart) -> Nodes {
    let place = |node: usize| match (node, (node + REPLICAS - twinned) % REPLICAS) {
        (node, _) if node == n => OTHER_TWIN,
        (node, _) if node == twinned => TWIN,
        (_, 2) => SECOND,
        (_, 3) => THIRD,
        _ => 0,
    };
    (0..=n).filter(|node| place(*node) & apart != 0).map(|node| 1 << node).sum()
}

impl Plan {
    fn part(&mut self, random: &mut Random, n: usize, view: u64, (twinned, cut): (usize, Cut)) {
        let all = all_nodes(n + 1);
        let side = nodes_apart(n, twinned, cut.apart);
        let depth = random.below(DEPTH_MAX + 1);
        let above = random.below(depth + 1);
        let late_ms = Some(random.between(50, 1_500)).filter(|_| random.chance(25));
        let mut gap = |kinds: Kinds, (from, to), above, late_ms| {
            self.gaps.push(Gap { view, kinds, from, to, above, late_ms });
        };
        let (kinds, above) = match cut.stage {
            Stage::Whole => (PROPOSAL | PREPARE | COMMIT | VIEW_CHANGE | NEW_VIEW | CHAIN | BODY, 0),
            Stage::Prepares => (PREPARE, above),
            Stage::Commits => (COMMIT | CHAIN, above),
        };
        if side != 0 {
            gap(kinds, (side, all & !side), above, late_ms);
            gap(kinds, (all & !side, side), above, late_ms);
        }
        if cut.stage == Stage::Prepares {
            gap(COMMIT | CHAIN, (all, all), above, None);
        }
        gap(PROPOSAL, (all, all), depth, None);
    }
}
