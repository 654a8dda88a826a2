//! The primary's part: lease, batch, proposal, heartbeat (R6, R10).

use super::blocks::Asked;
use super::effect::Effect;
use super::sync::IDLE_STATUS_FACTOR;
use super::{Pending, Replica, normal::Parent};
use crate::message::{SealedBlock, Unsigned};
use crate::record::Record;
use crate::time::Time;
use quorate_chain::block::{PROTOCOL_VERSION, transactions_root};
use quorate_chain::codec::List;
use quorate_chain::{Block, BlockHash, Header, Height, Transaction, View};

/// Heights that one lease covers. A restarted primary proposes none of them again, so it should be small; it
/// costs one record in so many heights.
const LEASE_HEIGHTS: u64 = 64;

impl Replica {
    /// The parent of the block to be proposed next, if there is anything to propose and it may be.
    fn next_parent(&self) -> Option<Parent> {
        if !self.is_primary() || !self.votes_now() {
            return None;
        }
        let parent = self.parent()?;
        let height = parent.height.next();
        let free = height > self.proposed_up_to && !self.own_prepares.contains_key(&height);
        (self.within_window(height) && free).then_some(parent)
    }

    /// Proposes the next block when it may and is due: with nothing in flight whatever waits, at once; else
    /// when a batch is full or has waited.
    pub(super) fn propose(&mut self) {
        self.timers.next_block = None;
        let Some(parent) = self.next_parent() else { return };
        if self.batch_requested == Some(parent.block) {
            return;
        }
        let in_flight = parent.height > self.tip.height;
        let left = self.nothing_on != Some(parent.block);
        let pending = if left { self.pending } else { Pending::Nothing };
        let due = match pending {
            Pending::Some { full, .. } if full || !in_flight => Some(self.now.time),
            Pending::Some { .. } => Some(self.proposed_at + self.batch_wait_ms()),
            Pending::Nothing if in_flight => None,
            Pending::Nothing => self.heartbeat_at(),
        };
        let Some(due) = due else { return };
        if due > self.now.time {
            self.timers.next_block = Some(due);
            return;
        }
        let height = parent.height.next();
        if !self.leased(height) {
            return;
        }
        if pending == Pending::Nothing {
            self.propose_block(&parent, Vec::new());
        } else {
            self.batch_requested = Some(parent.block);
            self.out.push(Effect::RequestBatch { parent: parent.block, height });
        }
    }

    /// How long a batch that is not full waits behind a block in flight: half of what the last commit took, so that
    /// two or three are in flight. With more, each would wait for all those before it, and be small; but never a
    /// quarter of the time-out, which a timer of the others runs for.
    fn batch_wait_ms(&self) -> u64 {
        let paced = (self.timeout.latency_ms() / 2).min(self.config.timeout_base_ms / 4);
        self.config.batch_wait_ms.max(paced)
    }

    /// When an empty block is due: if the chain asks for heartbeats, and once for a view that has no
    /// certificate yet, so that asks for other views are withdrawn (R26) and the window opens (R7).
    fn heartbeat_at(&self) -> Option<Time> {
        let untried = self.view > View::ZERO && self.commit_view < Some(self.view);
        let tail = untried.then(|| self.entered_at + IDLE_STATUS_FACTOR * self.config.status_ms);
        let idle_since = self.tip_at.max(self.entered_at);
        let idle = (self.config.max_idle_ms > 0).then(|| idle_since + self.config.max_idle_ms);
        [tail, idle].into_iter().flatten().min()
    }

    /// R10: before the first proposal in a view, and again ahead of need, a durable lease.
    fn leased(&mut self, height: Height) -> bool {
        if let Some((max, _)) = self.lease_asked.take_if(|(_, id)| *id <= self.persisted) {
            self.lease = max;
        }
        if self.lease_asked.is_none() && height.0 + LEASE_HEIGHTS / 4 > self.lease.0 {
            let max = Height(height.0 + LEASE_HEIGHTS);
            let id = self.persist(Record::Lease(self.config.context.epoch, self.view, max));
            self.lease_asked = Some((max, id));
        }
        height <= self.lease
    }

    pub(super) fn on_batch(&mut self, parent: BlockHash, transactions: Vec<Transaction>) {
        if self.batch_requested != Some(parent) {
            return;
        }
        self.batch_requested = None;
        if transactions.is_empty() {
            self.nothing_on = Some(parent);
            return;
        }
        if let Some(parent) = self.next_parent().filter(|next| next.block == parent) {
            self.propose_block(&parent, transactions);
        }
    }

    fn propose_block(&mut self, parent: &Parent, transactions: Vec<Transaction>) {
        let Some(block) = self.make_block(parent, transactions) else { return };
        if self.blocks.insert(&block) {
            (self.proposed_up_to, self.proposed_at) = (block.height(), self.now.time);
            if let Some(entry) = self.blocks.get_mut(block.hash()) {
                // The batch was chosen by the same rules on the same state.
                entry.valid = Asked::Answer(true);
            }
            self.broadcast(Unsigned::Proposal(self.config.context.epoch, self.view, block));
        }
    }

    fn make_block(&self, parent: &Parent, transactions: Vec<Transaction>) -> Option<SealedBlock> {
        let header = Header {
            version: PROTOCOL_VERSION,
            height: parent.height.next(),
            epoch: self.config.context.epoch,
            parent: parent.block,
            // R6: the primary uses max(own clock, parent time + 1 ms).
            timestamp_ms: self.now.clock.max(parent.timestamp_ms.next()),
            transactions_root: transactions_root(&transactions),
            transaction_count: u32::try_from(transactions.len()).ok()?,
            parent_result: parent.result,
            proposer: self.config.me?,
        };
        SealedBlock::new(Block { header, transactions: List::new(transactions).ok()? })
    }
}
