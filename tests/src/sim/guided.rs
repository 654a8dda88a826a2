//! Plans that look for forks: view after view fails halfway through its pipeline, with certificates that only
//! some can form, one replica that is a view behind, view changes without those who know most, and restarts in
//! between. Short, so that there can be many.

use super::byzantine::Kind;
use super::fault::{Fault, Nodes, all_nodes};
use super::gap::{
    ASK, BODY, CHAIN, COMMIT, Gap, Kinds, NEW_VIEW, PREPARE, PROPOSAL, TRANSACTIONS, Trap, VIEW_CHANGE,
};
use super::mutation::Mutation;
use super::plan::Plan;
use super::random::Random;
use super::roster::SetChangePlan;
use super::scenario::Scenario;
use super::settings::Settings;
use super::situations;

/// Heights in flight: the more there are, the more there is to lose.
const WINDOW: u64 = 8;
/// Views that are planned for.
const VIEWS: u64 = 5;
const HOUR_MS: i64 = 3_600_000;
/// The deepest height of a view at which it fails.
const DEPTH_MAX: u64 = 4;

/// What finds a mutation.
#[must_use]
pub fn settings(mutation: Mutation) -> Settings {
    Settings { mutation: Some(mutation), ..Settings::new(mutation.replicas(), WINDOW) }
}

/// The scenario of these plans.
#[must_use]
pub const fn scenario() -> Scenario {
    Scenario { name: "guided", about: "view after view fails halfway through its pipeline", plan }
}

/// The same with a Byzantine validator.
#[must_use]
pub const fn with_liars() -> Scenario {
    Scenario { name: "guided-liars", about: "the same, and one validator lies", plan: liars_plan }
}

/// Nobody goes for ever, so that one may lie.
fn liars_plan(random: &mut Random, n: usize, f: usize) -> Plan {
    const KINDS: [Kind; 4] = [Kind::ViewLiar, Kind::ViewLiar, Kind::Equivocator, Kind::DoubleVoter];
    let mut plan = situations::draw(random, n).unwrap_or_else(|| failing_views(random, n, f));
    plan.traps.retain(|trap| trap.down_ms.is_some());
    plan.liar = None;
    let kind = KINDS[random.below(KINDS.len() as u64) as usize];
    plan.byzantine.push((random.below(n as u64) as usize, kind));
    plan
}

/// A plan for `n` validators of which `f` may be faulty.
fn plan(random: &mut Random, n: usize, f: usize) -> Plan {
    let mut plan = situations::draw(random, n).unwrap_or_else(|| failing_views(random, n, f));
    if plan.traps.iter().all(|trap| trap.down_ms.is_some()) && plan.liar.is_none() {
        // No draw: what is drawn after it stays as it is.
        let first = plan.heal_ms as usize;
        plan.faults.splice(0..0, (first..first + f).map(|node| (0, Fault::AskLast { node: node % n })));
    }
    plan
}

/// Whatever makes views fail.
fn failing_views(random: &mut Random, n: usize, f: usize) -> Plan {
    let heal_ms = random.between(1_500, 3_500);
    let transactions = Some(random.between(16, 40) as usize);
    let mut plan = Plan { heal_ms, transactions, one_disk: random.chance(50), ..Plan::default() };
    match random.below(20) {
        0..=8 => left_behind(&mut plan, random, n),
        9 | 10 => silenced_alone(&mut plan, random, n),
        11 | 12 => splits(&mut plan, random, n),
        13 => all_restart(&mut plan, random, n),
        _ => all_fail(&mut plan, random, n),
    }
    for target in 1..=VIEWS {
        view_change(&mut plan, random, n, target);
    }
    if random.chance(20) && plan.traps.iter().all(|trap| trap.down_ms.is_some()) {
        dies(&mut plan, random, n, f);
    }
    if random.chance(20) && plan.traps.iter().all(|trap| trap.down_ms.is_some()) {
        plan.liar = Some(random.below(n as u64) as usize);
    }
    restarts(&mut plan, random, n);
    surroundings(&mut plan, random, n);
    plan.faults.retain(|(at, _)| *at < heal_ms);
    plan
}

impl Plan {
    /// From everybody and for good, unless said otherwise.
    pub(super) fn gap(&mut self, view: u64, kinds: Kinds, to: Nodes, above: u64) -> &mut Gap {
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
fn left_behind(plan: &mut Plan, random: &mut Random, n: usize) {
    let behind = random.below(n as u64) as usize;
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

/// View after view fails somehow, and one replica lags.
fn all_fail(plan: &mut Plan, random: &mut Random, n: usize) {
    let straggler = random.below(n as u64) as usize;
    for view in 0..VIEWS {
        let depth = random.below(DEPTH_MAX + 1);
        fails_at(plan, random, n, view, depth);
    }
    lags(plan, random, n, straggler);
}

/// Asks reach one replica alone, often the primary: it falls silent for a view that nobody else goes to, and has
/// transactions that nobody else has.
fn silenced_alone(plan: &mut Plan, random: &mut Random, n: usize) {
    let view = random.below(2);
    let primary = view as usize % n;
    let alone = if random.chance(50) { primary } else { random.below(n as u64) as usize };
    for before in 0..view {
        fails_at(plan, random, n, before, 2);
    }
    let (one, other) = (1 << alone, 1 << random.below(n as u64));
    plan.gap(view, ASK, all_nodes(n) & !one, 0);
    plan.gap(view, TRANSACTIONS, all_nodes(n), 0).from = one;
    plan.gap(view + 1, VIEW_CHANGE, all_nodes(n), 0).from = one;
    plan.gap(view, COMMIT | CHAIN, one | other, random.below(3)).late_ms = Some(random.between(300, 1_500));
    plan.loyal = true;
}

/// The next primary is heard by one other only, which goes on to the view after that; then it stops for good, and
/// the targets of the rest part.
fn splits(plan: &mut Plan, random: &mut Random, n: usize) {
    let (all, view) = (all_nodes(n), random.below(2));
    for before in 0..view {
        fails_at(plan, random, n, before, 2);
    }
    plan.gap(view, PROPOSAL, all, random.below(3));
    let stops = (view + 1) as usize % n;
    let heard = (stops + random.between(1, n as u64 - 1) as usize) % n;
    let rest = all & !(1 << heard);
    for view in [view, view + 1] {
        plan.gap(view, ASK, rest, 0).from = 1 << stops;
        plan.gap(view + 1, VIEW_CHANGE, rest, 0).from = 1 << stops;
    }
    plan.gap(view + 1, NEW_VIEW, all, 0);
    let late = plan.gap(view + 1, VIEW_CHANGE, rest & !(1 << stops), 0);
    (late.from, late.late_ms) = (rest, Some(random.between(20, 300)));
    let (view, sent) = (view + 2, random.chance(50));
    plan.traps.push(Trap { node: stops, view, kind: VIEW_CHANGE, sent, all: false, down_ms: None });
}

/// Nobody hears of the commits of a view, and then the power fails for all: before or in the next one.
fn all_restart(plan: &mut Plan, random: &mut Random, n: usize) {
    let (all, view) = (all_nodes(n), random.below(2));
    for before in 0..view {
        fails_at(plan, random, n, before, 2);
    }
    plan.gap(view, COMMIT | CHAIN, all, random.below(3));
    let next = view + random.below(2);
    let kind = [COMMIT, PREPARE, NEW_VIEW][random.below(if next > view { 3 } else { 2 }) as usize];
    if next > view && random.chance(70) {
        plan.gap(next, BODY, 1 << (next as usize % n), 0).late_ms = Some(600);
        plan.gap(view, PROPOSAL, 1 << (next as usize % n), random.below(3));
    }
    let (node, sent) = (random.below(n as u64) as usize, random.chance(70));
    let down_ms = Some(random.between(5, 100));
    plan.traps.push(Trap { node, view: next, kind, sent, all: true, down_ms });
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
        plan.traps.push(Trap { node, view, kind, sent, all: false, down_ms: None });
    }
}

/// Processes end with what they send, at a persist point, or all at once; disks and executors are slow.
fn restarts(plan: &mut Plan, random: &mut Random, n: usize) {
    for _ in 0..random.below(4) {
        let kind = [PREPARE, COMMIT, VIEW_CHANGE, VIEW_CHANGE][random.below(4) as usize];
        let (node, view) = (random.below(n as u64) as usize, random.below(VIEWS));
        let (sent, down_ms) = (random.chance(80), Some(random.between(5, 200)));
        plan.traps.push(Trap { node, view, kind, sent, all: random.chance(10), down_ms });
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

/// A few runs have an epoch's end, or clocks an hour apart, or a network slower than the first time-out.
fn surroundings(plan: &mut Plan, random: &mut Random, n: usize) {
    match random.below(20) {
        0 | 1 => {
            let (height, rotated) = (random.between(2, 5), Some(random.below(n as u64) as usize));
            plan.changes.push(SetChangePlan { height, rotated, ..SetChangePlan::default() });
        }
        2 | 3 => {
            let slowest = random.below(n as u64) as usize;
            plan.skew_ms = vec![0; n];
            plan.skew_ms[slowest] = -HOUR_MS;
            plan.liar = None;
            plan.traps.retain(|trap| trap.down_ms.is_some());
            let node = (slowest + random.between(1, n as u64 - 1) as usize) % n;
            let (view, kind) = (random.below(3), COMMIT);
            plan.traps.push(Trap { node, view, kind, sent: true, all: false, down_ms: None });
        }
        4 => plan.latency_ms = random.between(200, 800),
        _ => {}
    }
}
