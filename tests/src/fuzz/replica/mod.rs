//! Three honest replicas and a Byzantine one, driven by bytes.
//!
//! The bytes order and lose what the honest replicas send, answer their drivers' questions late and in any
//! order, restart them, and say whatever the fourth can sign: it sees everything, says different things to
//! different replicas, and forms every certificate that two honest signatures and its own make (f = 1).
//!
//! | file | what |
//! | --- | --- |
//! | `mod.rs` | the targets, and what a byte does |
//! | `world.rs` | the run: nodes, history, delivery, time |
//! | `node.rs` `disk.rs` `effects.rs` | an honest replica and the duties of its driver |
//! | `byzantine.rs` `blocks.rs` | what the fourth says |
//! | `oracle.rs` | what must never happen |
//! | `novelty.rs` | what a run did, for searches |
//! | `signing.rs` | signatures: real ones, or none for speed |

mod blocks;
mod byzantine;
mod disk;
mod effects;
mod node;
mod novelty;
mod oracle;
mod signing;
mod world;

use super::script::Script;
pub use novelty::Novelty;
use quorate_chain::{Epoch, ValidatorIndex};
use quorate_consensus::{Effect, Input, Peer, Pending, Phase};

use signing::Signing;
use world::World;

/// Decisions of one run; what is behind them is not read.
const DECISIONS_MAX: usize = 2_000;
/// Deliveries of one decision.
const SETTLE_MAX: usize = 200;
/// Characters of a replica's state as text: what it keeps stays bounded whatever it hears.
const STATE_CHARACTERS_MAX: usize = 1_500_000;

/// Drives replicas by bytes: no panic, no two payloads in one slot, no vote after a ViewChange, nothing sent
/// before it is durable, no fork, no evidence against the honest, no ticks without end, bounded effects.
///
/// # Panics
/// When a property is broken.
pub fn replica_step(data: &[u8]) {
    run(data, Signing::Vouched, Watch::default());
}

/// The same with real signatures, and every message verified before it is heard: what the fourth says in
/// [`replica_step`] is what nodes let pass.
///
/// # Panics
/// When a property is broken.
pub fn replica_verified(data: &[u8]) {
    run(data, Signing::Real, Watch::default());
}

/// The same inputs give the same effects.
///
/// # Panics
/// When a property is broken, or the two runs differ.
pub fn replica_twice(data: &[u8]) {
    let log = || Watch { log: Some(Vec::new()), novelty: None };
    let [first, second] = [log(), log()].map(|watch| run(data, Signing::Vouched, watch).watch.log);
    assert!(first == second, "the same inputs gave other effects");
}

/// [`replica_step`], and then the fourth falls silent and nothing is lost any more: all three go on together.
///
/// # Panics
/// When a property is broken, or the network stands still.
pub fn replica_heals(data: &[u8]) {
    let mut world = run(data, Signing::Vouched, Watch::default());
    world.heal();
}

/// How far a run came, for the tests that show that the bytes reach what matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The highest committed height.
    pub height: u64,
    /// The highest view that anybody entered.
    pub view: u64,
    /// The highest epoch.
    pub epoch: u64,
    /// Proofs of what the fourth signed twice.
    pub evidence: u64,
    /// Restarts of honest replicas.
    pub restarts: u64,
    /// NewViews of the fourth that were entered.
    pub byzantine_views: u64,
}

/// Runs [`replica_step`] and says how far it came.
///
/// # Panics
/// When a property is broken.
#[must_use]
pub fn replica_reach(data: &[u8]) -> Reach {
    run(data, Signing::Vouched, Watch::default()).reach
}

/// Runs [`replica_step`]; true if it did something that is not among `seen`, which then has it too.
///
/// # Panics
/// When a property is broken.
pub fn replica_is_new(data: &[u8], seen: &mut Novelty) -> bool {
    let watch = Watch { novelty: Some(Novelty::default()), log: None };
    run(data, Signing::Vouched, watch).watch.novelty.is_some_and(|run| seen.add(&run))
}

/// What is kept of a run beside its end.
#[derive(Debug, Default)]
struct Watch {
    /// Every effect of every step.
    log: Option<Vec<Effect>>,
    /// The kinds of its steps.
    novelty: Option<Novelty>,
}

fn run(data: &[u8], signing: Signing, watch: Watch) -> World {
    let mut script = Script::new(data);
    let mut world = World::new(&mut script, signing);
    world.watch = watch;
    world.begin(script.byte());
    for _ in 0..DECISIONS_MAX {
        if script.is_empty() {
            break;
        }
        world.decide(&mut script);
    }
    for node in &world.nodes {
        let characters = format!("{:?}", node.replica).len();
        assert!(characters <= STATE_CHARACTERS_MAX, "the state of {} has {characters} characters", node.seat);
    }
    world
}

impl World {
    /// Transactions wait at all nodes, and the first messages arrive, or not.
    fn begin(&mut self, how: u8) {
        if how & 3 > 0 {
            for node in self.masked(0) {
                self.tell_pending(node, usize::from(how >> 3));
            }
        }
        if how & 4 == 0 {
            self.settle(0, SETTLE_MAX);
        }
    }

    /// What a byte does: five bits say what, three to which nodes.
    fn decide(&mut self, script: &mut Script<'_>) {
        let byte = script.byte();
        let (kind, mask) = (byte & 31, byte >> 5);
        match kind {
            0 | 1 => self.settle(0, SETTLE_MAX),
            2 => self.settle(mask, SETTLE_MAX),
            3 => {
                self.tick_at_deadline(0);
                self.settle(0, SETTLE_MAX);
            }
            4 => {
                for _ in 0..=script.below(8) {
                    self.tick_at_deadline(mask);
                    self.settle(mask, SETTLE_MAX);
                }
            }
            5..=15 => self.disturb(kind, mask, script),
            16 | 17 => self.propose(mask, script),
            18 => self.vote(mask, false, script),
            19 => self.vote(mask, true, script),
            20 => self.ask(mask, script),
            21 => self.view_change(mask, script),
            22 | 23 => self.new_view(mask, script),
            24 | 25 => self.small_talk(mask, script),
            26 => self.newest(mask, script),
            27 => self.show_certificate(mask, script),
            28 => self.feed(mask, script),
            29 => self.masked(mask).for_each(|node| self.nodes[node].refuses = true),
            30 => {
                let (what, number) = (script.below(6) as u64, script.below(4) as u64);
                let input = match what {
                    4 => Input::Connected(ValidatorIndex(number as u16)),
                    5 => Input::Disconnected(ValidatorIndex(number as u16)),
                    _ => Input::OtherEpoch { peer: Peer(what), epoch: Epoch(number) },
                };
                self.masked(mask).for_each(|node| self.step(node, input.clone()));
            }
            _ => self.support(mask, script),
        }
    }

    /// Delay, order and loss, of messages and of answers; time; restarts.
    fn disturb(&mut self, kind: u8, mask: u8, script: &mut Script<'_>) {
        let number = usize::from(script.byte());
        if kind == 13 {
            self.now_ms += 4 * number as u64;
        }
        for node in self.masked(mask) {
            let (answers, inbox) = (self.nodes[node].answers.len(), self.nodes[node].inbox.len());
            match kind {
                5 => (0..=number & 7).for_each(|_| self.answer(node, 0)),
                6 => self.answer(node, number % answers.max(1)),
                7 => (0..=number & 15).for_each(|_| self.deliver(node, 0)),
                8 => self.hear(node, self.history.len().wrapping_sub(1 + number)),
                9 => self.hear(node, 4 * number),
                10 => self.nodes[node].inbox.clear(),
                11 => self.deliver(node, number % inbox.max(1)),
                12 => self.tick_at_deadline(1 << node),
                13 => self.tick(node),
                14 => self.tell_pending(node, number),
                _ if number.is_multiple_of(4) => return self.restart(node, number & 128 == 128, script),
                _ => self.settle(1 << node, SETTLE_MAX),
            }
        }
    }

    /// Transactions wait at a node, or none do.
    fn tell_pending(&mut self, node: usize, number: usize) {
        let oldest = self.transactions[number % self.transactions.len()].id();
        let pending = Pending::Some { oldest: Some(oldest), full: number & 8 == 8 };
        let pending = if number & 7 == 7 { Pending::Nothing } else { pending };
        self.nodes[node].pending = pending;
        self.nodes[node].batches_waiting = 1 + (number >> 4 & 3) as u8;
        if number & 64 == 64 {
            let tip = self.nodes[node].replica.tip().height;
            self.step(node, Input::Room(tip));
        }
        self.step(node, Input::Pending(pending));
    }

    /// A body, or certified blocks, whether asked for or not.
    fn feed(&mut self, mask: u8, script: &mut Script<'_>) {
        let from = script.below(self.nodes.len());
        let block = script.recent(&self.blocks, 16).cloned();
        for node in self.masked(mask) {
            if let Some(block) = &block {
                self.step(node, Input::Block(block.clone()));
            }
            self.send_certified(from, node);
        }
    }

    /// The fourth is silent, the network whole, the disks work: something new is committed by all three.
    fn heal(&mut self) {
        /// Rounds of ticks that the slowest recovery may take.
        const ROUNDS_MAX: usize = 4_000;
        let goal = self.oracle.height().next().next();
        for node in self.masked(0) {
            self.nodes[node].refuses = false;
            self.tell_pending(node, 0);
        }
        for _ in 0..ROUNDS_MAX {
            self.settle(0, SETTLE_MAX);
            if self.nodes.iter().all(|node| node.replica.tip().height >= goal) {
                return;
            }
            for node in self.masked(0) {
                if self.nodes[node].pending == Pending::Nothing {
                    self.tell_pending(node, 0);
                }
            }
            self.tick_at_deadline(0);
        }
        let place = |node: &node::Node| {
            let changing = matches!(node.replica.phase(), Phase::Changing { .. });
            (node.replica.epoch(), node.replica.view(), changing, node.replica.tip().height)
        };
        let places: Vec<_> = self.nodes.iter().map(place).collect();
        panic!("L: after {} ms nothing is committed at height {goal}: {places:?}", self.now_ms);
    }
}
