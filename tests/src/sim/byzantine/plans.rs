//! Plans with Byzantine validators.

use super::Kind;
use crate::sim::fault::Fault;
use crate::sim::plan::Plan;
use crate::sim::random::Random;
use crate::sim::scenario::Scenario;

/// A primary that leaves out one client.
pub(in super::super) const CENSOR: Scenario =
    Scenario { name: "byzantine-censor", about: "nothing of one client", plan: alone::<15> };

/// A scenario for each kind, and one for coalitions.
pub(in super::super) const SCENARIOS: [Scenario; 17] = [
    Scenario {
        name: "byzantine-equivocator",
        about: "different blocks for different halves",
        plan: alone::<0>,
    },
    Scenario { name: "byzantine-double-voter", about: "votes for both sides", plan: alone::<1> },
    Scenario { name: "byzantine-silent", about: "hears and says nothing", plan: alone::<2> },
    Scenario { name: "byzantine-selective-sender", about: "talks to a quorum only", plan: alone::<3> },
    Scenario { name: "byzantine-body-withholder", about: "no bodies, proposals to f+1", plan: alone::<4> },
    Scenario { name: "byzantine-slow-primary", about: "just under the time-out", plan: alone::<5> },
    Scenario { name: "byzantine-view-liar", about: "every provable lie in view changes", plan: alone::<6> },
    Scenario { name: "byzantine-stale-replayer", about: "what was said long ago", plan: alone::<7> },
    Scenario { name: "byzantine-twins", about: "one key on two nodes", plan: alone::<8> },
    Scenario { name: "byzantine-future-flooder", about: "far views, heights and epochs", plan: alone::<9> },
    Scenario { name: "byzantine-ask-storm", about: "asks without end", plan: alone::<10> },
    Scenario { name: "byzantine-mutator", about: "off by one, broken signatures", plan: alone::<11> },
    Scenario { name: "byzantine-block-stuffer", about: "old and doubled transactions", plan: alone::<12> },
    Scenario {
        name: "byzantine-timestamp-cheat",
        about: "times in the past and the future",
        plan: alone::<13>,
    },
    Scenario { name: "byzantine-sync-liar", about: "forged answers to fetches", plan: alone::<14> },
    CENSOR,
    Scenario { name: "byzantine-coalition", about: "f validators of different kinds", plan: coalition },
];

/// Percent of the runs in which the set changes: a liar may then lose its seat, or get another key.
const CHANGES_PERCENT: u64 = 33;

/// One to f validators of one kind.
fn alone<const KIND: usize>(random: &mut Random, n: usize, _: usize) -> Plan {
    let plan = disturbed(random, n);
    let count = random.between(1, plan.least_f(n) as u64) as usize;
    let first = random.below(n as u64) as usize;
    let byzantine = (first..first + count).map(|node| (node % n, Kind::ALL[KIND])).collect();
    Plan { byzantine, ..plan }
}

/// f validators, each of another kind.
fn coalition(random: &mut Random, n: usize, _: usize) -> Plan {
    let plan = disturbed(random, n);
    let f = plan.least_f(n);
    let (first, kind) = (random.below(n as u64) as usize, random.below(Kind::ALL.len() as u64) as usize);
    let step = 1 + random.below(Kind::ALL.len() as u64 / f as u64) as usize;
    let one = |i: usize| ((first + i) % n, Kind::ALL[(kind + i * step) % Kind::ALL.len()]);
    Plan { byzantine: (0..f).map(one).collect(), ..plan }
}

/// Enough that views change while heights are in flight.
fn disturbed(random: &mut Random, n: usize) -> Plan {
    let mut faults = Vec::new();
    for round in 0..3 {
        let at = 700 + 1_400 * round + random.below(700);
        faults.push((at, Fault::CrashPrimary { down_ms: random.between(10, 900) }));
        let for_ms = random.between(100, 900);
        faults.push((at + random.below(300), Fault::Lossy { percent: random.between(5, 30), for_ms }));
        let (side, one_way) = (1 << random.below(n as u64), random.chance(50));
        faults.push((at + random.below(900), Fault::Partition { side, one_way, for_ms }));
    }
    faults.sort_by_key(|(at, _)| *at);
    let mut plan = Plan { faults, heal_ms: 6_500, one_disk: random.chance(50), ..Plan::default() };
    if random.chance(CHANGES_PERCENT) {
        plan.add_changes(random, n);
    }
    plan
}
