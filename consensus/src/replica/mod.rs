//! The replica: PBFT's states and steps.
//!
//! | file | rules |
//! | --- | --- |
//! | `mod.rs` | the state, and one `match` over everything that can happen |
//! | `normal.rs` | accepting, preparing, committing: R4–R11, R15–R17 |
//! | `primary.rs` | proposing: R6, R10 |
//! | `decide.rs` | certificates, execution, the committed tip: R8, R22, R36, R42, R43 |
//! | `view_change.rs` | asking, falling silent, ViewChange: R13, R18, R26–R28 |
//! | `new_view.rs` | NewView, entering a view, its anchor: R12, R16, R17, R19–R21, R25, R29 |
//! | `sync.rs` | status, resending, helping others, timers: R28–R34 |
//! | `restart.rs` | from the durable record: R14 |
//! | `votes.rs` `asks.rs` `blocks.rs` `timers.rs` `effect.rs` | the tables and the interface |

mod asks;
mod blocks;
mod decide;
mod effect;
mod new_view;
mod normal;
mod primary;
mod restart;
mod sync;
mod timers;
mod view_change;
mod votes;

#[cfg(test)]
mod tests;

pub use effect::{Effect, Evidence, Halt, Input};

use crate::Outgoing;
use crate::message::{Anchor, Ask, EpochContext, Message, NewView, Proposal, Unsigned, Verified};
use crate::record::{PersistId, Record, ViewChangeRecord};
use crate::time::{Now, Time};
use asks::Asks;
use blocks::Blocks;
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::quorum::Quorum;
use quorate_chain::{
    BlockHash, CommitCertificate, Height, PreparedCertificate, ResultHash, TimestampMs, ValidatorIndex, View,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use timers::{Timeout, Timers};
use votes::Votes;

/// Heights above the window for which proposals and votes are buffered.
const AHEAD_MAX: u64 = 16;
/// Committed heights whose hash and result are remembered, for anchors below the tip (R17, R36).
const RECENT_MAX: usize = 128;
/// Certificates above the tip that wait for their blocks.
const DECIDED_MAX: usize = 256;

/// What a replica needs to know of its chain and itself.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its epoch and validators.
    pub context: EpochContext,
    /// Its seat; `None` for an observer, who follows without voting.
    pub me: Option<ValidatorIndex>,
    /// W: heights in flight above the committed tip.
    pub window: u64,
    /// First time-out of a view, milliseconds.
    pub timeout_base_ms: u64,
    /// Largest time-out, milliseconds.
    pub timeout_max_ms: u64,
    /// How often unanswered things are sent again, milliseconds.
    pub status_ms: u64,
    /// How far a proposal's time may be ahead of the own clock, milliseconds (R6).
    pub max_ahead_ms: u64,
}

/// The highest committed block, as the replica starts from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its height; 0 is genesis.
    pub height: Height,
    /// The block; the chain id at height 0.
    pub block: BlockHash,
    /// Its result.
    pub result: ResultHash,
    /// Its time.
    pub timestamp_ms: TimestampMs,
    /// Its certificate, or that of a descendant; `None` at the start of an epoch.
    pub certificate: Option<CommitCertificate>,
}

/// Whether a replica votes in its view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has entered its view and votes in it.
    Normal,
    /// It has asked for `target` by a ViewChange and is silent until that or a later view starts.
    Changing {
        /// The view asked for.
        target: View,
    },
}

/// A message that waits until the records that it rests on are durable.
#[derive(Clone, Debug)]
enum Withheld {
    Prepare(PrepareVote),
    Commit(CommitVote),
    Ask(Ask),
    ViewChange(Box<ViewChangeRecord>),
    NewView(Arc<NewView>),
}

impl Withheld {
    /// What it votes for, if it is a vote.
    const fn vote(&self) -> Option<(View, Height, BlockHash)> {
        match self {
            Self::Prepare(vote) => Some((vote.view, vote.height, vote.block)),
            Self::Commit(vote) => Some((vote.view, vote.height, vote.block)),
            Self::Ask(_) | Self::ViewChange(_) | Self::NewView(_) => None,
        }
    }
}

/// An own vote of the current view, and whether it has left.
#[derive(Clone, Copy, Debug)]
struct Cast<T> {
    vote: T,
    released: bool,
}

/// A replica of PBFT. Feed it with [`Replica::step`], carry out what it returns, in order.
#[derive(Debug)]
pub struct Replica {
    config: Config,
    quorum: Quorum,
    now: Now,
    out: Vec<Effect>,

    tip: Tip,
    /// Hash and result of the last committed heights.
    recent: BTreeMap<Height, (BlockHash, ResultHash)>,
    halted: Option<Halt>,

    view: View,
    phase: Phase,
    /// The NewView of the current view (R30); `None` in view 0.
    new_view: Option<Arc<NewView>>,
    anchor: Anchor,
    /// R3: the one chain of accepted blocks of this view, upward from its anchor.
    chain: BTreeMap<Height, BlockHash>,
    accepted_at: BTreeMap<Height, Time>,
    /// P of this view by height.
    prepared: BTreeMap<Height, PreparedCertificate>,
    own_prepares: BTreeMap<Height, Cast<PrepareVote>>,
    own_commits: BTreeMap<Height, Cast<CommitVote>>,

    /// R19: the highest P by key, never lowered within the epoch.
    highest_prepared: Option<PreparedCertificate>,
    /// The highest C by height that this replica holds, executed or not.
    highest_commit: Option<CommitCertificate>,
    /// The highest view of any C held (R7).
    commit_view: Option<View>,
    /// Certificates above the tip.
    decided: BTreeMap<Height, CommitCertificate>,

    blocks: Blocks,
    /// The first proposal of this view for each height above the tip.
    proposals: BTreeMap<Height, Arc<Proposal>>,
    /// R44: one proposal of a higher view a primary, so that none takes another's place: of its highest
    /// view, the lowest height, which is the one that R7 allows first.
    early: BTreeMap<ValidatorIndex, Arc<Proposal>>,
    votes: Votes,
    asks: Asks,

    /// The own latest ask, and the height that must be committed before it is withdrawn (R26).
    own_ask: Option<(Ask, Height)>,
    /// After a restart: an ask of an earlier start may still count with others; it is withdrawn once this
    /// height is committed (R26).
    stale_ask: Option<Height>,
    next_ask_sequence: u64,
    starts: u64,
    start_record: PersistId,
    view_change: Option<ViewChangeRecord>,
    /// The last view for which a NewView was signed.
    new_view_signed: Option<View>,
    /// The record of the entered view; its NewView is shown to nobody before (R10).
    entered_record: PersistId,

    last_persist: PersistId,
    persisted: PersistId,
    withheld: VecDeque<(PersistId, Withheld)>,

    /// Highest height that may be proposed in this view by a durable lease (R10).
    lease: Height,
    /// A lease on its way to the disk.
    lease_asked: Option<(Height, PersistId)>,
    /// Nothing up to here is proposed in this view again: it was, or after a restart may have been (R10).
    proposed_up_to: Height,
    batch_requested: Option<BlockHash>,
    pending: bool,

    timers: Timers,
    timeout: Timeout,
    /// When which validator was last helped, by kind (R30).
    helped: BTreeMap<(ValidatorIndex, sync::Help), Time>,
    status_sent: Option<Time>,
    /// Who was asked for blocks, up to which height, and when.
    sync_asked: BTreeMap<ValidatorIndex, (Height, Time)>,
}

impl Replica {
    /// Takes one input at time `now`; gives what is to be done, in order.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        self.now = now;
        match input {
            Input::Message(message) => self.on_message(message),
            Input::Tick => self.on_tick(),
            Input::Persisted(id) => self.persisted = self.persisted.max(id),
            Input::BodyStored(block) => self.blocks.stored(block),
            Input::Validated { block, valid } => self.on_validated(block, valid),
            Input::Executed { block, result } => self.blocks.executed(block, result),
            Input::Batch { parent, transactions } => self.on_batch(parent, transactions),
            Input::Pending(pending) => self.pending = pending,
            Input::Block(block) => self.on_block(block),
            Input::Certified { block, certificate } => self.on_certified(block, certificate.into_inner()),
        }
        self.advance();
        std::mem::take(&mut self.out)
    }

    fn on_message(&mut self, message: Verified<Message>) {
        match message.into_inner() {
            Message::Proposal(proposal) => self.on_proposal(proposal),
            Message::Prepare(vote) => self.on_prepare(&vote),
            Message::Commit(vote) => self.on_commit(&vote),
            Message::Ask(ask) => self.on_ask(&ask),
            Message::ViewChange(view_change) => self.on_view_change(&view_change),
            Message::NewView(new_view) => self.on_new_view(new_view),
            Message::Status(status) => self.on_status(&status),
            Message::Certificate(certificate) => self.on_certificate((*certificate).clone()),
        }
    }

    /// Everything that has become possible, in the order in which one thing enables the next.
    fn advance(&mut self) {
        self.decide();
        if self.votes_now() {
            self.adopt_anchor();
            self.accept();
            self.prepare();
            self.commit();
            self.propose();
        }
        self.release();
        self.arm_timers();
    }

    /// Whether this replica votes: it has a seat, is Normal in its view and has not halted.
    fn votes_now(&self) -> bool {
        self.config.me.is_some() && self.phase == Phase::Normal && self.halted.is_none()
    }

    fn is_primary(&self) -> bool {
        self.config.me == Some(self.primary())
    }

    /// When the next [`Input::Tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        self.timers.earliest()
    }

    /// The committed tip.
    #[must_use]
    pub const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The view entered last.
    #[must_use]
    pub const fn view(&self) -> View {
        self.view
    }

    /// Whether it votes in its view or is changing to another.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// Why it has stopped voting, if it has.
    #[must_use]
    pub const fn halted(&self) -> Option<Halt> {
        self.halted
    }

    /// The primary of the current view.
    #[must_use]
    pub fn primary(&self) -> ValidatorIndex {
        self.config.context.set.primary(self.config.context.epoch, self.view)
    }

    /// The present time-out of a view, milliseconds.
    #[must_use]
    pub const fn timeout_ms(&self) -> u64 {
        self.timeout.ms()
    }

    fn persist(&mut self, record: Record) -> PersistId {
        self.last_persist = PersistId(self.last_persist.0 + 1);
        self.out.push(Effect::Persist(self.last_persist, record));
        self.last_persist
    }

    fn withhold(&mut self, until: PersistId, message: Withheld) {
        self.withheld.push_back((until, message));
    }

    fn broadcast(&mut self, message: Unsigned) {
        self.out.push(Effect::Broadcast(Outgoing::Own(message)));
    }

    fn halt(&mut self, halt: Halt) {
        if self.halted.is_none() {
            self.halted = Some(halt);
            self.withheld.clear();
            self.out.push(Effect::Halted(halt));
        }
    }

    /// Sends what has become durable: persist, then send (R10–R13).
    fn release(&mut self) {
        let waiting = std::mem::take(&mut self.withheld);
        for (until, message) in waiting {
            if until > self.persisted || !self.may_leave(&message) {
                self.withheld.push_back((until, message));
                continue;
            }
            match message {
                Withheld::Prepare(vote) => {
                    if let Some(cast) = self.own_prepares.get_mut(&vote.height) {
                        cast.released = true;
                    }
                    self.broadcast(Unsigned::Prepare(vote));
                }
                Withheld::Commit(vote) => {
                    if let Some(cast) = self.own_commits.get_mut(&vote.height) {
                        cast.released = true;
                    }
                    self.broadcast(Unsigned::Commit(vote));
                }
                Withheld::Ask(ask) => self.broadcast(Unsigned::Ask(ask)),
                Withheld::ViewChange(record) => self.broadcast_view_change(&record),
                Withheld::NewView(new_view) => {
                    self.out.push(Effect::Broadcast(Outgoing::Signed(Message::NewView(new_view))));
                }
            }
        }
    }

    /// R9, R13, R47b: a vote waits for the bodies from the tip up to its block, and leaves only in the view
    /// that it is for; everything else waits only for its record.
    fn may_leave(&self, message: &Withheld) -> bool {
        let Some((view, height, block)) = message.vote() else { return true };
        self.votes_now() && view == self.view && self.is_stored(height, block)
    }

    /// Whether a block is committed, or durable with all its ancestors down to the own tip.
    fn is_stored(&self, height: Height, block: BlockHash) -> bool {
        if height <= self.tip.height {
            return self.recent.get(&height).is_some_and(|(own, _)| *own == block);
        }
        self.blocks.is_stored((self.tip.height, self.tip.block), block)
    }
}
