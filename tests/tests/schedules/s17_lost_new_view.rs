//! 17. The lost NewView (R12).
//!
//! Z is primary of view 1. A and B enter it by a NewView that D, changing to view 1 too, does not get; all get
//! Z's proposal. Then Z is silent, and A and B lose power. If they kept only the NewView's hash, D can never
//! enter view 1 and cannot vote there, and without it there is no quorum.

use quorate_tests::schedule::{Kind, Setup, Slip, Stage, all, of};

const A: usize = 0;
const Z: usize = 1;
const B: usize = 2;
const D: usize = 3;

fn schedule(slips: &[Slip]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).slips(slips));
    let change = of(&[Kind::Ask, Kind::ViewChange]);
    assert!(stage.flow_until(5_000, &change, |s| [A, B, D].iter().all(|seat| s.target(*seat) == Some(1))));
    let nothing = stage.forge_view_change(Z, 1, None, None);
    let view_changes = [stage.view_change_of(A, 1), nothing, stage.view_change_of(B, 1)];
    let new_view = stage.forge_new_view(Z, 1, &view_changes);
    stage.tell(&[A, B], Z, &new_view);
    let b1 = stage.make_block(Z, None, 0, Vec::new());
    let proposal = stage.forge_proposal(Z, 1, &b1);
    stage.tell(&[A, B, D], Z, &proposal);
    assert_eq!([A, B].map(|seat| stage.view(seat)), [1, 1]);
    stage.lose_power(&[A, B]);
    stage.lose(&all());
    [A, B].iter().for_each(|seat| stage.restart(*seat));
    stage.recall(A, &[B, D]);
    stage.recall(B, &[A, D]);
    stage
}

#[test]
fn r12_the_new_view_of_the_own_view_can_be_shown() {
    let mut stage = schedule(&[]);
    assert!(stage.flow_until(400, &all(), |s| s.all_at(1)), "before any time-out");
    assert_eq!([A, B, D].map(|seat| stage.view(seat)), [1; 3]);
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r12_stands_if_only_its_hash_is_kept() {
    let mut stage = schedule(&[Slip::KeepsNewViewHashOnly]);
    assert!(!stage.flow_until(400, &all(), |s| s.is_certified(1)));
    assert_eq!(stage.target(D), Some(1), "D cannot enter");
    assert_eq!(stage.heal(20), Ok(()));
    assert!(stage.view(D) > 1, "nothing comes of view 1; this core's next view rescues them");
}
