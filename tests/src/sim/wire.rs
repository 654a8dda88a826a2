//! What goes over the simulated network, and how a node takes it in.

use super::byzantine::Fate;
use super::chart::Mark;
use super::checker::Violation;
use super::gap::Loss;
use super::node::Fetch;
use super::signing::check;
use super::world::{Event, World};
use quorate_chain::ledger::CommittedBlock;
use quorate_chain::{Block, BlockHash, Epoch, Height, Transaction, View};
use quorate_consensus::fetched;
use quorate_consensus::{Input, Message, Peer, Pending, Verified};
use std::sync::Arc;

/// Blocks of one answer to a node that catches up.
const SYNC_BLOCKS_MAX: usize = 8;
/// To how many others a node passes on what clients submit.
const GOSSIP_MAX: usize = 3;
/// Its kind, for counting.
const GAP: &str = "messages of a view for some only";
/// How often a node without a seat asks somebody for blocks, milliseconds.
pub(super) const FOLLOW_MS: u64 = 200;

/// How many of a hundred wires that come or go are noticed, and within what time, milliseconds.
const NOTICED_PERCENT: u64 = 60;
const NOTICED_WITHIN_MS: u64 = 100;

/// An answer. The network knows which question it belongs to.
#[derive(Clone)]
pub(super) struct Answer<Q, A> {
    pub(super) asked: Q,
    pub(super) found: A,
}

#[derive(Clone)]
pub(super) enum Wire {
    /// Verified when it was sent, against the epoch that it is of: one check does for all receivers.
    Consensus(Arc<Verified<Message>>),
    /// A message of an epoch that nobody was in when it was sent, so nobody could verify it.
    UnknownEpoch(Epoch),
    WantBody(BlockHash),
    Body(Answer<BlockHash, Arc<Block>>),
    /// Above this height.
    WantBlocks(Height),
    Blocks(Answer<Height, Vec<Arc<CommittedBlock>>>),
    Transactions(Arc<[Transaction]>),
    /// No message: the sender's end of the wire is new, or gone, as the receiver notices by itself.
    Connected,
    /// The same.
    Disconnected,
}

impl World {
    pub(super) fn send(&mut self, from: usize, to: usize, wire: Wire) {
        match self.fate(from, to, &wire) {
            Fate::Pass => self.put(from, to, wire),
            Fate::Drop => {}
            Fate::Instead(wire) => {
                if let Some(wire) = self.as_received(wire) {
                    self.put(from, to, wire);
                }
            }
            Fate::Delay(ms) => {
                for to in self.of_twins(from, to).into_iter().flatten() {
                    self.after(ms, Event::Deliver { from, to, wire: wire.clone() });
                }
            }
        }
    }

    /// Onto the network.
    pub(super) fn put(&mut self, from: usize, to: usize, wire: Wire) {
        for to in self.of_twins(from, to).into_iter().flatten() {
            self.put_one(from, to, &wire);
        }
    }

    fn put_one(&mut self, from: usize, to: usize, wire: &Wire) {
        if self.is_silent(to) {
            return;
        }
        let view = self.nodes[from].replica().map_or(View::ZERO, quorate_consensus::Replica::view);
        let late_ms = match self.gaps.loss((from, to), view, wire) {
            Some(Loss::Lost) => return self.fired(GAP),
            Some(Loss::Late(late_ms)) => {
                self.fired(GAP);
                self.random.below(late_ms)
            }
            None => 0,
        };
        for delay in self.weather.arrivals(self.now_ms, (from, to), &mut self.random).into_iter().flatten() {
            self.after(self.latency_ms + late_ms + delay, Event::Deliver { from, to, wire: wire.clone() });
        }
        for kind in self.weather.take_felt() {
            self.fired(kind);
        }
    }

    /// The others with a seat in the epoch that a node is in.
    pub(super) fn validators(&self, node: usize) -> Vec<usize> {
        let Some(replica) = self.nodes[node].replica() else { return Vec::new() };
        let own = self.identity(node);
        self.roster.nodes(replica.epoch()).filter(|other| *other != own).collect()
    }

    pub(super) fn send_to_validators(&mut self, from: usize, wire: &Wire) {
        for to in self.validators(from) {
            self.send(from, to, wire.clone());
        }
    }

    pub(super) fn deliver(&mut self, from: usize, to: usize, wire: Wire) -> Result<(), Violation> {
        if self.nodes[to].process.is_none() {
            return Ok(());
        }
        self.outcome.delivered += 1;
        self.hash(&[from as u64, to as u64], &wire.fingerprint());
        self.note(Mark::Arrow(from, to), || wire.describe());
        match wire {
            Wire::Consensus(message) => {
                self.liar_hears(from, to, message.get())?;
                let epoch = message.get().epoch();
                if self.epoch(to) == epoch {
                    self.step(to, Input::Message(Arc::unwrap_or_clone(message)))
                } else {
                    self.step(to, Input::OtherEpoch { peer: Peer(from as u64), epoch })
                }
            }
            // Whoever has come to that epoch meanwhile refuses it.
            Wire::UnknownEpoch(epoch) if self.epoch(to) == epoch => Ok(()),
            Wire::UnknownEpoch(epoch) => self.step(to, Input::OtherEpoch { peer: Peer(from as u64), epoch }),
            Wire::WantBody(hash) => {
                let body = self.nodes[to].executor().map(|executor| executor.body(hash));
                match body {
                    Some(Ok(Some(body))) => {
                        let found = Arc::clone(body.block());
                        self.send(to, from, Wire::Body(Answer { asked: hash, found }));
                    }
                    Some(Err(error)) => return self.storage_failed(to, &error),
                    _ => {}
                }
                Ok(())
            }
            Wire::Body(Answer { asked, found }) => match fetched::body(Arc::unwrap_or_clone(found), asked) {
                Some(body) => self.step(to, Input::Block(body)),
                None => {
                    self.answer_refused(from, to, "another body");
                    Ok(())
                }
            },
            Wire::WantBlocks(above) => {
                let blocks = self.nodes[to].executor().map(|one| one.blocks(above, SYNC_BLOCKS_MAX));
                match blocks {
                    Some(Ok(found)) if !found.is_empty() => {
                        self.send(to, from, Wire::Blocks(Answer { asked: above, found }));
                    }
                    Some(Err(error)) => return self.storage_failed(to, &error),
                    _ => {}
                }
                Ok(())
            }
            Wire::Blocks(blocks) => self.take_blocks(from, to, blocks),
            Wire::Transactions(transactions) => self.submit(to, &transactions),
            Wire::Connected | Wire::Disconnected => {
                let Some(peer) = self.own_seat(from, self.epoch(to)) else {
                    return Ok(());
                };
                let is_new = matches!(wire, Wire::Connected);
                self.step(to, if is_new { Input::Connected(peer) } else { Input::Disconnected(peer) })
            }
        }
    }

    /// The others notice that a node's wires are new, or gone: some of them, sooner or later.
    pub(super) fn tell_wires(&mut self, from: usize, wire: &Wire) {
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            if self.random.chance(NOTICED_PERCENT) {
                let delay = self.random.below(NOTICED_WITHIN_MS);
                self.after(delay, Event::Deliver { from, to, wire: wire.clone() });
            }
        }
    }

    /// Blocks of the node's epoch go to the core if they prove themselves, by the function that a node has for
    /// it; those of later epochs are asked for again when it gets there. Else somebody else is asked.
    fn take_blocks(
        &mut self,
        from: usize,
        to: usize,
        Answer { asked, found }: Answer<Height, Vec<Arc<CommittedBlock>>>,
    ) -> Result<(), Violation> {
        let context = &self.contexts[self.epoch(to).0 as usize];
        let claimed = found.iter().map(|one| (one.block.clone(), one.path.clone(), one.certificate.clone()));
        let holds = check(self.settings.verify);
        let blocks = match fetched::certified_by(claimed, asked.next(), context, holds) {
            Ok(blocks) => blocks,
            Err(unproven) => {
                self.answer_refused(from, to, &unproven.to_string());
                let others: Vec<_> = self.validators(to).into_iter().filter(|one| *one != from).collect();
                if !others.is_empty() {
                    let other = others[self.random.below(others.len() as u64) as usize];
                    let above = self.nodes[to].height();
                    self.send(to, other, Wire::WantBlocks(above));
                }
                return Ok(());
            }
        };
        if let Some(process) = &mut self.nodes[to].process
            && let Some(fetch) = process.fetch.as_mut().filter(|fetch| fetch.peer == from)
        {
            let last = blocks.last().map(|(block, _)| block.height());
            fetch.brought = fetch.brought.max(last.unwrap_or_default());
        }
        let start = self.nodes[to].start;
        for (block, certificate) in blocks {
            if self.nodes[to].start != start || certificate.get().epoch != self.epoch(to) {
                break;
            }
            self.step(to, Input::Certified { block, certificate })?;
        }
        let follows = self.nodes[to].replica().is_some_and(|replica| replica.seat().is_none());
        if let Some(last) = found.last().filter(|_| follows && found.len() == SYNC_BLOCKS_MAX) {
            self.send(to, from, Wire::WantBlocks(last.block.header.height));
        }
        Ok(())
    }

    /// As a node does: when all of an answer is committed and the core asked for more, the next is asked for.
    pub(super) fn fetch_more(&mut self, node: usize) {
        let tip = self.nodes[node].height();
        let Some(process) = &mut self.nodes[node].process else { return };
        if let Some(Fetch { peer, to, brought }) = process.fetch
            && brought > Height::ZERO
            && tip >= brought
        {
            process.fetch = (tip < to).then_some(Fetch { peer, to, brought: Height::ZERO });
            if tip < to {
                self.send(node, peer, Wire::WantBlocks(tip));
            }
        }
    }

    /// A node without a seat hears nothing by itself.
    pub(super) fn follow(&mut self, node: usize, start: u64) {
        if self.nodes[node].start != start {
            return;
        }
        self.after(FOLLOW_MS, Event::Follow { node, start });
        let follows = self.nodes[node].replica().is_some_and(|replica| replica.seat().is_none());
        let validators = if follows { self.validators(node) } else { Vec::new() };
        if !validators.is_empty() {
            let peer = validators[self.random.below(validators.len() as u64) as usize];
            let above = self.nodes[node].height();
            self.send(node, peer, Wire::WantBlocks(above));
        }
    }

    /// Gossip: whoever takes a transaction in for the first time passes it on.
    pub(super) fn submit(&mut self, node: usize, transactions: &[Transaction]) -> Result<(), Violation> {
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        let new: Vec<_> = transactions.iter().filter(|one| process.executor.insert(one)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let count = self.nodes.len();
        let first = self.random.below(count as u64) as usize;
        let others = (first..first + count).map(|to| to % count).filter(|to| *to != node);
        let new = Wire::Transactions(new.into());
        for to in others.take(GOSSIP_MAX) {
            self.send(node, to, new.clone());
        }
        self.tell_pending(node)
    }

    /// As a node does: told when it changes, and again after each commit and each new transaction.
    pub(super) fn tell_pending(&mut self, node: usize) -> Result<(), Violation> {
        let Some(process) = &mut self.nodes[node].process else { return Ok(()) };
        let pending = process.executor.pending();
        if pending == Pending::Nothing && process.executor.told == Pending::Nothing {
            return Ok(());
        }
        process.executor.told = pending;
        self.step(node, Input::Pending(pending))
    }
}
