//! 18. Counters (R26, R27).
//!
//! *Restart.* D asks for view 1 and takes it back. After a restart it is the one whose Ask is needed, as in
//! schedule 16; if it counts from zero again, its new Ask loses to its old withdrawal.
//!
//! *ViewChange without a rank.* All change to view 1, where nothing comes of it. A and B ask for view 2, whose
//! primary Z is silent; D follows them by a ViewChange, having asked for view 1 last. If that Ask counts before
//! the ViewChange, only two validators are seen at view 2, and no timer runs any more.

use quorate_chain::ResultHash;
use quorate_consensus::Mistake;
use quorate_tests::schedule::{Kind, Setup, Stage, all, of};

/// Z is primary of view 0.
fn restarted(mistakes: &[Mistake]) -> Stage {
    const Z: usize = 0;
    const D: usize = 3;
    let honest = [1, 2, D];
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).mistakes(mistakes));
    let status = stage.forge_status(Z, 0, D);
    stage.keeps_saying(Z, &honest, status);
    // D asks, b1 is committed, D takes it back.
    stage.pass_for(&[D], 3_000);
    stage.run(&all());
    let b1 = stage.make_block(Z, None, 0, Vec::new());
    let proposal = stage.forge_proposal(Z, 0, &b1);
    stage.tell(&honest, Z, &proposal);
    stage.run(&all());
    assert!(stage.all_at(1));
    stage.flow(300, &all());
    stage.lose_power(&[D]);
    stage.restart(D);
    stage.recall(D, &[1, 2]);
    // As in schedule 16.
    stage.submit(&honest);
    let good = stage.make_block(Z, Some(&b1), 0, Vec::new());
    let mut header = good.header().clone();
    header.parent_result = ResultHash([9; 32]);
    let bad = stage.make_from(header, Vec::new());
    let [good, bad] = [good, bad].map(|block| stage.forge_proposal(Z, 0, &block));
    stage.tell(&[D], Z, &good);
    stage.tell(&[1, 2], Z, &bad);
    stage
}

/// Z is primary of view 2.
fn outranked(mistakes: &[Mistake]) -> Stage {
    const A: usize = 0;
    const B: usize = 1;
    const Z: usize = 2;
    const D: usize = 3;
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).mistakes(mistakes));
    // Proposals are lost; all ask for view 1. B, its primary, gets no ViewChange.
    stage.submit(&[A, B, D]);
    let change = of(&[Kind::Ask, Kind::Suspect]).and(of(&[Kind::ViewChange]).to(&[A, D]));
    assert!(stage.flow_until(5_000, &change, |s| [A, B, D].iter().all(|seat| s.target(*seat) == Some(1))));
    stage.run(&change);
    stage.lose(&all());
    // A's and B's timers expire, D's does not.
    stage.pass_for(&[A, B], 3_000);
    stage.run(&of(&[Kind::Ask]).view(2));
    assert_eq!([A, B, D].map(|seat| stage.target(seat)), [Some(2); 3]);
    stage.lose(&of(&[Kind::ViewChange]).view(1));
    stage
}

#[test]
fn r26_a_restarted_replica_counts_on() {
    let mut stage = restarted(&[]);
    assert_eq!(stage.progress(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r26_stalls_if_it_counts_from_zero() {
    assert!(restarted(&[Mistake::CounterRestarts]).progress(60).is_err());
}

#[test]
fn r27_the_higher_of_ask_and_view_change_counts() {
    let mut stage = outranked(&[]);
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.violations(), []);
}

#[test]
fn r27_stalls_if_an_older_ask_beats_a_view_change() {
    assert!(outranked(&[Mistake::AskBeatsViewChange]).heal(60).is_err());
}
