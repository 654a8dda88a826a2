//! 7. The vote that left late (R13, R11).
//!
//! A proposes b1 in view 0; A, Z and D prepare it. D's Commit waits for the disk when D falls silent for view 1.
//! It must not go out after the ViewChange.
//!
//! In this core a ViewChange names every P that the replica holds, durable or not. The mistake keeps the vote and
//! names only what is durable: B, Z and D certify another b1 in view 1, and then the Commits of view 0 arrive. It
//! forks just so when a vote leaves before its record is durable and the power fails: D knows of no P any more.

use quorate_consensus::Mistake;
use quorate_tests::schedule::{Kind, Setup, Slip, Stage, Violation, all, of};

const A: usize = 0;
const Z: usize = 1;
const B: usize = 2;
const D: usize = 3;

/// b1 is prepared by A, Z and D; the disk of D is busy when it commits.
fn prepared(mistakes: &[Mistake], slips: &[Slip]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).mistakes(mistakes).slips(slips));
    stage.submit(&[A]);
    stage.run(&of(&[Kind::Proposal]).to(&[D]));
    stage.hold_disk(D);
    let b1 = stage.proposed(0, 1);
    let prepare = stage.forge_prepare(Z, 0, &b1);
    stage.tell(&[A, D], Z, &prepare);
    stage.run(&of(&[Kind::Prepare]).among(&[A, D]));
    assert!(stage.prepared(0, &b1).is_some());
    stage
}

fn falls_silent(mistakes: &[Mistake]) -> Stage {
    let mut stage = prepared(mistakes, &[]);
    let ask = stage.forge_ask(Z, 1, 0);
    stage.tell(&[D], Z, &ask);
    stage.pass_for(&[D], 3_000);
    assert_eq!(stage.target(D), Some(1));
    stage.release_disk(D);
    let b1 = stage.proposed(0, 1);
    stage.forge_commit(Z, 0, &b1);
    stage
}

fn loses_power(slips: &[Slip]) -> Stage {
    let mut stage = prepared(&[], slips);
    let b1 = stage.proposed(0, 1);
    stage.forge_commit(Z, 0, &b1);
    stage.lose_power(&[D]);
    stage.restart(D);
    stage.recall(D, &[B]);
    let newest = stage.forge_newest(Z, D);
    stage.tell(&[D], Z, &newest);
    without_a(&mut stage);
    stage
}

/// View 1 starts without A, and B, Z and D certify another b1 there.
fn without_a(stage: &mut Stage) {
    let ask = stage.forge_ask(Z, 1, 0);
    stage.tell(&[B, D], Z, &ask);
    stage.pass_for(&[B, D], 3_000);
    assert_eq!([B, D].map(|seat| stage.target(seat)), [Some(1), Some(1)]);
    let nothing = stage.forge_view_change(Z, 1, None, None);
    let view_changes = [nothing, stage.view_change_of(B, 1), stage.view_change_of(D, 1)];
    let new_view = stage.forge_new_view(Z, 1, &view_changes);
    stage.tell(&[B, D], Z, &new_view);
    let other = stage.make_block(Z, None, 7, Vec::new());
    stage.forge_round(Z, 1, &other, &[B, D]);
}

#[test]
fn r13_what_waits_for_the_disk_never_leaves_after_the_view() {
    let mut stage = falls_silent(&[]);
    without_a(&mut stage);
    assert_eq!(stage.violations(), []);
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r13_forks_if_withheld_votes_are_kept() {
    let mut stage = falls_silent(&[Mistake::KeepsWithheldVotes]);
    let late = |violation: &Violation| matches!(violation, Violation::LateVote(D, ..));
    assert!(stage.violations().iter().any(late), "{:?}", stage.violations());
    without_a(&mut stage);
    assert_eq!(stage.forks(), [1]);
}

#[test]
fn r13_that_no_late_vote_leaves_holds_even_if_the_view_change_names_no_p() {
    let mut stage = falls_silent(&[Mistake::LosesPrepared]);
    without_a(&mut stage);
    assert!(stage.forks().is_empty());
}

#[test]
fn r11_a_vote_leaves_only_when_its_record_is_durable() {
    let mut stage = loses_power(&[]);
    assert_eq!(stage.violations(), []);
    stage.run(&all());
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r11_forks_if_a_vote_leaves_before_its_record_is_durable() {
    let stage = loses_power(&[Slip::AnswersBeforeSync]);
    assert_eq!(stage.forks(), [1]);
}
