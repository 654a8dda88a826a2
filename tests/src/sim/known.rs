//! What went wrong in other implementations of PBFT and its kin, as plans: each brings the network to the
//! point at which they stood still or forked.

use super::fault::Fault;
use super::plan::Plan;
use super::random::Random;
use super::settings::TIMEOUT_BASE_MS;

const SECOND_MS: u64 = 1_000;
const HOUR_MS: u64 = 3_600 * SECOND_MS;

/// The new primary gets one set of view changes, others see another: whoever computes the new view from what
/// it has itself, and not from what the NewView carries, gets another anchor (R25).
pub(super) fn different_sets(random: &mut Random, n: usize, _: usize) -> Plan {
    let mut faults = Vec::new();
    for round in 0..5 {
        let at = 1_000 + round * 1_200;
        faults.push((at, Fault::CrashPrimary { down_ms: random.between(300, 1_200) }));
        let nodes = random.two_of(n);
        faults.push((at + 10, Fault::SlowLink { nodes, delay_ms: 1_500, for_ms: 1_100 }));
        faults.push((at + 20, Fault::Lossy { percent: 30, for_ms: 900 }));
    }
    Plan { faults, heal_ms: 8_000, ..Plan::default() }
}

/// The primary has committed what its backups can't yet, and proposes beyond what they take; then it dies.
pub(super) fn window_moves_first(random: &mut Random, n: usize, _: usize) -> Plan {
    let slow = |node, random: &mut Random| {
        let execute_ms = random.between(150, 400);
        (1_000, Fault::SlowExecutor { node, execute_ms, for_ms: 4_000 })
    };
    let mut faults: Vec<_> = (1..n).map(|node| slow(node, random)).collect();
    faults.push((2_500 + random.below(1_000), Fault::CrashPrimary { down_ms: 1_000 }));
    Plan { faults, heal_ms: 7_000, ..Plan::default() }
}

/// A ViewChange that was long on its way arrives when what it speaks of has been committed and forgotten.
pub(super) fn view_change_after_forgetting(random: &mut Random, n: usize, _: usize) -> Plan {
    let late = random.below(n as u64) as usize;
    let links = (0..n).filter(|other| *other != late);
    let slow = |other| (1_000, Fault::SlowLink { nodes: [late, other], delay_ms: 3_500, for_ms: 2_500 });
    let mut faults: Vec<_> = links.map(slow).collect();
    faults.push((1_200, Fault::CrashPrimary { down_ms: 400 }));
    faults.push((2_600, Fault::CrashPrimary { down_ms: 400 }));
    Plan { faults, heal_ms: 8_000, ..Plan::default() }
}

/// When the plan `caught-up-and-needed` takes f away for whom the one that has caught up must
/// stand in, milliseconds.
pub const NEEDED_AT_MS: u64 = 6_500;

/// A replica misses a view change, catches up with the blocks, and must then vote in a view that it never saw
/// start: f others are gone.
pub(super) fn caught_up_and_needed(_: &mut Random, n: usize, f: usize) -> Plan {
    let away = n - 1;
    let mut faults = vec![
        (1_000, Fault::Isolate { node: away, hears: false, heard: false, for_ms: 4_500 }),
        (1_500, Fault::CrashPrimary { down_ms: 600 }),
    ];
    faults.extend((1..=f).map(|node| (NEEDED_AT_MS, Fault::Crash { node, down_ms: 60_000 })));
    Plan { faults, heal_ms: NEEDED_AT_MS + 4 * TIMEOUT_BASE_MS, ..Plan::default() }
}

/// Old messages of earlier views come again and again, late: whoever takes the primary from the last message
/// that it heard follows one that is none.
pub(super) fn late_echoes(random: &mut Random, n: usize, _: usize) -> Plan {
    let mut faults = vec![(500, Fault::Lossy { percent: 30, for_ms: 6_000 })];
    for round in 0..5 {
        faults.push((1_000 + round * 1_000, Fault::CrashPrimary { down_ms: random.between(50, 700) }));
        let nodes = random.two_of(n);
        faults.push((900 + round * 1_000, Fault::SlowLink { nodes, delay_ms: 2_500, for_ms: 1_000 }));
    }
    faults.sort_by_key(|(at, _)| *at);
    Plan { faults, heal_ms: 8_000, ..Plan::default() }
}

/// Two halves for an hour: nobody commits, time-outs double all the while; then it is healed.
pub(super) fn split_for_an_hour(_: &mut Random, n: usize, _: usize) -> Plan {
    let side = (1 << (n / 2)) - 1;
    let faults = vec![(2_000, Fault::Partition { side, one_way: false, for_ms: HOUR_MS })];
    Plan { faults, heal_ms: 2_000 + HOUR_MS, ..Plan::default() }
}

/// The clocks that timers go by stand still at f+1 validators while primaries die: a virtual machine that was
/// moved, or a clock that is set back.
pub(super) fn stalled_clocks(random: &mut Random, n: usize, f: usize) -> Plan {
    let first = random.below(n as u64) as usize;
    let mut faults = Vec::new();
    for node in (first..=first + f).map(|node| node % n) {
        let for_ms = random.between(2_000, 5_000);
        faults.push((1_000 + random.below(500), Fault::StalledClock { node, for_ms }));
    }
    for round in 0..3 {
        faults.push((1_500 + 1_200 * round, Fault::CrashPrimary { down_ms: random.between(300, 900) }));
    }
    faults.sort_by_key(|(at, _)| *at);
    Plan { faults, heal_ms: 7_000, ..Plan::default() }
}

/// One replica after the other dies at a persist point and replays its journal, again and again: a replay must
/// not sign anew.
pub(super) fn replays(random: &mut Random, n: usize, _: usize) -> Plan {
    let one = |i: u64, random: &mut Random| {
        let (node, synced) = (random.below(n as u64) as usize, random.chance(50));
        (150 * i, Fault::CrashAtPersist { node, synced, down_ms: random.between(5, 120) })
    };
    Plan { faults: (1..48).map(|i| one(i, random)).collect(), heal_ms: 8_000, ..Plan::default() }
}
