//! The network, the clock, and what becomes of effects.

use super::checker::{Checker, Violation};
use super::node::{SimNode, TIMEOUT_BASE_MS, TIMEOUT_MAX_MS};
use super::plan::{Fault, Plan};
use super::random::Random;
use quorate_chain::codec::{Bytes, List};
use quorate_chain::crypto::SecretKey;
use quorate_chain::transaction::{ChainTag, Instruction, TransactionBody};
use quorate_chain::validator::fixture::validator_set;
use quorate_chain::{
    AccountId, Amount, AssetId, BlockHash, ChainId, CommitCertificate, Epoch, Height, Nonce, ResultHash,
    Transaction, ValidatorIndex,
};
use quorate_consensus::message::{EpochContext, verify};
use quorate_consensus::{Effect, Input, Message, Outgoing, PersistId, SealedBlock, Unsigned, Verified};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write;
use std::sync::{Arc, OnceLock};

/// Time that the network has after healing, milliseconds: the largest time-out and twenty base time-outs.
const LIVENESS_MS: u64 = 3 * TIMEOUT_MAX_MS + 20 * TIMEOUT_BASE_MS;
/// Transactions that clients submit in a run.
const TRANSACTIONS: usize = 120;
/// Blocks of one answer to a node that catches up.
const SYNC_BLOCKS_MAX: usize = 8;
/// Events after which a run is taken to be caught in a loop.
const EVENTS_MAX: u64 = 3_000_000;

/// What a run is made of, beside its seed.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Validators, 4 to 10.
    pub replicas: usize,
    /// W.
    pub window: u64,
    /// Every message is verified as a node would; slower.
    pub verify: bool,
    /// The driver says that records are durable before they are: a mistake that the checker must find.
    pub send_before_persist: bool,
    /// Nodes that are off for the whole run, beside those of the plan.
    pub silent: usize,
    /// Whether the events are kept as text.
    pub trace: bool,
}

impl Settings {
    /// The usual ones.
    #[must_use]
    pub const fn new(replicas: usize, window: u64) -> Self {
        Self { replicas, window, verify: false, send_before_persist: false, silent: 0, trace: false }
    }
}

/// What became of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// What must never happen and did.
    pub violation: Option<Violation>,
    /// Hash over everything that happened.
    pub trace_hash: String,
    /// The events as text, if asked for.
    pub trace: Vec<String>,
    /// The highest committed height.
    pub height: u64,
    /// The highest view.
    pub view: u64,
    /// Messages delivered.
    pub delivered: u64,
    /// Faults that happened, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

#[derive(Clone)]
enum Wire {
    Consensus(Message),
    WantBody(BlockHash),
    Body(SealedBlock),
    WantBlocks(Height),
    Blocks(Vec<(SealedBlock, CommitCertificate)>),
    Transactions(Vec<Transaction>),
}

enum Event {
    Deliver { from: usize, to: usize, wire: Wire },
    /// An answer of a node's own driver; void after a restart.
    Answer { node: usize, start: u64, answer: Answer },
    Tick { node: usize, start: u64 },
    Boot { node: usize },
    Fault(Fault),
    Submit { transaction: usize, to: usize },
    Heal,
}

enum Answer {
    Input(Input),
    Synced { id: PersistId, records: usize },
    BodySynced(BlockHash),
    BlocksSynced(usize),
}

/// Conditions of the network for now.
#[derive(Default)]
struct Weather {
    partition: Option<(u64, bool, u64)>,
    lossy: Option<(u64, u64)>,
    slow: Option<(u64, u64)>,
}

struct World {
    settings: Settings,
    random: Random,
    context: EpochContext,
    now_ms: u64,
    sequence: u64,
    queue: BinaryHeap<Reverse<(u64, u64)>>,
    events: BTreeMap<u64, Event>,
    nodes: Vec<SimNode>,
    silent: Vec<usize>,
    crash_at_persist: Vec<Option<(bool, u64)>>,
    weather: Weather,
    healed: bool,
    checker: Checker,
    hasher: blake3::Hasher,
    outcome: Outcome,
    ticks: Vec<Option<u64>>,
    pending: Vec<bool>,
}

/// Signed once for all runs of a process: what is in them does not matter to the core.
fn transactions() -> &'static [Transaction] {
    static MADE: OnceLock<Vec<Transaction>> = OnceLock::new();
    MADE.get_or_init(|| (0..TRANSACTIONS as u64 + 1).filter_map(transaction).collect())
}

fn transaction(nonce: u64) -> Option<Transaction> {
    let key = SecretKey::from_seed(&[77; 32]);
    let memo = Bytes::default();
    let transfer =
        Instruction::Transfer { to: AccountId([9; 32]), asset: AssetId::NATIVE, amount: Amount(1), memo };
    let body = TransactionBody {
        chain: ChainTag::from(ChainId::default()),
        account: key.public().into(),
        nonce: Nonce(nonce),
        valid_until: Height::ZERO,
        sponsor: None,
        instructions: List::new(vec![transfer]).ok()?,
    };
    Transaction::sign(body, ChainId::default(), &[&key]).ok()
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, settings: Settings) -> Outcome {
    let mut random = Random::new(seed);
    let set = validator_set(u16::try_from(settings.replicas).unwrap_or(u16::MAX));
    let quorum = set.quorum();
    let plan = Plan::random(&mut random, settings.replicas, quorum.f());
    let context = EpochContext {
        chain: ChainId([1; 32]),
        epoch: Epoch::ZERO,
        set: Arc::new(set),
        start_height: Height::ZERO,
        start_block: ChainId([1; 32]).genesis_block(),
        start_result: ResultHash([2; 32]),
    };
    let mut silent = plan.silent.clone();
    silent.extend((0..settings.replicas).filter(|i| !plan.silent.contains(i)).take(settings.silent));
    let nodes = plan.skew_ms.iter().enumerate();
    let nodes = nodes.map(|(i, skew)| SimNode::new(i, context.clone(), settings.window, *skew)).collect();
    let mut world = World {
        settings,
        random,
        context,
        now_ms: 0,
        sequence: 0,
        queue: BinaryHeap::new(),
        events: BTreeMap::new(),
        nodes,
        silent,
        crash_at_persist: vec![None; settings.replicas],
        weather: Weather::default(),
        healed: false,
        checker: Checker::new(quorum.q()),
        hasher: blake3::Hasher::new(),
        outcome: Outcome::default(),
        ticks: vec![None; settings.replicas],
        pending: vec![false; settings.replicas],
    };
    world.schedule_plan(&plan);
    if let Err(violation) = world.run(&plan) {
        world.outcome.violation = Some(violation);
    }
    world.outcome.trace_hash = world.hasher.finalize().to_hex().to_string();
    world.outcome
}

impl World {
    fn schedule_plan(&mut self, plan: &Plan) {
        for node in 0..self.nodes.len() {
            if !self.silent.contains(&node) {
                self.at(0, Event::Boot { node });
            }
        }
        for (at, fault) in &plan.faults {
            self.at(*at, Event::Fault(fault.clone()));
        }
        for transaction in 0..TRANSACTIONS {
            let at = self.random.below(plan.heal_ms);
            let to = self.random.below(self.nodes.len() as u64) as usize;
            self.at(at, Event::Submit { transaction, to });
        }
        self.at(plan.heal_ms, Event::Heal);
    }

    fn at(&mut self, time_ms: u64, event: Event) {
        self.sequence += 1;
        self.queue.push(Reverse((time_ms.max(self.now_ms), self.sequence)));
        self.events.insert(self.sequence, event);
    }

    fn after(&mut self, delay_ms: u64, event: Event) {
        self.at(self.now_ms + delay_ms, event);
    }

    /// Safety phase, healing, liveness phase: the transaction submitted at healing is committed everywhere.
    fn run(&mut self, plan: &Plan) -> Result<(), Violation> {
        let goal = transactions()[TRANSACTIONS].id();
        for _ in 0..EVENTS_MAX {
            let Some(Reverse((time, sequence))) = self.queue.pop() else { break };
            let Some(event) = self.events.remove(&sequence) else { continue };
            self.now_ms = time;
            if time > plan.heal_ms + LIVENESS_MS {
                break;
            }
            self.handle(event)?;
            self.outcome.height = self.checker.height().0;
            if self.healed && self.up().all(|node| node.has_committed(goal)) && self.all_equal() {
                return self.check_end();
            }
        }
        let heights: Vec<_> = self.nodes.iter().map(SimNode::height).collect();
        let views: Vec<_> = self.nodes.iter().map(|n| n.replica.as_ref().map(|r| r.view().0)).collect();
        Err(Violation(format!(
            "L: after healing the network does not commit: heights {heights:?}, views {views:?}"
        )))
    }

    fn up(&self) -> impl Iterator<Item = &SimNode> {
        self.nodes.iter().filter(|node| !self.silent.contains(&node.index))
    }

    fn all_equal(&self) -> bool {
        let mut heights = self.up().map(SimNode::height);
        let first = heights.next();
        heights.all(|height| Some(height) == first)
    }

    /// S3: what anybody committed, everybody has.
    fn check_end(&self) -> Result<(), Violation> {
        let shortest = self.up().map(SimNode::height).min().unwrap_or(0) as u64;
        if shortest < self.checker.height().0 {
            return Err(Violation(format!("S3: a committed block is lost at height {}", shortest + 1)));
        }
        Ok(())
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.settings.trace {
            self.outcome.trace.push(format!("{:>7} ms  {}", self.now_ms, text()));
        }
    }

    fn handle(&mut self, event: Event) -> Result<(), Violation> {
        match event {
            Event::Deliver { from, to, wire } => self.deliver(from, to, wire),
            Event::Answer { node, start, answer } => self.answer(node, start, answer),
            Event::Tick { node, start } => {
                self.ticks[node] = None;
                if self.nodes[node].start == start { self.step(node, Input::Tick) } else { Ok(()) }
            }
            Event::Boot { node } => self.boot(node),
            Event::Fault(fault) => {
                self.fault(fault);
                Ok(())
            }
            Event::Submit { transaction, to } => {
                let transaction = transactions()[transaction].clone();
                self.submit(to, &[transaction])
            }
            Event::Heal => self.heal(),
        }
    }

    fn heal(&mut self) -> Result<(), Violation> {
        self.note(|| "healed".into());
        self.healed = true;
        self.weather = Weather::default();
        self.crash_at_persist.fill(None);
        for node in 0..self.nodes.len() {
            self.nodes[node].sync_ms = 0;
            self.nodes[node].skew_ms = 0;
            if !self.silent.contains(&node) && self.nodes[node].replica.is_none() {
                self.boot(node)?;
            }
            self.submit(node, &[transactions()[TRANSACTIONS].clone()])?;
        }
        Ok(())
    }

    fn boot(&mut self, node: usize) -> Result<(), Violation> {
        if self.nodes[node].replica.is_some() {
            return Ok(());
        }
        self.note(|| format!("node {node} starts"));
        self.pending[node] = false;
        self.ticks[node] = None;
        let effects = self.nodes[node].boot(self.now_ms);
        self.carry_out(node, effects)?;
        self.schedule_tick(node);
        Ok(())
    }

    fn crash(&mut self, node: usize, down_ms: u64) {
        if self.nodes[node].replica.is_some() && !self.healed {
            self.note(|| format!("node {node} crashes for {down_ms} ms"));
            self.nodes[node].crash(&mut self.random);
            self.after(down_ms, Event::Boot { node });
        }
    }

    fn fault(&mut self, fault: Fault) {
        *self.outcome.faults.entry(fault.kind()).or_default() += 1;
        self.note(|| format!("{fault:?}"));
        let until = |for_ms| self.now_ms + for_ms;
        match fault {
            Fault::Crash { node, down_ms } => self.crash(node, down_ms),
            Fault::PowerLoss { down_ms } => (0..self.nodes.len()).for_each(|node| self.crash(node, down_ms)),
            Fault::Partition { side, one_way, for_ms } => {
                self.weather.partition = Some((side, one_way, until(for_ms)));
            }
            Fault::Lossy { percent, for_ms } => self.weather.lossy = Some((percent, until(for_ms))),
            Fault::Slow { delay_ms, for_ms } => self.weather.slow = Some((delay_ms, until(for_ms))),
            Fault::SlowDisk { node, sync_ms, .. } => self.nodes[node].sync_ms = sync_ms,
            Fault::CrashAtPersist { node, synced, down_ms } => {
                self.crash_at_persist[node] = Some((synced, down_ms));
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, wire: Wire) {
        if self.silent.contains(&to) {
            return;
        }
        let now = self.now_ms;
        if let Some((side, one_way, until)) = self.weather.partition {
            let inside = |node: usize| side >> node & 1 == 1;
            let cut = inside(from) != inside(to) && !(one_way && inside(to));
            if now < until && cut {
                return;
            }
        }
        let mut copies = 1;
        if let Some((percent, until)) = self.weather.lossy {
            if now < until {
                copies = u64::from(!self.random.chance(percent)) + u64::from(self.random.chance(percent));
            }
        }
        for _ in 0..copies {
            let mut delay = self.random.between(1, 8);
            if let Some((most, until)) = self.weather.slow {
                if now < until {
                    delay += self.random.below(most);
                }
            }
            self.after(delay, Event::Deliver { from, to, wire: wire.clone() });
        }
    }

    fn send_all(&mut self, from: usize, wire: &Wire) {
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            self.send(from, to, wire.clone());
        }
    }

    fn deliver(&mut self, from: usize, to: usize, wire: Wire) -> Result<(), Violation> {
        if self.nodes[to].replica.is_none() {
            return Ok(());
        }
        self.outcome.delivered += 1;
        match wire {
            Wire::Consensus(message) => {
                self.note(|| format!("{from} → {to}  {}", describe(&message)));
                let mut line = String::new();
                let _ = write!(line, "{}:{from}>{to}:{}", self.now_ms, describe(&message));
                self.hasher.update(line.as_bytes());
                let verified = if self.settings.verify {
                    verify(message, &self.context)
                        .map_err(|error| Violation(format!("an honest message is refused: {error}")))?
                } else {
                    Verified::vouched(message)
                };
                self.step(to, Input::Message(verified))
            }
            Wire::WantBody(hash) => {
                if let Some(body) = self.nodes[to].body(hash) {
                    self.send(to, from, Wire::Body(body));
                }
                Ok(())
            }
            Wire::Body(body) => self.step(to, Input::Block(body)),
            Wire::WantBlocks(after) => {
                let blocks = &self.nodes[to].disk.blocks;
                let from_index = (after.0 as usize).min(blocks.len());
                let some: Vec<_> = blocks[from_index..].iter().take(SYNC_BLOCKS_MAX).cloned().collect();
                if !some.is_empty() {
                    self.send(to, from, Wire::Blocks(some));
                }
                Ok(())
            }
            Wire::Blocks(blocks) => {
                for (block, certificate) in blocks {
                    let certificate = Verified::vouched(certificate);
                    self.step(to, Input::Certified { block, certificate })?;
                }
                Ok(())
            }
            Wire::Transactions(transactions) => self.submit(to, &transactions),
        }
    }

    fn answer(&mut self, node: usize, start: u64, answer: Answer) -> Result<(), Violation> {
        if self.nodes[node].start != start || self.nodes[node].replica.is_none() {
            return Ok(());
        }
        match answer {
            Answer::Input(input) => self.step(node, input),
            Answer::Synced { id, records } => {
                self.nodes[node].sync_records(id, records);
                if let Some((_, down_ms)) = self.crash_at_persist[node].take_if(|(synced, _)| *synced) {
                    self.crash(node, down_ms);
                    return Ok(());
                }
                self.step(node, Input::Persisted(id))
            }
            Answer::BodySynced(hash) => {
                self.nodes[node].sync_body(hash);
                self.step(node, Input::BodyStored(hash))
            }
            Answer::BlocksSynced(count) => {
                self.nodes[node].sync_blocks(count);
                Ok(())
            }
        }
    }

    fn submit(&mut self, node: usize, transactions: &[Transaction]) -> Result<(), Violation> {
        if self.nodes[node].replica.is_none() || self.silent.contains(&node) {
            return Ok(());
        }
        let mut new = Vec::new();
        for transaction in transactions {
            if self.nodes[node].submit(transaction) {
                new.push(transaction.clone());
            }
        }
        // Gossip: whoever takes a transaction in for the first time passes it on.
        if !new.is_empty() {
            self.send_all(node, &Wire::Transactions(new));
        }
        self.tell_pending(node)
    }

    fn tell_pending(&mut self, node: usize) -> Result<(), Violation> {
        let pending = !self.nodes[node].pool.is_empty();
        if pending || self.pending[node] {
            self.pending[node] = pending;
            return self.step(node, Input::Pending(pending));
        }
        Ok(())
    }

    fn step(&mut self, node: usize, input: Input) -> Result<(), Violation> {
        let now = self.nodes[node].now(self.now_ms);
        let Some(replica) = self.nodes[node].replica.as_mut() else { return Ok(()) };
        let effects = replica.step(now, input);
        self.outcome.view = self.outcome.view.max(replica.view().0);
        self.carry_out(node, effects)?;
        self.schedule_tick(node);
        Ok(())
    }

    fn schedule_tick(&mut self, node: usize) {
        let Some(due) = self.nodes[node].replica.as_ref().and_then(|r| r.deadline()) else { return };
        if self.ticks[node].is_none_or(|at| due.0 < at) {
            self.ticks[node] = Some(due.0);
            let start = self.nodes[node].start;
            self.at(due.0, Event::Tick { node, start });
        }
    }

    fn reply(&mut self, node: usize, delay_ms: u64, answer: Answer) {
        let start = self.nodes[node].start;
        self.after(delay_ms, Event::Answer { node, start, answer });
    }

    /// When a sync that is asked for now is done: one after the other.
    fn disk_delay(&mut self, node: usize) -> u64 {
        let busy = self.nodes[node].disk_free_at.max(self.now_ms);
        let sync_ms = self.nodes[node].sync_ms;
        let done = busy + self.random.below(3) + if sync_ms > 0 { self.random.below(sync_ms) } else { 0 };
        self.nodes[node].disk_free_at = done;
        done - self.now_ms
    }

    fn carry_out(&mut self, node: usize, effects: Vec<Effect>) -> Result<(), Violation> {
        for effect in effects {
            if self.nodes[node].replica.is_none() {
                return Ok(());
            }
            self.effect(node, effect)?;
        }
        Ok(())
    }

    fn effect(&mut self, node: usize, effect: Effect) -> Result<(), Violation> {
        match effect {
            Effect::Persist(id, record) => self.persist(node, id, record)?,
            Effect::StoreBody(block) => {
                self.nodes[node].write_body(&block);
                let delay = self.disk_delay(node);
                self.reply(node, delay, Answer::BodySynced(block.hash()));
            }
            Effect::Broadcast(outgoing) => {
                let message = self.outgoing(node, outgoing)?;
                self.send_all(node, &Wire::Consensus(message));
            }
            Effect::Send(to, outgoing) => {
                let message = self.outgoing(node, outgoing)?;
                self.send(node, usize::from(to.0), Wire::Consensus(message));
            }
            Effect::Sign(unsigned) => drop(self.sign(node, unsigned)?),
            Effect::Validate(block) => {
                let valid = self.nodes[node].valid(&block);
                let input = Input::Validated { block: block.hash(), valid };
                self.reply(node, 1, Answer::Input(input));
            }
            Effect::Execute(block) => {
                if let Some(result) = self.nodes[node].execute(&block) {
                    let delay = self.random.between(0, 4);
                    let input = Input::Executed { block: block.hash(), result };
                    self.reply(node, delay, Answer::Input(input));
                }
            }
            Effect::Commit { block, certificate, .. } => self.commit(node, block, certificate)?,
            Effect::RequestBatch { parent, .. } => {
                let transactions = self.nodes[node].batch(parent);
                self.reply(node, 1, Answer::Input(Input::Batch { parent, transactions }));
            }
            Effect::FetchBlock(hash) => self.send_all(node, &Wire::WantBody(hash)),
            Effect::Sync { peer, .. } => {
                let after = Height(self.nodes[node].height() as u64);
                self.send(node, usize::from(peer.0), Wire::WantBlocks(after));
            }
            Effect::RelayTransactions => {
                let waiting: Vec<_> = self.nodes[node].pool.values().cloned().collect();
                if !waiting.is_empty() {
                    self.send_all(node, &Wire::Transactions(waiting));
                }
            }
            Effect::Evidence(evidence) => {
                return Err(Violation(format!("S4: evidence against an honest node: {evidence:?}")));
            }
            Effect::ResultsDiffer(votes) => return Err(Violation(format!("S2: results differ: {votes:?}"))),
            Effect::Halted(halt) => return Err(Violation(format!("S1: node {node} halted: {halt}"))),
        }
        Ok(())
    }

    fn persist(
        &mut self,
        node: usize,
        id: PersistId,
        record: quorate_consensus::Record,
    ) -> Result<(), Violation> {
        self.nodes[node].write_record(id, record);
        if let Some((_, down_ms)) = self.crash_at_persist[node].take_if(|(synced, _)| !*synced) {
            self.crash(node, down_ms);
            return Ok(());
        }
        if self.settings.send_before_persist {
            return self.step(node, Input::Persisted(id));
        }
        let (delay, records) = (self.disk_delay(node), self.nodes[node].record_count());
        self.reply(node, delay, Answer::Synced { id, records });
        Ok(())
    }

    fn commit(
        &mut self,
        node: usize,
        block: SealedBlock,
        certificate: CommitCertificate,
    ) -> Result<(), Violation> {
        self.note(|| format!("node {node} commits height {}", block.height()));
        self.checker.committed(node, block.height(), block.hash())?;
        self.nodes[node].commit(block, certificate);
        let (delay, count) = (self.disk_delay(node), self.nodes[node].height());
        self.reply(node, delay, Answer::BlocksSynced(count));
        let pending = !self.nodes[node].pool.is_empty();
        self.reply(node, 0, Answer::Input(Input::Pending(pending)));
        Ok(())
    }

    fn sign(&mut self, node: usize, unsigned: Unsigned) -> Result<Message, Violation> {
        let message = self.nodes[node].sign(unsigned);
        let own = Input::Message(Verified::vouched(message.clone()));
        self.reply(node, 0, Answer::Input(own));
        Ok(message)
    }

    fn outgoing(&mut self, node: usize, outgoing: Outgoing) -> Result<Message, Violation> {
        let message = match outgoing {
            Outgoing::Own(unsigned) => self.sign(node, unsigned)?,
            Outgoing::Signed(message) => message,
        };
        if signer(&message, &self.context) == Some(node) {
            self.checker.signed(node, &message)?;
        }
        Ok(message)
    }
}

/// Whose signature is on a message.
fn signer(message: &Message, context: &EpochContext) -> Option<usize> {
    let primary = |view| context.set.primary(context.epoch, view);
    let index: ValidatorIndex = match message {
        Message::Proposal(p) => primary(p.view),
        Message::NewView(n) => primary(n.contents.view),
        Message::Prepare(vote) => vote.signer,
        Message::Commit(vote) => vote.signer,
        Message::ViewChange(v) => v.claims.signer,
        Message::Ask(_) | Message::Status(_) | Message::Certificate(_) => return None,
    };
    Some(usize::from(index.0))
}

fn describe(message: &Message) -> String {
    match message {
        Message::Proposal(p) => format!("Proposal v{} h{} {:?}", p.view, p.block.height(), p.block.hash()),
        Message::Prepare(v) => {
            format!("Prepare by {} v{} h{} {:?}", v.signer, v.payload.view, v.payload.height, v.payload.block)
        }
        Message::Commit(v) => {
            format!("Commit by {} v{} h{} {:?}", v.signer, v.payload.view, v.payload.height, v.payload.block)
        }
        Message::Ask(a) => format!("Ask by {} for v{}", a.signer, a.payload.target),
        Message::ViewChange(v) => {
            format!("ViewChange by {} for v{}", v.claims.signer, v.claims.payload.target)
        }
        Message::NewView(n) => format!("NewView v{}", n.contents.view),
        Message::Status(s) => {
            format!("Status of {} v{} tip {}", s.signer, s.payload.view, s.payload.tip)
        }
        Message::Certificate(c) => format!("Certificate v{} h{}", c.view, c.height),
    }
}
