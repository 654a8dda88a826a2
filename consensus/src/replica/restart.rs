//! A replica from its durable record, its ledger's tip and its uncommitted bodies, and nothing else (R14).

use super::asks::Asks;
use super::blocks::{Asked, Blocks};
use super::fairness::Fairness;
use super::rate::{RATE_TIMEOUTS, Rates};
use super::recall::{Memory, Recorded, Seen};
use super::timers::{Timeout, Timers};
use super::votes::Votes;
use super::{Cast, Config, Pending, Phase, RECENT_MAX, Replica, Tip, Withheld};
use crate::Effect;
use crate::message::{Anchor, AnchorKind, Message, SealedBlock};
use crate::record::{DurableState, PersistId, Record};
use crate::time::Now;
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{BlockHash, Height};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

impl Replica {
    /// Starts from `durable` at the ledger's `tip`, with the durable bodies above it. `ancestors` are hashes
    /// and results of committed heights below the tip, as many as are at hand. The effects are to be carried
    /// out as those of a step.
    #[must_use]
    pub fn start(
        now: Now,
        config: Config,
        durable: DurableState,
        tip: Tip,
        ancestors: impl IntoIterator<Item = (Height, BlockHash, quorate_chain::ResultHash)>,
        bodies: Vec<SealedBlock>,
    ) -> (Self, Vec<Effect>) {
        let mut recent: BTreeMap<_, _> = ancestors.into_iter().map(|(h, b, r)| (h, (b, r))).collect();
        recent.insert(tip.height, (tip.block, tip.result));
        while recent.len() > RECENT_MAX {
            recent.pop_first();
        }
        let mut replica = Self::at(now, config, tip);
        replica.recent = recent;
        let epoch = replica.epoch();
        if durable.epoch > epoch {
            replica.start_before_record(durable, bodies);
        } else if durable.epoch < epoch {
            // R45: the epoch began, and nothing was signed in it.
            let kept = durable.next_epoch(epoch);
            replica.persist(Record::Epoch(epoch));
            replica.restore(kept, bodies);
        } else {
            replica.restore(durable, bodies);
        }
        replica.start_record = replica.persist(Record::Start(replica.starts));
        replica.begin_recall();
        // R33: also at start.
        replica.send_status();
        let effects = replica.step(now, super::Input::Tick);
        (replica, effects)
    }

    /// At the start of the epoch, in view 0.
    #[allow(clippy::too_many_lines, reason = "a line a field")]
    pub(super) fn at(now: Now, config: Config, mut tip: Tip) -> Self {
        let context = &config.context;
        let quorum = context.set.quorum();
        let anchor = Anchor {
            kind: AnchorKind::Committed,
            view: None,
            height: context.start_height,
            block: context.start_block,
        };
        let timeout = Timeout::new(config.timeout_base_ms, config.timeout_max_ms, quorum.f());
        // R18: certificates of earlier epochs do not count in this one.
        tip.certificate = tip.certificate.filter(|certificate| certificate.epoch == context.epoch);
        let highest_commit = tip.certificate.clone();
        Self {
            quorum,
            now,
            out: Vec::new(),
            recent: BTreeMap::new(),
            tip_at: now.time,
            halted: None,
            ended_at: None,
            in_epoch: BTreeSet::new(),
            peers_helped: BTreeMap::new(),
            later: None,
            memory: Memory::Whole,
            recorded: Recorded::default(),
            seen: Seen::default(),
            accused: BTreeSet::new(),
            view: quorate_chain::View::ZERO,
            phase: Phase::Normal,
            new_view: None,
            anchor,
            chain: BTreeMap::new(),
            accepted_at: BTreeMap::new(),
            prepared: BTreeMap::new(),
            own_prepares: BTreeMap::new(),
            own_commits: BTreeMap::new(),
            highest_prepared: None,
            commit_view: highest_commit.as_ref().map(|c| c.view),
            highest_commit,
            decided: BTreeMap::new(),
            blocks: Blocks::default(),
            proposals: BTreeMap::new(),
            early: BTreeMap::new(),
            votes: Votes::default(),
            asks: Asks::default(),
            asks_changed: false,
            own_ask: None,
            stale_ask: None,
            next_ask_sequence: 0,
            starts: 0,
            start_record: PersistId(0),
            own_suspect: None,
            fairness: Fairness::default(),
            rates: Rates::new(RATE_TIMEOUTS * config.timeout_base_ms, quorum.n(), now.time),
            view_change: None,
            view_change_record: PersistId(0),
            new_view_signed: None,
            entered_record: PersistId(0),
            last_persist: PersistId(0),
            persisted: PersistId(0),
            withheld: VecDeque::new(),
            lease: Height::ZERO,
            lease_asked: None,
            proposed_up_to: tip.height,
            batch_requested: None,
            nothing_on: None,
            proposed_at: now.time,
            pending: Pending::Nothing,
            timers: Timers::default(),
            timeout,
            waited_for_block: false,
            entered_at: now.time,
            primary_heard_at: now.time,
            helped: BTreeMap::new(),
            status_sent: None,
            sync_asked: BTreeMap::new(),
            #[cfg(feature = "mistakes")]
            mistakes: BTreeSet::new(),
            config,
            tip,
        }
    }

    pub(super) fn restore(&mut self, durable: DurableState, bodies: Vec<SealedBlock>) {
        if durable.lost {
            (self.memory, self.config.me) = (Memory::Lost, None);
        }
        self.view = durable.view;
        if let Some(anchor) = durable.new_view.as_ref().and_then(|n| self.anchor_of(n)) {
            self.anchor = anchor;
        }
        self.recall_record(&durable);
        self.new_view_signed = Some(durable.view).filter(|view| view.0 > 0);
        self.new_view = durable.new_view;
        self.highest_prepared = durable.highest_prepared;
        // R14: the view asked for is kept.
        if let Some(record) = durable.view_change.filter(|r| r.claims.target > self.view) {
            self.phase = Phase::Changing { target: record.claims.target };
            self.view_change = Some(record);
        }
        // R10: after a restart nothing that the lease covers is proposed in this view.
        self.proposed_up_to = durable.lease.unwrap_or(Height::ZERO).max(self.tip.height);
        let kept = |height: &Height| *height > self.tip.height || *height == self.anchor.height;
        let prepares: BTreeMap<Height, PrepareVote> =
            durable.prepares.into_iter().filter(|(height, _)| kept(height)).collect();
        let commits: BTreeMap<Height, CommitVote> =
            durable.commits.into_iter().filter(|(height, _)| kept(height)).collect();
        for block in bodies.iter().filter(|block| block.height() > self.tip.height) {
            self.blocks.insert(block);
            if let Some(entry) = self.blocks.get_mut(block.hash()) {
                entry.stored = Asked::Answer(());
                // R43: it was kept because it may have been prepared in some view.
                entry.prepared = true;
            }
        }
        for (height, vote) in prepares {
            let released = self.restored(height, vote.block, Withheld::Prepare(vote));
            self.own_prepares.insert(height, Cast { vote, released });
        }
        for (height, vote) in commits {
            let released = self.restored(height, vote.block, Withheld::Commit(vote));
            self.own_commits.insert(height, Cast { vote, released });
        }
        if self.anchor.kind == AnchorKind::Committed || self.anchor.height <= self.tip.height {
            self.resume_chain((self.tip.height, self.tip.block));
        }
        self.starts = self.starts.max(durable.starts.saturating_add(1));
        self.stale_ask = Some(self.withdrawal_goal()).filter(|_| durable.starts > 0);
        // The tip's certificate may be a descendant's (R22), and the view's C may still be to be reached.
        if let Some(certificate) = self.tip.certificate.clone() {
            self.on_certificate(certificate);
        }
        if let Some(new_view) = self.new_view.clone() {
            self.adopt_certificates(&new_view);
        }
    }

    /// R42, R47: the votes of the record, and what its certificates show of others.
    fn recall_record(&mut self, durable: &DurableState) {
        self.recorded = Recorded::of(durable);
        if let Some(certificate) = &durable.highest_prepared {
            self.seen.prepared(certificate);
        }
        if let Some(certificate) = &self.tip.certificate {
            self.seen.committed(certificate);
        }
        if let Some(new_view) = durable.new_view.clone() {
            self.see(&Message::NewView(new_view));
        }
    }

    /// Whether a recorded vote may have left. Body and vote became durable apart: without its body, or that
    /// of an ancestor, it never left, and it waits for them again.
    fn restored(&mut self, height: Height, block: BlockHash, vote: Withheld) -> bool {
        let released = self.is_stored(height, block);
        if !released && self.phase == Phase::Normal {
            self.withhold(PersistId(0), vote);
        }
        released
    }

    /// R14: in its view the replica goes on along the votes it had cast, upward from the tip or the anchor.
    pub(super) fn resume_chain(&mut self, mut parent: (Height, BlockHash)) {
        let cast = self.own_prepares.values().map(|cast| cast.vote);
        let votes: Vec<_> = cast.filter(|vote| vote.height > parent.0).collect();
        for vote in votes {
            let Some(entry) = self.blocks.get_mut(vote.block) else { break };
            if vote.height != parent.0.next() || entry.block.header().parent != parent.1 {
                break;
            }
            entry.valid = Asked::Answer(true);
            parent = (vote.height, vote.block);
            self.chain.insert(vote.height, vote.block);
            self.accepted_at.insert(vote.height, self.now.time);
            self.store_and_execute(vote.block);
        }
    }
}
