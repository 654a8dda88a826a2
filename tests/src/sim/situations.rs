//! Guided plans of one situation each, that chance brings about too seldom. Each has its share of the seeds; what
//! is open in them is drawn.

use super::fault::all_nodes;
use super::gap::{CHAIN, COMMIT, PREPARE, PROPOSAL, Trap, VIEW_CHANGE};
use super::plan::Plan;
use super::random::Random;

/// One seed of so many has one of these plans.
const SHARE: u64 = 12;
/// The deepest height of a view at which it fails.
const DEPTH_MAX: u64 = 3;

/// A plan for `n` validators, for the share of the seeds that have one.
pub(super) fn draw(random: &Random, n: usize) -> Option<Plan> {
    // A stream of its own, so that the other seeds go on as they would without these.
    let mut aside = Random::new(random.clone().next());
    if aside.below(SHARE) > 0 {
        return None;
    }
    let heal_ms = aside.between(2_500, 3_500);
    let transactions = Some(aside.between(24, 40) as usize);
    let mut plan = Plan { heal_ms, transactions, one_disk: aside.chance(50), ..Plan::default() };
    match aside.below(2) {
        0 => hole(&mut plan, &mut aside, n),
        _ => late_commits(&mut plan, &mut aside, n),
    }
    Some(plan)
}

/// A block reaches nobody, and later ones of the same window reach all; then their primary goes for good, and
/// that block with it.
fn hole(plan: &mut Plan, random: &mut Random, n: usize) {
    let (view, depth) = (random.below(2), random.between(1, DEPTH_MAX));
    if view > 0 {
        let before = random.below(DEPTH_MAX);
        plan.gap(0, PROPOSAL, all_nodes(n), before);
    }
    // Of the gaps that fit the first counts: this one lets pass what is above the hole.
    plan.gap(view, PROPOSAL, all_nodes(n), depth + 1).late_ms = Some(random.between(1, 50));
    plan.gap(view, PROPOSAL, all_nodes(n), depth);
    let (node, sent) = (view as usize % n, random.chance(50));
    plan.traps.push(Trap { node, view: view + 1, kind: VIEW_CHANGE, sent, all: false, down_ms: None });
}

/// Commits of a view that has failed come late, and only to some, which have prepared the same blocks again in the
/// next view; of that one's commits, a single replica gets only the lowest, and the view change after it lacks
/// one that knows more.
fn late_commits(plan: &mut Plan, random: &mut Random, n: usize) {
    let (all, view) = (all_nodes(n), random.below(2));
    if view > 0 {
        let before = random.below(DEPTH_MAX);
        plan.gap(0, PROPOSAL, all, before);
    }
    let [behind, left_out] = random.two_of(n);
    let depth = random.between(1, DEPTH_MAX);
    let late = all & !(1 << behind) & !(1 << left_out);
    plan.gap(view, COMMIT, late, depth).late_ms = Some(random.between(500, 1_000));
    plan.gap(view, COMMIT, all, depth);
    plan.gap(view, CHAIN, all, 0);
    plan.gap(view + 1, PROPOSAL, all, 0);
    plan.gap(view + 1, PREPARE, 1 << behind, 0);
    plan.gap(view + 1, COMMIT, 1 << behind, random.between(1, 2));
    plan.gap(view + 1, COMMIT, all & !(1 << behind), 0);
    plan.gap(view + 1, CHAIN, all, 0);
    plan.gap(view + 2, VIEW_CHANGE, all, 0).from = 1 << left_out;
}
