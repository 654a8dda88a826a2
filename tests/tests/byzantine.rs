//! Byzantine validators in the simulated network: each kind alone, coalitions of f, and one too many.

#![allow(clippy::unwrap_used, reason = "a test program")]

use quorate_tests::sim::{
    Byzantine, Outcome, Plan, RESUMED_TIMEOUTS, Scenario, Settings, TIMEOUT_BASE_MS, run_plan, run_scenario,
};
use std::collections::{BTreeMap, BTreeSet};

/// Runs some seeds of a scenario, which must not break a rule; gives what showed.
fn all_of(name: &str, sizes: &[(usize, u64)], seeds: u64) -> BTreeMap<&'static str, u64> {
    let scenario = Scenario::named(name).unwrap();
    let mut shown = BTreeMap::new();
    for (replicas, window) in sizes {
        for seed in 1..=seeds {
            let settings = Settings { verify: seed == 1, ..Settings::new(*replicas, *window) };
            let outcome = run_scenario(seed, settings, scenario);
            assert_eq!(
                outcome.violation, None,
                "seed {seed} of {name}, {replicas} replicas, window {window}"
            );
            assert!(
                outcome.resumed_ms <= RESUMED_TIMEOUTS * TIMEOUT_BASE_MS,
                "seed {seed} of {name}: the first commit came {} ms after healing",
                outcome.resumed_ms
            );
            outcome.faults.into_iter().for_each(|(kind, times)| *shown.entry(kind).or_default() += times);
        }
    }
    shown
}

/// Each kind alone, of four and of seven: nothing breaks, and it did what it is there for.
#[test]
fn each_kind_alone() {
    let names: Vec<_> = Scenario::all().filter(|s| s.name.starts_with("byzantine-")).collect();
    for (scenario, kind) in names.iter().zip(Byzantine::ALL) {
        let shown = all_of(scenario.name, &[(4, 8), (7, 4)], 2);
        assert!(shown.get(kind.name()) >= Some(&1), "{}: {shown:?}", scenario.name);
    }
}

#[test]
fn coalitions_of_different_kinds() {
    let shown = all_of("byzantine-coalition", &[(7, 8), (10, 4)], 6);
    let kinds = shown.keys().filter(|kind| kind.starts_with("byzantine: "));
    assert!(kinds.count() >= 10, "{shown:?}");
}

/// R37: who signs two payloads for one slot is named by the honest.
#[test]
fn contradictions_are_named() {
    let cases: [(_, _, _, &[_]); 5] = [
        ("byzantine-equivocator", (4, 8), 8, &["evidence of two proposals"]),
        ("byzantine-double-voter", (4, 8), 8, &["evidence of two Commits"]),
        ("byzantine-view-liar", (4, 8), 8, &["evidence of two ViewChanges", "evidence of two NewViews"]),
        ("byzantine-mutator", (4, 8), 8, &["evidence of two Prepares"]),
        // Most twins are cut off from whoever hears the other.
        ("byzantine-twins", (10, 4), 24, &["evidence of two "]),
    ];
    for (name, size, seeds, evidence) in cases {
        let shown = all_of(name, &[size], seeds);
        for one in evidence {
            assert!(shown.keys().any(|kind| kind.starts_with(one)), "{name}, {one}: {shown:?}");
        }
    }
}

/// R22, R34: who catches up takes no block, body or message that does not prove itself, in seeds without real
/// signatures too, and gets it from somebody else.
#[test]
fn forged_answers_are_refused() {
    let shown = all_of("byzantine-sync-liar", &[(4, 4), (7, 8)], 4);
    for kind in ["byzantine: refused answer", "byzantine: refused by verification"] {
        assert!(shown.get(kind) >= Some(&8), "{kind}: {shown:?}");
    }
}

/// The sets change under the liars too.
#[test]
fn liars_see_epochs_end() {
    let scenario = Scenario::named("byzantine-coalition").unwrap();
    let epochs = (20..32).map(|seed| {
        let outcome = run_scenario(seed, Settings::new(7, 4), scenario);
        assert_eq!(outcome.violation, None, "seed {seed}");
        outcome.epoch
    });
    assert!(epochs.filter(|epoch| *epoch > 0).count() >= 2, "hardly any set changed");
}

/// R19, R25: a new primary may have two NewViews to sign that start the view on different blocks.
#[test]
fn a_liar_starts_one_view_on_two_blocks() {
    let scenario = Scenario::named("byzantine-view-liar").unwrap();
    let lies = |seed| {
        let outcome = run_scenario(seed, Settings { trace: true, ..Settings::new(4, 8) }, scenario);
        assert_eq!(outcome.violation, None, "seed {seed}");
        let starts = outcome.trace.iter().filter_map(|line| line.split("lies: NewView ").nth(1));
        let starts: BTreeSet<_> = starts.filter_map(|start| start.split_once(" on ")).collect();
        let views: BTreeSet<_> = starts.iter().map(|(view, _)| *view).collect();
        starts.len() > views.len()
    };
    assert!((1..=40).any(lies), "no view had two anchors");
}

fn with(byzantine: &[(usize, Byzantine)], seed: u64) -> Outcome {
    let plan = Plan { byzantine: byzantine.to_vec(), heal_ms: 2_500, ..Plan::default() };
    run_plan(seed, Settings::new(4, 4), &plan)
}

/// With f+1 of them the checker reports the fork: a network that lies could be told from a sound one.
#[test]
fn one_too_many_forks_and_is_seen() {
    let pair = [(0, Byzantine::Equivocator), (2, Byzantine::DoubleVoter)];
    let found = (1..=20).find_map(|seed| with(&pair, seed).violation.map(|violation| (seed, violation.0)));
    println!("equivocator and double voter of four: {found:?}");
    assert!(found.is_some_and(|(_, violation)| violation.starts_with("S1")), "no fork was seen");
}

/// With f+1 that say nothing nobody commits, and that is seen.
#[test]
fn one_too_many_that_are_silent_stop_the_network() {
    let pair = [(1, Byzantine::Silent), (2, Byzantine::Silent)];
    let outcome = with(&pair, 1);
    assert!(outcome.violation.is_some_and(|violation| violation.0.starts_with("L: ")));
    assert_eq!(outcome.height, 0);
}

/// The same alone is survived.
#[test]
fn one_of_them_is_survived() {
    for one in [(0, Byzantine::Equivocator), (2, Byzantine::DoubleVoter), (1, Byzantine::Silent)] {
        for seed in 1..=3 {
            assert_eq!(with(&[one], seed).violation, None, "{one:?}, seed {seed}");
        }
    }
}
