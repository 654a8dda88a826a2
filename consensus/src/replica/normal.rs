//! The normal case: accept, prepare, commit (R4–R11, R15–R17; PBFT §4.2).

use super::blocks::{Asked, Execution};
use super::effect::Effect;
use super::votes::Counted;
use super::{AHEAD_MAX, Cast, Replica, Withheld};
use crate::evidence::Evidence;
use crate::message::{AnchorKind, Proposal, SealedBlock, Signed};
use crate::record::Record;
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{BlockHash, Height, PreparedCertificate, ResultHash, TimestampMs};
use std::sync::Arc;

/// A block that another may be built on: height, hash, time and the own result.
pub(super) struct Parent {
    pub(super) height: Height,
    pub(super) block: BlockHash,
    pub(super) timestamp_ms: TimestampMs,
    pub(super) result: ResultHash,
}

impl Replica {
    /// Whether something for this height is kept: above the tip and not too far.
    fn in_reach(&self, height: Height) -> bool {
        height > self.tip.height && height.0 <= self.tip.height.0 + self.config.window + AHEAD_MAX
    }

    pub(super) fn on_proposal(&mut self, proposal: Arc<Proposal>) {
        let (view, height) = (proposal.view, proposal.block.height());
        let primary = self.config.context.set.primary(proposal.epoch, view);
        if view > self.view || height.0 > self.tip.height.0 + self.config.window {
            self.look_up_to(primary);
        }
        if view < self.view || !self.in_reach(height) {
            return;
        }
        let early = self.early.get(&primary).filter(|_| view > self.view);
        let known = if view == self.view { self.proposals.get(&height) } else { early };
        match known {
            Some(known) if (known.view, known.block.height()) == (view, height) => {
                let (first, second) = (known.signed_claim(primary), proposal.signed_claim(primary));
                if first.payload != second.payload {
                    self.accuse(Evidence::Proposals(first, second));
                }
            }
            Some(known) if known.view > view || known.view == view && known.block.height() < height => {}
            _ if view > self.view => {
                self.early.insert(primary, proposal);
            }
            _ => {
                self.proposals.insert(height, proposal);
            }
        }
    }

    pub(super) fn on_validated(&mut self, block: BlockHash, valid: bool) {
        if let Some(entry) = self.blocks.get_mut(block) {
            entry.valid = Asked::Answer(valid);
        }
    }

    pub(super) fn on_prepare(&mut self, vote: &Signed<PrepareVote>) {
        let PrepareVote { view, height, .. } = vote.payload;
        if view > self.view || height.0 > self.tip.height.0 + self.config.window {
            self.look_up_to(vote.signer);
        }
        // At the anchor's height a vote counts even below the tip (R17).
        if view < self.view || !(self.in_reach(height) || height == self.anchor.height) {
            return;
        }
        if let Counted::Conflict(evidence) = self.votes.prepare(vote) {
            self.accuse(*evidence);
        }
    }

    /// R35: Commits count in every phase, and of lower views too.
    pub(super) fn on_commit(&mut self, vote: &Signed<CommitVote>) {
        let CommitVote { view, height, .. } = vote.payload;
        if view > self.view || height.0 > self.tip.height.0 + self.config.window {
            self.look_up_to(vote.signer);
        }
        if !(self.in_reach(height) || height == self.anchor.height) {
            return;
        }
        match self.votes.commit(vote) {
            Counted::Conflict(evidence) => self.accuse(*evidence),
            Counted::Old => {}
            Counted::New => {
                if let Some(certificate) = self.votes.committed(&vote.payload, self.q()) {
                    self.on_certificate(certificate);
                } else if let Some(votes) = self.votes.results_differ(&vote.payload, self.quorum) {
                    self.out.push(Effect::ResultsDiffer(votes));
                }
            }
        }
    }

    /// R5: what the next block of this view is built on: the last accepted block, else the own tip once it
    /// has reached the anchor. `None` while the anchor is still to be adopted or the parent executes.
    pub(super) fn parent(&self) -> Option<Parent> {
        let accepted = self.chain.last_key_value().filter(|(height, _)| **height > self.tip.height);
        match accepted {
            Some((_, hash)) => {
                let entry = self.blocks.get(*hash)?;
                let Asked::Answer(Execution { result, ends_epoch }) = entry.executed else { return None };
                // R45: no child is accepted in this epoch.
                if ends_epoch {
                    return None;
                }
                let header = entry.block.header();
                let (height, timestamp_ms) = (header.height, header.timestamp_ms);
                Some(Parent { height, block: *hash, timestamp_ms, result })
            }
            None if self.is_past_anchor() => Some(Parent {
                height: self.tip.height,
                block: self.tip.block,
                timestamp_ms: self.tip.timestamp_ms,
                result: self.tip.result,
            }),
            None => None,
        }
    }

    /// R5, R21: whether the own tip has reached the anchor.
    fn is_past_anchor(&self) -> bool {
        self.tip.height >= self.anchor.height && !self.is_off_anchor() || mistaken!(self, PrepareBelowAnchor)
    }

    /// R7: within W of the own tip; until there is a C of this view or above, only one block above the anchor.
    pub(super) fn within_window(&self, height: Height) -> bool {
        height.0 <= self.tip.height.0 + self.config.window
            && (self.commit_view >= Some(self.view)
                || height <= self.anchor.height.next()
                || mistaken!(self, NoWindowBound))
    }

    /// R4–R7: accepts the proposals that follow on the chain of this view.
    pub(super) fn accept(&mut self) {
        while let Some(parent) = self.parent() {
            let height = parent.height.next();
            let Some(proposal) = self.proposals.get(&height).filter(|p| p.view == self.view) else { return };
            let block = proposal.block.clone();
            if !self.within_window(height) || !self.follows(&parent, &block) {
                return;
            }
            // R8: a second vote for a (v, h) already voted is never signed.
            let prepared = self.own_prepares.get(&height).map(|cast| cast.vote.block);
            let committed = self.own_commits.get(&height).map(|cast| cast.vote.block);
            if [prepared, committed].into_iter().flatten().any(|voted| voted != block.hash()) {
                return;
            }
            if !self.blocks.insert(&block) {
                return;
            }
            let Some(entry) = self.blocks.get_mut(block.hash()) else { return };
            match entry.valid {
                Asked::No => {
                    entry.valid = Asked::Waiting;
                    self.out.push(Effect::Validate(block));
                    return;
                }
                Asked::Waiting | Asked::Answer(false) => return,
                Asked::Answer(true) => self.accept_block(&block),
            }
        }
    }

    /// R6, as far as it concerns the order of blocks; the driver checks the rest ([`Effect::Validate`]).
    fn follows(&mut self, parent: &Parent, block: &SealedBlock) -> bool {
        let header = block.header();
        let primary = self.config.context.set.primary(self.config.context.epoch, self.view);
        let on_parent = (header.parent, header.parent_result) == (parent.block, parent.result);
        if !on_parent || header.proposer != primary || header.timestamp_ms <= parent.timestamp_ms {
            return false;
        }
        let by_clock = self.now.clock.0.saturating_add(self.config.max_ahead_ms);
        let follows_parent = !mistaken!(self, NoParentPlusOne);
        let latest = by_clock.max(if follows_parent { parent.timestamp_ms.next().0 } else { 0 });
        let early_ms = header.timestamp_ms.0.saturating_sub(latest);
        if early_ms > 0 {
            // A proposal ahead of its time waits. The two clocks may drift, so this looks again at least
            // as often as things are sent again.
            self.timers.early_proposal = Some(self.now.time + early_ms.min(self.config.status_ms));
        }
        early_ms == 0
    }

    /// R9, R10: takes a block into the chain of this view; its Prepare leaves once body and vote are durable.
    pub(super) fn accept_block(&mut self, block: &SealedBlock) {
        let (height, hash) = (block.height(), block.hash());
        self.chain.insert(height, hash);
        self.accepted_at.insert(height, self.now.time);
        self.primary_heard_at = self.now.time;
        self.store_and_execute(hash);
        self.cast_prepare(height, hash);
    }

    pub(super) fn store(&mut self, hash: BlockHash) {
        let Some(entry) = self.blocks.get_mut(hash) else { return };
        entry.prepared = true;
        if entry.stored == Asked::No {
            entry.stored = Asked::Waiting;
            self.out.push(Effect::StoreBody(entry.block.clone()));
        }
    }

    pub(super) fn store_and_execute(&mut self, hash: BlockHash) {
        self.store(hash);
        let Some(entry) = self.blocks.get_mut(hash) else { return };
        if entry.executed == Asked::No {
            entry.executed = Asked::Waiting;
            self.out.push(Effect::Execute(entry.block.clone()));
        }
    }

    pub(super) fn cast_prepare(&mut self, height: Height, block: BlockHash) {
        if self.own_prepares.contains_key(&height) {
            return;
        }
        let vote = PrepareVote { epoch: self.config.context.epoch, view: self.view, height, block };
        self.own_prepares.insert(height, Cast { vote, released: false });
        let id = self.persist(Record::Prepare(vote));
        self.withhold(id, Withheld::Prepare(vote));
    }

    /// R2: q Prepares for an accepted block make its P.
    pub(super) fn prepare(&mut self) {
        let (epoch, view, q) = (self.config.context.epoch, self.view, self.q());
        for (height, block) in &self.chain {
            if self.prepared.contains_key(height) {
                continue;
            }
            let vote = PrepareVote { epoch, view, height: *height, block: *block };
            if let Some(certificate) = self.votes.prepared(&vote, q) {
                // R19: never lowered.
                let key = |p: &PreparedCertificate| (p.vote.view, p.vote.height);
                if self.highest_prepared.as_ref().is_none_or(|highest| key(highest) < key(&certificate)) {
                    self.highest_prepared = Some(certificate.clone());
                }
                self.prepared.insert(*height, certificate);
            }
        }
    }

    /// R15, R16: Commits for what is accepted, prepared and executed, in ascending height; for an anchor,
    /// first for its ancestors.
    pub(super) fn commit(&mut self) {
        let mut from = Height::ZERO;
        while let Some((height, block)) = self.chain.range(from..).next().map(|(h, b)| (*h, *b)) {
            from = height.next();
            if self.own_commits.contains_key(&height) {
                continue;
            }
            let ready = self.prepared.get(&height).cloned().zip(self.result_of(height, block));
            let Some((certificate, result)) = ready else {
                if height <= self.tip.height {
                    continue;
                }
                return;
            };
            if self.anchor.kind == AnchorKind::Prepared && height == self.anchor.height {
                self.commit_ancestors(block, &certificate);
            }
            self.cast_commit(height, block, result, &certificate);
        }
    }

    /// R16: the anchor's P justifies a Commit for every ancestor above the own tip.
    fn commit_ancestors(&mut self, anchor: BlockHash, certificate: &PreparedCertificate) {
        let Ok(path) = self.blocks.path_from((self.tip.height, self.tip.block), anchor) else { return };
        for ancestor in path.iter().filter(|block| block.hash() != anchor) {
            if let Some(result) = self.result_of(ancestor.height(), ancestor.hash()) {
                self.cast_commit(ancestor.height(), ancestor.hash(), result, certificate);
            }
        }
    }

    fn cast_commit(
        &mut self,
        height: Height,
        block: BlockHash,
        result: ResultHash,
        certificate: &PreparedCertificate,
    ) {
        // R8: voted for another block at this height of this view: no Commit in this view.
        let voted_other = self.own_prepares.get(&height).is_some_and(|cast| cast.vote.block != block);
        if voted_other || self.own_commits.contains_key(&height) {
            return;
        }
        let vote = CommitVote { epoch: self.config.context.epoch, view: self.view, height, block, result };
        self.own_commits.insert(height, Cast { vote, released: false });
        let id = self.persist(Record::Commit(vote, certificate.clone()));
        self.withhold(id, Withheld::Commit(vote));
    }

    /// The own result of a block at this height, committed lately or executed tentatively.
    pub(super) fn result_of(&self, height: Height, block: BlockHash) -> Option<ResultHash> {
        match self.recent.get(&height) {
            Some((hash, result)) => (*hash == block).then_some(*result),
            None => self.blocks.execution(block).map(|execution| execution.result),
        }
    }
}
