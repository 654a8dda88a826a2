//! A fixed share of the simulated network's seeds, and schedules by name.

#![allow(clippy::panic)]

use quorate_tests::sim::{
    Fault, Outcome, Plan, Random, Scenario, SetChangePlan, Settings, TIMEOUT_BASE_MS, run, run_plan,
    run_scenario,
};
use std::collections::{BTreeMap, BTreeSet};

/// Runs seeds that must not break a rule, and that must have had something to break it.
fn sound(replicas: usize, window: u64, seeds: std::ops::Range<u64>) {
    let (mut views, mut epochs) = (0, 0);
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let settings = Settings { verify: seed.is_multiple_of(16), ..Settings::new(replicas, window) };
        let outcome = run(seed, settings);
        assert_eq!(
            outcome.violation, None,
            "cargo run --release -p quorate-tests --bin sim -- --seed {seed} --replicas {replicas} --window \
             {window} --trace"
        );
        assert!(outcome.height >= 30, "seed {seed} reached height {}", outcome.height);
        assert!(outcome.faults.len() >= 3, "seed {seed} felt {:?}", outcome.faults);
        views += outcome.view;
        epochs += outcome.epoch;
    }
    assert!(views >= count, "{views} view changes in {count} runs");
    assert!(count < 16 || epochs > 0, "no set changes in {count} runs");
}

#[test]
fn four_replicas_one_height_in_flight() {
    sound(4, 1, 0..24);
}

#[test]
fn four_replicas_four_heights_in_flight() {
    sound(4, 4, 100..124);
}

#[test]
fn five_replicas_one_height_in_flight() {
    sound(5, 1, 200..216);
}

#[test]
fn five_replicas_four_heights_in_flight() {
    sound(5, 4, 300..316);
}

#[test]
fn six_to_ten_replicas_eight_heights_in_flight() {
    for replicas in 6..=10 {
        sound(replicas, 8, 400..403);
    }
}

#[test]
fn plans_have_faults_of_every_kind() {
    let mut random = Random::new(1);
    let plans: Vec<_> = (0..400).map(|_| Plan::random(&mut random, 7, 2)).collect();
    let kinds: BTreeSet<_> = plans.iter().flat_map(|plan| &plan.faults).map(|(_, f)| f.kind()).collect();
    assert_eq!(kinds.len(), 21, "{kinds:?}");
    let some = |what: fn(&Plan) -> bool| plans.iter().any(what);
    assert!(some(|p| !p.silent.is_empty()) && some(|p| !p.drift.is_empty()));
    assert!(some(|p| p.skew_ms.contains(&3_600_000)) && some(|p| p.skew_ms.contains(&-3_600_000)));
    assert!(some(|p| p.changes.len() == 3) && some(|p| p.changes.is_empty()));
    assert!(some(|p| p.changes.iter().any(|change| change.rotated.is_some())));
    assert!(some(|p| p.changes.iter().any(|change| change.removed.is_some())));
    assert!(some(|p| p.changes.iter().any(|change| change.added.is_some())));
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 16] {
        let settings = Settings { verify: seed == 16, ..Settings::new(4, 4) };
        let (first, traced) = (run(seed, settings), run(seed, Settings { trace: true, ..settings }));
        assert_eq!(first.trace_hash, traced.trace_hash);
        assert!(first.trace.is_empty() && traced.trace.len() > 1000);
        assert_ne!(first.trace_hash, run(seed + 1, settings).trace_hash);
    }
}

fn scenario(name: &str) -> Scenario {
    Scenario::named(name).unwrap_or_else(|| panic!("there is no scenario {name}"))
}

/// Runs a scenario, which must not break a rule.
fn scripted(seed: u64, settings: Settings, name: &str) -> Outcome {
    let outcome = run_scenario(seed, settings, scenario(name));
    assert_eq!(outcome.violation, None, "seed {seed} of {name}, {settings:?}");
    outcome
}

/// Runs some seeds of a scenario; gives how often which fault showed.
fn all_of(name: &str, replicas: usize, seeds: u64) -> BTreeMap<&'static str, u64> {
    let mut faults = BTreeMap::new();
    for seed in 0..seeds {
        let outcome = scripted(seed, Settings::new(replicas, 1 + seed % 4), name);
        outcome.faults.into_iter().for_each(|(kind, times)| *faults.entry(kind).or_default() += times);
    }
    faults
}

#[test]
fn an_honest_network_has_no_view_changes() {
    for replicas in [4, 7, 10] {
        let outcome = scripted(1, Settings::new(replicas, 4), "honest");
        assert_eq!((outcome.view, outcome.faults.len()), (0, 0));
    }
}

#[test]
fn a_crashed_primary_is_replaced() {
    for seed in 0..8 {
        let outcome = scripted(seed, Settings::new(4, 1 + seed % 4), "crashed-primary");
        assert_eq!(outcome.view, 1, "seed {seed}");
        let pause = outcome.longest_pause_ms(2_000, 7_500);
        // A gap between clients and the time-out itself, then the view change.
        assert!(pause <= 3 * TIMEOUT_BASE_MS, "seed {seed}: no commit for {pause} ms");
    }
}

/// Schedule 5: whatever was prepared by anyone can be fetched from someone.
#[test]
fn power_loss_of_all() {
    let faults = all_of("power-loss-of-all", 4, 12);
    assert_eq!(faults.get("power loss of all"), Some(&(12 * 11)));
}

/// Schedule 6: a replica that heard nothing for a while has asked for a view, alone. It goes on voting, so
/// that the others can do without a fourth.
#[test]
fn a_lone_asker_keeps_voting() {
    let back_ms = 2_000 + 3 * TIMEOUT_BASE_MS;
    let mut shown = 0;
    for seed in 0..8 {
        let settings = Settings { trace: true, ..Settings::new(4, 1 + seed % 4) };
        let outcome = scripted(seed, settings, "lone-asker");
        let alone = |line: &String| line.contains("Ask by 1 for v1") || line.contains("Suspect by 1 of v0");
        shown += u64::from(outcome.trace.iter().any(alone));
        assert_eq!(outcome.view, 0, "seed {seed}");
        let pause = outcome.longest_pause_ms(back_ms, 7_500);
        assert!(pause <= 3 * TIMEOUT_BASE_MS, "seed {seed}: no commit for {pause} ms");
    }
    assert!(shown >= 4, "it asked only {shown} times: the schedule does not show what it should");
}

/// Schedule 7: votes wait for slow disks while the view changes under them.
#[test]
fn the_vote_that_left_late() {
    for seed in 0..8 {
        let outcome = scripted(seed, Settings::new(4, 4), "late-votes");
        assert!(outcome.view > 0, "seed {seed}");
    }
}

/// Schedule 13.
#[test]
fn clocks_an_hour_apart_and_one_silent() {
    all_of("clocks-an-hour-apart", 4, 8);
}

/// R47: whoever comes back with an old disk is told so by the others, or signs nothing that matters.
#[test]
fn old_disks_of_f_validators() {
    let faults = all_of("old-disks", 7, 8);
    let (old, noticed) = (faults.get("old disk"), faults.get("old disk noticed"));
    assert!(old >= Some(&8) && noticed >= Some(&8), "{faults:?}");
}

#[test]
fn full_and_failing_disks_stop_a_node_until_they_are_repaired() {
    assert!(all_of("full-disks", 4, 6).get("full disk") >= Some(&20));
    let faults = all_of("failing-disks", 4, 6);
    assert!(faults.get("failed sync") >= Some(&10), "{faults:?}");
    assert!(faults.get("power cut in a write") >= Some(&10), "{faults:?}");
}

/// R45, R46: keys rotate, validators leave, join and come back while processes crash.
#[test]
fn three_set_changes() {
    for seed in 0..8 {
        let settings = Settings { verify: seed == 0, ..Settings::new(4 + seed as usize % 4, 1 + seed % 4) };
        assert_eq!(scripted(seed, settings, "set-changes").epoch, 3);
    }
}

/// A validator that gets no new epoch until late is one of the last to know; it is shown the end of its epoch.
#[test]
fn who_slept_through_an_epoch_is_brought_along() {
    let changes = vec![
        SetChangePlan { height: 5, rotated: Some(3), ..SetChangePlan::default() },
        SetChangePlan { height: 12, rotated: Some(1), ..SetChangePlan::default() },
    ];
    let faults = vec![(50, Fault::Isolate { node: 3, hears: false, heard: false, for_ms: 3_000 })];
    let plan = Plan { faults, changes, heal_ms: 5_000, ..Plan::default() };
    for seed in 0..4 {
        let outcome = run_plan(seed, Settings { trace: true, ..Settings::new(4, 4) }, &plan);
        assert_eq!((outcome.violation, outcome.epoch), (None, 2), "seed {seed}");
        let late = outcome.trace.iter().any(|line| line.ends_with("starts epoch 2") && line.contains('○'));
        assert!(late, "seed {seed}");
    }
}

#[test]
fn more_than_f_silent_replicas_stop_the_network() {
    let plan = Plan { heal_ms: 1_000, ..Plan::default() };
    for (replicas, silent) in [(4, 2), (5, 2), (7, 3)] {
        let outcome = run_plan(1, Settings { silent, ..Settings::new(replicas, 1) }, &plan);
        assert!(outcome.violation.is_some_and(|violation| violation.0.starts_with("L: ")));
        assert_eq!(outcome.height, 0);
    }
}
