//! 13. Clocks an hour apart (R6).
//!
//! A's and D's clocks are an hour ahead of B's. With Z's vote they commit b1, of their time. Then Z is silent
//! and B is needed: whatever A or D propose by their clocks lies an hour ahead for B. As primary, B proposes
//! 1 ms after b1; without the clause that this is always acceptable it would refuse even that.

use quorate_consensus::Mistake;
use quorate_tests::schedule::{Kind, Setup, Stage, all, of};

const A: usize = 0;
const B: usize = 1;
const Z: usize = 2;
const D: usize = 3;

const HOUR_MS: i64 = 3_600_000;

fn schedule(mistakes: &[Mistake]) -> Stage {
    let clocks = [HOUR_MS, 0, 0, HOUR_MS];
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).clocks_ahead(&clocks).mistakes(mistakes));
    stage.submit(&[A]);
    stage.run(&of(&[Kind::Proposal]));
    let b1 = stage.proposed(0, 1);
    for vote in [stage.forge_prepare(Z, 0, &b1), stage.forge_commit(Z, 0, &b1)] {
        stage.tell(&[A, B, D], Z, &vote);
    }
    stage.run(&all());
    assert!(stage.all_at(1));
    stage
}

#[test]
fn r6_a_millisecond_after_the_parent_is_never_ahead() {
    let mut stage = schedule(&[]);
    for _ in 0..3 {
        assert_eq!(stage.heal(20), Ok(()));
    }
    assert_eq!(stage.violations(), []);
}

#[test]
fn r6_stands_for_an_hour_without_that() {
    assert!(schedule(&[Mistake::NoParentPlusOne]).heal(60).is_err());
}
