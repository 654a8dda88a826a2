//! 4. Three views (R28).
//!
//! Z is primary of view 1 and silent. All change to view 1; A's timer alone expires, and with one ask of Z it
//! goes on to view 2. B and D stay at 1. If only ViewChanges for exactly the own view were counted, A would see
//! one and B and D two: no timer runs ever again.

use quorate_consensus::Mistake;
use quorate_tests::schedule::{Kind, Setup, Stage, all, of};

const A: usize = 0;
const Z: usize = 1;
const B: usize = 2;
const D: usize = 3;

fn schedule(mistakes: &[Mistake]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).mistakes(mistakes));
    let change = of(&[Kind::Ask, Kind::ViewChange]);
    assert!(stage.flow_until(5_000, &change, |s| [A, B, D].iter().all(|seat| s.target(*seat) == Some(1))));
    stage.run(&change);
    stage.lose(&all());
    stage.pass_for(&[A], 3_000);
    let ask = stage.forge_ask(Z, 2, 0);
    stage.tell(&[A], Z, &ask);
    stage.run(&change.from(&[A]));
    assert_eq!([A, B, D].map(|seat| stage.target(seat)), [Some(2), Some(1), Some(1)]);
    stage
}

#[test]
fn r28_everyone_at_or_above_the_own_target_counts() {
    let mut stage = schedule(&[]);
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r28_stalls_if_only_the_exact_view_counts() {
    assert!(schedule(&[Mistake::TimerForExactView]).heal(60).is_err());
}
