//! 16. One ask, two suspects (R39).
//!
//! Z, primary of view 0, sends a good proposal to D only, and to A and B one that nobody can accept, so that D's
//! relay of the good one comes too late. It goes on sending its Status and is silent otherwise. D waits for a
//! block and asks: one of the two that are needed. A and B wait for transactions and suspect: two of three.
//! Counted together they are three.

use quorate_chain::ResultHash;
use quorate_consensus::Mistake;
use quorate_tests::schedule::{Setup, Stage};

const Z: usize = 0;
const A: usize = 1;
const B: usize = 2;
const D: usize = 3;

fn schedule(mistakes: &[Mistake]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).mistakes(mistakes));
    stage.submit(&[A, B, D]);
    let good = stage.make_block(Z, None, 0, Vec::new());
    let mut header = good.header().clone();
    header.parent_result = ResultHash([9; 32]);
    let bad = stage.make_from(header, Vec::new());
    let [good, bad] = [good, bad].map(|block| stage.forge_proposal(Z, 0, &block));
    stage.tell(&[D], Z, &good);
    stage.tell(&[A, B], Z, &bad);
    let status = stage.forge_status(Z, 0, A);
    stage.keeps_saying(Z, &[A, B, D], status);
    stage
}

#[test]
fn r39_asks_and_suspects_count_together() {
    let mut stage = schedule(&[]);
    assert_eq!(stage.progress(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r39_stalls_if_each_is_counted_apart() {
    let mut stage = schedule(&[Mistake::SuspectsLiterally]);
    assert!(stage.progress(60).is_err());
    assert_eq!([A, B, D].map(|seat| (stage.view(seat), stage.target(seat))), [(0, None); 3]);
}
