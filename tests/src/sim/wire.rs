//! What goes over the simulated network, and how a node takes it in.

use super::checker::Violation;
use super::disk::Committed;
use super::world::{Event, World};
use quorate_chain::{BlockHash, Height, Transaction};
use quorate_consensus::{Input, Message, SealedBlock, Verified};

/// Blocks of one answer to a node that catches up.
const SYNC_BLOCKS_MAX: usize = 8;

#[derive(Clone)]
pub(super) enum Wire {
    /// Verified when it was sent: all share one epoch, so one check does for all receivers.
    Consensus(Verified<Message>),
    WantBody(BlockHash),
    Body(SealedBlock),
    WantBlocks(Height),
    Blocks(Vec<Committed>),
    Transactions(Vec<Transaction>),
}

impl Wire {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Consensus(message) => describe(message.get()),
            Self::WantBody(hash) => format!("want body {}", short(*hash)),
            Self::Body(block) => format!("body {} h{}", short(block.hash()), block.height()),
            Self::WantBlocks(after) => format!("want blocks above {after}"),
            Self::Blocks(blocks) => format!("{} blocks", blocks.len()),
            Self::Transactions(some) => format!("{} transactions", some.len()),
        }
    }

    /// What tells it from others, for the trace's hash.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        match self {
            Self::Consensus(message) => match message.get() {
                Message::Proposal(p) => p.block.hash().0,
                Message::Prepare(v) => half(&v.signature.0),
                Message::Commit(v) => half(&v.signature.0),
                Message::Ask(a) => half(&a.signature.0),
                Message::ViewChange(v) => half(&v.claims.signature.0),
                Message::NewView(n) => half(&n.signature.0),
                Message::Status(s) => half(&s.signature.0),
                Message::Certificate(c) => c.block_hash.0,
            },
            Self::WantBody(hash) => hash.0,
            Self::Body(block) => block.hash().0,
            Self::WantBlocks(Height(number)) => numbered(*number),
            Self::Blocks(blocks) => blocks.last().map_or([0; 32], |c| c.block.hash().0),
            Self::Transactions(some) => numbered(some.len() as u64),
        }
    }
}

fn half(signature: &[u8; 64]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&signature[..32]);
    bytes
}

fn numbered(number: u64) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes
}

/// The first digits of a hash.
pub(super) fn short(hash: BlockHash) -> String {
    let [a, b, c, ..] = hash.0;
    format!("{a:02x}{b:02x}{c:02x}")
}

pub(super) fn describe(message: &Message) -> String {
    match message {
        Message::Proposal(p) => {
            format!("Proposal v{} h{} {}", p.view, p.block.height(), short(p.block.hash()))
        }
        Message::Prepare(v) => {
            let vote = v.payload;
            format!("Prepare by {} v{} h{} {}", v.signer, vote.view, vote.height, short(vote.block))
        }
        Message::Commit(v) => {
            let vote = v.payload;
            format!("Commit by {} v{} h{} {}", v.signer, vote.view, vote.height, short(vote.block))
        }
        Message::Ask(a) => {
            let counter = a.payload.counter;
            format!("Ask by {} for v{} ({}.{})", a.signer, a.payload.target, counter.start, counter.sequence)
        }
        Message::ViewChange(v) => {
            let claims = &v.claims.payload;
            let c = &claims.committed;
            let key = |view: Option<u64>, height: Height| match view {
                Some(view) => format!("({view}, {height})"),
                None => "none".into(),
            };
            let prepared = claims.prepared.map_or("none".into(), |p| key(Some(p.view.0), p.height));
            let committed = key(c.view.map(|view| view.0), c.height);
            format!("ViewChange by {} for v{} C {committed} P {prepared}", v.claims.signer, claims.target)
        }
        Message::NewView(n) => {
            let anchor = n.contents.anchor().map_or_else(String::new, |anchor| {
                format!("{:?} h{} {}", anchor.kind, anchor.height, short(anchor.block))
            });
            format!("NewView v{} on {anchor}", n.contents.view)
        }
        Message::Status(s) => {
            let status = s.payload;
            format!("Status of {} v{} tip {} prepared {}", s.signer, status.view, status.tip, status.prepared)
        }
        Message::Certificate(c) => format!("Certificate v{} h{} {}", c.view, c.height, short(c.block_hash)),
    }
}

impl World {
    pub(super) fn send(&mut self, from: usize, to: usize, wire: Wire) {
        if self.is_silent(to) {
            return;
        }
        for delay in self.weather.arrivals(self.now_ms, (from, to), &mut self.random).into_iter().flatten() {
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
        self.hash(&[from as u64, to as u64], &wire.fingerprint());
        self.note(|| format!("{from} → {to}  {}", wire.describe()));
        match wire {
            Wire::Consensus(message) => self.step(to, Input::Message(message)),
            Wire::WantBody(hash) => {
                if let Some(body) = self.nodes[to].disk.body(hash) {
                    self.send(to, from, Wire::Body(body));
                }
                Ok(())
            }
            Wire::Body(body) => self.step(to, Input::Block(body)),
            Wire::WantBlocks(after) => {
                let blocks = self.nodes[to].disk.blocks().iter();
                let some: Vec<_> = blocks.skip(after.0 as usize).take(SYNC_BLOCKS_MAX).cloned().collect();
                if !some.is_empty() {
                    self.send(to, from, Wire::Blocks(some));
                }
                Ok(())
            }
            Wire::Blocks(blocks) => {
                for Committed { block, certificate, .. } in blocks {
                    let certificate = Verified::vouched(certificate);
                    self.step(to, Input::Certified { block, certificate })?;
                }
                Ok(())
            }
            Wire::Transactions(transactions) => self.submit(to, &transactions),
        }
    }

    /// Gossip: whoever takes a transaction in for the first time passes it on.
    pub(super) fn submit(&mut self, node: usize, transactions: &[Transaction]) -> Result<(), Violation> {
        if self.nodes[node].replica.is_none() {
            return Ok(());
        }
        let new = transactions.iter().filter(|transaction| self.nodes[node].submit(transaction));
        let new: Vec<_> = new.cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        self.send_all(node, &Wire::Transactions(new));
        self.tell_pending(node)
    }

    /// As a node does: told when it changes, and `true` again after each commit and each new transaction.
    pub(super) fn tell_pending(&mut self, node: usize) -> Result<(), Violation> {
        let pending = self.nodes[node].is_pending();
        if pending || self.nodes[node].told_pending {
            self.nodes[node].told_pending = pending;
            return self.step(node, Input::Pending(pending));
        }
        Ok(())
    }
}
