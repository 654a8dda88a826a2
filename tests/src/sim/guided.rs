//! Plans that look for forks: view after view fails halfway through its pipeline, with certificates that only
//! some can form, one replica that is a view behind, view changes without those who know most, and restarts in
//! between. Short, so that there can be many.

use super::fault::{Fault, Nodes, all_nodes};
use super::gap::{BODY, CHAIN, COMMIT, Gap, Kinds, NEW_VIEW, PREPARE, PROPOSAL, Trap, VIEW_CHANGE};
use super::plan::Plan;
use super::random::Random;

/// Views that are planned for.
const VIEWS: u64 = 5;
/// The deepest height of a view at which it fails.
const DEPTH_MAX: u64 = 4;

/// A plan for `n` validators of which `f` may be faulty.
pub(super) fn plan(random: &mut Random, n: usize, f: usize) -> Plan {
    let heal_ms = random.between(1_500, 3_500);
    let transactions = Some(random.between(16, 40) as usize);
    let mut plan = Plan { heal_ms, transactions, one_disk: random.chance(50), ..Plan::default() };
    let straggler = random.below(n as u64) as usize;
    if random.chance(50) {
        left_behind(&mut plan, random, n, straggler);
    } else {
        for view in 0..VIEWS {
            fails(&mut plan, random, n, view);
        }
        lags(&mut plan, random, n, straggler);
    }
    for target in 1..=VIEWS {
        view_change(&mut plan, random, n, target);
    }
    if random.chance(20) {
        dies(&mut plan, random, n, f);
    }
    restarts(&mut plan, random, n);
    plan
}

impl Plan {
    /// From everybody and for good, unless said otherwise.
    fn gap(&mut self, view: u64, kinds: Kinds, to: Nodes, above: u64) -> &mut Gap {
        self.gaps.push(Gap { view, kinds, from: Nodes::MAX, to, above, late_ms: None });
        let last = self.gaps.len() - 1;
        &mut self.gaps[last]
    }
}

/// Some of the nodes, or none.
fn any(random: &mut Random, n: usize) -> Nodes {
    Nodes::from(random.next()) & all_nodes(n)
}

/// One replica alone can form P of a view that fails. The others go on without it, and commit; it comes back for
/// the view change after that, and has heard of no commit.
fn left_behind(plan: &mut Plan, random: &mut Random, n: usize, behind: usize) {
    let (one, others) = (1 << behind, all_nodes(n) & !(1 << behind));
    let mut view = random.below(2);
    let depth = random.between(0, DEPTH_MAX);
    plan.gap(view, PREPARE, others, depth);
    plan.gap(view, COMMIT | CHAIN, one, random.below(depth + 1));
    plan.gap(view + 1, VIEW_CHANGE, all_nodes(n), 0).from = one;
    for _ in 0..random.between(1, 2) {
        view += 1;
        let (kinds, from) = [
            (COMMIT | CHAIN, 0),
            (COMMIT | CHAIN | PREPARE, 0),
            (COMMIT | CHAIN | PROPOSAL, 0),
            (COMMIT | CHAIN | NEW_VIEW, 0),
        ][random.below(4) as usize];
        plan.gap(view, kinds, one, from);
        let depth = random.between(1, DEPTH_MAX);
        fails_at(plan, random, n, view, depth);
    }
    let left_out = random.below(n as u64) as usize;
    if left_out != behind {
        plan.gap(view + 1, VIEW_CHANGE, all_nodes(n), 0).from = 1 << left_out;
    }
    plan.gap(view + 1, CHAIN | BODY, one, 0).late_ms = Some(random.between(1, 600));
}

/// A view comes to nothing from some height on.
fn fails(plan: &mut Plan, random: &mut Random, n: usize, view: u64) {
    let depth = random.below(DEPTH_MAX + 1);
    fails_at(plan, random, n, view, depth);
}

fn fails_at(plan: &mut Plan, random: &mut Random, n: usize, view: u64, depth: u64) {
    let all = all_nodes(n);
    let some = any(random, n);
    match random.below(5) {
        0 => drop(plan.gap(view, PROPOSAL, all, depth)),
        1 => drop(plan.gap(view, PROPOSAL, some, depth)),
        2 => drop(plan.gap(view, PREPARE, some, depth)),
        3 => drop(plan.gap(view, COMMIT | CHAIN, some, depth)),
        _ => {
            plan.gap(view, PREPARE, any(random, n), depth + random.below(3));
            plan.gap(view, COMMIT | CHAIN, some, random.below(depth + 1));
        }
    }
    if random.chance(40) {
        let late_ms = random.between(50, 1_500);
        plan.gap(view, COMMIT, any(random, n), random.below(DEPTH_MAX)).late_ms = Some(late_ms);
    }
}

/// One hears of no commit for a view or more.
fn lags(plan: &mut Plan, random: &mut Random, n: usize, node: usize) {
    if random.chance(50) {
        let first = random.below(VIEWS);
        for view in first..=first + random.below(3) {
            plan.gap(view, COMMIT | CHAIN, 1 << node, random.below(3));
        }
    }
    if random.chance(30) {
        plan.gap(random.below(VIEWS), BODY, any(random, n), 0).late_ms = Some(random.between(50, 800));
    }
}

/// Somebody's `ViewChange` comes too late to count, and the `NewView` does not come to all.
fn view_change(plan: &mut Plan, random: &mut Random, n: usize, target: u64) {
    let all = all_nodes(n);
    if random.chance(60) {
        let gap = plan.gap(target, VIEW_CHANGE, all, 0);
        (gap.from, gap.late_ms) = (1 << random.below(n as u64), Some(random.between(20, 400)));
    }
    if random.chance(30) {
        let to = any(random, n);
        plan.gap(target, NEW_VIEW, to, 0).late_ms =
            Some(random.between(50, 600)).filter(|_| random.chance(70));
    }
}

/// Up to f stop for good, with a message that some wait for.
fn dies(plan: &mut Plan, random: &mut Random, n: usize, f: usize) {
    let first = random.below(n as u64) as usize;
    for node in (first..first + f).map(|node| node % n) {
        let kind = [PREPARE, COMMIT, PROPOSAL, VIEW_CHANGE][random.below(4) as usize];
        let (view, sent) = (random.below(3), random.chance(70));
        plan.traps.push(Trap { node, view, kind, sent, down_ms: None });
    }
}

/// Processes end with what they send, at a persist point, or all at once; disks and executors are slow.
fn restarts(plan: &mut Plan, random: &mut Random, n: usize) {
    for _ in 0..random.below(4) {
        let kind = [PREPARE, COMMIT, VIEW_CHANGE, VIEW_CHANGE][random.below(4) as usize];
        let (node, view) = (random.below(n as u64) as usize, random.below(VIEWS));
        let (sent, down_ms) = (random.chance(80), Some(random.between(5, 200)));
        plan.traps.push(Trap { node, view, kind, sent, down_ms });
    }
    for _ in 0..random.below(4) {
        let (at, node) = (random.between(50, plan.heal_ms), random.below(n as u64) as usize);
        let (for_ms, down_ms) = (random.between(200, 2_000), random.between(5, 200));
        let fault = match random.below(6) {
            0 => Fault::PowerLoss { down_ms },
            1 => Fault::SlowDisk { node, sync_ms: random.between(20, 600), for_ms },
            2 => Fault::SlowExecutor { node, execute_ms: random.between(20, 400), for_ms },
            3 => Fault::CrashPrimary { down_ms },
            _ => Fault::CrashAtPersist { node, synced: random.chance(50), down_ms },
        };
        plan.faults.push((at, fault));
    }
    plan.faults.sort_by_key(|(at, _)| *at);
}
