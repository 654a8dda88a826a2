//! 8. Old epoch, higher view (R18).
//!
//! b1 ends epoch 0 and is committed in view 1. In view 0 of epoch 1 A, B and Z prepare and commit b2; D hears
//! nothing. Z, primary of view 1, makes a NewView of {A, Z, D}. If the C of b1 counted with its own view, its key
//! (1, 1) would beat the P of b2, (0, 2), and b2 would be lost.

use quorate_chain::validator::fixture::validator_set;
use quorate_chain::{Epoch, Height};
use quorate_consensus::Mistake;
use quorate_tests::schedule::{EpochEnd, Kind, Setup, Slip, Stage, all, of};

const A: usize = 0;
const B: usize = 1;
const Z: usize = 2;
const D: usize = 3;

fn schedule(mistakes: &[Mistake], slips: &[Slip]) -> Stage {
    let end = EpochEnd { height: Height(1), next: validator_set(4) };
    let setup = Setup::of(4).byzantine(Z).epoch_ends(end).mistakes(mistakes).slips(slips);
    let mut stage = Stage::new(setup);
    // Epoch 0 ends in view 1, whose primary is B.
    let change = of(&[Kind::Ask, Kind::ViewChange, Kind::NewView]);
    assert!(stage.flow_until(5_000, &change, |s| [A, B, D].iter().all(|seat| s.view(*seat) == 1)));
    stage.submit(&[B]);
    stage.run(&all());
    assert_eq!([A, B, D].map(|seat| stage.epoch(seat)), [Epoch(1); 3]);
    assert!(stage.certificate(1, &stage.proposed(1, 1)).is_some());
    // Epoch 1, view 0, whose primary is B again: b2 without D.
    stage.submit(&[B]);
    stage.run(&of(&[Kind::Proposal]).to(&[A]));
    let b2 = stage.proposed(0, 2);
    let prepare = stage.forge_prepare(Z, 0, &b2);
    stage.tell(&[A, B], Z, &prepare);
    stage.run(&of(&[Kind::Prepare]).among(&[A, B]));
    stage.forge_commit(Z, 0, &b2);
    assert!(stage.certificate(0, &b2).is_some(), "C(0,2) exists");
    stage.lose(&all());
    // View 1 without B.
    let ask = stage.forge_ask(Z, 1, 0);
    stage.tell(&[A, D], Z, &ask);
    stage.pass_for(&[A, D], 5_000);
    assert_eq!([A, D].map(|seat| stage.target(seat)), [Some(1), Some(1)]);
    let nothing = stage.forge_view_change(Z, 1, None, None);
    let view_changes = [stage.view_change_of(A, 1), nothing, stage.view_change_of(D, 1)];
    let new_view = stage.forge_new_view(Z, 1, &view_changes);
    stage.tell(&[A, D], Z, &new_view);
    let b1 = stage.proposed(1, 1);
    let other = stage.make_block(Z, Some(&b1), 7, Vec::new());
    stage.forge_round(Z, 1, &other, &[A, D]);
    stage
}

#[test]
fn r18_certificates_of_an_earlier_epoch_have_no_view() {
    let mut stage = schedule(&[], &[]);
    assert_eq!(stage.violations(), []);
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r18_forks_if_they_count_with_their_own() {
    let stage = schedule(&[Mistake::OldEpochViewCounts], &[Slip::Unverified]);
    assert_eq!(stage.forks(), [2]);
}

#[test]
fn r18_verification_alone_refuses_such_a_view_change() {
    let mut stage = schedule(&[Mistake::OldEpochViewCounts], &[]);
    assert_eq!(stage.violations(), []);
    assert_eq!([A, D].map(|seat| stage.view(seat)), [0, 0], "the NewView is refused");
    assert!(stage.heal(20).is_err(), "and so is every honest ViewChange");
}
