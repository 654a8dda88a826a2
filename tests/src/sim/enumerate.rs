//! Twins by enumeration (Twins, Bano et al., OPODIS'21): each of thirty ways to part the nodes, in each of three views,
//! while one of four validators runs its key on two nodes.
//!
//! ```text
//!   index ─► whose key is doubled × for each of three views: what of it is parted, and who is on which side
//!   seed  ─► index (modulo their number), and what an index leaves open: depths, delays, transactions
//! ```
//!
//! Who leads a view follows from its number, so the leaders are enumerated by the place of the doubled validator: it
//! leads the first, second or third view, or the one in which all are together again. The sides follow the views,
//! not the clock (`gap.rs`), and no view goes on beyond a few heights: so each of the three is come to in nearly every
//! run. Asks, statuses and transactions are not parted: they move the views, as the paper's rounds move by themselves.
//!
//! Twins are each honest by itself, and both in touch with all of their side. Which of them is heard follows from the
//! sides: one that shares its side with nobody is not. What is the same but for the names of the twins, or of sides, is
//! there once, and so are those partitions in which neither side has a quorum.

use super::byzantine::Kind;
use super::fault::Nodes;
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
/// The most heights that a view comes to.
const DEPTH_MAX: u64 = 4;
/// How far apart plans are whose numbers are neighbours: prime to how many there are.
const STIR: u64 = 38_437;

/// A node: the first, second or third after the doubled validator, or one of the twins.
type Place = u8;
const TWIN: Place = 3;
const OTHER_TWIN: Place = 4;
const PLACES: Place = 5;

/// Nodes by their places, a bit each.
type Side = u8;
const FIRST: Side = 1;
const TWINS: Side = 1 << TWIN | 1 << OTHER_TWIN;

/// How one view is parted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Cut {
    /// All of it, from the view change on, between these and the rest; nothing if these are nobody.
    Whole(Side),
    /// Only one hears Prepares, and nobody hears of a Commit.
    PreparesTo(Place),
    /// Only one hears of Commits.
    CommitsTo(Place),
    /// All but one hear of Commits.
    CommitsBut(Place),
    /// Nobody hears of a Commit.
    NoCommits,
}

impl Cut {
    /// All are together.
    const NONE: Self = Self::Whole(0);

    /// All there are, whether or not they are the same but for names.
    fn all() -> impl Iterator<Item = Self> {
        let whole = (0..1 << PLACES).map(Self::Whole);
        let votes = [Self::PreparesTo, Self::CommitsTo, Self::CommitsBut];
        let votes = votes.into_iter().flat_map(|cut| (0..PLACES).map(cut));
        whole.chain(votes).chain([Self::NoCommits])
    }

    /// The one that stands for all that come to the same.
    const fn normal(self) -> Self {
        const ALL: Side = (1 << PLACES) - 1;
        let Self::Whole(side) = self else { return self };
        if seats(side) < 3 && seats(ALL & !side) < 3 {
            return Self::Whole(TWINS | FIRST << 1);
        }
        Self::Whole(if side & FIRST == 0 { side } else { ALL & !side })
    }

    /// Whether the twins are treated differently, and then whether the other one is where the one usually is.
    const fn tells_twins(self) -> Option<bool> {
        match self {
            Self::Whole(side) if side & TWINS != 0 && side & TWINS != TWINS => Some(side >> TWIN & 1 == 0),
            Self::PreparesTo(place) | Self::CommitsTo(place) | Self::CommitsBut(place) if place >= TWIN => {
                Some(place == OTHER_TWIN)
            }
            _ => None,
        }
    }

    /// With the names of the twins exchanged.
    const fn exchanged(self) -> Self {
        if self.tells_twins().is_none() {
            return self;
        }
        match self {
            Self::Whole(side) => Self::Whole(side ^ TWINS),
            Self::PreparesTo(place) => Self::PreparesTo(TWIN + OTHER_TWIN - place),
            Self::CommitsTo(place) => Self::CommitsTo(TWIN + OTHER_TWIN - place),
            Self::CommitsBut(place) => Self::CommitsBut(TWIN + OTHER_TWIN - place),
            Self::NoCommits => self,
        }
    }
}

/// How many validators a side has: twins are one.
const fn seats(side: Side) -> u32 {
    let twins = side & TWINS == TWINS;
    side.count_ones() - twins as u32
}

/// How the views are parted, one after the other.
type Path = [Cut; VIEWS];

/// The one that stands for all that are the same but for names.
fn normal(path: Path) -> Path {
    let path = path.map(Cut::normal);
    let exchanged = path.into_iter().find_map(Cut::tells_twins).unwrap_or(false);
    if exchanged { path.map(Cut::exchanged) } else { path }
}

/// All that are not the same but for names, in order.
static PATHS: LazyLock<Vec<Path>> = LazyLock::new(|| {
    let cuts: Vec<_> = Cut::all().filter(|cut| cut.normal() == *cut).collect();
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

/// Whose key is doubled, and how the views are parted. Any hundred numbers in a row are a sample of all.
fn decode(index: u64) -> (usize, Path) {
    let stirred = (index * STIR % count()) as usize;
    (stirred / PATHS.len(), PATHS[stirred % PATHS.len()])
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
    Scenario { name: "twins-enumerated", about: "one key on two nodes, all partitions of three views", plan }
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
        part(&mut plan.gaps, random, view as u64, cut, |side| nodes(n, twinned, side));
    }
    plan
}

/// Who is on a side, of `n` validators and the second one of the twins.
fn nodes(n: usize, twinned: usize, side: Side) -> Nodes {
    let place = |node: usize| match (node + REPLICAS - twinned) % REPLICAS {
        _ if node == n => OTHER_TWIN,
        0 if node == twinned => TWIN,
        after => after.saturating_sub(1) as Place,
    };
    (0..=n).filter(|node| side >> place(*node) & 1 == 1).map(|node| 1 << node).sum()
}

/// Parts one view.
fn part(gaps: &mut Vec<Gap>, random: &mut Random, view: u64, cut: Cut, nodes: impl Fn(Side) -> Nodes) {
    const COMMITS: Kinds = COMMIT | CHAIN;
    const WHOLE: Kinds = PROPOSAL | PREPARE | COMMITS | VIEW_CHANGE | NEW_VIEW | BODY;
    let all = nodes(Side::MAX);
    let but = |place: Place| all & !nodes(1 << place);
    // A P that one alone has counts only above something committed, and beside another block (R7).
    let depth_min = if matches!(cut, Cut::PreparesTo(_)) { 2 } else { 0 };
    let depth = random.below(DEPTH_MAX + 1).max(depth_min);
    let early = random.below(2);
    let above = early + random.below(2);
    let late_ms = Some(random.between(50, 1_500)).filter(|_| random.chance(25));
    let mut gap = |kinds, from, to, above, late_ms| {
        gaps.push(Gap { view, kinds, from, to, above, late_ms });
    };
    match cut {
        Cut::NONE => {}
        Cut::Whole(side) => {
            let side = nodes(side);
            gap(WHOLE, side, all & !side, 0, late_ms);
            gap(WHOLE, all & !side, side, 0, late_ms);
        }
        Cut::PreparesTo(place) => {
            gap(PREPARE, all, but(place), above, late_ms);
            gap(COMMITS, all, all, early, None);
        }
        Cut::CommitsTo(place) => gap(COMMITS, all, but(place), above, late_ms),
        Cut::CommitsBut(place) => gap(COMMITS, all, all & !but(place), above, late_ms),
        Cut::NoCommits => gap(COMMITS, all, all, above, late_ms),
    }
    gap(PROPOSAL, all, all, depth, None);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What of a plan follows from its number: whose key is doubled, and which messages of which view go from whom to
    /// whom.
    type Frame = (usize, Vec<(u64, Kinds, Nodes, Nodes)>);

    fn frame(seed: u64) -> Frame {
        let plan = plan(&mut Random::new(seed), REPLICAS, 1);
        (plan.byzantine[0].0, plan.gaps.iter().map(|gap| (gap.view, gap.kinds, gap.from, gap.to)).collect())
    }

    #[test]
    fn each_number_has_a_plan_of_its_own() {
        let frames: BTreeSet<_> = (0..count()).map(frame).collect();
        assert_eq!(frames.len() as u64, count());
    }

    #[test]
    fn beyond_the_last_number_they_come_again_with_other_delays() {
        let draw = |seed| plan(&mut Random::new(seed), REPLICAS, 1);
        for seed in (0..count()).step_by(997) {
            assert_eq!(frame(seed), frame(seed + count()));
            assert_ne!(draw(seed), draw(seed + count()));
        }
    }

    /// Thirty cuts, of which sixteen tell no twin from the other. Of all their paths, those in which the twins'
    /// names are exchanged are there once (Burnside).
    #[test]
    fn all_paths_are_there_but_for_names() {
        let cuts: BTreeSet<_> = Cut::all().map(Cut::normal).collect();
        let same = cuts.iter().filter(|cut| cut.exchanged() == **cut).count();
        assert_eq!((cuts.len(), same), (30, 16));
        assert_eq!(PATHS.len(), (cuts.len().pow(3) + same.pow(3)) / 2);
        let paths: BTreeSet<_> = PATHS.iter().copied().collect();
        for first in Cut::all() {
            for second in Cut::all() {
                for third in Cut::all() {
                    let path = [first, second, third];
                    assert!(paths.contains(&normal(path)), "{path:?}");
                    assert_eq!(normal(path.map(Cut::normal).map(Cut::exchanged)), normal(path), "{path:?}");
                }
            }
        }
    }

    #[test]
    fn only_partitions_without_a_quorum_stand_for_others() {
        let whole = (0..1 << PLACES).map(Cut::Whole);
        let stands: BTreeSet<_> = whole.clone().map(Cut::normal).collect();
        // Sixteen but for the names of the sides; in three, two face two.
        assert_eq!((whole.count(), stands.len()), (32, 14));
        for side in [0b11010, 0b11001, 0b11100, 0b00101, 0b00110, 0b00011] {
            assert_eq!(Cut::Whole(side).normal(), Cut::Whole(0b11010));
        }
    }

    #[test]
    fn places_follow_the_doubled_validator() {
        assert_eq!(nodes(4, 2, FIRST), 1 << 3);
        assert_eq!(nodes(4, 2, 0b110), 0b11);
        assert_eq!((nodes(4, 2, 1 << TWIN), nodes(4, 2, 1 << OTHER_TWIN)), (1 << 2, 1 << 4));
        assert_eq!(nodes(4, 0, Side::MAX), 0b11111);
        assert_eq!((nodes(7, 1, FIRST), nodes(7, 1, 1 << OTHER_TWIN)), (1 << 2 | 1 << 5 | 1 << 6, 1 << 7));
    }
}
