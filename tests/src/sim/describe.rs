//! What goes over the simulated network in words, and what tells one message from another.

use super::wire::Wire;
use quorate_chain::{BlockHash, Height};
use quorate_consensus::Message;
use quorate_consensus::message::NewView;

impl Wire {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Consensus(message) => describe(message.get()),
            Self::WantBody(hash) => format!("want body {}", short(*hash)),
            Self::Body(body) => format!("body {} h{}", short(body.asked), body.found.header.height),
            Self::WantBlocks(above) => format!("want blocks above {above}"),
            Self::Blocks(blocks) => format!("{} blocks above {}", blocks.found.len(), blocks.asked),
            Self::Transactions(some) => format!("{} transactions", some.len()),
            Self::UnknownEpoch(epoch) => format!("something of epoch {epoch}"),
            Self::Connected => "the wire is new".into(),
            Self::Disconnected => "the wire is gone".into(),
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
                Message::Suspect(s) => half(&s.signature.0),
                Message::Recall(r) => half(&r.signature.0),
                Message::Newest(n) => half(&n.signature.0),
            },
            Self::WantBody(hash) => hash.0,
            Self::Body(body) => body.asked.0,
            Self::WantBlocks(Height(number)) => numbered(*number),
            Self::Blocks(blocks) => blocks.found.last().map_or([0; 32], |c| c.certificate.block_hash.0),
            Self::Transactions(some) => numbered(some.len() as u64),
            Self::UnknownEpoch(epoch) => numbered(epoch.0),
            Self::Connected => [0xc0; 32],
            Self::Disconnected => [0xdc; 32],
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

fn describe(message: &Message) -> String {
    let words = match message {
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
            let committed = key(claims.committed.view.map(|view| view.0), claims.committed.height);
            let prepared = claims.prepared.map_or("none".into(), |p| key(Some(p.view.0), p.height));
            format!("ViewChange by {} for v{} C {committed} P {prepared}", v.claims.signer, claims.target)
        }
        Message::NewView(n) => new_view(n),
        Message::Status(s) => {
            let status = s.payload;
            format!("Status of {} v{} tip {} prepared {}", s.signer, status.view, status.tip, status.prepared)
        }
        Message::Certificate(c) => format!("Certificate v{} h{} {}", c.view, c.height, short(c.block_hash)),
        Message::Suspect(s) => format!("Suspect by {} of v{}", s.signer, s.payload.view),
        Message::Recall(r) => format!("Recall by {} ({})", r.signer, r.payload.start),
        Message::Newest(n) => format!("Newest of {} by {}", n.payload.asker, n.signer),
    };
    match message.epoch().0 {
        0 => words,
        epoch => format!("e{epoch} {words}"),
    }
}

fn key(view: Option<u64>, height: Height) -> String {
    match view {
        Some(view) => format!("({view}, {height})"),
        None => "none".into(),
    }
}

fn new_view(new_view: &NewView) -> String {
    let anchor = new_view.contents.anchor().map_or_else(String::new, |anchor| {
        format!("{:?} h{} {}", anchor.kind, anchor.height, short(anchor.block))
    });
    format!("NewView v{} on {anchor}", new_view.contents.view)
}
