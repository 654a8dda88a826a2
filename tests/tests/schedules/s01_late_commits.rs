//! 1. Late commits (R19).
//!
//! b1 is committed in view 0; A, B and Z prepare b2 to b4 there, and their Commits are delayed. View 1 starts
//! from P(0,4); A, B and Z prepare and commit it, D gets only the C of b2. A now gets the late Commits of view 0
//! for b2 to b4 and, if P is lowered at commit, forgets its P(1,4). Z, primary of view 2, makes a NewView of
//! {A: C(0,4); Z: nothing; D: C(1,2)}: by key the highest is C(1,2), and b3 and b4, of which a C(1,…) exists,
//! are lost.
//!
//! Two more guards must be down in this core: the anchor may lie below the highest C by height, and B, which
//! adopts that C from the NewView, is just executing b3 again after a restart.

use quorate_consensus::Mistake;
use quorate_tests::schedule::{Kind, Setup, Stage, all, of};

const A: usize = 0;
const B: usize = 1;
const Z: usize = 2;
const D: usize = 3;

fn schedule(mistakes: &[Mistake]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).mistakes(mistakes));
    stage.submit(&[A]);
    stage.run(&all());
    assert!(stage.all_at(1));
    prepare_in_view_0(&mut stage);
    commit_in_view_1(&mut stage);
    // The late Commits reach A alone, as certificates: its own ones of view 0 have given way to those of
    // view 1 (R44).
    for height in 2..=4 {
        let block = stage.proposed(0, height);
        stage.forge_commit(Z, 0, &block);
        let certificate = stage.certificate_message(0, &block);
        stage.tell(&[A], Z, &certificate);
    }
    assert_eq!([A, B, D].map(|seat| stage.tip(seat)), [4, 1, 2]);
    stage.lose_power(&[B]);
    let b3 = stage.proposed(0, 3);
    stage.hold_execution(B, &b3);
    stage.restart(B);
    stage.recall(B, &[A, D]);
    fork_in_view_2(&mut stage);
    stage
}

/// A proposes b2 to b4; A, B and Z prepare them; A and B commit them, and nobody hears it.
fn prepare_in_view_0(stage: &mut Stage) {
    for _ in 2..=4 {
        stage.submit(&[A]);
    }
    for height in 2..=4 {
        stage.run(&of(&[Kind::Proposal]).to(&[B]).heights(height..=height));
        let block = stage.proposed(0, height);
        let prepare = stage.forge_prepare(Z, 0, &block);
        stage.tell(&[A, B], Z, &prepare);
        stage.run(&of(&[Kind::Prepare]).among(&[A, B]));
    }
    stage.lose(&all().to(&[D]));
}

/// View 1 starts from P(0,4), and its Commits stay in the mail.
fn commit_in_view_1(stage: &mut Stage) {
    let change = of(&[Kind::Ask, Kind::ViewChange, Kind::NewView]);
    assert!(stage.flow_until(5_000, &change, |s| [A, B, D].iter().all(|seat| s.view(*seat) == 1)));
    let b4 = stage.proposed(0, 4);
    assert_eq!(stage.replica(A).anchor().block, b4.hash());
    let prepare = stage.forge_prepare(Z, 1, &b4);
    stage.tell(&[A, B], Z, &prepare);
    stage.run(&of(&[Kind::Prepare]).view(1).among(&[A, B]));
    for height in 2..=4 {
        let block = stage.proposed(0, height);
        stage.forge_commit(Z, 1, &block);
        assert!(stage.certificate(1, &block).is_some(), "C(1,{height}) exists");
    }
    // D gets the C of b2, and of bodies only this one.
    let b2 = stage.proposed(0, 2);
    let certificate = stage.certificate_message(1, &b2);
    stage.tell(&[D], Z, &certificate);
    stage.deliver(&of(&[Kind::Body]).from(&[D]));
    stage.deliver(&of(&[Kind::Body]).to(&[D]).heights(2..=2));
    stage.lose(&of(&[Kind::Body]));
}

/// Z makes a NewView of view 2 without B, and proposes another b3.
fn fork_in_view_2(stage: &mut Stage) {
    let ask = stage.forge_ask(Z, 2, 0);
    stage.tell(&[A, D], Z, &ask);
    stage.pass_for(&[D], 5_000);
    stage.run(&of(&[Kind::Ask]).view(2).from(&[D]).to(&[A]));
    assert_eq!([A, D].map(|seat| stage.target(seat)), [Some(2), Some(2)]);
    let nothing = stage.forge_view_change(Z, 2, None, None);
    let view_changes = [stage.view_change_of(A, 2), nothing, stage.view_change_of(D, 2)];
    let new_view = stage.forge_new_view(Z, 2, &view_changes);
    stage.tell(&[B, D], Z, &new_view);
    let b2 = stage.proposed(0, 2);
    let other = stage.make_block(Z, Some(&b2), 7, Vec::new());
    stage.forge_round(Z, 2, &other, &[B, D]);
}

#[test]
fn r19_p_is_never_lowered() {
    let mut stage = schedule(&[]);
    assert_eq!(stage.violations(), []);
    stage.release_execution(B);
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r19_forks_if_p_is_lowered_at_commit_and_the_anchor_has_no_floor() {
    let stage = schedule(&[Mistake::LowersPAtCommit, Mistake::NoHeightFloor]);
    assert_eq!(stage.forks(), [3]);
}

#[test]
fn r19_the_floor_alone_and_p_alone_hold() {
    for mistake in [Mistake::LowersPAtCommit, Mistake::NoHeightFloor] {
        assert_eq!(schedule(&[mistake]).violations(), [], "{mistake:?}");
    }
}
