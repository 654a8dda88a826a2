//! What a fixture sees when it decides.

use super::library::Library;
use crate::sim::random::Random;
use crate::sim::roster::Roster;
use quorate_chain::block::{PROTOCOL_VERSION, transactions_root};
use quorate_chain::codec::List;
use quorate_chain::{Block, Header, Height, TimestampMs, Transaction, ValidatorIndex, View};
use quorate_consensus::{EpochContext, Message, SealedBlock};

/// A Byzantine validator's view of the world.
pub(in super::super) struct Scene<'a> {
    pub(super) seat: ValidatorIndex,
    /// Its core's epoch.
    pub(super) context: &'a EpochContext,
    /// Its core's view.
    pub(super) view: View,
    /// Its core's tip.
    pub(super) tip: Height,
    pub(super) clock_ms: u64,
    pub(super) roster: &'a Roster,
    /// All Byzantine nodes.
    pub(super) coalition: &'a [usize],
    pub(super) library: &'a Library,
    pub(super) random: &'a mut Random,
    /// How often it lied by this.
    pub(super) lies: u64,
}

impl Scene<'_> {
    /// The honest validators of the epoch.
    pub(super) fn honest(&self) -> Vec<usize> {
        let all = self.roster.nodes(self.context.epoch);
        all.filter(|node| !self.coalition.contains(node)).collect()
    }

    /// Them, in two parts of about the same size, the same ones for the same number.
    pub(super) fn halves(&self, number: u64) -> [Vec<usize>; 2] {
        let (mut halves, shift) = ([Vec::new(), Vec::new()], number as usize);
        for (place, node) in self.honest().into_iter().enumerate() {
            halves[(place + shift) % 2].push(node);
        }
        halves
    }

    pub(super) fn quorum(&self) -> usize {
        self.context.set.quorum().q()
    }

    pub(super) fn leads(&self, view: View) -> bool {
        self.context.set.primary(self.context.epoch, view) == self.seat
    }

    /// Whether it has signed the same vote already.
    pub(super) fn has_signed(&self, vote: &Message) -> bool {
        self.library.has_signed(self.seat, vote)
    }

    /// A block like this one but for its time and its transactions.
    pub(super) fn sibling(
        &self,
        of: &SealedBlock,
        timestamp_ms: u64,
        transactions: Vec<Transaction>,
    ) -> Option<SealedBlock> {
        let header = Header {
            version: PROTOCOL_VERSION,
            timestamp_ms: TimestampMs(timestamp_ms),
            transactions_root: transactions_root(&transactions),
            transaction_count: u32::try_from(transactions.len()).ok()?,
            ..of.header().clone()
        };
        SealedBlock::new(Block { header, transactions: List::new(transactions).ok()? })
    }
}
