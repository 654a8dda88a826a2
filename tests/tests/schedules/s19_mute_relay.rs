//! 19. The mute relay (R33).
//!
//! D falls silent for view 1 with one ask of Z, which is silent from then on; its timer is off, because nobody
//! else asks. A client's transaction comes to D alone. A and B have nothing to do and no timer that runs; if D
//! relays nothing while it is mute, that stays so.

use quorate_consensus::Mistake;
use quorate_tests::schedule::{Setup, Stage, all};

const D: usize = 3;
const Z: usize = 2;

fn schedule(mistakes: &[Mistake]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).mistakes(mistakes));
    let ask = stage.forge_ask(Z, 1, 0);
    stage.tell(&[D], Z, &ask);
    stage.pass_for(&[D], 3_000);
    assert_eq!(stage.target(D), Some(1));
    stage.lose(&all());
    stage.submit(&[D]);
    stage
}

#[test]
fn r33_a_mute_replica_relays_what_waits() {
    let mut stage = schedule(&[]);
    assert_eq!(stage.progress(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r33_stalls_if_it_relays_nothing() {
    assert!(schedule(&[Mistake::MuteRelaysNothing]).progress(60).is_err());
}
