//! 14. Two against two (R36, R37).
//!
//! All are honest, and two execute b1 to another result than the other two. No certificate can form, and all
//! know who says what. Whoever counted Commits without comparing results would certify b1.

use quorate_chain::{Height, ResultHash, ValidatorIndex};
use quorate_consensus::Effect;
use quorate_tests::schedule::{Setup, Stage, all};
use std::collections::BTreeMap;

const ALL: [usize; 4] = [0, 1, 2, 3];

fn schedule(wrong: &[usize]) -> Stage {
    let mut stage = Stage::new(Setup::of(4));
    wrong.iter().for_each(|seat| stage.errs(*seat));
    stage.submit(&[0]);
    stage.run(&all());
    stage
}

/// Who committed to which result, as an alarm names them.
fn named(stage: &Stage, seat: usize) -> Option<Vec<Vec<ValidatorIndex>>> {
    stage.alarms(seat).iter().find_map(|alarm| {
        let Effect::ResultsDiffer(votes) = alarm else { return None };
        let mut by_result: BTreeMap<ResultHash, Vec<ValidatorIndex>> = BTreeMap::new();
        for vote in votes {
            by_result.entry(vote.payload.result).or_default().push(vote.signer);
        }
        let mut sides: Vec<_> = by_result.into_values().collect();
        sides.sort();
        Some(sides)
    })
}

#[test]
fn r36_no_certificate_and_an_alarm_that_names_both_sides() {
    let stage = schedule(&[2, 3]);
    assert!(!stage.is_certified(1));
    let sides = [[0, 1], [2, 3]].map(|side| side.map(ValidatorIndex).to_vec()).to_vec();
    for seat in ALL {
        assert_eq!(named(&stage, seat), Some(sides.clone()), "of {seat}");
        assert_eq!(stage.tip(seat), 0);
    }
    assert_eq!(stage.violations(), []);
}

#[test]
fn r36_would_be_certified_if_results_were_not_compared() {
    assert_eq!(schedule(&[2, 3]).certified_whatever_the_result(), [Height(1)]);
}

#[test]
fn r36_one_against_three_stops_alone() {
    let mut stage = schedule(&[3]);
    assert!(stage.alarms(3).iter().any(|alarm| matches!(alarm, Effect::Halted(_))));
    assert_eq!([0, 1, 2].map(|seat| stage.tip(seat)), [1; 3]);
    stage.lose_power(&[3]);
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.violations(), []);
}
