//! 6. The lone asker (R26).
//!
//! D hears nothing for a while and its timer expires; Z is silent. Then everybody hears everything again, and A
//! proposes. If an expired timer alone silences a replica, A and B are two of the three that a quorum needs, and
//! nothing is committed before they have waited for a time-out too and left a good primary.

use quorate_consensus::Mistake;
use quorate_tests::schedule::{Setup, Stage, all};

const A: usize = 0;
const Z: usize = 2;
const D: usize = 3;

fn schedule(mistakes: &[Mistake]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).mistakes(mistakes));
    stage.pass_for(&[D], 3_000);
    stage.submit(&[A]);
    stage.run(&all());
    stage
}

#[test]
fn r26_an_expired_timer_asks_and_keeps_voting() {
    let mut stage = schedule(&[]);
    assert!(stage.all_at(1), "at once");
    assert_eq!(stage.heal(1), Ok(()));
    assert_eq!(stage.view(A), 0, "the primary stays");
    assert_eq!(stage.violations(), []);
}

#[test]
fn r26_stands_if_one_expired_timer_silences() {
    let mut stage = schedule(&[Mistake::SilentAsker]);
    assert_eq!(stage.target(D), Some(1));
    assert!(!stage.is_certified(1));
    assert!(!stage.flow_until(900, &all(), |s| s.is_certified(1)), "not before the others' time-out");
}
