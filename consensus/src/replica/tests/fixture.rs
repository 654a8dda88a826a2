//! A replica with a disk that can lose what was not synced, and messages of the other validators.

use crate::message::{
    Ask, AskCounter, CommitClaim, EpochContext, Message, NewView, Newest, NewestSigned, PrepareClaim, Recall,
    Status, Unsigned, ViewChange, ViewChangeClaims, verify,
};
use crate::record::{DurableState, PersistId, Record};
use crate::replica::new_view::new_view_contents;
use crate::replica::recall::Memory;
use crate::replica::{Config, Effect, Input, Pending, Replica, Tip};
use crate::time::{Now, Time};
use crate::{Outgoing, SealedBlock, Verified};
use quorate_chain::block::transactions_root;
use quorate_chain::certificate::fixture::commit_certificate;
use quorate_chain::certificate::{CommitVote, PrepareVote, Signatures, ValidatorSignature};
use quorate_chain::codec::List;
use quorate_chain::crypto::Domain;
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{
    Block, BlockHash, ChainId, CommitCertificate, Epoch, Header, Height, PreparedCertificate, ResultHash,
    TimestampMs, TransactionId, ValidatorIndex, View,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) const CHAIN: ChainId = ChainId([7; 32]);
pub(super) const EPOCH: Epoch = Epoch(0);
/// The transaction that waits.
pub(super) const WAITING: TransactionId = TransactionId([5; 32]);
/// Wall clock at the start of every test.
pub(super) const CLOCK: u64 = 1_000_000;
pub(super) const TIMEOUT_MS: u64 = 1000;
/// Longer than the time-out, so that most tests see no resending.
pub(super) const STATUS_MS: u64 = 5000;
pub(super) const MAX_AHEAD_MS: u64 = 100;
pub(super) const BATCH_WAIT_MS: u64 = 5;

pub(super) fn context(n: u16) -> EpochContext {
    EpochContext {
        chain: CHAIN,
        epoch: EPOCH,
        set: Arc::new(validator_set(n)),
        start_height: Height::ZERO,
        start_block: CHAIN.genesis_block(),
        start_result: result(0),
    }
}

pub(super) fn genesis_tip() -> Tip {
    Tip {
        height: Height::ZERO,
        block: CHAIN.genesis_block(),
        result: result(0),
        timestamp_ms: TimestampMs(0),
        certificate: None,
    }
}

/// What executing the block of a height gives.
pub(super) fn result(height: u64) -> ResultHash {
    ResultHash([u8::try_from(height).unwrap(); 32])
}

/// A transaction waits.
pub(super) fn pending() -> Input {
    Input::Pending(Pending::Some { oldest: WAITING, full: false })
}

fn block_on(parent: (Height, BlockHash), proposer: u16, timestamp_ms: u64) -> SealedBlock {
    let header = Header {
        version: 1,
        height: parent.0.next(),
        epoch: EPOCH,
        parent: parent.1,
        timestamp_ms: TimestampMs(timestamp_ms),
        transactions_root: transactions_root(&[]),
        transaction_count: 0,
        parent_result: result(parent.0.0),
        proposer: ValidatorIndex(proposer),
    };
    SealedBlock::new(Block { header, transactions: List::default() }).unwrap()
}

/// A first block; another time makes another block.
pub(super) fn first(proposer: u16, timestamp_ms: u64) -> SealedBlock {
    block_on((Height::ZERO, CHAIN.genesis_block()), proposer, timestamp_ms)
}

pub(super) fn child(parent: &SealedBlock, proposer: u16, timestamp_ms: u64) -> SealedBlock {
    block_on((parent.height(), parent.hash()), proposer, timestamp_ms)
}

/// `count` blocks on genesis, proposed by validator 0.
pub(super) fn blocks(count: usize) -> Vec<SealedBlock> {
    let mut blocks = vec![first(0, 1)];
    while blocks.len() < count {
        let next = child(blocks.last().unwrap(), 0, 1 + blocks.len() as u64);
        blocks.push(next);
    }
    blocks
}

pub(super) fn changed(block: &SealedBlock, change: impl FnOnce(&mut Header)) -> SealedBlock {
    let mut header = block.header().clone();
    change(&mut header);
    SealedBlock::new(Block { header, transactions: List::default() }).unwrap()
}

pub(super) fn prepare_vote(view: u64, block: &SealedBlock) -> PrepareVote {
    PrepareVote { epoch: EPOCH, view: View(view), height: block.height(), block: block.hash() }
}

pub(super) fn commit_vote(view: u64, block: &SealedBlock) -> CommitVote {
    let (height, result) = (block.height(), result(block.height().0));
    CommitVote { epoch: EPOCH, view: View(view), height, block: block.hash(), result }
}

fn signatures<T: borsh::BorshSerialize>(domain: Domain, vote: &T, signers: &[u16]) -> Signatures {
    let one = |i: &u16| ValidatorSignature {
        validator: ValidatorIndex(*i),
        signature: consensus_key(*i).sign(domain, CHAIN, vote),
    };
    List::new(signers.iter().map(one).collect()).unwrap()
}

/// P of validators 0, 1 and 2.
pub(super) fn p(view: u64, block: &SealedBlock) -> PreparedCertificate {
    p_by(view, block, &[0, 1, 2])
}

pub(super) fn p_by(view: u64, block: &SealedBlock, signers: &[u16]) -> PreparedCertificate {
    let vote = prepare_vote(view, block);
    PreparedCertificate { vote, signatures: signatures(Domain::Prepare, &vote, signers) }
}

/// C of validators 0, 1 and 2.
pub(super) fn c(view: u64, block: &SealedBlock) -> CommitCertificate {
    certificate(commit_vote(view, block), &[0, 1, 2])
}

pub(super) fn certificate(vote: CommitVote, signers: &[u16]) -> CommitCertificate {
    commit_certificate(CHAIN, vote, signers)
}

pub(super) fn certificate_message(certificate: &CommitCertificate) -> Message {
    Message::Certificate(Arc::new(certificate.clone()))
}

pub(super) fn proposal(view: u64, block: &SealedBlock) -> Unsigned {
    Unsigned::Proposal(EPOCH, View(view), block.clone())
}

pub(super) fn ask(target: u64, start: u64, sequence: u64) -> Unsigned {
    Unsigned::Ask(Ask { epoch: EPOCH, target: View(target), counter: AskCounter { start, sequence } })
}

pub(super) fn status(view: u64, tip: Option<&SealedBlock>, prepared: u64) -> Unsigned {
    Unsigned::Status(Status {
        epoch: EPOCH,
        view: View(view),
        tip: tip.map_or(Height::ZERO, SealedBlock::height),
        tip_block: tip.map_or(CHAIN.genesis_block(), SealedBlock::hash),
        prepared: Height(prepared),
    })
}

pub(super) fn claims(
    target: u64,
    committed: Option<&CommitCertificate>,
    prepared: Option<&PreparedCertificate>,
) -> ViewChangeClaims {
    let start =
        CommitClaim { view: None, height: Height::ZERO, block: CHAIN.genesis_block(), result: result(0) };
    let committed = committed.map_or(start, |c| CommitClaim {
        view: Some(c.view),
        height: c.height,
        block: c.block_hash,
        result: c.result_hash,
    });
    let prepared =
        prepared.map(|p| PrepareClaim { view: p.vote.view, height: p.vote.height, block: p.vote.block });
    ViewChangeClaims { epoch: EPOCH, target: View(target), committed, prepared }
}

pub(super) fn view_change(
    target: u64,
    committed: Option<&CommitCertificate>,
    prepared: Option<&PreparedCertificate>,
) -> Unsigned {
    Unsigned::ViewChange(claims(target, committed, prepared), committed.cloned(), prepared.cloned())
}

pub(super) fn signed(from: u16, message: Unsigned) -> Message {
    message.sign(CHAIN, ValidatorIndex(from), &consensus_key(from))
}

fn signed_view_change(from: u16, message: Unsigned) -> Arc<ViewChange> {
    let Message::ViewChange(view_change) = signed(from, message) else { panic!("not a ViewChange") };
    view_change
}

/// The NewView that the primary of `view` (of 4) makes of these ViewChanges, one of each given validator.
pub(super) fn new_view(view: u64, of: Vec<(u16, Unsigned)>) -> Arc<NewView> {
    let all: Vec<_> = of.into_iter().map(|(from, message)| signed_view_change(from, message)).collect();
    let contents = new_view_contents(View(view), &all).unwrap();
    let primary = u16::try_from(view % 4).unwrap();
    let Message::NewView(new_view) = signed(primary, Unsigned::NewView(contents)) else {
        panic!("not a NewView")
    };
    new_view
}

/// A NewView of which every ViewChange makes the same claims.
pub(super) fn new_view_of(
    view: u64,
    committed: Option<&CommitCertificate>,
    prepared: Option<&PreparedCertificate>,
) -> Arc<NewView> {
    new_view(view, (0..3).map(|from| (from, view_change(view, committed, prepared))).collect())
}

pub(super) fn sent(message: Unsigned) -> Effect {
    Effect::Broadcast(Outgoing::Own(message))
}

pub(super) fn persist(id: u64, record: Record) -> Effect {
    Effect::Persist(PersistId(id), record)
}

pub(super) fn committed(block: &SealedBlock, certificate: &CommitCertificate) -> Effect {
    Effect::Commit { block: block.clone(), certificate: certificate.clone(), path: Vec::new() }
}

/// One replica, and what its disk holds.
pub(super) struct Rig {
    pub(super) replica: Replica,
    pub(super) config: Config,
    pub(super) now: Now,
    records: Vec<(PersistId, Record)>,
    pub(super) durable: DurableState,
    bodies: BTreeMap<BlockHash, SealedBlock>,
    tip: Tip,
}

impl Rig {
    /// Validator `me` of 4, just started, its start durable.
    pub(super) fn new(me: u16, window: u64) -> Self {
        Self::of(4, me, window)
    }

    pub(super) fn of(n: u16, me: u16, window: u64) -> Self {
        let mut rig = Self::started(n, me, window, genesis_tip()).0;
        assert_eq!(rig.step(Input::Persisted(PersistId(1))), []);
        rig
    }

    pub(super) fn started(n: u16, me: u16, window: u64, tip: Tip) -> (Self, Vec<Effect>) {
        let config = Config {
            context: context(n),
            me: Some(ValidatorIndex(me)),
            window,
            timeout_base_ms: TIMEOUT_MS,
            timeout_max_ms: 8 * TIMEOUT_MS,
            status_ms: STATUS_MS,
            max_ahead_ms: MAX_AHEAD_MS,
            batch_wait_ms: BATCH_WAIT_MS,
            max_idle_ms: 0,
        };
        let now = Now { time: Time(0), clock: TimestampMs(CLOCK) };
        Self::boot(config, now, DurableState::default(), tip, BTreeMap::new())
    }

    /// Starts, and hears from all others that they know of nothing newer (R47); the question itself is left
    /// out of the effects.
    fn boot(
        config: Config,
        now: Now,
        durable: DurableState,
        tip: Tip,
        bodies: BTreeMap<BlockHash, SealedBlock>,
    ) -> (Self, Vec<Effect>) {
        let (mut rig, mut effects) = Self::boot_unasked(config, now, durable, tip, bodies);
        let asked =
            effects.extract_if(.., |e| matches!(e, Effect::Broadcast(Outgoing::Own(Unsigned::Recall(_)))));
        if let Some(Effect::Broadcast(Outgoing::Own(Unsigned::Recall(recall)))) = asked.last() {
            effects.extend(rig.answer(&recall, |_| NewestSigned::default()));
        }
        (rig, effects)
    }

    /// All others answer a question of R47.
    pub(super) fn answer(&mut self, recall: &Recall, seen: impl Fn(u16) -> NewestSigned) -> Vec<Effect> {
        let asker = self.config.me.unwrap();
        let others = (0..self.config.context.set.quorum().n() as u16).filter(|i| *i != asker.0);
        others
            .flat_map(|from| {
                let newest = Newest { asker, recall: *recall, seen: seen(from) };
                self.say(from, Unsigned::Newest(Box::new(newest)))
            })
            .collect()
    }

    pub(super) fn boot_unasked(
        config: Config,
        now: Now,
        durable: DurableState,
        tip: Tip,
        bodies: BTreeMap<BlockHash, SealedBlock>,
    ) -> (Self, Vec<Effect>) {
        let above = bodies.values().cloned().collect();
        let (replica, effects) = Replica::start(now, config.clone(), durable.clone(), tip.clone(), [], above);
        let mut rig = Self { replica, config, now, records: Vec::new(), durable, bodies, tip };
        rig.note(&effects);
        (rig, effects)
    }

    /// Starts again from this record, with nobody's answer yet.
    pub(super) fn boot_again(
        self,
        durable: DurableState,
        bodies: BTreeMap<BlockHash, SealedBlock>,
    ) -> (Self, Vec<Effect>) {
        Self::boot_unasked(self.config, self.now, durable, self.tip, bodies)
    }

    /// The same rig around another replica.
    pub(super) fn with(mut self, replica: Replica) -> Self {
        self.config = replica.config.clone();
        self.replica = replica;
        self
    }

    /// The same in another epoch than the rig's.
    pub(super) fn settle_recall_of(&mut self, epoch: Epoch) {
        self.config.context.epoch = epoch;
        self.settle_recall();
    }

    /// All others answer what the replica asks (R47).
    pub(super) fn settle_recall(&mut self) {
        if let Memory::Asking(recall, _) = &self.replica.memory {
            let recall = *recall;
            self.answer(&recall, |_| NewestSigned::default());
        }
    }

    /// Loses power: what was not synced is gone.
    pub(super) fn restart(self) -> (Self, Vec<Effect>) {
        Self::boot(self.config, self.now, self.durable, self.tip, self.bodies)
    }

    fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Persist(id, record) => self.records.push((*id, record.clone())),
                Effect::Commit { block, certificate, .. } => {
                    self.tip = Tip {
                        height: block.height(),
                        block: block.hash(),
                        result: result(block.height().0),
                        timestamp_ms: block.header().timestamp_ms,
                        certificate: Some(certificate.clone()),
                    };
                }
                _ => {}
            }
        }
    }

    pub(super) fn step(&mut self, input: Input) -> Vec<Effect> {
        if let Input::Persisted(id) = &input {
            for (_, record) in self.records.extract_if(.., |(record, _)| *record <= *id) {
                self.durable.apply(record);
            }
        }
        let effects = self.replica.step(self.now, input);
        self.note(&effects);
        effects
    }

    /// A message that passes verification.
    pub(super) fn hear(&mut self, message: Message) -> Vec<Effect> {
        let context = self.config.context.clone();
        self.step(Input::Message(verify(message, &context).unwrap()))
    }

    /// A message of another validator, or an own one that comes back.
    pub(super) fn say(&mut self, from: u16, message: Unsigned) -> Vec<Effect> {
        self.hear(signed(from, message))
    }

    /// So many milliseconds pass, and a tick.
    pub(super) fn wait(&mut self, ms: u64) -> Vec<Effect> {
        self.now.time = self.now.time + ms;
        self.now.clock.0 += ms;
        self.step(Input::Tick)
    }

    pub(super) fn persisted(&mut self, id: u64) -> Vec<Effect> {
        self.step(Input::Persisted(PersistId(id)))
    }

    pub(super) fn stored(&mut self, block: &SealedBlock) -> Vec<Effect> {
        self.bodies.insert(block.hash(), block.clone());
        self.step(Input::BodyStored(block.hash()))
    }

    pub(super) fn valid(&mut self, block: &SealedBlock) -> Vec<Effect> {
        self.step(Input::Validated { block: block.hash(), valid: true })
    }

    pub(super) fn executed(&mut self, block: &SealedBlock) -> Vec<Effect> {
        self.step(Input::Executed {
            block: block.hash(),
            result: result(block.height().0),
            ends_epoch: false,
        })
    }

    pub(super) fn certified(&mut self, block: &SealedBlock, certificate: &CommitCertificate) -> Vec<Effect> {
        let certificate = Verified::vouched(certificate.clone());
        self.step(Input::Certified { block: block.clone(), certificate })
    }

    /// Does at once whatever the replica wants done, but for batches and fetches, until it wants no more.
    /// Gives all effects in order.
    pub(super) fn settle(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let mut all = effects.clone();
        let mut waiting = std::collections::VecDeque::from(effects);
        while let Some(effect) = waiting.pop_front() {
            let me = self.config.me.unwrap_or(ValidatorIndex(1)).0;
            let more = match effect {
                Effect::Persist(PersistId(id), _) => self.persisted(id),
                Effect::StoreBody(block) => self.stored(&block),
                Effect::Validate(block) => self.valid(&block),
                Effect::Execute(block) => self.executed(&block),
                Effect::Broadcast(Outgoing::Own(message)) | Effect::Sign(message) => self.say(me, message),
                _ => Vec::new(),
            };
            all.extend(more.clone());
            waiting.extend(more);
        }
        all
    }

    /// Hears a message and settles.
    pub(super) fn settled(&mut self, from: u16, message: Unsigned) -> Vec<Effect> {
        let effects = self.say(from, message);
        self.settle(effects)
    }

    /// Accepts a proposal of the current view: voted for, durable, executed.
    pub(super) fn accept(&mut self, block: &SealedBlock) {
        let (view, primary) = (self.replica.view().0, self.replica.primary().0);
        self.settled(primary, proposal(view, block));
        assert_eq!(self.replica.own_prepares[&block.height()].vote.block, block.hash());
    }

    /// Commits a block that it receives together with its certificate.
    pub(super) fn commit(&mut self, block: &SealedBlock, certificate: &CommitCertificate) {
        let effects = self.certified(block, certificate);
        self.settle(effects);
        assert_eq!(self.replica.tip().block, block.hash());
    }

    /// Enters a view, its entry durable; gives everything that follows at once.
    pub(super) fn enter(&mut self, new_view: &Arc<NewView>) -> Vec<Effect> {
        let effects = self.hear(Message::NewView(Arc::clone(new_view)));
        let all = self.settle(effects);
        assert_eq!(self.replica.view(), new_view.contents.view);
        all
    }
}
