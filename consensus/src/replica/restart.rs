//! A replica from its durable record, its ledger's tip and its uncommitted bodies, and nothing else (R14).

use super::asks::Asks;
use super::blocks::{Asked, Blocks};
use super::timers::{Timeout, Timers};
use super::votes::Votes;
use super::{Cast, Config, Phase, Replica, Tip};
use crate::Effect;
use crate::message::{Anchor, AnchorKind, SealedBlock};
use crate::record::{DurableState, PersistId, Record};
use crate::time::Now;
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{BlockHash, Height};
use std::collections::{BTreeMap, VecDeque};

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
        let anchor = durable.new_view.as_ref().and_then(|n| n.contents.anchor()).unwrap_or(Anchor {
            kind: AnchorKind::Committed,
            view: None,
            height: config.context.start_height,
            block: config.context.start_block,
        });
        let mut recent: BTreeMap<_, _> = ancestors.into_iter().map(|(h, b, r)| (h, (b, r))).collect();
        recent.insert(tip.height, (tip.block, tip.result));
        let mut replica = Self::at(now, config, tip, anchor);
        replica.recent = recent;
        replica.restore(durable, bodies);
        let effects = replica.step(now, super::Input::Tick);
        (replica, effects)
    }

    fn at(now: Now, config: Config, tip: Tip, anchor: Anchor) -> Self {
        let quorum = config.context.set.quorum();
        let timeout = Timeout::new(config.timeout_base_ms, config.timeout_max_ms);
        let highest_commit = tip.certificate.clone();
        Self {
            quorum,
            now,
            out: Vec::new(),
            recent: BTreeMap::new(),
            halted: None,
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
            votes: Votes::default(),
            asks: Asks::default(),
            own_ask: None,
            next_ask_sequence: 0,
            starts: 0,
            start_record: PersistId(0),
            view_change: None,
            new_view_signed: None,
            last_persist: PersistId(0),
            persisted: PersistId(0),
            withheld: VecDeque::new(),
            lease: Height::ZERO,
            lease_asked: None,
            proposed_up_to: tip.height,
            batch_requested: None,
            pending: false,
            timers: Timers::default(),
            timeout,
            helped: BTreeMap::new(),
            status_sent: None,
            sync_asked: None,
            config,
            tip,
        }
    }

    fn restore(&mut self, durable: DurableState, bodies: Vec<SealedBlock>) {
        self.view = durable.view;
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
            // The body and the vote became durable apart: without the body the vote never left, and it is
            // kept only so that no other is cast for its slot.
            let released = height <= self.tip.height || self.blocks.get(vote.block).is_some();
            self.own_prepares.insert(height, Cast { vote, released });
        }
        self.own_commits =
            commits.into_iter().map(|(height, vote)| (height, Cast { vote, released: true })).collect();
        self.resume_chain();
        self.starts = durable.starts + 1;
        self.start_record = self.persist(Record::Start(self.starts));
    }

    /// R14: in its view the replica goes on along the votes it had cast.
    fn resume_chain(&mut self) {
        let anchored = self.anchor.kind == AnchorKind::Committed || self.anchor.height <= self.tip.height;
        let mut parent = (self.tip.height, self.tip.block);
        let cast = self.own_prepares.values().map(|cast| cast.vote);
        let votes: Vec<_> = cast.filter(|vote| anchored && vote.height > parent.0).collect();
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
