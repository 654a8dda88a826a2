//! The replica: PBFT's states and steps.
//!
//! | file | rules |
//! | --- | --- |
//! | `mod.rs` | the state, and one `match` over everything that can happen |
//! | `normal.rs` | accepting, preparing, committing: R3–R9, R11, R15–R17 |
//! | `primary.rs` | lease, batch, proposal, heartbeat: R6, R10 |
//! | `decide.rs` | certificates, execution, the committed tip: R8, R22, R36, R42, R43 |
//! | `view_change.rs` | asking, falling silent, ViewChange: R13, R18, R26–R28 |
//! | `new_view.rs` | NewView, entering a view, its anchor: R12, R16, R17, R19–R25, R29 |
//! | `suspect.rs` | a primary that keeps transactions waiting, or is not heard of: R39, R41 |
//! | `fairness.rs` | a primary that passes a transaction over: R38, R40 |
//! | `rate.rs` | a primary that is much slower than those before: R41 |
//! | `sync.rs` | status, resending, helping others, timers: R28–R34, R48 |
//! | `wires.rs` | hints of the transport: R33 |
//! | `recall.rs` | what was signed before the start: R42, R47 |
//! | `epochs.rs` | from one validator set to the next: R45, R46 |
//! | `restart.rs` | from the durable record: R14 |
//! | `outbox.rs` | persist, then send: R9–R13 |
//! | `votes.rs` `asks.rs` `blocks.rs` `timers.rs` | the tables |
//! | `effect.rs` `observe.rs` | the interface |
//! | `mistakes.rs` | rules broken on purpose, in test builds only |

#[macro_use]
mod mistakes;

mod asks;
mod blocks;
mod decide;
mod effect;
mod epochs;
mod fairness;
mod new_view;
mod normal;
mod observe;
mod outbox;
mod primary;
mod rate;
mod recall;
mod restart;
mod suspect;
mod sync;
mod timers;
mod view_change;
mod votes;
mod wires;

#[cfg(test)]
mod tests;

pub use effect::{Effect, Halt, Input, Lost, OldEpoch, Peer, Pending};
#[cfg(feature = "mistakes")]
pub use mistakes::Mistake;

use crate::evidence::{Evidence, EvidenceKind};
use crate::message::{Anchor, Ask, EpochContext, Message, NewView, Proposal, Suspect, Verified};
use crate::record::{DurableState, PersistId, ViewChangeRecord};
use crate::time::{Now, Time};
use asks::Asks;
use blocks::Blocks;
use fairness::Fairness;
use outbox::{Cast, Withheld};
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::quorum::Quorum;
use quorate_chain::{
    BlockHash, CommitCertificate, Height, PreparedCertificate, ResultHash, TimestampMs, ValidatorIndex, View,
};
use rate::Rates;
use recall::{Memory, Recorded, Seen};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    /// How long a primary with a block in flight waits for more transactions, milliseconds.
    pub batch_wait_ms: u64,
    /// An empty block after so long without any, milliseconds; 0 is never.
    pub max_idle_ms: u64,
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
    /// When the tip was committed.
    tip_at: Time,
    halted: Option<Halt>,

    /// R45: the height whose execution ended the epoch, once committed.
    ended_at: Option<Height>,
    /// R46: who has shown a Status of this epoch.
    in_epoch: BTreeSet<ValidatorIndex>,
    /// R30: peers whose messages of another epoch were answered, and when.
    peers_helped: BTreeMap<Peer, Time>,
    /// R14: the durable record of an epoch that the ledger has not reached yet.
    later: Option<Box<DurableState>>,

    /// R47: whether anything may be signed.
    memory: Memory,
    /// R47: the record as it was found at start.
    recorded: Recorded,
    /// R42: what each validator signed last.
    seen: Seen,
    /// R37: what has been reported, once for each validator and kind.
    accused: BTreeSet<(ValidatorIndex, EvidenceKind)>,

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
    /// The table of asks has changed since it was last followed (R26, R27, R39).
    asks_changed: bool,

    /// The own latest ask, and the height that must be committed before it is withdrawn (R26).
    own_ask: Option<(Ask, Height)>,
    /// After a restart: an ask of an earlier start may still count with others; it is withdrawn once this
    /// height is committed (R26).
    stale_ask: Option<Height>,
    next_ask_sequence: u64,
    starts: u64,
    start_record: PersistId,
    /// The own Suspect of this view (R39, R41).
    own_suspect: Option<Suspect>,
    fairness: Fairness,
    rates: Rates,
    view_change: Option<ViewChangeRecord>,
    view_change_record: PersistId,
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
    /// The block for whose child nothing was left in the pool; what waits may be in the blocks in flight.
    nothing_on: Option<BlockHash>,
    /// When the last block was proposed, for batching.
    proposed_at: Time,
    pending: Pending,

    timers: Timers,
    timeout: Timeout,
    /// R39: the timer that runs has waited for a block at some time, not only for transactions.
    waited_for_block: bool,
    /// When the view was entered, and when its primary was last heard of.
    entered_at: Time,
    primary_heard_at: Time,
    /// When which validator was last helped, by kind (R30).
    helped: BTreeMap<(ValidatorIndex, sync::Help), Time>,
    status_sent: Option<Time>,
    /// Who was asked for blocks, up to which height, and when.
    sync_asked: BTreeMap<ValidatorIndex, (Height, Time)>,
    #[cfg(feature = "mistakes")]
    mistakes: BTreeSet<Mistake>,
}

impl Replica {
    /// Takes one input at time `now`; gives what is to be done, in order.
    pub fn step(&mut self, now: Now, input: Input) -> Vec<Effect> {
        self.now = now;
        match input {
            Input::Message(message) => self.on_message(message), // R1
            Input::Tick => self.on_tick(),                       // R26, R28, R29, R33
            Input::Persisted(id) => self.persisted = self.persisted.max(id), // R10–R12
            Input::BodyStored(block) => self.blocks.stored(block), // R9, R10
            Input::Validated { block, valid } => self.on_validated(block, valid), // R6
            Input::Executed { block, result, ends_epoch } => {
                // R15, R45
                self.blocks.executed(block, blocks::Execution { result, ends_epoch });
            }
            Input::Batch { parent, transactions } => self.on_batch(parent, transactions), // R6
            Input::Pending(pending) => self.on_pending(pending),                          // R32, R38, R41
            Input::Room(height) => self.on_room(height),                                  // R38
            Input::Block(block) => self.on_block(block),                                  // R20
            Input::Certified { block, certificate } => self.on_certified(block, certificate.into_inner()), // R22
            Input::EpochStarted { context, me } => self.on_epoch_started(context, me), // R45
            Input::Connected(peer) => self.on_connected(peer),                         // R33
            Input::Disconnected(peer) => self.on_disconnected(peer),                   // R33
            Input::OtherEpoch { peer, epoch } => self.on_other_epoch(peer, epoch),     // R46
        }
        self.advance();
        std::mem::take(&mut self.out)
    }

    fn on_message(&mut self, message: Verified<Message>) {
        let message = message.into_inner();
        // Verified against the epoch that has just ended, or one that has not begun here.
        if message.epoch() != self.config.context.epoch {
            return;
        }
        self.see(&message);
        self.notice_loss();
        // What others may pass on says nothing of the primary's health.
        if message.is_first_hand() && message.signer(&self.config.context) == Some(self.primary()) {
            self.primary_heard_at = self.now.time;
        }
        match message {
            Message::Proposal(proposal) => self.on_proposal(proposal), // R4
            Message::Prepare(vote) => self.on_prepare(&vote),          // R2
            Message::Commit(vote) => self.on_commit(&vote),            // R2, R35
            Message::Ask(ask) => self.on_ask(&ask),                    // R26, R27
            Message::ViewChange(view_change) => self.on_view_change(&view_change), // R18, R27, R30
            Message::NewView(new_view) => self.on_new_view(new_view),  // R25, R29
            Message::Status(status) => self.on_status(&status),        // R30, R34, R46
            Message::Certificate(certificate) => self.on_certificate((*certificate).clone()), // R8, R35
            Message::Suspect(suspect) => self.on_suspect(&suspect),    // R39
            Message::Recall(recall) => self.on_recall(&recall),        // R42, R47
            Message::Newest(newest) => self.on_newest(&newest),        // R47
        }
    }

    /// Everything that has become possible, in the order in which one thing enables the next.
    fn advance(&mut self) {
        self.decide();
        self.measure();
        self.follow_asks();
        if self.votes_now() {
            self.adopt_anchor();
            self.accept();
            self.accept_without_parent();
            self.prepare();
            self.commit();
            self.propose();
        }
        self.release();
        self.arm_timers();
    }

    /// Whether this replica signs anything that counts: it has a seat, has not halted, and its record is
    /// known to be whole (R36, R47).
    fn may_sign(&self) -> bool {
        self.config.me.is_some() && self.halted.is_none() && self.memory == Memory::Whole
    }

    /// Whether it votes: it may sign, is Normal in its view, and its epoch goes on (R45).
    fn votes_now(&self) -> bool {
        let normal = self.phase == Phase::Normal || mistaken!(self, VotesAfterViewChange);
        self.may_sign() && normal && !self.has_ended()
    }

    /// q of the epoch's set.
    fn q(&self) -> usize {
        if mistaken!(self, QuorumOf2f) {
            return 2 * self.quorum.f();
        }
        if mistaken!(self, QuorumOf2fPlus1) {
            return 2 * self.quorum.f() + 1;
        }
        self.quorum.q()
    }

    /// R37: once for each validator and kind.
    fn accuse(&mut self, evidence: Evidence) {
        if self.accused.insert((evidence.accused(), evidence.kind())) {
            self.out.push(Effect::Evidence(evidence));
        }
    }

    fn is_primary(&self) -> bool {
        self.config.me == Some(self.primary())
    }
}
