//! Faults that follow a view instead of the clock: messages of a view that only some get, or get late, and
//! processes that end when they send something in it. So certificates come about that only some can form, and
//! restarts fall between a record and the message that rests on it.

use super::fault::{Nodes, node_list};
use super::wire::Wire;
use quorate_chain::{Height, View};
use quorate_consensus::{Message, Outgoing, Unsigned};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Kinds of messages, a bit each.
pub(super) type Kinds = u16;

/// Proposals.
pub(super) const PROPOSAL: Kinds = 1;
/// Prepares.
pub(super) const PREPARE: Kinds = 1 << 1;
/// Commits.
pub(super) const COMMIT: Kinds = 1 << 2;
/// `ViewChanges`, of the view that they ask for.
pub(super) const VIEW_CHANGE: Kinds = 1 << 3;
/// `NewViews`.
pub(super) const NEW_VIEW: Kinds = 1 << 4;
/// Certificates, and committed blocks, of the view that their sender is in.
pub(super) const CHAIN: Kinds = 1 << 5;
/// Bodies that were asked for, of the view that their sender is in.
pub(super) const BODY: Kinds = 1 << 6;
/// Asks and Suspects, of the view that their sender is in.
pub(super) const ASK: Kinds = 1 << 7;

/// Transactions that clients submit or replicas relay, of the view that their sender is in.
pub(super) const TRANSACTIONS: Kinds = 1 << 8;

/// Messages of one view that some nodes do not get, or get late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// The view.
    pub view: u64,
    /// Which messages.
    pub(super) kinds: Kinds,
    /// From whom, a bit each.
    #[serde(with = "node_list")]
    pub from: Nodes,
    /// To whom, a bit each.
    #[serde(with = "node_list")]
    pub to: Nodes,
    /// Only from so many heights above the lowest of the view.
    pub above: u64,
    /// They come up to so many milliseconds late; `None` if they are lost.
    pub late_ms: Option<u64>,
}

/// A process ends when it sends its first message of a kind in a view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trap {
    /// Which node.
    pub node: usize,
    /// The view.
    pub view: u64,
    /// One of [`PREPARE`], [`COMMIT`], [`VIEW_CHANGE`], [`NEW_VIEW`] and [`PROPOSAL`].
    pub(super) kind: Kinds,
    /// Whether the message still leaves.
    pub sent: bool,
    /// Whether the power fails for all.
    pub all: bool,
    /// How long it is down; `None` for ever, of which a plan has at most f.
    pub down_ms: Option<u64>,
}

/// Gaps and traps of a run.
#[derive(Default)]
pub(super) struct Gaps {
    gaps: Vec<Gap>,
    traps: Vec<Trap>,
    /// The lowest height of a proposal or vote of each view.
    lowest: BTreeMap<u64, Height>,
}

/// A message's kind, and the view and height that it is of.
struct Place {
    kind: Kinds,
    view: Option<View>,
    height: Option<Height>,
}

impl Place {
    const fn new(kind: Kinds, view: View, height: Height) -> Self {
        Self { kind, view: Some(view), height: Some(height) }
    }

    const fn of_view(kind: Kinds, view: View) -> Self {
        Self { kind, view: Some(view), height: None }
    }

    /// Of the view that its sender is in.
    const fn anywhere(kind: Kinds) -> Self {
        Self { kind, view: None, height: None }
    }

    fn of_wire(wire: &Wire) -> Option<Self> {
        match wire {
            Wire::Consensus(message) => Self::of_message(message.get()),
            Wire::Blocks(_) => Some(Self::anywhere(CHAIN)),
            Wire::Body(_) => Some(Self::anywhere(BODY)),
            Wire::Transactions(_) => Some(Self::anywhere(TRANSACTIONS)),
            Wire::UnknownEpoch(_)
            | Wire::WantBody(_)
            | Wire::WantBlocks(_)
            | Wire::Connected
            | Wire::Disconnected => None,
        }
    }

    fn of_message(message: &Message) -> Option<Self> {
        Some(match message {
            Message::Proposal(p) => Self::new(PROPOSAL, p.view, p.block.height()),
            Message::Prepare(v) => Self::new(PREPARE, v.payload.view, v.payload.height),
            Message::Commit(v) => Self::new(COMMIT, v.payload.view, v.payload.height),
            Message::ViewChange(v) => Self::of_view(VIEW_CHANGE, v.claims.payload.target),
            Message::NewView(n) => Self::of_view(NEW_VIEW, n.contents.view),
            Message::Certificate(_) => Self::anywhere(CHAIN),
            Message::Ask(_) | Message::Suspect(_) => Self::anywhere(ASK),
            Message::Status(_) | Message::Recall(_) | Message::Newest(_) => return None,
        })
    }

    fn of_outgoing(outgoing: &Outgoing) -> Option<Self> {
        match outgoing {
            Outgoing::Signed(message) => Self::of_message(message),
            Outgoing::Own(Unsigned::Prepare(vote)) => Some(Self::new(PREPARE, vote.view, vote.height)),
            Outgoing::Own(Unsigned::Commit(vote)) => Some(Self::new(COMMIT, vote.view, vote.height)),
            Outgoing::Own(Unsigned::ViewChange(claims, ..)) => {
                Some(Self::of_view(VIEW_CHANGE, claims.target))
            }
            Outgoing::Own(Unsigned::Proposal(_, view, block)) => {
                Some(Self::new(PROPOSAL, *view, block.height()))
            }
            Outgoing::Own(_) => None,
        }
    }
}

/// What a gap does to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    Lost,
    /// Up to so many milliseconds.
    Late(u64),
}

impl Gaps {
    pub(super) fn new(gaps: Vec<Gap>, traps: Vec<Trap>) -> Self {
        Self { gaps, traps, lowest: BTreeMap::new() }
    }

    /// What happens to a message from a node that is in `view`.
    pub(super) fn loss(&mut self, (from, to): (usize, usize), view: View, wire: &Wire) -> Option<Loss> {
        if self.gaps.is_empty() {
            return None;
        }
        let place = Place::of_wire(wire)?;
        let of = place.view.unwrap_or(view).0;
        if let Some(height) = place.height {
            let lowest = self.lowest.entry(of).or_insert(height);
            *lowest = height.min(*lowest);
        }
        let above = |gap: &Gap| match (place.height, self.lowest.get(&of)) {
            (Some(height), Some(lowest)) => height.0 >= lowest.0 + gap.above,
            _ => true,
        };
        let between = |gap: &Gap| gap.from >> from & gap.to >> to & 1 == 1;
        let gap =
            self.gaps.iter().find(|g| g.view == of && g.kinds & place.kind != 0 && between(g) && above(g));
        gap.map(|gap| gap.late_ms.map_or(Loss::Lost, Loss::Late))
    }

    /// The trap into which a node steps with this message.
    pub(super) fn spring(&mut self, node: usize, outgoing: &Outgoing) -> Option<Trap> {
        if self.traps.is_empty() {
            return None;
        }
        let place = Place::of_outgoing(outgoing)?;
        let meant =
            |trap: &Trap| trap.node == node && trap.kind == place.kind && place.view == Some(View(trap.view));
        let index = self.traps.iter().position(meant)?;
        Some(self.traps.remove(index))
    }
}
