//! NewView: made by the new primary, entered by all, and the anchor on which the view starts (R12, R16, R17,
//! R19–R25, R29; PBFT §4.4).

use super::blocks::{Asked, Broken};
use super::effect::{Effect, Halt};
use super::recall::Memory;
use super::{Phase, Replica, Withheld};
use crate::evidence::Evidence;
use crate::message::Highest;
use crate::message::{
    Anchor, AnchorKind, KeyCertificate, Message, NewView, NewViewContents, Outgoing, SealedBlock, Unsigned,
    ViewChange,
};
use crate::record::Record;
use quorate_chain::codec::List;
use quorate_chain::{CommitCertificate, View};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Replica {
    /// With q ViewChanges for the own target, its primary signs a NewView, once.
    pub(super) fn make_new_view(&mut self) {
        let Phase::Changing { target } = self.phase else { return };
        let context = &self.config.context;
        let mine = Some(context.set.primary(context.epoch, target)) == self.config.me;
        if !mine || !self.may_sign() || self.new_view_signed >= Some(target) {
            return;
        }
        let mut view_changes = self.asks.view_changes(target);
        if view_changes.len() < self.q() {
            return;
        }
        view_changes.truncate(self.q());
        let Some(contents) = new_view_contents(target, &view_changes) else { return };
        self.new_view_signed = Some(target);
        self.out.push(Effect::Sign(Unsigned::NewView(contents)));
    }

    /// R29: a valid NewView above the own view and not below the own target is entered, asked for or not.
    pub(super) fn on_new_view(&mut self, new_view: Arc<NewView>) {
        let view = new_view.contents.view;
        if view == self.view {
            if let Some(known) = self.new_view.as_ref().filter(|known| known.contents != new_view.contents) {
                let evidence = Evidence::NewViews(self.primary(), Arc::clone(known), new_view);
                self.accuse(evidence);
            }
            return;
        }
        let below_target = matches!(self.phase, Phase::Changing { target } if view < target);
        if view < self.view || below_target || self.halted.is_some() || self.has_ended() {
            return;
        }
        // R47: a view entered meanwhile would become the record that the next start measures answers by.
        if matches!(self.memory, Memory::Asking(..)) {
            return;
        }
        self.enter(new_view);
    }

    fn enter(&mut self, new_view: Arc<NewView>) {
        let Some(anchor) = self.anchor_of(&new_view) else { return };
        self.view = new_view.contents.view;
        self.phase = Phase::Normal;
        self.anchor = anchor;
        self.new_view = Some(Arc::clone(&new_view));
        // R13, R44: nothing of the old view leaves any more, and what it kept goes, but never the highest P.
        self.withheld.clear();
        self.chain.clear();
        self.accepted_at.clear();
        self.prepared.clear();
        self.own_prepares.clear();
        self.own_commits.clear();
        self.votes.enter(self.view);
        self.asks.enter(self.view);
        self.proposals.clear();
        if let Some(proposal) = self.early.remove(&self.primary()).filter(|p| p.view == self.view) {
            self.proposals.insert(proposal.block.height(), proposal);
        }
        self.early.retain(|_, proposal| proposal.view > self.view);
        self.blocks.stop_fetching();
        // R26: blocks that this view drops are not waited for.
        let beyond = self.own_ask.filter(|(ask, _)| ask.target > self.view);
        self.own_ask = beyond.map(|(ask, _)| (ask, self.anchor.height));
        self.stale_ask = self.stale_ask.map(|_| self.anchor.height);
        (self.own_suspect, self.asks_changed) = (None, true);
        self.fairness.enter();
        self.rates.enter(self.now.time, self.pending.is_full());
        (self.entered_at, self.primary_heard_at) = (self.now.time, self.now.time);
        (self.lease, self.lease_asked) = (quorate_chain::Height::ZERO, None);
        (self.proposed_up_to, self.batch_requested) = (self.tip.height, None);
        self.timers.stop_progress();
        // R12: durable before the first vote in the view, as every vote's record comes after this one.
        self.entered_record = self.persist(Record::Entered(Arc::clone(&new_view)));
        if self.is_primary() {
            self.withhold(self.entered_record, Withheld::NewView(Arc::clone(&new_view)));
        }
        self.adopt_certificates(&new_view);
        self.drop_off_anchor();
        self.meet_anchor();
        // R26, R35: its commits may have come before it.
        self.withdraw_ask();
    }

    /// R19, R25: the block on which a view starts, recomputed, not believed.
    pub(super) fn anchor_of(&self, new_view: &NewView) -> Option<Anchor> {
        #[cfg(feature = "mistakes")]
        if let Some(anchor) = self.mistaken_anchor(&new_view.contents) {
            return Some(anchor);
        }
        new_view.contents.anchor()
    }

    /// R21: first adopt its highest C.
    pub(super) fn adopt_certificates(&mut self, new_view: &NewView) {
        let above = |c: &CommitCertificate| c.height > self.anchor.height && mistaken!(self, NoHeightFloor);
        if let Some(certificate) = new_view.contents.committed.clone().filter(|c| !above(c)) {
            self.on_certificate(certificate);
        }
        if let KeyCertificate::Committed(certificate) = &new_view.contents.key {
            self.on_certificate(certificate.clone());
        }
    }

    /// Whether the own committed chain has another block at the anchor's height.
    pub(super) fn is_off_anchor(&self) -> bool {
        self.recent.get(&self.anchor.height).is_some_and(|(own, _)| *own != self.anchor.block)
    }

    /// Whether that is a fault (R36). A view's anchor extends whatever was committed in lower views. But a
    /// certificate of this view or a higher one may rest on a later anchor, which need not extend a prepared
    /// one of this view: whoever enters a view late, or lingers in one, may see that without any fault.
    fn must_extend_own_chain(&self) -> bool {
        self.anchor.kind == AnchorKind::Committed || self.commit_view < Some(self.view)
    }

    /// R23: what is not on the way to the anchor is given up, but for bodies that were prepared (R43). Their
    /// executions are keyed by block hash; the ledger drops them with the next commit.
    fn drop_off_anchor(&mut self) {
        let mut keep = BTreeSet::new();
        for hash in self.decided.values().map(|c| c.block_hash).chain([self.anchor.block]) {
            let mut next = hash;
            while let Some(entry) = self.blocks.get(next) {
                keep.insert(next);
                next = entry.block.header().parent;
            }
        }
        for block in self.blocks.drop_others(&keep) {
            self.out.push(Effect::Discard(block));
        }
    }

    /// R17, R36: the own tip at or above the anchor.
    fn meet_anchor(&mut self) {
        let height = self.anchor.height;
        if height > self.tip.height {
            return;
        }
        let fault = self.is_off_anchor() && self.must_extend_own_chain();
        if let Some((own, _)) = self.recent.get(&height).copied().filter(|_| fault) {
            self.halt(Halt::Chain { height, view: self.view, own, other: self.anchor.block });
            return;
        }
        if let Some(certificate) = self.highest_commit.clone() {
            let offer = Message::Certificate(Arc::new(certificate));
            self.out.push(Effect::Broadcast(Outgoing::Signed(offer)));
        }
    }

    /// R9, R20: a prepared anchor is an implicit proposal; it is prepared again once its ancestors are here
    /// and executed.
    pub(super) fn adopt_anchor(&mut self) {
        let anchor = self.anchor;
        if anchor.kind == AnchorKind::Committed || self.chain.contains_key(&anchor.height) {
            return;
        }
        if anchor.height <= self.tip.height {
            // R17: the own result is known, so it is voted on again; else the own C was offered.
            if self.recent.get(&anchor.height).is_some_and(|(own, _)| *own == anchor.block) {
                self.chain.insert(anchor.height, anchor.block);
                self.cast_prepare(anchor.height, anchor.block);
            }
            return;
        }
        match self.blocks.path_from((self.tip.height, self.tip.block), anchor.block) {
            Ok(path) => self.adopt_path(&path),
            Err(Broken::Missing(hash)) => {
                // R21: its highest C first; the anchor is no further above that than a window (R7). Blocks with
                // certificates come many at a time, bodies one by one from above.
                let far = anchor.height.0 > self.tip.height.0 + self.config.window;
                if far && !self.decided.is_empty() {
                    return;
                }
                if self.blocks.fetch(hash, self.now.time, self.config.status_ms) {
                    self.out.push(Effect::FetchBlock(hash));
                }
            }
            Err(Broken::Fork { height, other }) => {
                // R36, unless a certificate that is still to be executed says the same.
                if self.decided.is_empty() && self.must_extend_own_chain() {
                    self.halt(Halt::Chain { height, view: self.view, own: self.tip.block, other });
                }
            }
        }
    }

    /// R20: checks hash and result chain only; an honest part of a quorum has checked the rest.
    fn adopt_path(&mut self, path: &[SealedBlock]) {
        let mut parent = (self.tip.height, self.tip.block, self.tip.result);
        for block in path {
            if block.header().parent_result != parent.2 {
                let (height, block_hash) = (parent.0, parent.1);
                let (own, certified) = (parent.2, block.header().parent_result);
                self.halt(Halt::Result { height, block: block_hash, own, certified });
                return;
            }
            if block.hash() == self.anchor.block {
                if let Some(entry) = self.blocks.get_mut(block.hash()) {
                    entry.valid = Asked::Answer(true);
                }
                self.accept_block(block);
                // R14: after a restart, on along the votes that were cast above it.
                self.resume_chain((block.height(), block.hash()));
                return;
            }
            self.store_and_execute(block.hash());
            let Some(execution) = self.blocks.execution(block.hash()) else { return };
            parent = (block.height(), block.hash(), execution.result);
        }
    }
}

/// R24: the claims of q, and only the certificates for the maximum key and the highest C.
pub(super) fn new_view_contents(view: View, view_changes: &[Arc<ViewChange>]) -> Option<NewViewContents> {
    let highest = Highest::of(view_changes.iter().map(|v| &v.claims.payload))?;
    let key = highest.key;
    let proof = |of: &ViewChange| match key.kind {
        AnchorKind::Prepared => of
            .prepared
            .clone()
            .filter(|p| (Some(p.vote.view), p.vote.height, p.vote.block) == (key.view, key.height, key.block))
            .map(KeyCertificate::Prepared),
        AnchorKind::Committed => of
            .committed
            .clone()
            .filter(|c| (Some(c.view), c.height, c.block_hash) == (key.view, key.height, key.block))
            .map(KeyCertificate::Committed),
    };
    let key = match key.view {
        None => KeyCertificate::EpochStart,
        Some(_) => view_changes.iter().find_map(|v| proof(v))?,
    };
    let committed = match highest.committed.view {
        None => None,
        Some(_) => Some(
            view_changes
                .iter()
                .filter(|v| v.claims.payload.committed == highest.committed)
                .find_map(|v| v.committed.clone())?,
        ),
    };
    let claims = view_changes.iter().map(|v| v.claims.clone()).collect();
    let epoch = view_changes.first()?.claims.payload.epoch;
    Some(NewViewContents { epoch, view, view_changes: List::new(claims).ok()?, key, committed })
}
