//! 12. The last key (R46).
//!
//! b1 ends epoch 0, and with it D changes its key. Only D gets the C; it enters epoch 1. Z is silent. D's disk
//! with the chain is lost; its keys are on another, each with the record of what it signed. If the old key goes
//! as soon as the new epoch starts, A and B are two of the three that can still end epoch 0, for ever.

use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{Epoch, Height, ValidatorSet};
use quorate_consensus::{Effect, OldEpoch};
use quorate_tests::schedule::{EpochEnd, Kind, Setup, Slip, Stage, all, of};

const A: usize = 0;
const B: usize = 1;
const Z: usize = 2;
const D: usize = 3;

/// D's seat has a new key.
fn next() -> ValidatorSet {
    let mut seats = validator_set(4).validators().to_vec();
    seats[D].consensus = consensus_key(7).public();
    ValidatorSet::new(seats).expect("distinct keys")
}

/// Only D has entered epoch 1.
fn entered(slips: &[Slip]) -> Stage {
    let end = EpochEnd { height: Height(1), next: next() };
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).epoch_ends(end).slips(slips));
    stage.submit(&[A]);
    stage.run(&of(&[Kind::Proposal, Kind::Prepare]));
    stage.run(&of(&[Kind::Commit]).to(&[D]));
    stage.lose(&all());
    assert_eq!([A, B, D].map(|seat| stage.epoch(seat)), [Epoch(0), Epoch(0), Epoch(1)]);
    stage
}

fn schedule(slips: &[Slip]) -> Stage {
    let mut stage = entered(slips);
    stage.lose_power(&[D]);
    stage.lose_ledger(D);
    stage.restart(D);
    stage.recall(D, &[A, B]);
    stage
}

fn releases(stage: &Stage, seat: usize) -> Vec<OldEpoch> {
    let released = |alarm: &Effect| match alarm {
        Effect::ReleaseOldEpoch(what) => Some(*what),
        _ => None,
    };
    stage.alarms(seat).iter().filter_map(released).collect()
}

#[test]
fn r46_the_old_key_waits_until_others_have_entered_the_epoch() {
    let mut stage = entered(&[]);
    stage.flow(500, &of(&[Kind::Status]).from(&[D]));
    assert_eq!(releases(&stage, D), [], "nobody else is there");
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!([A, B, D].map(|seat| stage.epoch(seat)), [Epoch(1); 3], "D has shown them the C");
    assert_eq!(releases(&stage, D), [OldEpoch::Data, OldEpoch::Key]);
    assert_eq!(stage.violations(), []);
}

#[test]
fn r46_with_the_old_key_the_epoch_can_be_ended_again() {
    let mut stage = schedule(&[]);
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.heal(20), Ok(()), "and on in the next");
    assert_eq!([A, B, D].map(|seat| stage.epoch(seat)), [Epoch(1); 3]);
    assert_eq!(stage.violations(), []);
}

#[test]
fn r46_stalls_if_the_old_key_goes_too_early() {
    assert!(schedule(&[Slip::ErasesOldKeyEarly]).heal(60).is_err());
}
