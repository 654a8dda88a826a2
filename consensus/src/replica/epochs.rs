//! From one validator set to the next (R45, R46).

use super::effect::{Effect, OldEpoch, Peer};
use super::recall::Memory;
use super::{Replica, Withheld};
use crate::message::{EpochContext, SealedBlock};
use crate::record::{DurableState, Record};
use quorate_chain::{Epoch, Height, ValidatorIndex};

/// Peers whose messages of another epoch are remembered as answered (R30).
pub(super) const PEERS_MAX: usize = 1024;

impl Replica {
    /// R45: the C of the last block of the epoch is durable; view, asks, P and timers restart.
    pub(super) fn on_epoch_started(&mut self, context: EpochContext, me: Option<ValidatorIndex>) {
        if context.epoch.0 != self.config.context.epoch.0 + 1 || context.start_block != self.tip.block {
            return;
        }
        let lost = self.memory == Memory::Lost;
        let is_recorded = self.later.as_ref().is_some_and(|durable| durable.epoch >= context.epoch);
        let record = if is_recorded { self.persisted } else { self.persist(Record::Epoch(context.epoch)) };
        let mut config = self.config.clone();
        (config.context, config.me) = (context, me.filter(|_| !lost));
        let mut tip = self.tip.clone();
        tip.certificate = None;
        let mut next = Self::at(self.now, config, tip);
        next.recent = std::mem::take(&mut self.recent);
        next.out = std::mem::take(&mut self.out);
        next.halted = self.halted;
        (next.last_persist, next.persisted) = (self.last_persist, self.persisted);
        (next.starts, next.start_record) = (self.starts, self.start_record);
        next.next_ask_sequence = self.next_ask_sequence;
        next.pending = self.pending;
        next.rates.enter(self.now.time, self.pending.is_full());
        next.entered_record = record;
        next.memory = if lost { Memory::Lost } else { Memory::Whole };
        next.later = self.later.take();
        self.carry_mistakes(&mut next);
        *self = next;
        self.resume_later_epoch();
        // R47: an answer in one epoch says nothing of what was signed in the next, perhaps before a restart.
        self.begin_recall();
        self.send_status();
    }

    #[cfg(not(feature = "mistakes"))]
    fn carry_mistakes(&self, _: &mut Self) {}

    #[cfg(feature = "mistakes")]
    fn carry_mistakes(&self, next: &mut Self) {
        for mistake in self.mistakes.iter().copied() {
            next.mistakes.insert(mistake);
        }
        next.timeout.never_doubles = self.timeout.never_doubles;
        (next.votes.mixes_views, next.votes.counts_signer_twice) =
            (self.votes.mixes_views, self.votes.counts_signer_twice);
        next.asks.ask_beats_view_change = self.asks.ask_beats_view_change;
        if mistaken!(self, OldEpochViewCounts) {
            next.highest_commit.clone_from(&self.tip.certificate);
        }
    }

    /// R14, R46: the record is ahead of the ledger, whose chain was lost. In the epoch before its own it goes on
    /// by what it kept of that; in any other nothing is signed.
    pub(super) fn start_before_record(&mut self, mut durable: DurableState, bodies: Vec<SealedBlock>) {
        self.starts = durable.starts.saturating_add(1);
        let epoch = self.config.context.epoch;
        match durable.previous.take().filter(|previous| previous.epoch == epoch) {
            // R47: a loss is one of the key, whichever epoch it was found in.
            Some(mut previous) => {
                previous.lost |= durable.lost;
                self.restore(*previous, bodies);
            }
            None => self.config.me = None,
        }
        self.later = Some(Box::new(durable));
    }

    /// What was signed in this epoch before its chain was lost.
    fn resume_later_epoch(&mut self) {
        let Some(durable) = self.later.take() else { return };
        let epoch = self.config.context.epoch;
        if durable.epoch > epoch {
            self.config.me = None;
            self.later = Some(durable);
        } else if durable.epoch == epoch {
            self.restore(*durable, Vec::new());
        }
    }

    /// R46: whoever is behind is shown the C that ended its epoch; whoever is ahead is asked for blocks. One
    /// answer a peer every `status_ms` (R30).
    pub(super) fn on_other_epoch(&mut self, peer: Peer, epoch: Epoch) {
        let (now, again_ms) = (self.now.time, self.config.status_ms);
        self.peers_helped.retain(|_, at| *at + again_ms > now);
        if self.peers_helped.contains_key(&peer) || self.peers_helped.len() >= PEERS_MAX {
            return;
        }
        self.peers_helped.insert(peer, now);
        if epoch < self.config.context.epoch {
            self.out.push(Effect::ShowEpochEnd { peer, epoch });
        } else if epoch > self.config.context.epoch {
            self.out.push(Effect::SyncWithPeer { peer });
        }
    }

    /// R46: counts who has shown itself in this epoch; the old data and the old key are needed until then.
    pub(super) fn note_in_epoch(&mut self, signer: ValidatorIndex) {
        // While the record is of a later epoch, what it keeps of this one is still voted by.
        if self.config.context.epoch == Epoch::ZERO || Some(signer) == self.config.me || self.later.is_some()
        {
            return;
        }
        let before = self.in_epoch.len();
        self.in_epoch.insert(signer);
        let others = self.in_epoch.len();
        if others == before {
            return;
        }
        let own = usize::from(self.config.me.is_some());
        if others == self.quorum.one_honest() {
            self.out.push(Effect::ReleaseOldEpoch(OldEpoch::Data));
        }
        if others + own == self.quorum.q().max(self.quorum.one_honest() + own) {
            self.persist(Record::Released);
            self.out.push(Effect::ReleaseOldEpoch(OldEpoch::Key));
        }
    }

    /// R45: the tip ended its epoch; nothing is built on it before the next one starts.
    pub(super) fn has_ended(&self) -> bool {
        self.ended_at == Some(self.tip.height)
    }

    /// R45: the block at the tip changed the set.
    pub(super) fn end_epoch(&mut self, height: Height) {
        self.ended_at = Some(height);
        self.timers.stop_progress();
        self.withheld.retain(|(_, message)| matches!(message, Withheld::Ask(_)));
    }
}
