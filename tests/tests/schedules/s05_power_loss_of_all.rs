//! 5. Power loss of all (R10).
//!
//! b1 is prepared by all; each holds its P durably. The power fails for all before a Commit arrives. Every view
//! from now on starts from P(0,1); if only hashes were durable before Prepare, nobody has the body.

use quorate_tests::schedule::{Kind, Setup, Slip, Stage, all, of};

const ALL: [usize; 4] = [0, 1, 2, 3];

fn schedule(slips: &[Slip]) -> Stage {
    let mut stage = Stage::new(Setup::of(4).slips(slips));
    stage.submit(&[0]);
    stage.run(&of(&[Kind::Proposal, Kind::Prepare]));
    let b1 = stage.proposed(0, 1);
    assert!(stage.certificate(0, &b1).is_some(), "all have sent a Commit");
    stage.lose_power(&ALL);
    stage.lose(&all());
    ALL.iter().for_each(|seat| stage.restart(*seat));
    stage
}

#[test]
fn r10_a_prepared_body_is_durable() {
    let mut stage = schedule(&[]);
    assert_eq!(stage.heal(20), Ok(()));
    assert_eq!(stage.violations(), []);
    assert_eq!(stage.committed(3, 1), stage.proposed(0, 1).hash());
}

#[test]
fn r10_stalls_if_the_body_is_not_durable() {
    assert!(schedule(&[Slip::BodyNotDurable]).heal(60).is_err());
}
