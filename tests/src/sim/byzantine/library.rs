//! What a coalition has heard and said, and the certificates that can be made of it.

use quorate_chain::certificate::{CommitVote, PrepareVote, Signatures, ValidatorSignature};
use quorate_chain::codec::List;
use quorate_chain::{
    CommitCertificate, Epoch, PreparedCertificate, Signature, Transaction, ValidatorIndex, View,
};
use quorate_consensus::message::ViewChange;
use quorate_consensus::{Message, SealedBlock};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Messages that are kept for replays.
const HISTORY_MAX: usize = 4_000;
/// Blocks that are kept.
const BLOCKS_MAX: usize = 400;
/// Different ViewChanges of one validator for one view that are kept; an honest one signs one.
const VERSIONS_MAX: usize = 6;

type Signers = BTreeMap<ValidatorIndex, Signature>;
/// What each validator claims for one view.
type Versions = BTreeMap<ValidatorIndex, Vec<Arc<ViewChange>>>;

/// The coalition's memory.
#[derive(Default)]
pub(in super::super) struct Library {
    prepares: BTreeMap<PrepareVote, Signers>,
    commits: BTreeMap<CommitVote, Signers>,
    view_changes: BTreeMap<(Epoch, View), Versions>,
    pub(super) blocks: VecDeque<SealedBlock>,
    /// By number of the node that said it.
    pub(super) history: VecDeque<(usize, Message)>,
}

impl Library {
    pub(in super::super) fn learn(&mut self, from: usize, message: &Message) {
        match message {
            Message::Prepare(vote) => {
                self.prepares.entry(vote.payload).or_default().insert(vote.signer, vote.signature);
            }
            Message::Commit(vote) => {
                self.commits.entry(vote.payload).or_default().insert(vote.signer, vote.signature);
            }
            Message::ViewChange(change) => {
                let claims = &change.claims;
                let target = (claims.payload.epoch, claims.payload.target);
                let of = self.view_changes.entry(target).or_default().entry(claims.signer).or_default();
                if of.len() < VERSIONS_MAX && of.iter().all(|known| known.claims != *claims) {
                    of.push(Arc::clone(change));
                }
            }
            Message::Proposal(proposal) if self.block(proposal.block.hash()).is_none() => {
                self.blocks.push_back(proposal.block.clone());
            }
            _ => {}
        }
        self.history.push_back((from, message.clone()));
        if self.history.len() > HISTORY_MAX {
            self.history.pop_front();
        }
        if self.blocks.len() > BLOCKS_MAX {
            self.blocks.pop_front();
        }
    }

    /// Every P of an epoch below a view that can be made, ascending by key.
    pub(super) fn prepared(&self, epoch: Epoch, below: View, quorum: usize) -> Vec<PreparedCertificate> {
        let votes = self.prepares.iter().filter(|(vote, _)| vote.epoch == epoch && vote.view < below);
        let made = votes.filter_map(|(vote, signers)| {
            Some(PreparedCertificate { vote: *vote, signatures: signatures(signers, quorum)? })
        });
        made.collect()
    }

    /// Every C of an epoch below a view that can be made, ascending by key.
    pub(super) fn committed(&self, epoch: Epoch, below: View, quorum: usize) -> Vec<CommitCertificate> {
        let votes = self.commits.iter().filter(|(vote, _)| vote.epoch == epoch && vote.view < below);
        let made = votes.filter_map(|(vote, signers)| {
            Some(CommitCertificate {
                epoch,
                view: vote.view,
                height: vote.height,
                block_hash: vote.block,
                result_hash: vote.result,
                signatures: signatures(signers, quorum)?,
            })
        });
        made.collect()
    }

    /// The ViewChanges for a view, ascending by validator; of one that lies there may be several.
    pub(super) fn view_changes(&self, epoch: Epoch, target: View) -> Vec<Arc<ViewChange>> {
        let of = self.view_changes.get(&(epoch, target));
        of.into_iter().flat_map(|changes| changes.values().flatten().cloned()).collect()
    }

    /// Whether it has a validator's signature under the same vote.
    pub(super) fn has_signed(&self, signer: ValidatorIndex, vote: &Message) -> bool {
        let signers = match vote {
            Message::Prepare(vote) => self.prepares.get(&vote.payload),
            Message::Commit(vote) => self.commits.get(&vote.payload),
            _ => None,
        };
        signers.is_some_and(|signers| signers.contains_key(&signer))
    }

    pub(super) fn block(&self, hash: quorate_chain::BlockHash) -> Option<&SealedBlock> {
        self.blocks.iter().rev().find(|block| block.hash() == hash)
    }

    /// Transactions of the blocks that it knows, the oldest first.
    pub(super) fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.blocks.iter().flat_map(|block| block.block().transactions.iter())
    }
}

fn signatures(signers: &Signers, quorum: usize) -> Option<Signatures> {
    if signers.len() < quorum {
        return None;
    }
    let some = signers.iter().take(quorum);
    let some = some
        .map(|(validator, signature)| ValidatorSignature { validator: *validator, signature: *signature });
    List::new(some.collect()).ok()
}
