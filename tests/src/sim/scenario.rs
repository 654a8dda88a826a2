//! Plans with a name, for the command line and for tests.

use super::byzantine::SCENARIOS;
use super::enumerate;
use super::fault::Fault;
use super::guided;
use super::known;
use super::plan::Plan;
use super::random::Random;
use super::roster::SetChangePlan;
use super::settings::TIMEOUT_BASE_MS;

const HOUR_MS: i64 = 3_600_000;

/// A plan with a name.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    /// Makes the plan for n validators of which f may be faulty.
    pub plan: fn(&mut Random, usize, usize) -> Plan,
}

impl Scenario {
    /// Those that are not about one kind of Byzantine validator.
    const OTHERS: [Self; 22] = [
        Self { name: "random", about: "whatever the seed wants", plan: Plan::random },
        guided::scenario(),
        guided::with_liars(),
        enumerate::scenario(),
        Self { name: "honest", about: "nothing goes wrong", plan: honest },
        Self { name: "crashed-primary", about: "the first primary dies", plan: crashed_primary },
        Self { name: "power-loss-of-all", about: "schedule 5: again and again", plan: power_losses },
        Self { name: "lone-asker", about: "schedule 6: one hears nothing for a while", plan: lone_asker },
        Self { name: "late-votes", about: "schedule 7: slow disks while the view changes", plan: late_votes },
        Self { name: "clocks-an-hour-apart", about: "schedule 13, f silent", plan: clocks },
        Self { name: "old-disks", about: "R47: f validators come back with old disks", plan: old_disks },
        Self { name: "full-disks", about: "one disk after the other is full for a while", plan: full_disks },
        Self { name: "failing-disks", about: "failed syncs and power cuts in writes", plan: failing_disks },
        Self { name: "set-changes", about: "three epochs' ends while processes crash", plan: set_changes },
        Self { name: "different-sets", about: "view changes reach some only", plan: known::different_sets },
        Self {
            name: "window-moves-first",
            about: "backups lag, the primary dies",
            plan: known::window_moves_first,
        },
        Self {
            name: "view-change-after-forgetting",
            about: "ViewChanges arrive when their heights are committed",
            plan: known::view_change_after_forgetting,
        },
        Self {
            name: "caught-up-and-needed",
            about: "who missed the view change must vote in the view",
            plan: known::caught_up_and_needed,
        },
        Self { name: "late-echoes", about: "old views' messages come again, late", plan: known::late_echoes },
        Self { name: "stalled-clocks", about: "timers stand at f+1", plan: known::stalled_clocks },
        Self { name: "split-for-an-hour", about: "two halves, then healed", plan: known::split_for_an_hour },
        Self { name: "replays", about: "deaths at persist points, again and again", plan: known::replays },
    ];

    /// Whatever the seed wants.
    pub const RANDOM: Self = Self::OTHERS[0];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> + Clone {
        Self::OTHERS.into_iter().chain(SCENARIOS)
    }

    /// The one with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|scenario| scenario.name == name)
    }
}

fn honest(_: &mut Random, _: usize, _: usize) -> Plan {
    Plan { heal_ms: 2_500, ..Plan::default() }
}

fn crashed_primary(_: &mut Random, _: usize, _: usize) -> Plan {
    let crash = Fault::Crash { node: 0, down_ms: 60_000 };
    Plan { faults: vec![(2_000, crash)], heal_ms: 8_000, ..Plan::default() }
}

fn power_losses(_: &mut Random, _: usize, _: usize) -> Plan {
    let faults = (1..12).map(|i| (i * 500, Fault::PowerLoss { down_ms: 20 })).collect();
    Plan { faults, heal_ms: 7_000, ..Plan::default() }
}

fn lone_asker(_: &mut Random, n: usize, _: usize) -> Plan {
    let for_ms = 3 * TIMEOUT_BASE_MS;
    let deaf = Fault::Isolate { node: 1, hears: false, heard: true, for_ms };
    let dead = Fault::Crash { node: n - 1, down_ms: 60_000 };
    Plan { faults: vec![(2_000, deaf), (2_050 + for_ms, dead)], heal_ms: 8_000, ..Plan::default() }
}

fn late_votes(_: &mut Random, n: usize, _: usize) -> Plan {
    let slow = |node| (1_500, Fault::SlowDisk { node, sync_ms: 600, for_ms: 4_000 });
    let mut faults: Vec<_> = (1..n).map(slow).collect();
    faults.push((2_000, Fault::Crash { node: 0, down_ms: 3_000 }));
    Plan { faults, heal_ms: 7_000, ..Plan::default() }
}

fn clocks(_: &mut Random, n: usize, f: usize) -> Plan {
    let skew_ms = (0..n).map(|node| [HOUR_MS, 0, -HOUR_MS, 0][node % 4]).collect();
    Plan { silent: (n - f..n).collect(), skew_ms, heal_ms: 4_000, ..Plan::default() }
}

fn old_disks(random: &mut Random, n: usize, f: usize) -> Plan {
    let first = random.below(n as u64) as usize;
    let mut faults = Vec::new();
    for node in (first..first + f).map(|node| node % n) {
        let copied = random.between(200, 3_000);
        faults.push((copied, Fault::Backup { node }));
        let at = copied + random.between(200, 3_000);
        faults.push((at, Fault::OldDisk { node, down_ms: random.between(10, 500) }));
    }
    faults.push((random.between(1_000, 6_000), Fault::PowerLoss { down_ms: 50 }));
    faults.sort_by_key(|(at, _)| *at);
    Plan { faults, heal_ms: 7_000, ..Plan::default() }
}

fn full_disks(random: &mut Random, n: usize, _: usize) -> Plan {
    let full = |i: u64, random: &mut Random| {
        let more_bytes = random.below(4_000);
        (500 * i, Fault::FullDisk { node: i as usize % n, more_bytes, for_ms: random.between(300, 1_500) })
    };
    Plan { faults: (1..12).map(|i| full(i, random)).collect(), heal_ms: 7_000, ..Plan::default() }
}

fn failing_disks(random: &mut Random, n: usize, _: usize) -> Plan {
    let failing = |i: u64, random: &mut Random| {
        let (node, down_ms) = (random.below(n as u64) as usize, random.between(10, 400));
        let cut = Fault::PowerCut { node, operation: random.between(1, 12), down_ms };
        let fault = if random.chance(50) { Fault::FailedSync { node, down_ms } } else { cut };
        (250 * i, fault)
    };
    Plan { faults: (1..24).map(|i| failing(i, random)).collect(), heal_ms: 7_000, ..Plan::default() }
}

fn set_changes(random: &mut Random, n: usize, _: usize) -> Plan {
    let changes = vec![
        SetChangePlan { height: 6, rotated: Some(1), removed: Some(0), added: Some(n) },
        SetChangePlan { height: 12, rotated: Some(n), removed: None, added: Some(n + 1) },
        SetChangePlan { height: 20, rotated: None, removed: Some(2), added: Some(0) },
    ];
    let flaky = Fault::Flaky { permille: random.between(2, 20), for_ms: 6_000 };
    let faults = vec![(random.between(50, 500), flaky), (3_000, Fault::PowerLoss { down_ms: 100 })];
    Plan { faults, heal_ms: 7_000, changes, spares: 2, ..Plan::default() }
}
