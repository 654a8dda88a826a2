//! Known mistakes are found. `docs/TESTING.md` has the table: in which guided run, and what the checker says.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test program")]

use quorate_tests::sim::{Find, Mutation, Outcome, Scenario, Settings, guided, hunt, run_scenario};
use std::path::Path;

/// Those that take no more guided runs are looked for here.
const SOON: u64 = 300;

/// Every one is found by so many.
const LATEST: u64 = 20_000;

/// A row of the table.
struct Row {
    mutation: Mutation,
    /// `None` if it was not found.
    seed: Option<u64>,
    /// The invariant or rule whose breach the checker reports.
    breach: String,
    line: String,
}

/// The rows of the table, as the document has them.
fn rows() -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/TESTING.md");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| line.starts_with("| `"));
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let mutation = Mutation::named(cells.get(1)?.trim_matches('`'))?;
        let breach = cells[6].split(':').next()?.to_owned();
        Some(Row { mutation, seed: cells[5].parse().ok(), breach, line: line.to_owned() })
    };
    lines.filter_map(row).collect()
}

/// The run of a seed, with a mutation or without one.
fn run(mutation: Mutation, seed: u64, made: bool) -> Outcome {
    let settings = guided::settings(mutation);
    run_scenario(
        seed,
        Settings { mutation: Some(mutation).filter(|_| made), ..settings },
        mutation.scenario(),
    )
}

#[test]
fn the_table_has_every_mutation() {
    let rows = rows();
    let named: Vec<_> = rows.iter().map(|row| row.mutation.name()).collect();
    assert_eq!(named, Mutation::ALL.map(Mutation::name), "sim --mutations prints the table");
    for Row { mutation, seed, line, .. } in rows {
        assert!(seed.is_some_and(|seed| seed <= LATEST), "not found in {LATEST} guided runs: {line}");
        let schedule = mutation.schedule().map(|number| number.to_string()).unwrap_or_default();
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let of = [mutation.rule(), mutation.made_by(), &mutation.replicas().to_string()].map(str::to_owned);
        assert_eq!((cells[2], cells[3], cells[4]), (&*of[0], &*of[1], &*of[2]), "{line}");
        assert_eq!((cells[7], cells[8]), (&*schedule, mutation.scenario().name), "{line}");
    }
}

#[test]
fn those_that_are_found_soon_are_found() {
    let mut count = 0;
    for Row { mutation, seed, breach, .. } in rows() {
        let Some(seed) = seed.filter(|seed| *seed <= SOON) else { continue };
        let name = mutation.name();
        let told = run(mutation, seed, true).violation.map(|violation| Find { seed, violation: violation.0 });
        // A seed is another run once simulator or core change; so many of them must do all the same.
        let found = told.or_else(|| hunt(mutation, SOON, 2));
        let found = found.unwrap_or_else(|| panic!("{name} was not found in {SOON} runs"));
        println!("{name}: seed {}, {}", found.seed, found.violation);
        assert!(found.seed != seed || found.violation.starts_with(&breach), "{name}: {}", found.violation);
        let right = run(mutation, found.seed, false);
        assert_eq!(right.violation, None, "{name}: seed {} without it", found.seed);
        count += 1;
    }
    assert!(count >= 20, "only {count} are found soon");
}

/// Runs a scenario with a mistake.
fn scripted(name: &str, seed: u64, scenario: &str) -> Option<String> {
    let mutation = Mutation::named(name);
    let scenario = Scenario::named(scenario).unwrap_or_else(|| panic!("there is no scenario {scenario}"));
    let settings = Settings { mutation, ..Settings::new(4, 4) };
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

/// The guided runs themselves are sound, for other sizes and windows too.
#[test]
fn guided_runs_of_the_right_core_find_nothing() {
    for (replicas, window) in [(4, 8), (4, 1), (5, 4), (7, 8)] {
        for seed in 1..=12 {
            let outcome = run_scenario(seed, Settings::new(replicas, window), guided::scenario());
            assert_eq!(outcome.violation, None, "seed {seed}, n = {replicas}, W = {window}");
        }
    }
}
