//! What waits for the disk before it leaves: persist, then send (R9–R13).

use super::Replica;
use super::effect::{Effect, Halt};
use crate::message::{Ask, Message, NewView, Outgoing, Unsigned};
use crate::record::{PersistId, Record, ViewChangeRecord};
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::{BlockHash, Height, View};
use std::sync::Arc;

/// A message that waits until the records that it rests on are durable.
#[derive(Clone, Debug)]
pub(super) enum Withheld {
    Prepare(PrepareVote),
    Commit(CommitVote),
    Ask(Ask),
    ViewChange(Box<ViewChangeRecord>),
    NewView(Arc<NewView>),
}

impl Withheld {
    /// What it votes for, if it is a vote.
    pub(super) const fn vote(&self) -> Option<(View, Height, BlockHash)> {
        match self {
            Self::Prepare(vote) => Some((vote.view, vote.height, vote.block)),
            Self::Commit(vote) => Some((vote.view, vote.height, vote.block)),
            Self::Ask(_) | Self::ViewChange(_) | Self::NewView(_) => None,
        }
    }
}

/// An own vote of the current view, and whether it has left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cast<T> {
    pub(super) vote: T,
    pub(super) released: bool,
}

impl Replica {
    pub(super) fn persist(&mut self, record: Record) -> PersistId {
        self.last_persist = PersistId(self.last_persist.0 + 1);
        self.out.push(Effect::Persist(self.last_persist, record));
        self.last_persist
    }

    pub(super) fn withhold(&mut self, until: PersistId, message: Withheld) {
        self.withheld.push_back((until, message));
    }

    pub(super) fn broadcast(&mut self, message: Unsigned) {
        self.out.push(Effect::Broadcast(Outgoing::Own(message)));
    }

    pub(super) fn halt(&mut self, halt: Halt) {
        if self.halted.is_none() {
            self.halted = Some(halt);
            self.withheld.clear();
            self.out.push(Effect::Halted(halt));
        }
    }

    /// Sends what has become durable (R10–R13).
    pub(super) fn release(&mut self) {
        if self.withheld.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.withheld);
        for (until, message) in waiting {
            if until > self.persisted || !self.may_leave(&message) {
                self.withheld.push_back((until, message));
                continue;
            }
            match message {
                Withheld::Prepare(vote) => {
                    if let Some(cast) = self.own_prepares.get_mut(&vote.height) {
                        cast.released = true;
                    }
                    self.broadcast(Unsigned::Prepare(vote));
                }
                Withheld::Commit(vote) => {
                    if let Some(cast) = self.own_commits.get_mut(&vote.height) {
                        cast.released = true;
                    }
                    self.broadcast(Unsigned::Commit(vote));
                }
                Withheld::Ask(ask) => self.broadcast(Unsigned::Ask(ask)),
                Withheld::ViewChange(record) => self.broadcast_view_change(&record),
                Withheld::NewView(new_view) => {
                    self.out.push(Effect::Broadcast(Outgoing::Signed(Message::NewView(new_view))));
                }
            }
        }
    }

    /// R9, R13, R47b: a vote waits for the bodies from the tip up to its block, and leaves only in the view
    /// that it is for; everything else waits only for its record.
    fn may_leave(&self, message: &Withheld) -> bool {
        let Some((view, height, block)) = message.vote() else { return true };
        let in_view = self.votes_now() && view == self.view;
        let stored = self.is_stored(height, block) || self.leaves_without_parent(message);
        (in_view || mistaken!(self, KeepsWithheldVotes)) && stored
    }

    /// Whether a block is committed, or durable with all its ancestors down to the own tip.
    pub(super) fn is_stored(&self, height: Height, block: BlockHash) -> bool {
        if height <= self.tip.height {
            return self.recent.get(&height).is_some_and(|(own, _)| *own == block);
        }
        self.blocks.is_stored((self.tip.height, self.tip.block), block)
    }
}
