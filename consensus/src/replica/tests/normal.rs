//! The normal case: R4–R11, R15, R44, R47b.

use super::fixture::*;
use crate::Evidence;
use crate::message::Message;
use crate::record::Record;
use crate::replica::{Effect, Input};
use crate::{Outgoing, Unsigned};
use quorate_chain::codec::Bytes;
use quorate_chain::crypto::SecretKey;
use quorate_chain::instruction::Instruction;
use quorate_chain::transaction::TransactionBody;
use quorate_chain::{AccountId, Height, Nonce, ResultHash, TimestampMs, Transaction, ValidatorIndex, View};

fn transaction() -> Transaction {
    let key = SecretKey::from_seed(&[9; 32]);
    let account = AccountId::from(key.public());
    let instruction = Instruction::PutData {
        namespace: account,
        key: Bytes::new(vec![1]).unwrap(),
        value: Bytes::new(vec![2]).unwrap(),
    };
    let body = TransactionBody::new(CHAIN, account, Nonce(0), vec![instruction]).unwrap();
    Transaction::sign(body, CHAIN, &[&key]).unwrap()
}

#[test]
fn r09_r10_r11_a_backup_persists_then_prepares_then_commits() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    let (prepare, commit) = (prepare_vote(0, &block), commit_vote(0, &block));
    assert_eq!(rig.say(0, proposal(0, &block)), [Effect::Validate(block.clone())]);
    let accepted = [
        Effect::StoreBody(block.clone()),
        Effect::Execute(block.clone()),
        persist(2, Record::Prepare(prepare)),
    ];
    assert_eq!(rig.valid(&block), accepted);
    assert_eq!(rig.persisted(2), [], "the body is not durable");
    assert_eq!(rig.stored(&block), [sent(Unsigned::Prepare(prepare))]);
    for from in [1, 0] {
        assert_eq!(rig.say(from, Unsigned::Prepare(prepare)), []);
    }
    assert_eq!(rig.executed(&block), [], "two Prepares are no quorum");
    let persisted = [persist(3, Record::Commit(commit, p(0, &block)))];
    assert_eq!(rig.say(2, Unsigned::Prepare(prepare)), persisted);
    assert_eq!(rig.persisted(3), [sent(Unsigned::Commit(commit))]);
    for from in [2, 0] {
        assert_eq!(rig.say(from, Unsigned::Commit(commit)), []);
    }
    assert_eq!(rig.say(1, Unsigned::Commit(commit)), [committed(&block, &c(0, &block))]);
    assert_eq!((rig.replica.tip().height, rig.replica.tip().block), (block.height(), block.hash()));
}

#[test]
fn r09_a_prepare_waits_for_its_record_too() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    rig.say(0, proposal(0, &block));
    rig.valid(&block);
    assert_eq!(rig.stored(&block), [], "the vote is not durable");
    assert_eq!(rig.persisted(2), [sent(Unsigned::Prepare(prepare_vote(0, &block)))]);
}

#[test]
fn r06_r10_a_primary_leases_then_proposes_once() {
    let mut rig = Rig::new(0, 1);
    let genesis = CHAIN.genesis_block();
    let lease = [persist(2, Record::Lease(EPOCH, View(0), Height(65)))];
    assert_eq!(rig.step(pending()), lease);
    assert_eq!(rig.persisted(2), [Effect::RequestBatch { parent: genesis, height: Height(1) }]);
    assert_eq!(rig.step(pending()), [], "asked for already");
    let effects = rig.step(Input::Batch { parent: genesis, transactions: vec![transaction()] });
    let [Effect::Broadcast(Outgoing::Own(Unsigned::Proposal(EPOCH, View(0), block)))] = &effects[..] else {
        panic!("{effects:?}")
    };
    let header = block.header();
    assert_eq!((header.height, header.parent, header.parent_result), (Height(1), genesis, result(0)));
    assert_eq!((header.timestamp_ms, header.proposer), (TimestampMs(CLOCK), ValidatorIndex(0)));
    assert_eq!(block.block().transactions[0].id(), transaction().id());
    assert_eq!(rig.step(pending()), [], "proposed already, though not yet heard back");
    let accepted = [
        Effect::StoreBody(block.clone()),
        Effect::Execute(block.clone()),
        persist(3, Record::Prepare(prepare_vote(0, block))),
    ];
    assert_eq!(rig.say(0, proposal(0, block)), accepted, "its own block needs no validation");
}

#[test]
fn r10_without_transactions_nothing_is_proposed() {
    let mut rig = Rig::new(0, 1);
    let effects = rig.step(pending());
    rig.settle(effects);
    let genesis = CHAIN.genesis_block();
    assert_eq!(rig.step(Input::Batch { parent: genesis, transactions: vec![] }), []);
    assert_eq!(rig.step(Input::Tick), []);
}

#[test]
fn r07_one_block_above_the_anchor_until_there_is_a_certificate_then_a_window() {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(7);
    rig.accept(&chain[0]);
    assert_eq!(rig.say(0, proposal(0, &chain[1])), [], "no C of this view yet");
    let effects = rig.hear(certificate_message(&c(0, &chain[0])));
    assert_eq!(effects, [committed(&chain[0], &c(0, &chain[0])), Effect::Validate(chain[1].clone())]);
    let effects = rig.valid(&chain[1]);
    rig.settle(effects);
    for block in &chain[2..5] {
        rig.accept(block);
    }
    let status = status(0, Some(&chain[0]), 1);
    let beyond = rig.say(0, proposal(0, &chain[5]));
    assert_eq!(beyond, [Effect::Send(ValidatorIndex(0), Outgoing::Own(status))], "tip + W is 5, this is 6");
}

#[test]
fn r37_two_proposals_for_one_slot_are_evidence_and_the_first_counts() {
    let (mut rig, block, other) = (Rig::new(1, 1), first(0, 1), first(0, 2));
    rig.say(0, proposal(0, &block));
    let claim = |block| {
        let Message::Proposal(proposal) = signed(0, proposal(0, block)) else { panic!("not a proposal") };
        proposal.signed_claim(ValidatorIndex(0))
    };
    let evidence = Evidence::Proposals(claim(&block), claim(&other));
    assert_eq!(rig.say(0, proposal(0, &other)), [Effect::Evidence(evidence)]);
    assert_eq!(rig.valid(&other), []);
    assert_eq!(rig.valid(&block).len(), 3);
}

#[test]
fn r37_two_votes_for_one_slot_are_evidence_and_the_first_counts() {
    let (mut rig, block, other) = (Rig::new(1, 1), first(0, 1), first(0, 2));
    let vote = |block| match signed(2, Unsigned::Prepare(prepare_vote(0, block))) {
        Message::Prepare(vote) => vote,
        _ => panic!("not a Prepare"),
    };
    rig.hear(Message::Prepare(vote(&block)));
    let evidence = Evidence::Prepares(vote(&block), vote(&other));
    assert_eq!(rig.hear(Message::Prepare(vote(&other))), [Effect::Evidence(evidence)]);
    assert_eq!(rig.hear(Message::Prepare(vote(&block))), [], "the same once more is none");
    let vote = |block| match signed(2, Unsigned::Commit(commit_vote(0, block))) {
        Message::Commit(vote) => vote,
        _ => panic!("not a Commit"),
    };
    rig.hear(Message::Commit(vote(&block)));
    let evidence = Evidence::Commits(vote(&block), vote(&other));
    assert_eq!(rig.hear(Message::Commit(vote(&other))), [Effect::Evidence(evidence)]);
}

#[test]
fn r06_a_proposal_ahead_of_its_time_waits() {
    let mut rig = Rig::new(1, 1);
    let early = first(0, CLOCK + MAX_AHEAD_MS + 50);
    assert_eq!(rig.say(0, proposal(0, &early)), []);
    assert_eq!(rig.replica.deadline(), Some(rig.now.time + 50));
    assert_eq!(rig.wait(49), []);
    assert_eq!(rig.wait(1), [Effect::Validate(early)]);
}

#[test]
fn r06_a_millisecond_after_its_parent_is_never_too_early() {
    let tip = crate::replica::Tip { timestamp_ms: TimestampMs(CLOCK + 3_600_000), ..genesis_tip() };
    let block = first(0, CLOCK + 3_600_001);
    let (mut rig, _) = Rig::started(4, 1, 1, tip.clone());
    assert_eq!(rig.say(0, proposal(0, &block)), [Effect::Validate(block)]);
    let (mut rig, _) = Rig::started(4, 1, 1, tip);
    assert_eq!(rig.say(0, proposal(0, &first(0, CLOCK + 3_600_002))), []);
}

#[test]
fn r05_r06_a_block_that_does_not_follow_is_not_even_validated() {
    let good = first(0, 1);
    let bad = [
        changed(&good, |h| h.parent.0[0] ^= 1),
        changed(&good, |h| h.parent_result = ResultHash([9; 32])),
        changed(&good, |h| h.proposer = ValidatorIndex(2)),
        changed(&good, |h| h.timestamp_ms = TimestampMs(0)),
    ];
    for block in bad {
        assert_eq!(Rig::new(1, 1).say(0, proposal(0, &block)), [], "{:?}", block.header());
    }
}

#[test]
fn r06_an_invalid_block_is_not_prepared() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    rig.say(0, proposal(0, &block));
    assert_eq!(rig.step(Input::Validated { block: block.hash(), valid: false }), []);
    assert_eq!(rig.say(0, proposal(0, &block)), []);
    for from in [0, 2, 3] {
        assert_eq!(rig.say(from, Unsigned::Prepare(prepare_vote(0, &block))), [], "no Commit either");
    }
}

#[test]
fn r44_a_proposal_of_a_far_view_takes_nobody_elses_place() {
    let mut rig = Rig::new(1, 1);
    let status = Outgoing::Own(status(0, None, 0));
    let far = rig.say(3, proposal(4_000_003, &first(3, 5)));
    assert_eq!(far, [Effect::Send(ValidatorIndex(3), status)]);
    let block = first(0, 1);
    assert_eq!(rig.say(0, proposal(0, &block)), [Effect::Validate(block)]);
}

#[test]
fn r44_a_proposal_that_overtakes_its_new_view_is_kept() {
    let mut rig = Rig::new(2, 1);
    let block = first(1, 1);
    rig.say(1, proposal(1, &block));
    let entered = rig.hear(Message::NewView(new_view_of(1, None, None)));
    assert_eq!(entered[1..], [Effect::Validate(block)]);
}

#[test]
fn r09_a_prepare_waits_for_the_bodies_of_its_ancestors() {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(3);
    rig.commit(&chain[0], &c(0, &chain[0]));
    rig.say(0, proposal(0, &chain[1]));
    rig.valid(&chain[1]);
    rig.executed(&chain[1]);
    rig.say(0, proposal(0, &chain[2]));
    let accepted = rig.valid(&chain[2]);
    assert_eq!(accepted[2], persist(3, Record::Prepare(prepare_vote(0, &chain[2]))));
    assert_eq!(rig.persisted(3), []);
    assert_eq!(rig.stored(&chain[2]), [], "the parent's body is not durable");
    let votes = chain[1..].iter().map(|block| sent(Unsigned::Prepare(prepare_vote(0, block))));
    assert_eq!(rig.stored(&chain[1]), votes.collect::<Vec<_>>());
}

#[test]
fn r47b_a_commit_waits_for_the_own_body() {
    let (mut rig, block) = (Rig::new(3, 1), first(0, 1));
    rig.say(0, proposal(0, &block));
    rig.valid(&block);
    rig.executed(&block);
    for from in [0, 1, 2] {
        rig.say(from, Unsigned::Prepare(prepare_vote(0, &block)));
    }
    assert_eq!(rig.persisted(3), [], "P and votes are durable, the body is not");
    let votes =
        [sent(Unsigned::Prepare(prepare_vote(0, &block))), sent(Unsigned::Commit(commit_vote(0, &block)))];
    assert_eq!(rig.stored(&block), votes);
}

#[test]
fn r15_commits_ascend() {
    let mut rig = Rig::new(3, 4);
    let chain = blocks(3);
    rig.commit(&chain[0], &c(0, &chain[0]));
    rig.accept(&chain[1]);
    rig.accept(&chain[2]);
    let prepare = |rig: &mut Rig, block, from| rig.say(from, Unsigned::Prepare(prepare_vote(0, block)));
    for from in [0, 1] {
        assert_eq!(prepare(&mut rig, &chain[2], from), [], "own, and two: prepared, but 2 is not");
    }
    assert_eq!(prepare(&mut rig, &chain[1], 0), []);
    let commits = [
        persist(4, Record::Commit(commit_vote(0, &chain[1]), p_by(0, &chain[1], &[0, 1, 3]))),
        persist(5, Record::Commit(commit_vote(0, &chain[2]), p_by(0, &chain[2], &[0, 1, 3]))),
    ];
    assert_eq!(prepare(&mut rig, &chain[1], 1), commits);
}

#[test]
fn r02_votes_of_different_views_do_not_add_up() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    rig.accept(&block);
    assert_eq!(rig.say(0, Unsigned::Prepare(prepare_vote(0, &block))), []);
    let effects = rig.say(2, Unsigned::Prepare(prepare_vote(1, &block)));
    assert!(matches!(effects[..], [Effect::Send(ValidatorIndex(2), _)]), "own, 0 and 2 are of two views");
    let commit = Record::Commit(commit_vote(0, &block), p_by(0, &block, &[0, 1, 3]));
    assert_eq!(rig.say(3, Unsigned::Prepare(prepare_vote(0, &block))), [persist(3, commit)]);
}
