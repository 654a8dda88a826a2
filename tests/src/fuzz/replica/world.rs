//! One run: three honest replicas with their drivers, and everything that was ever signed.

use super::disk::Committed;
use super::node::{Answer, Node, Wire};
use super::novelty::input_kind;
use super::oracle::Oracle;
use super::signing::{CHAIN, REPLICAS, Signing};
use super::{Reach, Watch};
use crate::fuzz::script::Script;
use quorate_chain::{BlockHash, Epoch, Height, ResultHash, Transaction, ValidatorIndex};
use quorate_consensus::message::verify;
use quorate_consensus::{Effect, Input, Message, Peer, SealedBlock, Verified};
use std::collections::BTreeMap;

/// Most effects of one step: what a window of 8 and the largest help need, and some more; and when a disk answers
/// at last, the two votes for each of the heights that the core remembers.
const EFFECTS_MAX: usize = 64 + 2 * 128;
/// Most inputs that one replica's own driver gives without time passing or a message coming.
const ANSWERS_MAX: usize = 512;
/// Messages and blocks that wait for a node; what is above is lost, as by a network.
const INBOX_MAX: usize = 256;
/// Blocks of one answer to a node that catches up.
const SYNC_BLOCKS_MAX: usize = 8;

#[derive(Debug)]
pub(super) struct World {
    pub(super) signing: Signing,
    pub(super) byzantine: usize,
    pub(super) nodes: Vec<Node>,
    pub(super) now_ms: u64,
    /// Everything signed and sent, honest or not.
    pub(super) history: Vec<Message>,
    /// Every block of a proposal.
    pub(super) blocks: Vec<SealedBlock>,
    pub(super) by_hash: BTreeMap<BlockHash, SealedBlock>,
    pub(super) results: BTreeMap<BlockHash, ResultHash>,
    pub(super) oracle: Oracle,
    pub(super) transactions: &'static [Transaction],
    batches: usize,
    /// Blocks at multiples of this height may end their epoch; 0 is never.
    epoch_heights: u64,
    pub(super) watch: Watch,
    pub(super) reach: Reach,
    /// The one node whose chain may be lost: were it two at a time, nobody might hold what is committed.
    chain_lost: Option<usize>,
}

impl World {
    /// The first bytes say who is Byzantine, the window, the length of epochs and the clocks.
    pub(super) fn new(script: &mut Script<'_>, signing: Signing) -> Self {
        let byzantine = script.below(REPLICAS);
        let window = [1, 2, 4, 8][script.below(4)];
        let epoch_heights = [0, 0, 3, 2][script.below(4)];
        let skews = script.byte();
        let mut world = Self {
            signing,
            byzantine,
            nodes: Vec::new(),
            now_ms: 0,
            history: Vec::new(),
            blocks: Vec::new(),
            by_hash: BTreeMap::new(),
            results: BTreeMap::from([(CHAIN.genesis_block(), ResultHash::default())]),
            oracle: Oracle::new(byzantine),
            transactions: super::blocks::transactions(),
            batches: 0,
            epoch_heights,
            watch: Watch::default(),
            reach: Reach::default(),
            chain_lost: None,
        };
        let hour: i64 = 3_600_000;
        let mut all = Vec::new();
        for (place, seat) in (0..REPLICAS).filter(|seat| *seat != byzantine).enumerate() {
            let skew_ms = [0, hour, -hour, 5][usize::from(skews >> (2 * place) & 3)];
            let skew_ms = if skews >> 6 == 3 { skew_ms } else { 0 };
            let (node, effects) = Node::new(seat, window, skew_ms);
            world.nodes.push(node);
            all.push(effects);
        }
        for (node, effects) in all.into_iter().enumerate() {
            world.carry_out(node, effects);
        }
        world
    }

    /// Gives a node one input and carries out what follows.
    pub(super) fn step(&mut self, node: usize, input: Input) {
        let now = self.nodes[node].now(self.now_ms);
        let view = self.nodes[node].replica.view();
        let kind = input_kind(&input);
        let effects = self.nodes[node].replica.step(now, input);
        let replica = &self.nodes[node].replica;
        if let Some(novelty) = &mut self.watch.novelty {
            novelty.note(kind, &effects, replica);
        }
        if replica.view() > view && usize::from(replica.primary().0) == self.byzantine {
            self.reach.byzantine_views += 1;
        }
        self.note_reach(node);
        self.carry_out(node, effects);
    }

    /// Time has come for a node; afterwards its deadline lies ahead.
    pub(super) fn tick(&mut self, node: usize) {
        self.step(node, Input::Tick);
        let (deadline, now) = (self.nodes[node].replica.deadline(), self.nodes[node].now(self.now_ms).time);
        assert!(
            deadline.is_none_or(|at| at > now),
            "{node} wants to be ticked at {deadline:?}, it is {now:?}"
        );
    }

    /// Advances the clock to the earliest deadline of these nodes and ticks those that are due.
    pub(super) fn tick_at_deadline(&mut self, mask: u8) {
        let due = |world: &Self, node: usize| world.nodes[node].replica.deadline().map(|at| at.0);
        let Some(earliest) = self.masked(mask).filter_map(|node| due(self, node)).min() else { return };
        self.now_ms = self.now_ms.max(earliest);
        for node in self.masked(mask).collect::<Vec<_>>() {
            if due(self, node).is_some_and(|at| at <= self.now_ms) {
                self.tick(node);
            }
        }
    }

    /// The nodes of a mask; of an empty one all.
    pub(super) fn masked(&self, mask: u8) -> impl Iterator<Item = usize> + use<> {
        let mask = if mask & 7 == 0 { 7 } else { mask & 7 };
        (0..self.nodes.len()).filter(move |node| mask >> node & 1 == 1)
    }

    /// The node in a seat; `None` for the Byzantine one.
    pub(super) fn in_seat(&self, seat: ValidatorIndex) -> Option<usize> {
        self.nodes.iter().position(|node| node.seat == usize::from(seat.0))
    }

    /// The process of a node ends and starts again; its chain may be lost, but never its record.
    pub(super) fn restart(&mut self, node: usize, lose_chain: bool, script: &mut Script<'_>) {
        self.reach.restarts += 1;
        if lose_chain && *self.chain_lost.get_or_insert(node) == node {
            let kept = script.below(1 + self.nodes[node].disk.chain().len());
            self.nodes[node].disk.lose_chain(kept);
        }
        let effects = self.nodes[node].restart(self.now_ms, script);
        self.carry_out(node, effects);
    }

    /// Gives a node the answer at this place of its queue.
    pub(super) fn answer(&mut self, node: usize, place: usize) {
        let Some(answer) = self.nodes[node].answers.remove(place) else { return };
        let input = match answer {
            Answer::Input(input) => *input,
            Answer::Pending => Input::Pending(self.nodes[node].pending),
            Answer::Synced(count, id) => {
                self.nodes[node].disk.sync_records(count);
                Input::Persisted(id)
            }
            Answer::BodySynced(hash) => {
                self.nodes[node].disk.sync_body(hash);
                Input::BodyStored(hash)
            }
            Answer::ChainSynced(count) => return self.nodes[node].disk.sync_chain(count),
            Answer::EpochStarts(context) => self.nodes[node].start_epoch(context),
        };
        self.step(node, input);
    }

    /// Gives a node all its answers, in order, and those that follow.
    pub(super) fn answer_all(&mut self, node: usize) {
        for _ in 0..ANSWERS_MAX {
            if self.nodes[node].answers.is_empty() {
                return;
            }
            self.answer(node, 0);
        }
        assert!(self.nodes[node].answers.is_empty(), "{node} never comes to rest");
    }

    /// Delivers what waits at this place of a node's inbox.
    pub(super) fn deliver(&mut self, node: usize, place: usize) {
        let Some(wire) = self.nodes[node].inbox.remove(place) else { return };
        match wire {
            Wire::Message(number) => self.hear(node, number),
            Wire::Block(block) => self.step(node, Input::Block(block)),
            Wire::Certified(block, certificate) => {
                if certificate.epoch == self.nodes[node].replica.epoch() {
                    let certificate = Verified::vouched(certificate);
                    self.step(node, Input::Certified { block, certificate });
                }
            }
        }
    }

    /// A node hears a message of the history; it must be one that its driver would let pass.
    pub(super) fn hear(&mut self, node: usize, number: usize) {
        let Some(message) = self.history.get(number).cloned() else { return };
        let context = self.nodes[node].context();
        if message.epoch() != context.epoch {
            let seat = message.signer(context).map_or(self.byzantine as u16, |signer| signer.0);
            let epoch = message.epoch();
            return self.step(node, Input::OtherEpoch { peer: Peer(u64::from(seat)), epoch });
        }
        let verified = match self.signing {
            Signing::Vouched => Verified::vouched(message),
            Signing::Real => match verify(message.clone(), context) {
                Ok(verified) => verified,
                Err(error) => panic!("a message that this network can send is refused: {error}: {message:?}"),
            },
        };
        self.step(node, Input::Message(verified));
    }

    /// Answers and deliveries until nothing waits at these nodes, or `most` of them were made.
    pub(super) fn settle(&mut self, mask: u8, most: usize) {
        let mut left = most;
        while left > 0 {
            let before = left;
            for node in self.masked(mask) {
                self.answer_all(node);
                while left > 0 && !self.nodes[node].inbox.is_empty() {
                    self.deliver(node, 0);
                    left -= 1;
                    self.answer_all(node);
                }
            }
            if left == before {
                return;
            }
        }
    }

    /// Puts a message into the history; gives its place.
    pub(super) fn note(&mut self, message: Message) -> usize {
        if let Message::Proposal(proposal) = &message {
            self.know(&proposal.block.clone());
        }
        self.history.push(message);
        self.history.len() - 1
    }

    pub(super) fn know(&mut self, block: &SealedBlock) {
        if self.by_hash.insert(block.hash(), block.clone()).is_none() {
            self.blocks.push(block.clone());
            self.oracle.block(block);
        }
    }

    pub(super) fn send(&mut self, node: usize, wire: Wire) {
        let inbox = &mut self.nodes[node].inbox;
        if inbox.len() < INBOX_MAX {
            inbox.push_back(wire);
        }
    }

    /// Blocks above a node's tip that another one has committed.
    pub(super) fn send_certified(&mut self, from: usize, to: usize) {
        let above = self.nodes[to].disk.chain().len();
        let blocks = self.nodes[from].disk.chain().iter().skip(above).take(SYNC_BLOCKS_MAX);
        let some: Vec<_> = blocks.map(|c| Wire::Certified(c.block.clone(), c.certificate.clone())).collect();
        some.into_iter().for_each(|wire| self.send(to, wire));
    }

    /// The result of a block, from that of its parent.
    pub(super) fn execute(&mut self, block: &SealedBlock) -> ResultHash {
        let Some(parent) = self.results.get(&block.header().parent) else {
            panic!("height {} is executed before its parent", block.height());
        };
        let result = ResultHash(*blake3::hash(&[parent.0, block.hash().0].concat()).as_bytes());
        *self.results.entry(block.hash()).or_insert(result)
    }

    /// R45: whether the block is the last of its epoch.
    pub(super) fn ends_epoch(&self, block: &SealedBlock) -> bool {
        let heights = self.epoch_heights;
        heights > 0 && block.height().0.is_multiple_of(heights) && block.hash().0[0].is_multiple_of(2)
    }

    /// The next transactions of a batch: some, and now and then none.
    pub(super) fn batch(&mut self) -> Vec<Transaction> {
        self.batches += 1;
        let from = self.batches % (self.transactions.len() + 1);
        self.transactions[from..].iter().take(2).cloned().collect()
    }

    /// The node commits: all its driver's duties.
    pub(super) fn commit(&mut self, node: usize, committed: Committed) {
        let (block, result) = (committed.block.clone(), committed.result);
        let (height, hash) = (block.height(), block.hash());
        let place = &mut self.nodes[node];
        assert_eq!(height.0, place.disk.chain().len() as u64 + 1, "{node} commits out of order");
        assert!(place.executed.contains(&hash), "{node} commits height {height} before it is executed");
        let ends_epoch = committed.ends_epoch;
        if !block.block().transactions.is_empty() {
            place.batch_committed();
        }
        let count = place.disk.write_block(committed);
        place.drop_other_executions(&block);
        place.answers.push_back(Answer::ChainSynced(count));
        place.answers.push_back(Answer::Pending);
        if ends_epoch {
            let context = place.next_context();
            place.answers.push_back(Answer::EpochStarts(context));
        }
        self.oracle.committed(self.nodes[node].seat, height, hash, result);
    }

    fn note_reach(&mut self, node: usize) {
        let replica = &self.nodes[node].replica;
        self.reach.height = self.reach.height.max(replica.tip().height.0);
        self.reach.epoch = self.reach.epoch.max(replica.epoch().0);
        self.reach.view = self.reach.view.max(replica.view().0);
    }

    /// Checks how many effects a step had, and keeps them if asked for.
    pub(super) fn account(&mut self, effects: &[Effect]) {
        assert!(effects.len() <= EFFECTS_MAX, "{} effects of one step: {:?}", effects.len(), kinds(effects));
        if let Some(log) = &mut self.watch.log {
            log.extend_from_slice(effects);
        }
    }

    /// The highest epoch and the highest view in it of any node.
    pub(super) fn place(&self) -> (Epoch, quorate_chain::View, Height) {
        let of = |node: &Node| (node.replica.epoch(), node.replica.view(), node.replica.tip().height);
        self.nodes.iter().map(of).max().unwrap_or_default()
    }
}

/// How many effects there are of each kind.
fn kinds(effects: &[Effect]) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for effect in effects {
        let text = format!("{effect:?}");
        // Of a message its kind too.
        let kind: Vec<_> = text.split(|c: char| !c.is_alphanumeric()).take(3).collect();
        *kinds.entry(kind.join(" ")).or_default() += 1;
    }
    kinds
}
