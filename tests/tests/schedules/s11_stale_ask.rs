//! 11. The stale ask (R26).
//!
//! D hears nothing for a while and asks for view 1, then recovers. Much later one Ask of Z makes f+1, if D never
//! took its own back, and a healthy view is left.

use quorate_consensus::Mistake;
use quorate_tests::schedule::{Setup, Stage, all};

const A: usize = 0;
const B: usize = 1;
const D: usize = 2;
const Z: usize = 3;

fn schedule(mistakes: &[Mistake]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).mistakes(mistakes));
    stage.pass_for(&[D], 3_000);
    stage.run(&all());
    for height in 1..=3 {
        stage.submit(&[A]);
        assert!(stage.flow_until(500, &all(), |s| s.all_at(height)));
    }
    stage.flow(60_000, &all());
    assert_eq!([A, B, D].map(|seat| stage.view(seat)), [0; 3]);
    let ask = stage.forge_ask(Z, 1, 0);
    stage.tell(&[A, B, D], Z, &ask);
    stage.flow(500, &all());
    stage
}

#[test]
fn r26_an_ask_is_taken_back() {
    let mut stage = schedule(&[]);
    assert_eq!([A, B, D].map(|seat| stage.view(seat)), [0; 3]);
    assert_eq!(stage.heal(1), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r26_one_byzantine_ask_ends_a_healthy_view_if_it_is_not() {
    let stage = schedule(&[Mistake::NeverWithdraws]);
    assert_eq!([A, B, D].map(|seat| stage.view(seat)), [1; 3]);
}
