//! Messages on their way: loss, delay, partitions, delivery.

use super::checker::Violation;
use super::world::{Event, World};
use quorate_chain::{BlockHash, CommitCertificate, Height, Transaction};
use quorate_consensus::message::verify;
use quorate_consensus::{Input, Message, SealedBlock, Verified};
use std::fmt::Write;

/// Blocks of one answer to a node that catches up.
const SYNC_BLOCKS_MAX: usize = 8;

/// What goes from node to node.
#[derive(Clone)]
pub(super) enum Wire {
    Consensus(Message),
    WantBody(BlockHash),
    Body(SealedBlock),
    WantBlocks(Height),
    Blocks(Vec<(SealedBlock, CommitCertificate)>),
    Transactions(Vec<Transaction>),
}

/// Conditions of the network, each until a time.
#[derive(Default)]
pub(super) struct Weather {
    pub(super) partition: Option<(u64, bool, u64)>,
    pub(super) lossy: Option<(u64, u64)>,
    pub(super) slow: Option<(u64, u64)>,
}

impl World {
    pub(super) fn send(&mut self, from: usize, to: usize, wire: Wire) {
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
        if let Some((percent, _)) = self.weather.lossy.filter(|(_, until)| now < *until) {
            copies = u64::from(!self.random.chance(percent)) + u64::from(self.random.chance(percent));
        }
        for _ in 0..copies {
            let mut delay = self.random.between(1, 8);
            if let Some((most, _)) = self.weather.slow.filter(|(_, until)| now < *until) {
                delay += self.random.below(most);
            }
            self.after(delay, Event::Deliver { from, to, wire: wire.clone() });
        }
    }

    pub(super) fn send_all(&mut self, from: usize, wire: &Wire) {
        for to in (0..self.nodes.len()).filter(|to| *to != from) {
            self.send(from, to, wire.clone());
        }
    }

    pub(super) fn deliver(&mut self, from: usize, to: usize, wire: Wire) -> Result<(), Violation> {
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
