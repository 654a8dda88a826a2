//! What must never happen, over everything that an honest replica signed and sent, whether it arrived or not;
//! and which certificates the Byzantine replica can form with its own signature.

use super::signing::{CHAIN, REPLICAS, Signing};
use crate::slot::Slot;
use quorate_chain::certificate::{CommitVote, PrepareVote, Signatures, ValidatorSignature};
use quorate_chain::codec::List;
use quorate_chain::crypto::Domain;
use quorate_chain::{
    BlockHash, CommitCertificate, Epoch, Height, PreparedCertificate, ResultHash, ValidatorIndex, View,
};
use quorate_consensus::message::ViewChange;
use quorate_consensus::{Message, SealedBlock};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Votes of a certificate: 3 of 4.
const QUORUM: usize = 3;

/// Who signed what; seats are a bit each.
#[derive(Debug)]
pub(super) struct Oracle {
    byzantine: usize,
    signed: BTreeMap<(usize, Epoch, Slot), Message>,
    /// The highest target of each replica's ViewChanges.
    left: BTreeMap<(usize, Epoch), View>,
    prepares: BTreeMap<PrepareVote, u8>,
    commits: BTreeMap<CommitVote, u8>,
    /// Every C that anyone can form, with its lowest view.
    certified: BTreeMap<Height, CommitVote>,
    committed: BTreeMap<Height, (BlockHash, ResultHash)>,
    view_changes: BTreeMap<(Epoch, View), BTreeMap<usize, Arc<ViewChange>>>,
    /// Height and parent of every block.
    parents: BTreeMap<BlockHash, (Height, BlockHash)>,
}

impl Oracle {
    pub(super) const fn new(byzantine: usize) -> Self {
        Self {
            byzantine,
            signed: BTreeMap::new(),
            left: BTreeMap::new(),
            prepares: BTreeMap::new(),
            commits: BTreeMap::new(),
            certified: BTreeMap::new(),
            committed: BTreeMap::new(),
            view_changes: BTreeMap::new(),
            parents: BTreeMap::new(),
        }
    }

    /// There is such a block.
    pub(super) fn block(&mut self, block: &SealedBlock) {
        self.parents.insert(block.hash(), (block.height(), block.header().parent));
    }

    /// An honest replica has signed a message and sends it (R8, R10, R13, R37).
    pub(super) fn sent(&mut self, seat: usize, message: &Message) {
        let Some(slot) = Slot::of(message) else { return };
        let key = (seat, message.epoch(), slot);
        match self.signed.get(&key) {
            Some(known) => assert!(known == message, "R37: {key:?} signed twice: {known:?} and {message:?}"),
            None => {
                self.signed.insert(key, message.clone());
                self.first_sent(seat, message);
            }
        }
    }

    fn first_sent(&mut self, seat: usize, message: &Message) {
        let epoch = message.epoch();
        match message {
            Message::ViewChange(v) => {
                let target = v.claims.payload.target;
                let left = self.left.entry((seat, epoch)).or_default();
                *left = target.max(*left);
                self.view_changes.entry((epoch, target)).or_default().insert(seat, Arc::clone(v));
            }
            Message::Proposal(p) => self.still_in(seat, epoch, p.view),
            Message::Prepare(vote) => {
                self.still_in(seat, epoch, vote.payload.view);
                self.prepare(seat, vote.payload);
            }
            Message::Commit(vote) => {
                self.still_in(seat, epoch, vote.payload.view);
                self.commit(seat, vote.payload);
            }
            _ => {}
        }
    }

    /// R13: nothing new is signed in a view after the ViewChange that leaves it.
    fn still_in(&self, seat: usize, epoch: Epoch, view: View) {
        let left = self.left.get(&(seat, epoch)).copied().unwrap_or_default();
        assert!(left <= view, "R13: {seat} votes in view {view} after its ViewChange for {left}");
    }

    fn prepare(&mut self, seat: usize, vote: PrepareVote) {
        let signers = self.prepares.entry(vote).or_default();
        *signers |= 1 << seat;
        if can_certify(*signers) {
            let lower = |c: &CommitVote| c.epoch == vote.epoch && c.view < vote.view;
            let below = self.certified.values().rev().find(|c| lower(c));
            if let Some(c) = below {
                assert!(self.extends(vote.height, vote.block, c), "S1: P {vote:?} does not extend C {c:?}");
            }
        }
    }

    fn commit(&mut self, seat: usize, vote: CommitVote) {
        let signers = self.commits.entry(vote).or_default();
        *signers |= 1 << seat;
        if !can_certify(*signers) {
            return;
        }
        if let Some(known) = self.certified.get(&vote.height) {
            let same = (known.block, known.result) == (vote.block, vote.result);
            assert!(same, "S1: C can be formed of {known:?} and of {vote:?}");
            if (known.epoch, known.view) <= (vote.epoch, vote.view) {
                return;
            }
        }
        self.certified.insert(vote.height, vote);
        let above = self
            .prepares
            .iter()
            .filter(|(p, signers)| p.epoch == vote.epoch && p.view > vote.view && can_certify(**signers));
        for (p, _) in above {
            assert!(self.extends(p.height, p.block, &vote), "S1: P {p:?} does not extend C {vote:?}");
        }
    }

    /// Whether the block is or descends from the certified one (R21: nothing is prepared below it either).
    fn extends(&self, mut height: Height, mut block: BlockHash, certified: &CommitVote) -> bool {
        while height > certified.height {
            let Some((_, parent)) = self.parents.get(&block) else { return false };
            (height, block) = (height.previous(), *parent);
        }
        (height, block) == (certified.height, certified.block)
    }

    /// An honest replica has committed a block.
    pub(super) fn committed(&mut self, seat: usize, height: Height, block: BlockHash, result: ResultHash) {
        let known = self.committed.entry(height).or_insert((block, result));
        assert!(*known == (block, result), "S1: {seat} committed another block at height {height}");
    }

    /// Every P of an epoch, below `view`, that the Byzantine replica can show.
    pub(super) fn prepared_votes(&self, epoch: Epoch, view: View) -> Vec<PrepareVote> {
        let votes = self.prepares.iter().filter(|(_, signers)| can_certify(**signers));
        votes.map(|(vote, _)| *vote).filter(|vote| vote.epoch == epoch && vote.view < view).collect()
    }

    /// Every C of an epoch, below `view`, that the Byzantine replica can show.
    pub(super) fn commit_votes(&self, epoch: Epoch, view: View) -> Vec<CommitVote> {
        let votes = self.commits.iter().filter(|(_, signers)| can_certify(**signers));
        votes.map(|(vote, _)| *vote).filter(|vote| vote.epoch == epoch && vote.view < view).collect()
    }

    /// A certificate of this vote; the Byzantine replica signs too if it is needed.
    pub(super) fn prepared(&self, vote: PrepareVote, signing: Signing) -> Option<PreparedCertificate> {
        let signers = *self.prepares.get(&vote)?;
        let signatures = self.signatures(signers, |seat| signing.signature(seat, Domain::Prepare, &vote))?;
        Some(PreparedCertificate { vote, signatures })
    }

    /// A certificate of this vote; the Byzantine replica signs too if it is needed.
    pub(super) fn certificate(&self, vote: CommitVote, signing: Signing) -> Option<CommitCertificate> {
        let signers = *self.commits.get(&vote)?;
        let signatures = self.signatures(signers, |seat| signing.signature(seat, Domain::Commit, &vote))?;
        Some(CommitCertificate::new(vote, signatures))
    }

    fn signatures(&self, honest: u8, sign: impl Fn(usize) -> quorate_chain::Signature) -> Option<Signatures> {
        if !can_certify(honest) {
            return None;
        }
        let signers = honest | 1 << self.byzantine;
        let seats = (0..REPLICAS).filter(|seat| signers >> seat & 1 == 1).take(QUORUM);
        let one = |seat| ValidatorSignature { validator: ValidatorIndex(seat as u16), signature: sign(seat) };
        List::new(seats.map(one).collect()).ok()
    }

    /// The honest replicas' ViewChanges for a view.
    pub(super) fn view_changes(&self, epoch: Epoch, view: View) -> Vec<(usize, Arc<ViewChange>)> {
        let of = self.view_changes.get(&(epoch, view)).into_iter().flatten();
        of.map(|(seat, v)| (*seat, Arc::clone(v))).collect()
    }

    /// Everything that a replica signed in an epoch.
    pub(super) fn signed_by(&self, seat: usize, epoch: Epoch) -> impl Iterator<Item = &Message> {
        let of = self.signed.iter().filter(move |((signer, of, _), _)| (*signer, *of) == (seat, epoch));
        of.map(|(_, message)| message)
    }

    /// The highest height that anybody committed.
    pub(super) fn height(&self) -> Height {
        self.committed.last_key_value().map_or(Height::ZERO, |(height, _)| *height)
    }

    /// The committed block at a height.
    pub(super) fn at(&self, height: Height) -> Option<(BlockHash, ResultHash)> {
        match height {
            Height::ZERO => Some((CHAIN.genesis_block(), ResultHash::default())),
            height => self.committed.get(&height).copied(),
        }
    }
}

/// Whether these honest signers and the Byzantine one are a quorum.
const fn can_certify(honest: u8) -> bool {
    honest.count_ones() as usize + 1 >= QUORUM
}
