//! 15. The picky client (R38–R41), and primaries that are none too eager.
//!
//! Others' transactions are committed all the time, so no timer ever expires. A transaction that only D holds is
//! in no block of the first primary: D sends it to all, they suspect the primary, and the next one takes it. One that
//! nobody takes costs f+1 views and no more. A primary whose blocks come just before the time is up commits much
//! less than the one before, and is replaced.

use quorate_chain::Transaction;
use quorate_consensus::Mistake;
use quorate_tests::schedule::{Setup, Stage, all};

const D: usize = 3;
const ALL: [usize; 4] = [0, 1, 2, 3];
const TIMEOUT_MS: u64 = 100;

fn stage(mistakes: &[Mistake]) -> Stage {
    Stage::new(Setup::of(4).timeouts(TIMEOUT_MS, 64 * TIMEOUT_MS).mistakes(mistakes))
}

/// Others' transactions come for so many time-outs, or until this one is committed; gives whether it is.
fn others_go_on(stage: &mut Stage, timeouts: u64, until: Option<&Transaction>) -> bool {
    const EVERY_MS: u64 = 5;
    for _ in 0..timeouts * TIMEOUT_MS / EVERY_MS {
        stage.submit(&ALL);
        stage.flow(EVERY_MS, &all());
        if until.is_some_and(|transaction| stage.has_committed(transaction)) {
            return true;
        }
    }
    false
}

fn views(stage: &Stage) -> [u64; 4] {
    ALL.map(|seat| stage.view(seat))
}

/// A transaction that only D holds and that the first primary leaves out.
fn censored(mistakes: &[Mistake]) -> (Stage, Transaction) {
    let mut stage = stage(mistakes);
    others_go_on(&mut stage, 2, None);
    let victim = stage.fresh_transaction();
    stage.leaves_out(&[0], &victim);
    stage.submit_this(&[D], &victim);
    (stage, victim)
}

#[test]
fn r38_what_a_primary_leaves_out_the_next_one_takes() {
    let (mut stage, victim) = censored(&[]);
    assert!(others_go_on(&mut stage, 20, Some(&victim)));
    assert_eq!(views(&stage), [1; 4]);
    assert!(!others_go_on(&mut stage, 20, None));
    assert_eq!(views(&stage), [1; 4], "nobody has a reason to go on");
    assert_eq!(stage.violations(), []);
}

#[test]
fn r38_is_never_taken_if_only_timers_suspect() {
    let (mut stage, victim) = censored(&[Mistake::PassedOverUnnoticed]);
    assert!(!others_go_on(&mut stage, 60, Some(&victim)));
    assert_eq!(views(&stage), [0; 4]);
}

/// A transaction that all hold and nobody puts into a block.
fn unwanted(mistakes: &[Mistake]) -> Stage {
    let mut stage = stage(mistakes);
    let unwanted = stage.fresh_transaction();
    stage.leaves_out(&ALL, &unwanted);
    stage.submit_this(&ALL, &unwanted);
    others_go_on(&mut stage, 60, None);
    stage
}

#[test]
fn r40_what_nobody_takes_costs_as_many_views_as_may_be_faulty_and_one_more() {
    let mut stage = unwanted(&[]);
    let after = views(&stage);
    assert!(after.iter().all(|view| (1..=2).contains(view)), "{after:?}");
    others_go_on(&mut stage, 60, None);
    assert_eq!(views(&stage), after);
    assert_eq!(stage.violations(), []);
}

#[test]
fn r40_goes_on_for_ever_if_nothing_is_excused() {
    let stage = unwanted(&[Mistake::ExcusesNothing]);
    assert!(views(&stage).iter().all(|view| *view > 4), "{:?}", views(&stage));
}

/// More waits all the time than the first primary commits; then its blocks come just before the time is up.
fn slow(mistakes: &[Mistake]) -> Stage {
    let mut stage = stage(mistakes);
    for _ in 0..2_500 {
        stage.submit(&ALL);
    }
    stage.flow(11 * TIMEOUT_MS, &all());
    assert_eq!(views(&stage), [0; 4]);
    stage.proposes_late(0, TIMEOUT_MS * 9 / 10);
    stage.flow(25 * TIMEOUT_MS, &all());
    stage
}

#[test]
fn r41_a_slow_primary_is_replaced() {
    let mut stage = slow(&[]);
    assert_eq!(views(&stage), [1; 4]);
    assert_eq!(stage.progress(4), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r41_stays_if_slowness_is_not_measured() {
    assert_eq!(views(&slow(&[Mistake::SlownessUnnoticed])), [0; 4]);
}
