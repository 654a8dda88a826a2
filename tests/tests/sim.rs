//! A fixed share of the simulated runs, and runs that must fail: a test that can't fail proves nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use quorate_tests::sim::{Outcome, Settings, run};

/// Seeds within which the simulator finds a driver that sends before it persists.
const SEND_BEFORE_PERSIST_SEEDS: u64 = 400;

fn safe_and_live(seeds: std::ops::Range<u64>, settings: impl Fn(u64) -> Settings) -> Outcome {
    let mut all = Outcome::default();
    for seed in seeds {
        let settings = settings(seed);
        let outcome = run(seed, settings);
        assert!(
            outcome.violation.is_none(),
            "{:?}; repeat: cargo run --release -p quorate-tests --bin sim -- --seed {seed} --replicas {} --window {} --trace",
            outcome.violation,
            settings.replicas,
            settings.window
        );
        all.height += outcome.height;
        all.view += outcome.view;
        outcome.faults.iter().for_each(|(kind, times)| *all.faults.entry(kind).or_default() += times);
    }
    all
}

#[test]
fn four_and_five_replicas_are_safe_and_live_one_height_at_a_time() {
    let all = safe_and_live(1..41, |seed| Settings {
        verify: seed.is_multiple_of(4),
        ..Settings::new(4 + (seed % 2) as usize, 1)
    });
    assert!(all.height > 40 * 30, "{} heights in 40 runs", all.height);
    assert!(all.view > 40, "{} view changes in 40 runs", all.view);
    assert_eq!(all.faults.len(), 8, "every kind of fault happened: {:?}", all.faults);
}

#[test]
fn pipelined_replicas_are_safe_and_live() {
    safe_and_live(100..120, |seed| Settings::new(4 + (seed % 2) as usize, 4));
    safe_and_live(200..206, |seed| Settings::new(6 + (seed % 2) as usize, 8));
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let [first, second, other] = [7, 7, 8].map(|seed| run(seed, Settings::new(4, 1)));
    assert_eq!(first.trace_hash, second.trace_hash);
    assert_ne!(first.trace_hash, other.trace_hash);
}

#[test]
fn with_more_than_f_silent_replicas_nothing_is_committed() {
    for (replicas, silent) in [(4, 2), (5, 2), (7, 3)] {
        let outcome = run(3, Settings { silent, ..Settings::new(replicas, 1) });
        let violation = outcome.violation.expect("the liveness check must fail").0;
        assert!(violation.starts_with("L:"), "{violation}");
        assert_eq!(outcome.height, 0);
    }
}

#[test]
fn a_driver_that_sends_before_it_persists_is_found() {
    for seed in 1..=SEND_BEFORE_PERSIST_SEEDS {
        let settings = Settings { send_before_persist: true, ..Settings::new(4, 1) };
        if let Some(violation) = run(seed, settings).violation {
            println!("found by seed {seed}: {}", violation.0);
            assert!(violation.0.starts_with('S'), "{}", violation.0);
            return;
        }
    }
    panic!("not found in {SEND_BEFORE_PERSIST_SEEDS} seeds");
}
