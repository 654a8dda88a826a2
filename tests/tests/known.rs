//! Failures known from other implementations of PBFT and its kin, as scenarios by name.

#![allow(clippy::unwrap_used, reason = "a test program")]

use quorate_tests::sim::{NEEDED_AT_MS, Outcome, Scenario, Settings, TIMEOUT_BASE_MS, run_scenario};

/// Runs some seeds of a scenario, which must not break a rule.
fn all_of(name: &str, replicas: usize, window: u64, seeds: u64) -> Vec<Outcome> {
    let scenario = Scenario::named(name).unwrap();
    let run = |seed| {
        let settings = Settings::new(replicas, window);
        let outcome = run_scenario(seed, settings, scenario);
        assert_eq!(outcome.violation, None, "seed {seed} of {name}");
        outcome
    };
    (1..=seeds).map(run).collect()
}

#[test]
fn new_views_from_different_sets() {
    for (replicas, window) in [(4, 8), (7, 4)] {
        let outcomes = all_of("different-sets", replicas, window, 6);
        assert!(outcomes.iter().all(|outcome| outcome.view >= 3), "the views did not change");
    }
}

#[test]
fn a_primary_whose_window_moves_first() {
    assert!(all_of("window-moves-first", 4, 8, 8).iter().any(|outcome| outcome.view > 0));
}

#[test]
fn view_changes_that_arrive_after_their_heights_are_forgotten() {
    assert!(all_of("view-change-after-forgetting", 4, 4, 8).iter().all(|outcome| outcome.view > 0));
}

/// The one that was away for the change of views votes as soon as it is needed.
#[test]
fn who_caught_up_votes_in_a_view_that_it_never_saw_start() {
    for (replicas, window) in [(4, 1), (4, 8), (7, 4)] {
        for outcome in all_of("caught-up-and-needed", replicas, window, 4) {
            let healed_ms = NEEDED_AT_MS + 4 * TIMEOUT_BASE_MS;
            // A view change for each of those that went, were they primaries, and the commits between them.
            let pause = outcome.longest_pause_ms(NEEDED_AT_MS, healed_ms - TIMEOUT_BASE_MS);
            assert!(pause <= 3 * TIMEOUT_BASE_MS, "{replicas} replicas: no commit for {pause} ms");
        }
    }
}

#[test]
fn late_echoes_of_earlier_views() {
    assert!(all_of("late-echoes", 4, 8, 8).iter().all(|outcome| outcome.view > 0));
}

/// Nobody commits for an hour, and everything within the bound after it.
#[test]
fn two_halves_for_an_hour() {
    for replicas in [4, 6] {
        for outcome in all_of("split-for-an-hour", replicas, 8, 2) {
            assert!(outcome.longest_pause_ms(3_000, 3_600_000) > 3_500_000, "it was no split");
        }
    }
}

/// Those whose clocks stand still ask for nothing, but follow and vote.
#[test]
fn clocks_that_stand_still() {
    for (replicas, window, f) in [(4, 8, 1), (7, 1, 2), (10, 4, 3)] {
        for outcome in all_of("stalled-clocks", replicas, window, 4) {
            assert_eq!(outcome.faults.get("stalled clock"), Some(&(f + 1)));
            assert!(outcome.view > 0, "no primary was replaced");
        }
    }
}

#[test]
fn a_replayed_journal_signs_nothing_anew() {
    for (replicas, window) in [(4, 8), (5, 1)] {
        for outcome in all_of("replays", replicas, window, 6) {
            let crashes = outcome.faults.get("crash at a persist point");
            assert!(crashes >= Some(&8), "{:?}", outcome.faults);
        }
    }
}
