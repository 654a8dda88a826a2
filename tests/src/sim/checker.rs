//! What must never happen, checked over everything that anybody signed and sent, whether it arrived or not
//! (S1–S4, S6). All signers of a run are honest: one wrong signature is a violation.

use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{BlockHash, CommitCertificate, Header, Height, ResultHash, View};
use quorate_consensus::message::AskCounter;
use quorate_consensus::{Message, SealedBlock};
use std::collections::BTreeMap;

/// Something that must never happen has happened; the text starts with the invariant's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

/// A slot in which a validator signs at most one payload.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    Proposal(View, Height),
    Prepare(View, Height),
    Commit(View, Height),
    Ask(AskCounter),
    ViewChange(View),
    NewView(View),
}

/// A block of which a C can be formed, and the lowest view of such a C.
#[derive(Clone, Copy, Debug)]
struct Certified {
    block: BlockHash,
    result: ResultHash,
    view: View,
}

/// Watches every signature and every commit of a run. Signers are a bit each.
#[derive(Debug)]
pub(super) struct Checker {
    quorum: usize,
    signed: BTreeMap<(usize, Slot), [u8; 64]>,
    /// The highest target of each node's ViewChanges.
    left: BTreeMap<usize, View>,
    prepares: BTreeMap<PrepareVote, u64>,
    commits: BTreeMap<CommitVote, u64>,
    /// Every P that anyone could form.
    prepared: BTreeMap<(View, Height), BlockHash>,
    /// Every C that anyone could form.
    certified: BTreeMap<Height, Certified>,
    /// Height and parent of every block that was proposed.
    blocks: BTreeMap<BlockHash, (Height, BlockHash)>,
    committed: BTreeMap<Height, (BlockHash, ResultHash)>,
}

fn violation<T>(text: String) -> Result<T, Violation> {
    Err(Violation(text))
}

impl Checker {
    pub(super) const fn new(quorum: usize) -> Self {
        Self {
            quorum,
            signed: BTreeMap::new(),
            left: BTreeMap::new(),
            prepares: BTreeMap::new(),
            commits: BTreeMap::new(),
            prepared: BTreeMap::new(),
            certified: BTreeMap::new(),
            blocks: BTreeMap::new(),
            committed: BTreeMap::new(),
        }
    }

    /// The highest height that anybody committed.
    pub(super) fn height(&self) -> Height {
        self.committed.last_key_value().map_or(Height::ZERO, |(height, _)| *height)
    }

    /// A node has signed a message and sends it.
    pub(super) fn signed(&mut self, node: usize, message: &Message) -> Result<(), Violation> {
        let (slot, bytes) = match message {
            Message::Proposal(p) => {
                let block = &p.block;
                self.blocks.insert(block.hash(), (block.height(), block.header().parent));
                (Slot::Proposal(p.view, block.height()), p.signature.0)
            }
            Message::Prepare(v) => (Slot::Prepare(v.payload.view, v.payload.height), v.signature.0),
            Message::Commit(v) => (Slot::Commit(v.payload.view, v.payload.height), v.signature.0),
            Message::Ask(a) => (Slot::Ask(a.payload.counter), a.signature.0),
            Message::NewView(n) => (Slot::NewView(n.contents.view), n.signature.0),
            Message::ViewChange(v) => {
                // Sent again byte for byte, with its certificates (R12).
                let mut bytes = [0; 64];
                blake3::Hasher::new()
                    .update(&quorate_chain::codec::encode(message))
                    .finalize_xof()
                    .fill(&mut bytes);
                (Slot::ViewChange(v.claims.payload.target), bytes)
            }
            Message::Status(_) | Message::Certificate(_) => return Ok(()),
        };
        match self.signed.insert((node, slot.clone()), bytes) {
            Some(known) if known != bytes => {
                violation(format!("S4: node {node} signed two payloads for {slot:?}"))
            }
            Some(_) => Ok(()),
            None => self.first_signed(node, message),
        }
    }

    fn first_signed(&mut self, node: usize, message: &Message) -> Result<(), Violation> {
        match message {
            Message::ViewChange(v) => {
                let left = self.left.entry(node).or_default();
                *left = v.claims.payload.target.max(*left);
                Ok(())
            }
            Message::Prepare(vote) => {
                self.still_in(node, vote.payload.view)?;
                self.prepare(node, vote.payload)
            }
            Message::Commit(vote) => {
                self.still_in(node, vote.payload.view)?;
                self.commit(node, vote.payload)
            }
            _ => Ok(()),
        }
    }

    /// R13: no vote in a view for whose end a ViewChange was sent.
    fn still_in(&self, node: usize, view: View) -> Result<(), Violation> {
        match self.left.get(&node) {
            Some(left) if *left > view => {
                violation(format!("R13: node {node} votes in view {view} after its ViewChange for {left}"))
            }
            _ => Ok(()),
        }
    }

    fn prepare(&mut self, node: usize, vote: PrepareVote) -> Result<(), Violation> {
        let signers = self.prepares.entry(vote).or_default();
        *signers |= 1 << node;
        if (signers.count_ones() as usize) < self.quorum {
            return Ok(());
        }
        let PrepareVote { view, height, block, .. } = vote;
        match self.prepared.insert((view, height), block) {
            Some(other) if other == block => return Ok(()),
            Some(_) => return violation(format!("S1: two P of view {view} and height {height}")),
            None => {}
        }
        // The theorem: every P of a higher view extends whatever can be certified in a lower one.
        let below = self.certified.iter().rev().find(|(_, c)| c.view < view);
        match below {
            Some((at, c)) if !self.extends(height, block, *at, c.block) => violation(format!(
                "S1: P of view {view} at {height} does not extend the C of view {} at {at}",
                c.view
            )),
            _ => Ok(()),
        }
    }

    fn commit(&mut self, node: usize, vote: CommitVote) -> Result<(), Violation> {
        let signers = self.commits.entry(vote).or_default();
        *signers |= 1 << node;
        if (signers.count_ones() as usize) < self.quorum {
            return Ok(());
        }
        let CommitVote { view, height, block, result, .. } = vote;
        let mut one = Certified { block, result, view };
        if let Some(known) = self.certified.get(&height) {
            if known.block != block {
                return violation(format!("S1: two blocks can be certified at height {height}"));
            }
            if known.result != result {
                return violation(format!("S2: two results can be certified at height {height}"));
            }
            if known.view <= view {
                return Ok(());
            }
            one.view = view;
        }
        self.certified.insert(height, one);
        let mut above = self.prepared.range((view.next(), Height::ZERO)..);
        if let Some(((w, k), _)) = above.find(|((_, k), b)| !self.extends(*k, **b, height, block)) {
            return violation(format!(
                "S1: P of view {w} at {k} does not extend the C of {view} at {height}"
            ));
        }
        Ok(())
    }

    /// Whether the block at `height` is or descends from `ancestor` at `at`.
    fn extends(&self, height: Height, block: BlockHash, at: Height, ancestor: BlockHash) -> bool {
        let (mut height, mut block) = (height, block);
        while height > at {
            let Some((_, parent)) = self.blocks.get(&block) else { return false };
            (height, block) = (height.previous(), *parent);
        }
        height == at && block == ancestor
    }

    /// A node has committed a block: its certificate must be of votes that were cast, of the block or of a
    /// descendant to which the headers lead (R22).
    pub(super) fn committed(
        &mut self,
        node: usize,
        (block, result): (&SealedBlock, ResultHash),
        certificate: &CommitCertificate,
        path: &[Header],
    ) -> Result<(), Violation> {
        let (height, hash) = (block.height(), block.hash());
        let mut last = (block.header(), hash, Some(result));
        for header in path {
            if header.parent != last.1 || last.2.is_some_and(|result| header.parent_result != result) {
                return violation(format!("S6: broken path at {} of node {node}", header.height));
            }
            last = (header, header.hash(), None);
        }
        if (certificate.height, certificate.block_hash) != (last.0.height, last.1)
            || last.2.is_some_and(|result| certificate.result_hash != result)
        {
            return violation(format!("S6: node {node} committed {height} by another block's certificate"));
        }
        let cast = self.commits.get(&certificate.vote()).copied().unwrap_or(0);
        let distinct = certificate.signatures.is_sorted_by(|a, b| a.validator < b.validator);
        let genuine = certificate.signatures.iter().all(|s| cast >> s.validator.0 & 1 == 1);
        if !distinct || !genuine || certificate.signatures.len() < self.quorum {
            return violation(format!("S6: node {node} committed {height} by a certificate nobody made"));
        }
        match self.committed.insert(height, (hash, result)) {
            Some((other, _)) if other != hash => {
                violation(format!("S1: node {node} committed another block at height {height}"))
            }
            Some((_, other)) if other != result => {
                violation(format!("S2: node {node} has another result at height {height}"))
            }
            _ => Ok(()),
        }
    }

    /// S3: what was ever committed is in this chain.
    pub(super) fn all_there(&self, node: usize, chain: &[BlockHash]) -> Result<(), Violation> {
        for (height, (hash, _)) in &self.committed {
            let index = height.previous().0 as usize;
            if chain.get(index) != Some(hash) {
                return violation(format!("S3: node {node} lacks the committed block at height {height}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::{ChainId, Epoch, ValidatorIndex};
    use quorate_consensus::Unsigned;
    use quorate_consensus::message::{CommitClaim, ViewChangeClaims};

    use crate::sim::signing::Signer;

    const CHAIN: ChainId = ChainId([1; 32]);

    fn say(checker: &mut Checker, node: u16, message: Unsigned) -> Result<(), Violation> {
        let message = Signer::new(CHAIN, ValidatorIndex(node), false).sign(message);
        checker.signed(usize::from(node), &message)
    }

    fn prepare(view: u64, height: u64, block: u8) -> Unsigned {
        let (view, height, block) = (View(view), Height(height), BlockHash([block; 32]));
        Unsigned::Prepare(PrepareVote { epoch: Epoch(0), view, height, block })
    }

    fn commit(view: u64, height: u64, block: u8, result: u8) -> Unsigned {
        let (view, height, block) = (View(view), Height(height), BlockHash([block; 32]));
        let result = ResultHash([result; 32]);
        Unsigned::Commit(CommitVote { epoch: Epoch(0), view, height, block, result })
    }

    /// What the last of these votes, each cast by nodes 0, 1 and 2, is refused for.
    fn refused(votes: &[Unsigned]) -> Option<String> {
        let mut checker = Checker::new(3);
        let mut cast = votes.iter().flat_map(|vote| (0..3).map(move |node| (node, vote.clone())));
        cast.find_map(|(node, vote)| say(&mut checker, node, vote).err()).map(|v| v.0[..3].to_owned())
    }

    #[test]
    fn finds_two_payloads_in_one_slot() {
        assert_eq!(refused(&[prepare(0, 1, 7), prepare(0, 1, 7), prepare(1, 1, 8)]), None);
        assert_eq!(refused(&[prepare(0, 1, 7), prepare(0, 1, 8)]).as_deref(), Some("S4:"));
        assert_eq!(refused(&[commit(0, 1, 7, 1), commit(0, 1, 7, 2)]).as_deref(), Some("S4:"));
    }

    #[test]
    fn finds_conflicting_certificates_across_views() {
        assert_eq!(refused(&[commit(0, 1, 7, 1), commit(1, 1, 7, 1)]), None);
        assert_eq!(refused(&[commit(0, 1, 7, 1), commit(1, 1, 8, 1)]).as_deref(), Some("S1:"));
        assert_eq!(refused(&[commit(0, 1, 7, 1), commit(1, 1, 7, 2)]).as_deref(), Some("S2:"));
    }

    #[test]
    fn finds_a_prepared_certificate_beside_a_commit_certificate_of_a_lower_view() {
        assert_eq!(refused(&[commit(1, 1, 7, 1), prepare(0, 1, 8)]), None, "a lower view may");
        assert_eq!(refused(&[commit(0, 1, 7, 1), prepare(1, 1, 8)]).as_deref(), Some("S1:"));
        assert_eq!(refused(&[prepare(1, 1, 8), commit(0, 1, 7, 1)]).as_deref(), Some("S1:"), "either order");
        assert_eq!(refused(&[commit(0, 2, 7, 1), prepare(1, 1, 8)]).as_deref(), Some("S1:"), "below it");
    }

    #[test]
    fn finds_a_vote_after_the_view_change() {
        let mut checker = Checker::new(3);
        let start = CommitClaim {
            view: None,
            height: Height(0),
            block: CHAIN.genesis_block(),
            result: ResultHash([0; 32]),
        };
        let claims = ViewChangeClaims { epoch: Epoch(0), target: View(1), committed: start, prepared: None };
        assert_eq!(say(&mut checker, 0, prepare(0, 1, 7)), Ok(()));
        assert_eq!(say(&mut checker, 0, Unsigned::ViewChange(claims, None, None)), Ok(()));
        assert_eq!(say(&mut checker, 0, prepare(0, 1, 7)), Ok(()), "an old vote says nothing new");
        assert!(say(&mut checker, 0, commit(0, 1, 7, 1)).is_err());
        assert_eq!(say(&mut checker, 0, prepare(1, 1, 7)), Ok(()));
    }
}
