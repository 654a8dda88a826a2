//! Known mistakes are found: each within so many guided runs. `docs/TESTING.md` has the table of all.

#![allow(clippy::panic, reason = "a test program")]

use quorate_tests::sim::{Mutation, Scenario, Settings, hunt, run_scenario};
use std::collections::BTreeSet;

fn mutation(name: &str) -> Mutation {
    Mutation::named(name).unwrap_or_else(|| panic!("there is no mutation {name}"))
}

/// Those that are found soon: within how many seeds, and as a breach of what.
const SOON: [(&str, u64, &str); 1] = [("quorum-2f", 1, "S6")];

#[test]
fn those_that_are_found_soon() {
    for (name, seeds, what) in SOON {
        let found = hunt(mutation(name), seeds, 1).unwrap_or_else(|| panic!("{name} in {seeds} seeds"));
        assert!(found.violation.starts_with(what), "{name}: seed {}, {}", found.seed, found.violation);
    }
}

#[test]
fn names_are_unique_and_schedules_exist() {
    let names: BTreeSet<_> = Mutation::ALL.iter().map(|one| one.name()).collect();
    assert_eq!(names.len(), Mutation::ALL.len());
    assert!(Mutation::ALL.iter().filter_map(|one| one.schedule()).all(|number| (1..=19).contains(&number)));
}

fn scripted(name: &str, seed: u64, scenario: &str) -> Option<String> {
    let scenario = Scenario::named(scenario).unwrap_or_else(|| panic!("there is no scenario {scenario}"));
    let settings = Settings { mutation: Some(mutation(name)), ..Settings::new(4, 4) };
    run_scenario(seed, settings, scenario).violation.map(|violation| violation.0)
}

#[test]
fn power_loss_of_all_finds_bodies_that_were_not_durable() {
    let found = (0..60).find_map(|seed| scripted("body-before-persist", seed, "power-loss-of-all"));
    assert!(found.is_some_and(|violation| violation.starts_with("L: ")), "the forced anchor is gone");
}

#[test]
fn slow_disks_find_votes_that_leave_late() {
    let found = scripted("late-votes", 0, "late-votes");
    assert!(found.is_some_and(|violation| violation.starts_with("R13")));
}

/// The guided runs are sound themselves: without a mistake nothing is found.
#[test]
fn guided_runs_of_the_right_core_find_nothing() {
    let guided = Scenario::named("guided").unwrap_or_else(|| panic!("there are no guided runs"));
    for seed in 1..=60 {
        let outcome = run_scenario(seed, Settings::new(4, 8), guided);
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}
