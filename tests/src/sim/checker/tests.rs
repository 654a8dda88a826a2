//! The checker finds what it is there for.

use super::*;
use crate::sim::signing::Signer;
use quorate_consensus::Unsigned;
use quorate_consensus::message::{
    Anchor, AnchorKind, Ask, AskCounter, CommitClaim, Suspect, ViewChangeClaims,
};

fn checker() -> Checker {
    let change = crate::sim::SetChangePlan { height: 9, rotated: Some(0), ..Default::default() };
    Checker::new(&Roster::new(4, &[change]), false)
}

fn say(checker: &mut Checker, seat: u16, message: Unsigned) -> Result<(), Violation> {
    let seat = ValidatorIndex(seat);
    let message = Signer::new(false).sign((seat, seat.0), message);
    checker.signed(seat, &message, true)
}

fn prepare(epoch: u64, view: u64, height: u64, block: u8) -> Unsigned {
    let (view, height, block) = (View(view), Height(height), BlockHash([block; 32]));
    Unsigned::Prepare(PrepareVote { epoch: Epoch(epoch), view, height, block })
}

fn commit(epoch: u64, view: u64, height: u64, block: u8, result: u8) -> Unsigned {
    let (view, height, block) = (View(view), Height(height), BlockHash([block; 32]));
    let result = ResultHash([result; 32]);
    Unsigned::Commit(CommitVote { epoch: Epoch(epoch), view, height, block, result })
}

/// What the last of these votes, each cast by seats 0, 1 and 2, is refused for.
fn refused(votes: &[Unsigned]) -> Option<String> {
    let mut checker = checker();
    let mut cast = votes.iter().flat_map(|vote| (0..3).map(move |seat| (seat, vote.clone())));
    cast.find_map(|(seat, vote)| say(&mut checker, seat, vote).err()).map(|v| v.0[..3].to_owned())
}

#[test]
fn finds_two_payloads_in_one_slot() {
    assert_eq!(refused(&[prepare(0, 0, 1, 7), prepare(0, 0, 1, 7), prepare(0, 1, 1, 8)]), None);
    assert_eq!(refused(&[prepare(0, 0, 1, 7), prepare(0, 0, 1, 8)]).as_deref(), Some("S4:"));
    assert_eq!(refused(&[prepare(0, 0, 1, 7), prepare(1, 0, 1, 8)]), None, "another epoch");
    assert_eq!(refused(&[commit(0, 0, 1, 7, 1), commit(0, 0, 1, 7, 2)]).as_deref(), Some("S4:"));
}

#[test]
fn finds_conflicting_certificates_across_views_and_epochs() {
    assert_eq!(refused(&[commit(0, 0, 1, 7, 1), commit(0, 1, 1, 7, 1)]), None);
    assert_eq!(refused(&[commit(0, 0, 1, 7, 1), commit(0, 1, 1, 8, 1)]).as_deref(), Some("S1:"));
    assert_eq!(refused(&[commit(0, 0, 1, 7, 1), commit(0, 1, 1, 7, 2)]).as_deref(), Some("S2:"));
    assert_eq!(refused(&[commit(0, 0, 1, 7, 1), commit(1, 0, 1, 8, 1)]).as_deref(), Some("S1:"));
}

#[test]
fn finds_a_prepared_certificate_beside_a_commit_certificate_of_a_lower_view() {
    assert_eq!(refused(&[commit(0, 1, 1, 7, 1), prepare(0, 0, 1, 8)]), None, "a lower view may");
    assert_eq!(refused(&[commit(0, 0, 1, 7, 1), prepare(0, 1, 1, 8)]).as_deref(), Some("S1:"));
    assert_eq!(
        refused(&[prepare(0, 1, 1, 8), commit(0, 0, 1, 7, 1)]).as_deref(),
        Some("S1:"),
        "either order"
    );
    assert_eq!(refused(&[commit(0, 0, 2, 7, 1), prepare(0, 1, 1, 8)]).as_deref(), Some("S1:"), "below it");
    assert_eq!(refused(&[commit(0, 5, 1, 7, 1), prepare(1, 0, 1, 8)]).as_deref(), Some("S1:"), "next epoch");
}

#[test]
fn finds_an_anchor_beside_a_commit_certificate_of_a_lower_view() {
    let anchored = |before: bool, view: u64, height: u64, block: u8| {
        let mut checker = checker();
        let (height, block) = (Height(height), BlockHash([block; 32]));
        let anchor = Anchor { kind: AnchorKind::Prepared, view: Some(View(0)), height, block };
        let mut result = Ok(());
        for step in [before, !before] {
            result = result.and_then(|()| match step {
                true => checker.entered((Epoch(0), View(view)), &anchor),
                false => (0..3).try_for_each(|seat| say(&mut checker, seat, commit(0, 1, 5, 7, 1))),
            });
        }
        result.err().map(|violation| violation.0[..17].to_owned())
    };
    for before in [true, false] {
        assert_eq!(anchored(before, 2, 5, 7), None, "the block itself");
        assert_eq!(anchored(before, 1, 4, 8), None, "the same view");
        assert_eq!(anchored(before, 2, 5, 8).as_deref(), Some("S1: the anchor of"), "another block");
        assert_eq!(anchored(before, 2, 4, 7).as_deref(), Some("S1: the anchor of"), "below it");
    }
}

#[test]
fn knows_who_has_complained() {
    let mut checker = checker();
    let counter = AskCounter { start: 1, sequence: 0 };
    let ask = |target, sequence| {
        let counter = AskCounter { sequence, ..counter };
        Unsigned::Ask(Ask { epoch: Epoch(0), target: View(target), counter })
    };
    let suspect = Suspect { epoch: Epoch(0), view: View(0), transaction: TransactionId([1; 32]) };
    for (seat, message) in [
        (0, ask(2, 0)),
        (0, ask(0, 1)),
        (1, ask(1, 0)),
        (2, Unsigned::Suspect(suspect)),
        (2, Unsigned::Suspect(suspect)),
    ] {
        assert_eq!(say(&mut checker, seat, message), Ok(()));
    }
    let asks = [1, 2, 3].map(|target| checker.complaints().asks_for((Epoch(0), View(target))));
    assert_eq!(asks, [2, 1, 0], "whoever has ever asked, for this or more");
    let suspects = [0, 1].map(|view| checker.complaints().suspects_of((Epoch(0), View(view))));
    assert_eq!(suspects, [1, 0]);
}

#[test]
fn finds_a_vote_after_the_view_change() {
    let mut checker = checker();
    let start = CommitClaim {
        view: None,
        height: Height(0),
        block: CHAIN.genesis_block(),
        result: ResultHash([0; 32]),
    };
    let claims = ViewChangeClaims { epoch: Epoch(0), target: View(1), committed: start, prepared: None };
    assert_eq!(say(&mut checker, 0, prepare(0, 0, 1, 7)), Ok(()));
    assert_eq!(say(&mut checker, 0, Unsigned::ViewChange(claims, None, None)), Ok(()));
    assert_eq!(say(&mut checker, 0, prepare(0, 0, 1, 7)), Ok(()), "an old vote says nothing new");
    assert!(say(&mut checker, 0, commit(0, 0, 1, 7, 1)).is_err());
    assert_eq!(say(&mut checker, 0, prepare(0, 1, 1, 7)), Ok(()));
    assert_eq!(say(&mut checker, 0, prepare(1, 0, 1, 7)), Ok(()), "the next epoch starts at view 0");
}

#[test]
fn what_a_node_with_an_old_disk_signs_again_counts_for_both() {
    let mut checker = checker();
    let mut say_again = |block| {
        let Unsigned::Prepare(vote) = prepare(0, 0, 1, block) else { return Ok(()) };
        let seat = ValidatorIndex(3);
        let message = Signer::new(false).sign((seat, 3), Unsigned::Prepare(vote));
        checker.signed(seat, &message, false)
    };
    assert_eq!(say_again(7), Ok(()));
    assert_eq!(say_again(8), Ok(()));
    for (seat, block) in [(0, 7), (1, 7), (2, 8)] {
        assert_eq!(say(&mut checker, seat, prepare(0, 0, 1, block)), Ok(()));
    }
    assert_eq!(checker.prepared.len(), 1, "its vote completes one quorum, and not the other");
}
