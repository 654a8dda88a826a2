//! An epoch entered again (R14, R45).
//!
//! In epoch 1 D prepares and commits b2 with A and Z. D's disk with the chain is lost, its vote record is not; it
//! fetches the chain again and so enters epoch 1 a second time, with or without the record of epoch 0. It must
//! still know what it signed in epoch 1, at once and after one more restart: Z offers it another b2.

use quorate_chain::validator::fixture::validator_set;
use quorate_chain::{Epoch, Height};
use quorate_consensus::Effect;
use quorate_tests::schedule::{EpochEnd, Kind, Setup, Slip, Stage, all, of};

const A: usize = 0;
const Z: usize = 1;
const B: usize = 2;
const D: usize = 3;

fn comes_back(stage: &mut Stage) {
    stage.lose_power(&[D]);
    stage.lose(&all());
    stage.restart(D);
    remembers(stage);
}

/// B and Z tell D of nothing that it signed; A, who knows, is not heard.
fn remembers(stage: &mut Stage) {
    stage.recall(D, &[B]);
    let newest = stage.forge_newest(Z, D);
    stage.tell(&[D], Z, &newest);
}

fn schedule(old_record_kept: bool, restarts_again: bool, slips: &[Slip]) -> Stage {
    let end = EpochEnd { height: Height(1), next: validator_set(4) };
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).epoch_ends(end).slips(slips));
    // b1 ends epoch 0; whoever hears that others are in epoch 1 lets go of what it kept.
    stage.submit(&[A]);
    stage.run(&of(&[Kind::Proposal, Kind::Prepare, Kind::Commit, Kind::Recall, Kind::Newest]));
    if !old_record_kept {
        stage.run(&all());
    }
    stage.lose(&all());
    assert_eq!([A, B, D].map(|seat| stage.epoch(seat)), [Epoch(1); 3]);
    let released = stage.alarms(D).iter().any(|alarm| matches!(alarm, Effect::ReleaseOldEpoch(_)));
    assert_eq!(released, !old_record_kept);
    // b2 by A, D and Z, primary of view 0 of epoch 1.
    let b1 = stage.proposed(0, 1);
    let b2 = stage.make_block(Z, Some(&b1), 0, Vec::new());
    stage.forge_round(Z, 0, &b2, &[A, D]);
    assert!(stage.certificate(0, &b2).is_some());
    // The chain is lost and fetched again.
    stage.lose_ledger(D);
    comes_back(&mut stage);
    let follow = of(&[Kind::Status, Kind::Blocks, Kind::Certificate]).among(&[B, D]);
    assert!(stage.flow_until(2_000, &follow, |s| s.epoch(D) == Epoch(1)));
    if restarts_again {
        comes_back(&mut stage);
    } else {
        remembers(&mut stage);
    }
    let other = stage.make_block(Z, Some(&b1), 7, Vec::new());
    stage.forge_round(Z, 0, &other, &[B, D]);
    stage
}

#[test]
fn r45_what_was_signed_in_an_epoch_entered_again_is_known() {
    for (old_record_kept, restarts_again) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut stage = schedule(old_record_kept, restarts_again, &[]);
        assert_eq!(stage.violations(), []);
        assert_eq!(stage.heal(20), Ok(()));
        assert_eq!(stage.violations(), []);
    }
}

#[test]
fn r45_forks_if_the_record_of_the_next_epoch_is_left_out() {
    assert_eq!(schedule(true, false, &[Slip::ForgetsLaterRecord]).forks(), [2]);
}
