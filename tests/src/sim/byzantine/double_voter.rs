//! Votes for whatever anybody proposes or votes for, in any view, and now and then for a wrong result.

use super::scene::Scene;
use super::{Fixture, Letter, own};
use quorate_chain::ResultHash;
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_consensus::{Message, Unsigned};

/// Percent of Commits that are said with a wrong result too.
const WRONG_RESULT_PERCENT: u64 = 20;

pub(super) struct DoubleVoter;

impl Fixture for DoubleVoter {
    fn hears(&mut self, scene: &mut Scene<'_>, message: &Message) -> Vec<Letter> {
        let all = scene.honest();
        match message {
            Message::Proposal(proposal) => {
                scene.lies += 1;
                let (height, block) = (proposal.block.height(), proposal.block.hash());
                let vote = PrepareVote { epoch: proposal.epoch, view: proposal.view, height, block };
                vec![own(all, Unsigned::Prepare(vote))]
            }
            Message::Prepare(vote) if scene.random.chance(30) => {
                vec![own(all, Unsigned::Prepare(vote.payload))]
            }
            Message::Commit(vote) if scene.random.chance(50) => {
                let mut letters = vec![own(all, Unsigned::Commit(vote.payload))];
                if scene.random.chance(WRONG_RESULT_PERCENT) {
                    scene.lies += 1;
                    let wrong = CommitVote { result: ResultHash([0xee; 32]), ..vote.payload };
                    let [half, _] = scene.halves(vote.payload.height.0);
                    letters.push(own(half, Unsigned::Commit(wrong)));
                }
                letters
            }
            _ => Vec::new(),
        }
    }
}
