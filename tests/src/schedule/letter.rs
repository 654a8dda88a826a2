//! What is on its way from one validator to another, and which of it a script means.

use super::disk::Committed;
use quorate_chain::{BlockHash, Height, Transaction};
use quorate_consensus::{Message, SealedBlock};
use std::ops::RangeInclusive;

/// Something that was sent and has not arrived.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    /// Seat of whoever sent it.
    pub(super) from: usize,
    /// Seat of whoever it is for.
    pub(super) to: usize,
    pub(super) content: Content,
    /// When it arrives by itself where time flows, milliseconds of the stage.
    pub(super) due_ms: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    Message(Message),
    WantBody(BlockHash),
    Body(SealedBlock),
    WantBlocks(Height),
    Blocks(Vec<Committed>),
    Transactions(Vec<Transaction>),
}

/// Kinds of letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A proposal.
    Proposal,
    /// A Prepare.
    Prepare,
    /// A Commit.
    Commit,
    /// An Ask or its withdrawal.
    Ask,
    /// A ViewChange.
    ViewChange,
    /// A NewView.
    NewView,
    /// A Status.
    Status,
    /// A commit certificate.
    Certificate,
    /// A Suspect.
    Suspect,
    /// The question of a restarted replica.
    Recall,
    /// Its answer.
    Newest,
    /// A question for a body, or the body.
    Body,
    /// A question for committed blocks, or the blocks.
    Blocks,
    /// Relayed transactions.
    Transactions,
}

impl Letter {
    /// Its kind.
    pub(super) const fn kind(&self) -> Kind {
        match &self.content {
            Content::Message(message) => match message {
                Message::Proposal(_) => Kind::Proposal,
                Message::Prepare(_) => Kind::Prepare,
                Message::Commit(_) => Kind::Commit,
                Message::Ask(_) => Kind::Ask,
                Message::ViewChange(_) => Kind::ViewChange,
                Message::NewView(_) => Kind::NewView,
                Message::Status(_) => Kind::Status,
                Message::Certificate(_) => Kind::Certificate,
                Message::Suspect(_) => Kind::Suspect,
                Message::Recall(_) => Kind::Recall,
                Message::Newest(_) => Kind::Newest,
            },
            Content::WantBody(_) | Content::Body(_) => Kind::Body,
            Content::WantBlocks(_) | Content::Blocks(_) => Kind::Blocks,
            Content::Transactions(_) => Kind::Transactions,
        }
    }

    /// The view that it is of, or asks for.
    pub(super) fn view(&self) -> Option<u64> {
        let Content::Message(message) = &self.content else { return None };
        Some(match message {
            Message::Proposal(p) => p.view.0,
            Message::Prepare(v) => v.payload.view.0,
            Message::Commit(v) => v.payload.view.0,
            Message::Ask(a) => a.payload.target.0,
            Message::ViewChange(v) => v.claims.payload.target.0,
            Message::NewView(n) => n.contents.view.0,
            Message::Status(s) => s.payload.view.0,
            Message::Certificate(c) => c.view.0,
            Message::Suspect(s) => s.payload.view.0,
            Message::Recall(_) | Message::Newest(_) => return None,
        })
    }

    /// The height of the block that it is about.
    pub(super) fn height(&self) -> Option<u64> {
        match &self.content {
            Content::Message(Message::Proposal(p)) => Some(p.block.height().0),
            Content::Message(Message::Prepare(v)) => Some(v.payload.height.0),
            Content::Message(Message::Commit(v)) => Some(v.payload.height.0),
            Content::Message(Message::Certificate(c)) => Some(c.height.0),
            Content::Body(block) => Some(block.height().0),
            _ => None,
        }
    }

    pub(super) fn describe(&self) -> String {
        let number = |name: &str, n: Option<u64>| n.map_or_else(String::new, |n| format!(" {name}{n}"));
        let (view, height) = (number("v", self.view()), number("h", self.height()));
        format!("{} → {}  {:?}{view}{height}", self.from, self.to, self.kind())
    }
}

/// Which letters a script means. Every condition given must hold.
#[derive(Clone, Debug, Default)]
pub struct Which {
    kinds: Option<Vec<Kind>>,
    from: Option<Vec<usize>>,
    to: Option<Vec<usize>>,
    view: Option<u64>,
    heights: Option<RangeInclusive<u64>>,
    also: Vec<Self>,
}

/// Every letter.
#[must_use]
pub fn all() -> Which {
    Which::default()
}

/// Letters of these kinds.
#[must_use]
pub fn of(kinds: &[Kind]) -> Which {
    Which { kinds: Some(kinds.to_vec()), ..Which::default() }
}

impl Which {
    /// Sent by these seats.
    #[must_use]
    pub fn from(mut self, seats: &[usize]) -> Self {
        self.from = Some(seats.to_vec());
        self
    }

    /// For these seats.
    #[must_use]
    pub fn to(mut self, seats: &[usize]) -> Self {
        self.to = Some(seats.to_vec());
        self
    }

    /// Sent and received among these seats.
    #[must_use]
    pub fn among(self, seats: &[usize]) -> Self {
        self.from(seats).to(seats)
    }

    /// Of this view, or asking for it.
    #[must_use]
    pub const fn view(mut self, view: u64) -> Self {
        self.view = Some(view);
        self
    }

    /// About blocks of these heights.
    #[must_use]
    pub const fn heights(mut self, heights: RangeInclusive<u64>) -> Self {
        self.heights = Some(heights);
        self
    }

    /// Those as well.
    #[must_use]
    pub fn and(mut self, also: Self) -> Self {
        self.also.push(also);
        self
    }

    /// Whether this letter is meant.
    pub(super) fn means(&self, letter: &Letter) -> bool {
        let own = self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&letter.kind()))
            && self.from.as_ref().is_none_or(|seats| seats.contains(&letter.from))
            && self.to.as_ref().is_none_or(|seats| seats.contains(&letter.to))
            && self.view.is_none_or(|view| letter.view() == Some(view))
            && self.heights.as_ref().is_none_or(|range| letter.height().is_some_and(|h| range.contains(&h)));
        own || self.also.iter().any(|which| which.means(letter))
    }
}
