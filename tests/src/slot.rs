//! What a validator signs at most once.

use quorate_chain::{Height, View};
use quorate_consensus::Message;
use quorate_consensus::message::AskCounter;

/// A slot of an epoch, in which a validator signs at most one payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// Of a view and height.
    Proposal(View, Height),
    /// Of a view and height.
    Prepare(View, Height),
    /// Of a view and height.
    Commit(View, Height),
    /// Of one number.
    Ask(AskCounter),
    /// For a target.
    ViewChange(View),
    /// Of a view.
    NewView(View),
}

impl Slot {
    /// What a message fills; `None` for what may be signed again and again.
    pub(crate) fn of(message: &Message) -> Option<Self> {
        Some(match message {
            Message::Proposal(p) => Self::Proposal(p.view, p.block.height()),
            Message::Prepare(v) => Self::Prepare(v.payload.view, v.payload.height),
            Message::Commit(v) => Self::Commit(v.payload.view, v.payload.height),
            Message::Ask(a) => Self::Ask(a.payload.counter),
            Message::ViewChange(v) => Self::ViewChange(v.claims.payload.target),
            Message::NewView(n) => Self::NewView(n.contents.view),
            Message::Status(_)
            | Message::Certificate(_)
            | Message::Suspect(_)
            | Message::Recall(_)
            | Message::Newest(_) => return None,
        })
    }
}
