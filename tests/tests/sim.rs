//! A fixed share of the simulated network's seeds, schedules by name, and mistakes made on purpose.

#![allow(clippy::panic)]

use quorate_tests::sim::{Fault, Mutation, Outcome, Plan, Settings, TIMEOUT_BASE_MS, run, run_plan};
use std::collections::BTreeSet;

/// Kinds of faults that plans are made of.
const FAULT_KINDS: usize = 12;

/// Runs seeds that must not break a rule, and that must have had something to break it.
fn sound(replicas: usize, window: u64, seeds: std::ops::Range<u64>) {
    let (mut views, mut kinds) = (0, BTreeSet::new());
    let count = seeds.end - seeds.start;
    for seed in seeds {
        let settings = Settings { verify: seed.is_multiple_of(8), ..Settings::new(replicas, window) };
        let outcome = run(seed, settings);
        assert_eq!(
            outcome.violation, None,
            "cargo run --release -p quorate-tests --bin sim -- --seed {seed} --replicas {replicas} --window \
             {window} --trace"
        );
        assert!(outcome.height >= 30, "seed {seed} reached height {}", outcome.height);
        views += outcome.view;
        kinds.extend(outcome.faults.into_keys());
    }
    assert!(views >= count, "{views} view changes in {count} runs");
    assert!(count < 16 || kinds.len() == FAULT_KINDS, "{kinds:?}");
}

#[test]
fn four_replicas_one_height_in_flight() {
    sound(4, 1, 0..60);
}

#[test]
fn four_replicas_four_heights_in_flight() {
    sound(4, 4, 100..160);
}

#[test]
fn five_replicas_one_height_in_flight() {
    sound(5, 1, 200..240);
}

#[test]
fn five_replicas_four_heights_in_flight() {
    sound(5, 4, 300..340);
}

#[test]
fn six_to_ten_replicas_eight_heights_in_flight() {
    for replicas in 6..=10 {
        sound(replicas, 8, 400..403);
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 8] {
        let settings = Settings { verify: seed == 8, ..Settings::new(4, 4) };
        let (first, traced) = (run(seed, settings), run(seed, Settings { trace: true, ..settings }));
        assert_eq!(first.trace_hash, traced.trace_hash);
        assert!(first.trace.is_empty() && traced.trace.len() > 1000);
        assert_ne!(first.trace_hash, run(seed + 1, settings).trace_hash);
    }
}

fn scripted(seed: u64, settings: Settings, plan: &Plan) -> Outcome {
    let outcome = run_plan(seed, settings, plan);
    assert_eq!(outcome.violation, None, "seed {seed} of {plan:?}");
    outcome
}

#[test]
fn a_crashed_primary_is_replaced() {
    let crash = Fault::Crash { node: 0, down_ms: 60_000 };
    let plan = Plan { faults: vec![(2_000, crash)], heal_ms: 8_000, ..Plan::default() };
    for seed in 0..8 {
        let outcome = scripted(seed, Settings::new(4, 1 + seed % 4), &plan);
        assert_eq!(outcome.view, 1, "seed {seed}");
        let pause = outcome.longest_pause_ms(2_000, 7_500);
        // A gap between clients and the time-out itself, then the view change.
        assert!(pause <= 3 * TIMEOUT_BASE_MS, "seed {seed}: no commit for {pause} ms");
    }
}

/// Schedule 5: whatever was prepared by anyone can be fetched from someone.
fn power_losses() -> Plan {
    let faults = (1..12).map(|i| (i * 500, Fault::PowerLoss { down_ms: 20 })).collect();
    Plan { faults, heal_ms: 7_000, ..Plan::default() }
}

#[test]
fn power_loss_of_all() {
    for seed in 0..12 {
        scripted(seed, Settings::new(4, 4), &power_losses());
    }
}

#[test]
fn power_loss_of_all_finds_bodies_that_were_not_durable() {
    let settings = Settings { mutation: Some(Mutation::BodyBeforePersist), ..Settings::new(4, 4) };
    let found = (0..60).find_map(|seed| run_plan(seed, settings, &power_losses()).violation);
    assert!(found.is_some_and(|violation| violation.0.starts_with("L: ")), "the forced anchor is gone");
}

/// Schedule 6: a replica that heard nothing for a while has asked for a view, alone. It goes on voting, so
/// that the others can do without a fourth.
#[test]
fn a_lone_asker_keeps_voting() {
    let deaf = Fault::Isolate { node: 1, hears: false, heard: true, for_ms: 3 * TIMEOUT_BASE_MS };
    let dead = Fault::Crash { node: 3, down_ms: 60_000 };
    let back_ms = 2_000 + 3 * TIMEOUT_BASE_MS;
    let faults = vec![(2_000, deaf), (back_ms + 50, dead)];
    let plan = Plan { faults, heal_ms: 8_000, ..Plan::default() };
    for seed in 0..8 {
        let settings = Settings { trace: true, ..Settings::new(4, 1 + seed % 4) };
        let outcome = scripted(seed, settings, &plan);
        let asked = outcome.trace.iter().any(|line| line.contains("Ask by 1 for v1"));
        assert!(asked, "seed {seed}: the schedule does not show what it should");
        assert_eq!(outcome.view, 0, "seed {seed}");
        let pause = outcome.longest_pause_ms(back_ms, 7_500);
        assert!(pause <= 2 * TIMEOUT_BASE_MS, "seed {seed}: no commit for {pause} ms");
    }
}

/// Schedule 7: votes wait for slow disks while the view changes under them.
#[test]
fn the_vote_that_left_late() {
    let slow = |node| (1_500, Fault::SlowDisk { node, sync_ms: 600, for_ms: 4_000 });
    let crash = (2_000, Fault::Crash { node: 0, down_ms: 3_000 });
    let plan = Plan { faults: vec![slow(1), slow(2), slow(3), crash], heal_ms: 7_000, ..Plan::default() };
    for seed in 0..8 {
        let outcome = scripted(seed, Settings::new(4, 4), &plan);
        assert!(outcome.view > 0, "seed {seed}");
    }
    let settings = Settings { mutation: Some(Mutation::LateVotes), ..Settings::new(4, 4) };
    let found = run_plan(0, settings, &plan).violation;
    assert!(found.is_some_and(|violation| violation.0.starts_with("R13")));
}

/// Schedule 13.
#[test]
fn clocks_an_hour_apart_and_one_silent() {
    let hour = 3_600_000;
    let skew_ms = vec![hour, 0, -hour, 0];
    let plan = Plan { silent: vec![3], skew_ms, heal_ms: 4_000, ..Plan::default() };
    for seed in 0..8 {
        scripted(seed, Settings::new(4, 1 + seed % 4), &plan);
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

/// The first seed that finds a mistake, and for what.
fn found(mutation: Mutation, seeds: u64) -> (u64, String) {
    let settings = Settings { mutation: Some(mutation), ..Settings::new(4, 4) };
    let found = (1..=seeds).find_map(|seed| run(seed, settings).violation.map(|v| (seed, v.0)));
    found.unwrap_or_else(|| panic!("{} was not found in {seeds} seeds", mutation.name()))
}

#[test]
fn sending_before_persisting_is_found() {
    let (seed, violation) = found(Mutation::SendBeforePersist, 100);
    println!("send before persist: seed {seed}, {violation}");
    assert!(!violation.starts_with("L: "), "{violation}");
}

#[test]
fn what_a_restart_forgets_is_found() {
    for mutation in [
        Mutation::RestartForgetsAll,
        Mutation::RestartForgetsView,
        Mutation::RestartForgetsViewChange,
        Mutation::RestartForgetsLease,
    ] {
        let (seed, violation) = found(mutation, 60);
        println!("{}: seed {seed}, {violation}", mutation.name());
        assert!(!violation.starts_with("L: "), "{violation}");
    }
}
