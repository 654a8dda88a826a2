//! 3. Hoarded ViewChange (R47).
//!
//! D asks for view 1 once and signs a ViewChange that only Z keeps. It loses its disk and waits until the tip is
//! beyond everything that it could have voted on. If it votes again, b4 is certified by A, Z and it; and Z,
//! primary of view 1, makes a NewView of {Z: nothing; B: C(0,3); D: the old ViewChange}, under which B, Z and D
//! certify another b4.
//!
//! D counts among the f from then on, and Z is another: nothing is said of liveness here.

use quorate_consensus::{Effect, Mistake};
use quorate_tests::schedule::{Kind, Setup, Stage, all, of};

const A: usize = 0;
const Z: usize = 1;
const B: usize = 2;
const D: usize = 3;

fn schedule(mistakes: &[Mistake]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).byzantine(Z).mistakes(mistakes));
    stage.submit(&[A]);
    stage.run(&all());
    assert!(stage.all_at(1));
    // D falls silent for view 1; its ViewChange reaches Z alone.
    let ask = stage.forge_ask(Z, 1, 0);
    stage.pass_for(&[D], 5_000);
    stage.tell(&[D], Z, &ask);
    assert_eq!(stage.target(D), Some(1));
    let hoarded = stage.view_change_of(D, 1);
    stage.lose(&all());
    // b2 and b3 without D, with Z.
    for height in 2..=3 {
        stage.submit(&[A]);
        stage.run(&of(&[Kind::Proposal]).to(&[B]));
        let block = stage.proposed(0, height);
        let votes = [stage.forge_prepare(Z, 0, &block), stage.forge_commit(Z, 0, &block)];
        votes.iter().for_each(|vote| stage.tell(&[A, B], Z, vote));
        stage.run(&of(&[Kind::Prepare, Kind::Commit]).among(&[A, B]));
    }
    stage.lose(&all());
    assert_eq!([A, B].map(|seat| stage.tip(seat)), [3, 3]);
    // D comes back with its key and nothing else, and follows.
    stage.lose_power(&[D]);
    stage.lose_disk(D);
    stage.restart(D);
    stage.recall(D, &[A, B]);
    let follow = of(&[Kind::Status, Kind::Blocks, Kind::Body]);
    assert!(stage.flow_until(1_000, &follow, |s| s.tip(D) == 3));
    stage.lose(&all());
    // b4 by A, Z and D.
    stage.submit(&[A]);
    stage.run(&of(&[Kind::Proposal]).to(&[D]));
    let b4 = stage.proposed(0, 4);
    let prepare = stage.forge_prepare(Z, 0, &b4);
    stage.tell(&[A, D], Z, &prepare);
    stage.run(&of(&[Kind::Prepare]).among(&[A, D]));
    stage.forge_commit(Z, 0, &b4);
    stage.lose(&all());
    // View 1 without A.
    stage.tell(&[B], Z, &ask);
    stage.pass_for(&[B], 5_000);
    let nothing = stage.forge_view_change(Z, 1, None, None);
    let new_view = stage.forge_new_view(Z, 1, &[nothing, stage.view_change_of(B, 1), hoarded]);
    stage.tell(&[B, D], Z, &new_view);
    let b3 = stage.proposed(0, 3);
    let other = stage.make_block(Z, Some(&b3), 7, Vec::new());
    stage.forge_round(Z, 1, &other, &[B, D]);
    stage
}

#[test]
fn r47_a_replica_without_its_vote_record_never_votes() {
    let stage = schedule(&[]);
    assert_eq!(stage.violations(), []);
    assert!(stage.alarms(D).iter().any(|alarm| matches!(alarm, Effect::RecordLost(_))), "D is told");
    assert!(stage.replica(D).has_lost_record());
    assert!(!stage.is_certified(4), "A and Z are no quorum");
}

#[test]
fn r47_forks_if_a_wiped_replica_votes_unasked() {
    let stage = schedule(&[Mistake::VotesUnasked]);
    assert_eq!(stage.forks(), [4]);
}
