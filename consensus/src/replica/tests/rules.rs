//! What a vote binds, what a proposal must be, and what is kept: R1, R3, R4, R43; evidence that anybody can
//! check: R37.

use super::fixture::*;
use crate::message::{Invalid, Message, Signed, verify};
use crate::{Evidence, EvidenceKind, Unsigned};
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::codec::{decode, encode};
use quorate_chain::{BlockHash, ChainId, Epoch, Height, ResultHash, ValidatorIndex, View};
use std::sync::Arc;

fn prepare(from: u16, view: u64, block: &crate::SealedBlock) -> Signed<PrepareVote> {
    match signed(from, Unsigned::Prepare(prepare_vote(view, block))) {
        Message::Prepare(vote) => vote,
        other => panic!("{other:?}"),
    }
}

fn commit(from: u16, view: u64, block: &crate::SealedBlock) -> Signed<CommitVote> {
    match signed(from, Unsigned::Commit(commit_vote(view, block))) {
        Message::Commit(vote) => vote,
        other => panic!("{other:?}"),
    }
}

#[test]
fn r01_a_vote_binds_chain_epoch_view_height_hash_and_result() {
    let block = first(0, 1);
    let holds = |vote: Signed<CommitVote>, change: fn(&mut crate::EpochContext)| {
        let mut context = context(4);
        change(&mut context);
        verify(Message::Commit(vote), &context).is_ok()
    };
    assert!(holds(commit(2, 0, &block), |_| ()));
    assert!(!holds(commit(2, 0, &block), |context| context.chain = ChainId([8; 32])));
    let changes: [fn(&mut Signed<CommitVote>); 5] = [
        |vote| vote.payload.view = View(1),
        |vote| vote.payload.height = Height(2),
        |vote| vote.payload.block = BlockHash([1; 32]),
        |vote| vote.payload.result = ResultHash([9; 32]),
        |vote| vote.signer = ValidatorIndex(3),
    ];
    for change in changes {
        let mut vote = commit(2, 0, &block);
        change(&mut vote);
        assert!(!holds(vote, |_| ()));
    }
    let mut vote = commit(2, 0, &block);
    vote.payload.epoch = Epoch(1);
    assert!(!holds(vote, |context| context.epoch = Epoch(1)));
}

#[test]
fn r03_one_chain_of_accepted_blocks_upward_from_the_anchor() {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(3);
    rig.commit(&chain[0], &c(0, &chain[0]));
    rig.accept(&chain[1]);
    let beside = child(&chain[0], 0, 9);
    assert!(
        rig.say(0, proposal(0, &child(&beside, 0, 10))).is_empty(),
        "its parent is not the accepted block"
    );
    assert_eq!(rig.replica.chain.keys().copied().collect::<Vec<_>>(), [Height(2)]);
    assert_eq!(rig.replica.chain[&Height(2)], chain[1].hash());
}

#[test]
fn r04_only_the_primary_of_the_own_view_is_heard_and_only_above_the_tip() {
    let mut rig = Rig::new(1, 4);
    let block = first(0, 1);
    let forged = crate::message::Proposal {
        epoch: EPOCH,
        view: View(0),
        block: block.clone(),
        signature: prepare(2, 0, &block).signature,
    };
    let refused = verify(Message::Proposal(Arc::new(forged)), &rig.config.context);
    assert_eq!(refused, Err(Invalid::Signature(ValidatorIndex(0))));
    rig.say(2, proposal(2, &first(2, 3)));
    assert!(rig.replica.chain.is_empty(), "of a later view");
    rig.commit(&block, &c(0, &block));
    assert_eq!(rig.say(0, proposal(0, &first(0, 7))), [], "not above the tip");
    rig.enter(&new_view_of(1, Some(&c(0, &block)), None));
    assert_eq!(rig.say(0, proposal(0, &child(&block, 0, 9))), [], "of an earlier view");
}

#[test]
fn r43_a_prepared_body_stays_until_a_commit_at_its_height() {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(2);
    rig.accept(&chain[0]);
    let never_prepared = first(0, 8);
    rig.enter(&new_view_of(1, None, None));
    assert!(rig.replica.blocks.get(chain[0].hash()).is_some(), "dropped by the view, kept as a body");
    assert!(rig.replica.blocks.get(never_prepared.hash()).is_none());
    rig.enter(&new_view_of(2, None, None));
    assert!(rig.replica.blocks.get(chain[0].hash()).is_some(), "in any view");
    let other = first(2, 4);
    rig.commit(&other, &c(2, &other));
    assert!(rig.replica.blocks.get(chain[0].hash()).is_none());
}

fn new_views() -> [Arc<crate::message::NewView>; 2] {
    [new_view_of(1, None, None), new_view_of(1, None, Some(&p(0, &first(0, 1))))]
}

fn all_kinds() -> [Evidence; 5] {
    let (block, other) = (first(0, 1), first(0, 2));
    let claim = |block| match signed(0, proposal(0, block)) {
        Message::Proposal(proposal) => proposal.signed_claim(ValidatorIndex(0)),
        message => panic!("{message:?}"),
    };
    let change = |prepared| match signed(2, view_change(3, None, prepared)) {
        Message::ViewChange(view_change) => view_change.claims.clone(),
        message => panic!("{message:?}"),
    };
    let [one, two] = new_views();
    [
        Evidence::Proposals(claim(&block), claim(&other)),
        Evidence::Prepares(prepare(2, 0, &block), prepare(2, 0, &other)),
        Evidence::Commits(commit(2, 0, &block), commit(2, 0, &other)),
        Evidence::ViewChanges(Box::new((change(None), change(Some(&p(0, &block)))))),
        Evidence::NewViews(ValidatorIndex(1), one, two),
    ]
}

#[test]
fn r37_evidence_travels_and_anybody_can_check_it() {
    let kinds = [
        (0, EvidenceKind::Proposal),
        (2, EvidenceKind::Prepare),
        (2, EvidenceKind::Commit),
        (2, EvidenceKind::ViewChange),
        (1, EvidenceKind::NewView),
    ];
    for (evidence, (accused, kind)) in all_kinds().into_iter().zip(kinds) {
        let received: Evidence = decode(&encode(&evidence)).unwrap();
        assert_eq!(received.verify(&context(4)), Ok(ValidatorIndex(accused)));
        assert_eq!(
            (received.kind(), received.accused(), received.epoch()),
            (kind, ValidatorIndex(accused), EPOCH)
        );
        let elsewhere = crate::EpochContext { chain: ChainId([8; 32]), ..context(4) };
        assert!(received.verify(&elsewhere).is_err());
    }
}

#[test]
fn r37_nothing_is_evidence_that_an_honest_validator_signs() {
    let (block, next) = (first(0, 1), child(&first(0, 1), 0, 2));
    let [one, _] = new_views();
    let innocent = [
        Evidence::Prepares(prepare(2, 0, &block), prepare(2, 0, &block)),
        Evidence::Prepares(prepare(2, 0, &block), prepare(2, 1, &first(0, 2))),
        Evidence::Prepares(prepare(2, 0, &block), prepare(3, 0, &first(0, 2))),
        Evidence::Commits(commit(2, 0, &block), commit(2, 0, &next)),
        Evidence::NewViews(ValidatorIndex(1), Arc::clone(&one), one),
        Evidence::NewViews(ValidatorIndex(2), new_views()[0].clone(), new_views()[1].clone()),
    ];
    for evidence in innocent {
        assert!(evidence.verify(&context(4)).is_err(), "{evidence:?}");
    }
    let mut forged = prepare(2, 0, &first(0, 2));
    forged.signature = prepare(2, 0, &block).signature;
    assert!(Evidence::Prepares(prepare(2, 0, &block), forged).verify(&context(4)).is_err());
}

#[test]
fn r37_evidence_is_reported_once_for_each_validator_and_kind() {
    let mut rig = Rig::new(1, 1);
    rig.hear(Message::Prepare(prepare(2, 0, &first(0, 1))));
    assert_eq!(rig.hear(Message::Prepare(prepare(2, 0, &first(0, 2)))).len(), 1);
    assert_eq!(rig.hear(Message::Prepare(prepare(2, 0, &first(0, 3)))), []);
    rig.hear(Message::Prepare(prepare(3, 0, &first(0, 1))));
    assert_eq!(rig.hear(Message::Prepare(prepare(3, 0, &first(0, 2)))).len(), 1, "another validator");
}
