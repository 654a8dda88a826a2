//! A share of all partitions of three views with twins; and that they would find a mistake.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

use quorate_tests::sim::{Enumeration, Mutation, Outcome, Scenario, Settings, run_scenario};
use std::collections::BTreeMap;

/// One of so many plans runs here.
const EVERY: usize = 617;
/// Plans in a row in which a mistake must show.
const SOON: u64 = 100;

fn scenario() -> (Scenario, Enumeration) {
    let scenario = Scenario::named("twins-enumerated").unwrap();
    (scenario, scenario.enumeration().unwrap())
}

fn run(seed: u64, mutation: Option<Mutation>) -> Outcome {
    let (scenario, all) = scenario();
    let verify = mutation.is_none() && seed.is_multiple_of(16);
    run_scenario(seed, Settings { verify, mutation, ..Settings::new(all.replicas, all.window) }, scenario)
}

#[test]
fn a_share_of_all() {
    let (scenario, all) = scenario();
    let (mut shown, mut runs, mut all_views) = (BTreeMap::new(), 0, 0);
    for seed in (0..all.plans).step_by(EVERY) {
        let outcome = run(seed, None);
        assert_eq!(outcome.violation, None, "seed {seed} of {}", scenario.name);
        runs += 1;
        all_views += u64::from(outcome.view >= 2);
        outcome.faults.into_iter().for_each(|(kind, times)| *shown.entry(kind).or_default() += times);
    }
    println!("{runs} of {} plans, {all_views} came to all three views: {shown:?}", all.plans);
    assert!(runs >= 100 && all_views * 10 >= runs * 9, "{all_views} of {runs} came to all three views");
    // The twins contradict each other, but in Commits: those need a certificate, and there are not two for a slot.
    for what in ["proposals", "Prepares", "ViewChanges", "NewViews"] {
        let kind = format!("evidence of two {what}");
        assert!(shown.get(kind.as_str()) >= Some(&1_u64), "{kind}: {shown:?}");
    }
    assert!(shown.get("byzantine: twins") >= Some(&runs), "{shown:?}");
}

/// `docs/TESTING.md` has where each is found first.
#[test]
fn known_mistakes_are_found() {
    let names = [
        ("quorum-2f", "S6"),
        ("votes-after-view-change", "R13"),
        ("prepared-lost-before-view-change", "S1"),
        ("prepared-lowered", "S1"),
        ("mixed-views", "S6"),
    ];
    for (name, breach) in names {
        let mutation = Mutation::named(name);
        let find = |seed| Some((seed, run(seed, mutation).violation?.0));
        let (seed, violation) =
            (0..SOON).find_map(find).unwrap_or_else(|| panic!("{name} was not found in {SOON} plans"));
        println!("{name}: plan {seed}, {violation}");
        assert!(violation.starts_with(breach), "{name}: plan {seed}, {violation}");
        assert_eq!(run(seed, None).violation, None, "plan {seed} without {name}");
    }
}
