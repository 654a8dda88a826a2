//! 2. Two NewViews and a restart (R12).
//!
//! b2 is prepared in view 0 by B alone. Z, primary of view 1, signs two NewViews: one of {A, Z, D}, which knows
//! nothing of that, and one of {Z, B, D}. Under the first A, D and Z certify another b2. D restarts and, if it
//! forgot which NewView it entered by, enters by the second: with it and Z, B certifies b2.

use quorate_consensus::{Effect, Evidence, Mistake};
use quorate_tests::schedule::{Kind, Setup, Slip, Stage, all, of};

const A: usize = 0;
const Z: usize = 1;
const B: usize = 2;
const D: usize = 3;

fn schedule(slips: &[Slip], mistakes: &[Mistake]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).slips(slips).mistakes(mistakes));
    stage.submit(&[A]);
    stage.run(&all());
    // b2: P at B alone.
    stage.submit(&[A]);
    stage.run(&of(&[Kind::Proposal]).to(&[B]));
    let b2 = stage.proposed(0, 2);
    let prepare = stage.forge_prepare(Z, 0, &b2);
    stage.tell(&[B], Z, &prepare);
    stage.run(&of(&[Kind::Prepare]).from(&[A]).to(&[B]));
    stage.lose(&all());
    let change = of(&[Kind::Ask, Kind::ViewChange]);
    assert!(stage.flow_until(5_000, &change, |s| [A, B, D].iter().all(|seat| s.target(*seat) == Some(1))));
    assert_eq!(stage.view_change_of(B, 1).claims.payload.prepared.map(|p| p.block), Some(b2.hash()));
    // Two NewViews.
    let nothing = stage.forge_view_change(Z, 1, None, None);
    let [a, b, d] = [A, B, D].map(|seat| stage.view_change_of(seat, 1));
    let first = stage.forge_new_view(Z, 1, &[a, nothing.clone(), d.clone()]);
    let second = stage.forge_new_view(Z, 1, &[nothing, b, d]);
    stage.tell(&[A, D], Z, &first);
    stage.tell(&[B], Z, &second);
    // Under the first, another b2.
    let b1 = stage.proposed(0, 1);
    let other = stage.make_block(Z, Some(&b1), 7, Vec::new());
    stage.forge_round(Z, 1, &other, &[A, D]);
    assert!(stage.certificate(1, &other).is_some());
    // D restarts; A, who knows what it signed, is not heard (R47 is best effort).
    stage.lose_power(&[D]);
    stage.lose(&all());
    stage.restart(D);
    stage.recall(D, &[B]);
    let newest = stage.forge_newest(Z, D);
    stage.tell(&[D], Z, &newest);
    // It is shown the second.
    stage.tell(&[D], Z, &second);
    let prepare = stage.forge_prepare(Z, 1, &b2);
    stage.tell(&[B, D], Z, &prepare);
    stage.forge_commit(Z, 1, &b2);
    stage.run(&of(&[Kind::Prepare, Kind::Body]).among(&[B, D]));
    stage
}

#[test]
fn r12_a_restarted_replica_knows_by_which_new_view_it_entered() {
    let mut stage = schedule(&[], &[]);
    assert_eq!(stage.violations(), []);
    let evidence =
        |e: &Effect| matches!(e, Effect::Evidence(Evidence::NewViews(primary, ..)) if primary.0 == 1);
    assert!(stage.alarms(D).iter().any(evidence), "Z is found out");
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r12_forks_if_the_entered_view_is_forgotten() {
    let guarded = schedule(&[Slip::ForgetsEntered], &[]);
    assert!(guarded.forks().is_empty(), "R47: its own P shows it a vote that its record does not know of");
    let stage = schedule(&[Slip::ForgetsEntered], &[Mistake::VotesUnasked]);
    assert_eq!(stage.forks(), [2]);
}
