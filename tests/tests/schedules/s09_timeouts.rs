//! 9. A cap too low, a base too short (R31).
//!
//! Messages take 500 ms. With a cap of 400 ms every view is left before its Prepares have arrived, so that nobody
//! sends a Commit; those would still count after the view (R35). A base of 20 ms does no harm, because the time-out doubles and then stays above four times
//! the commit latency; if it never grew, nothing would ever be committed.

use quorate_consensus::Mistake;
use quorate_tests::schedule::{Setup, Stage};

const LATENCY_MS: u64 = 500;

fn stage(base_ms: u64, max_ms: u64, mistakes: &[Mistake]) -> Stage {
    Stage::new(Setup::of(4).timeouts(base_ms, max_ms).latency(LATENCY_MS).mistakes(mistakes))
}

#[test]
fn r31_a_cap_above_the_worst_recovery_time_lives() {
    let mut stage = stage(200, 60_000, &[]);
    assert_eq!(stage.heal(100), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r31_stalls_if_the_cap_is_too_low() {
    assert!(stage(200, 400, &[]).heal(100).is_err());
}

#[test]
fn r31_a_base_too_short_is_outgrown_and_the_latency_is_remembered() {
    let mut stage = stage(20, 60_000, &[]);
    assert_eq!(stage.heal(500), Ok(()));
    let view = stage.view(0);
    for _ in 0..3 {
        assert_eq!(stage.heal(500), Ok(()));
    }
    assert_eq!(stage.view(0), view, "no view is left without need any more");
    assert_eq!(stage.violations(), []);
}

#[test]
fn r31_stalls_if_a_short_time_out_never_grows() {
    assert!(stage(20, 60_000, &[Mistake::TimeoutNeverDoubles]).heal(500).is_err());
}
