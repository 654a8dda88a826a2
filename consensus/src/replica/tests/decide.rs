//! Certificates, overrides and divergence: R8, R22, R34–R37.

use super::fixture::*;
use crate::message::Message;
use crate::replica::{Effect, Halt, Input};
use crate::{Outgoing, Unsigned};
use quorate_chain::certificate::{CommitVote, PATH_HEADERS_MAX};
use quorate_chain::{Height, ResultHash, ValidatorIndex, View};

/// A backup of view 0 with W = 4 and tip 1; it has voted for blocks 2 and 3 of a branch that loses.
fn on_losing_branch() -> (Rig, [crate::SealedBlock; 4]) {
    let mut rig = Rig::new(1, 4);
    let one = first(0, 1);
    let (two, other_two) = (child(&one, 0, 2), child(&one, 0, 3));
    let other_three = child(&other_two, 0, 4);
    rig.commit(&one, &c(0, &one));
    rig.accept(&other_two);
    rig.accept(&other_three);
    (rig, [two.clone(), child(&two, 0, 5), other_two, other_three])
}

#[test]
fn r08_a_certificate_overrides_the_accepted_chain() {
    let (mut rig, [two, three, ..]) = on_losing_branch();
    let certificate = certificate(commit_vote(0, &two), &[0, 2, 3]);
    assert_eq!(rig.hear(certificate_message(&certificate)), [Effect::FetchBlock(two.hash())]);
    let effects = rig.step(Input::Block(two.clone()));
    assert_eq!(effects, [Effect::StoreBody(two.clone()), Effect::Execute(two.clone())]);
    assert_eq!(rig.executed(&two), [committed(&two, &certificate)]);
    assert!(rig.replica.chain.is_empty(), "what conflicts is dropped");
    // Height 3 was voted on before: neither a Prepare nor a Commit for another block in this view.
    for from in [0, 2, 3] {
        assert_eq!(rig.say(from, Unsigned::Prepare(prepare_vote(0, &three))), []);
    }
    rig.commit(&three, &certificate_of(&three));
    let four = child(&three, 0, 6);
    assert_eq!(rig.say(0, proposal(0, &four)), [Effect::Validate(four)], "height 4 is free");
}

fn certificate_of(block: &crate::SealedBlock) -> quorate_chain::CommitCertificate {
    certificate(commit_vote(0, block), &[0, 2, 3])
}

#[test]
fn r08_a_vote_that_was_withheld_for_the_disk_dies_with_its_branch() {
    let mut rig = Rig::new(1, 1);
    let (block, other) = (first(0, 1), first(0, 2));
    rig.say(0, proposal(0, &other));
    rig.valid(&other);
    assert_eq!(rig.persisted(2), []);
    rig.commit(&block, &certificate_of(&block));
    assert_eq!(rig.stored(&other), [], "the Prepare for the other block never leaves");
}

#[test]
fn r08_voted_for_another_no_commit_in_this_view() {
    let (mut rig, block, other) = (Rig::new(1, 1), first(0, 1), first(0, 2));
    rig.accept(&other);
    for from in [0, 2, 3] {
        assert_eq!(rig.say(from, Unsigned::Prepare(prepare_vote(0, &block))), []);
    }
}

#[test]
fn r22_a_certificate_commits_all_ancestors_with_the_headers_that_prove_them() {
    let mut rig = Rig::new(1, 4);
    let chain = blocks(3);
    let certificate = c(0, &chain[2]);
    let first = rig.certified(&chain[0], &certificate);
    assert_eq!(
        first,
        [
            Effect::Sync { peer: ValidatorIndex(0), to: Height(3) },
            Effect::Sync { peer: ValidatorIndex(2), to: Height(3) }
        ]
    );
    assert_eq!(rig.certified(&chain[1], &certificate), []);
    let mut effects = rig.certified(&chain[2], &certificate);
    for (i, block) in chain.iter().enumerate() {
        assert_eq!(effects, [Effect::StoreBody(block.clone()), Effect::Execute(block.clone())]);
        effects = rig.executed(block);
        let path = chain[i + 1..].iter().map(|block| block.header().clone()).collect();
        let (block, certificate) = (block.clone(), certificate.clone());
        assert_eq!(effects.remove(0), Effect::Commit { block, certificate, path });
    }
    assert_eq!(effects, []);
}

#[test]
fn r35_a_replica_that_changes_views_still_commits() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    rig.accept(&block);
    for from in [2, 3] {
        rig.settled(from, ask(1, 1, 0));
    }
    for from in [0, 2] {
        assert_eq!(rig.say(from, Unsigned::Commit(commit_vote(0, &block))), []);
    }
    let certificate = certificate_of(&block);
    assert_eq!(rig.say(3, Unsigned::Commit(commit_vote(0, &block))), [committed(&block, &certificate)]);
}

#[test]
fn r36_a_certificate_of_another_result_halts() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    rig.accept(&block);
    let certified = ResultHash([99; 32]);
    let other = certificate(CommitVote { result: certified, ..commit_vote(0, &block) }, &[0, 2, 3]);
    let halt = Halt::Result { height: Height(1), block: block.hash(), own: result(1), certified };
    assert_eq!(rig.hear(certificate_message(&other)), [Effect::Halted(halt)]);
    assert_eq!(rig.replica.halted(), Some(halt));
    for from in [0, 2, 3] {
        assert_eq!(rig.say(from, Unsigned::Prepare(prepare_vote(0, &block))), [], "it votes no more");
    }
    for from in [2, 3] {
        assert_eq!(rig.say(from, ask(1, 1, 0)), [], "and asks for no view");
    }
    assert_eq!(rig.replica.tip().height, Height(0));
}

#[test]
fn r36_a_certificate_of_another_block_or_result_at_the_tip_halts() {
    let (block, other) = (first(0, 1), first(0, 2));
    let mut rig = Rig::new(1, 1);
    rig.commit(&block, &c(0, &block));
    let halt = Halt::Chain { height: Height(1), view: View(3), own: block.hash(), other: other.hash() };
    assert_eq!(rig.hear(certificate_message(&c(3, &other))), [Effect::Halted(halt)]);
    let mut rig = Rig::new(1, 1);
    rig.commit(&block, &c(0, &block));
    let certified = ResultHash([99; 32]);
    let vote = CommitVote { result: certified, ..commit_vote(0, &block) };
    let halt = Halt::Result { height: Height(1), block: block.hash(), own: result(1), certified };
    assert_eq!(rig.hear(certificate_message(&certificate(vote, &[0, 1, 2]))), [Effect::Halted(halt)]);
}

#[test]
fn r37_two_results_against_two_raise_an_alarm() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    let vote = |from: u16| {
        let result = ResultHash([if from < 2 { 1 } else { 9 }; 32]);
        Unsigned::Commit(CommitVote { result, ..commit_vote(0, &block) })
    };
    for from in [0, 2, 3] {
        assert_eq!(rig.say(from, vote(from)), [], "a third vote could still make a quorum");
    }
    let votes = (0..4).map(|from| match signed(from, vote(from)) {
        Message::Commit(vote) => vote,
        _ => panic!("not a Commit"),
    });
    let votes = votes.collect();
    assert_eq!(rig.say(1, vote(1)), [Effect::ResultsDiffer(votes)]);
    assert_eq!(rig.replica.halted(), None);
}

#[test]
fn r34_blocks_are_asked_of_f_plus_one_signers_at_a_time() {
    let mut rig = Rig::new(0, 1);
    let chain = blocks(2);
    let certificate = c(0, &chain[1]);
    let sync = |peer| Effect::Sync { peer: ValidatorIndex(peer), to: Height(2) };
    assert_eq!(rig.hear(certificate_message(&certificate)), [sync(1), sync(2)]);
    assert_eq!(rig.say(3, status(0, Some(&chain[1]), 2)).len(), 0);
    let again = rig.wait(STATUS_MS);
    assert_eq!(again, [sync(1), sync(2)]);
}

#[test]
fn a_body_that_nobody_asked_for_is_not_kept() {
    let (mut rig, block) = (Rig::new(1, 1), first(0, 1));
    rig.step(Input::Block(block.clone()));
    assert!(rig.replica.blocks.get(block.hash()).is_none());
}

#[test]
fn answers_about_unknown_blocks_and_heights_are_harmless() {
    let mut rig = Rig::new(1, 1);
    let block = changed(&first(0, 1), |h| h.height = Height(u64::MAX));
    assert_eq!(rig.valid(&block), []);
    assert_eq!(rig.stored(&block), []);
    assert_eq!(rig.step(Input::Executed { block: block.hash(), result: result(1), ends_epoch: false }), []);
    assert_eq!(rig.step(Input::Block(block.clone())), []);
    assert_eq!(rig.persisted(u64::MAX), []);
    let own = Outgoing::Own(status(0, None, 0));
    let vote = Unsigned::Prepare(prepare_vote(u64::MAX, &block));
    assert_eq!(rig.say(2, vote), [Effect::Send(ValidatorIndex(2), own)]);
    assert_eq!(rig.say(3, proposal(u64::MAX, &block)).len(), 1, "a Status");
    assert_eq!(rig.say(0, proposal(0, &block)).len(), 1, "a Status");
    let vote = CommitVote { height: Height(u64::MAX), ..commit_vote(0, &first(0, 1)) };
    assert_eq!(rig.certified(&block, &certificate(vote, &[0, 1, 2])), []);
    assert_eq!(rig.say(2, ask(u64::MAX, u64::MAX, u64::MAX)), []);
}

/// A proof's path of headers is bounded, so a certificate that is too far above the tip waits for those between.
#[test]
fn r22_no_path_is_longer_than_a_proof_may_be() {
    let far = PATH_HEADERS_MAX + 2;
    let chain = blocks(far);
    let mut rig = Rig::new(1, 4);
    let last = chain.last().unwrap();
    rig.hear(certificate_message(&c(0, last)));
    for block in &chain {
        rig.replica.blocks.insert(block);
    }
    let executes = |effects: Vec<Effect>| effects.contains(&Effect::Execute(chain[0].clone()));
    assert!(!executes(rig.wait(STATUS_MS)), "257 headers would follow the first block's");
    assert!(executes(rig.certified(&chain[0], &c(0, &chain[0]))));
    assert!(rig.executed(&chain[0]).contains(&committed(&chain[0], &c(0, &chain[0]))));
    let second = rig.executed(&chain[1]);
    let path =
        |effect: &Effect| matches!(effect, Effect::Commit { path, .. } if path.len() == PATH_HEADERS_MAX);
    assert!(second.iter().any(path), "and then there are as many as may be");
}
