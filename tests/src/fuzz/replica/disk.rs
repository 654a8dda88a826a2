//! What of an honest replica survives a restart, and the record that it may act on (R10–R14).

use quorate_chain::codec::{decode, encode};
use quorate_chain::{BlockHash, CommitCertificate, Height, ResultHash};
use quorate_consensus::{DurableState, Message, Record, SealedBlock};
use std::collections::BTreeMap;

/// A block of the committed chain.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    pub(super) block: SealedBlock,
    /// Its certificate, or that of a descendant.
    pub(super) certificate: CommitCertificate,
    pub(super) result: ResultHash,
    pub(super) ends_epoch: bool,
}

/// Three queues, each durable up to some point.
#[derive(Debug, Default)]
pub(super) struct Disk {
    records: Vec<Record>,
    records_synced: usize,
    /// What the synced records add up to.
    durable: DurableState,
    bodies: BTreeMap<BlockHash, (SealedBlock, bool)>,
    /// Height h is at h − 1.
    chain: Vec<Committed>,
    chain_synced: usize,
}

impl Disk {
    /// Appends a record; gives how many there are.
    pub(super) fn write_record(&mut self, record: Record) -> usize {
        self.records.push(record);
        self.records.len()
    }

    pub(super) fn sync_records(&mut self, count: usize) {
        while self.records_synced < count.min(self.records.len()) {
            self.durable.apply(self.records[self.records_synced].clone());
            self.records_synced += 1;
        }
    }

    pub(super) fn write_body(&mut self, block: &SealedBlock) {
        self.bodies.entry(block.hash()).or_insert_with(|| (block.clone(), false));
    }

    pub(super) fn sync_body(&mut self, hash: BlockHash) {
        if let Some((_, synced)) = self.bodies.get_mut(&hash) {
            *synced = true;
        }
    }

    /// Appends a committed block; gives how many there are.
    pub(super) fn write_block(&mut self, committed: Committed) -> usize {
        self.chain.push(committed);
        self.chain.len()
    }

    pub(super) fn sync_chain(&mut self, count: usize) {
        self.chain_synced = self.chain_synced.max(count);
        // A body is needed until the certificate of its height is durable (R43).
        let height = self.chain_synced as u64;
        self.bodies.retain(|_, (body, _)| body.height().0 > height);
    }

    /// The process ends; of what was not synced a prefix stays, of bodies any, as `choose(n)` ≤ n says. Gives
    /// the record, made short if asked for.
    pub(super) fn restart(
        &mut self,
        mut choose: impl FnMut(usize) -> usize,
        make_short: bool,
    ) -> DurableState {
        let kept = self.records_synced + choose(self.records.len() - self.records_synced);
        self.records.truncate(kept);
        self.sync_records(kept);
        let kept = self.chain_synced + choose(self.chain.len() - self.chain_synced);
        self.chain.truncate(kept);
        self.bodies.retain(|_, (_, synced)| *synced || choose(1) == 1);
        self.bodies.values_mut().for_each(|(_, synced)| *synced = true);
        self.sync_chain(kept);
        if make_short {
            let mut state = self.durable.clone();
            state.forget(Height(self.chain.len() as u64));
            let snapshot = Record::Snapshot(Box::new(state));
            let decoded = decode::<Record>(&encode(&snapshot));
            assert!(decoded.as_ref() == Ok(&snapshot), "a snapshot decodes to what was encoded");
            (self.records, self.records_synced) = (vec![snapshot], 0);
            self.sync_records(1);
        }
        self.durable.clone()
    }

    /// The chain and all bodies are lost but for so many blocks; the record is not.
    pub(super) fn lose_chain(&mut self, kept: usize) {
        self.chain.truncate(kept);
        self.chain_synced = self.chain_synced.min(kept);
        self.bodies.clear();
    }

    pub(super) fn bodies(&self) -> impl Iterator<Item = &SealedBlock> {
        self.bodies.values().map(|(block, _)| block)
    }

    pub(super) fn body(&self, hash: BlockHash) -> Option<SealedBlock> {
        let committed = || self.chain.iter().map(|c| &c.block).find(|block| block.hash() == hash);
        self.bodies.get(&hash).map(|(block, _)| block).or_else(committed).cloned()
    }

    pub(super) fn chain(&self) -> &[Committed] {
        &self.chain
    }

    /// R9, R10: whether the block's body and those of its ancestors down to the tip are durable.
    fn is_stored(&self, height: Height, mut hash: BlockHash) -> bool {
        let tip = self.chain.len() as u64;
        for height in (tip + 1..=height.0).rev() {
            let Some((block, true)) = self.bodies.get(&hash) else { return false };
            if block.height().0 != height {
                return false;
            }
            hash = block.header().parent;
        }
        true
    }

    /// R10–R12: whether everything that must be durable before the own message leaves is.
    pub(super) fn allows(&self, message: &Message) -> bool {
        // R46: a replica whose chain was lost goes through the epoch before once more.
        let previous = self.durable.previous.as_deref();
        let of_epoch = [Some(&self.durable), previous].into_iter().flatten();
        let Some(durable) = of_epoch.into_iter().find(|durable| durable.epoch == message.epoch()) else {
            return matches!(message, Message::Ask(_) | Message::Status(_) | Message::Suspect(_))
                || matches!(message, Message::Certificate(_) | Message::Recall(_) | Message::Newest(_));
        };
        match message {
            Message::Proposal(p) => p.view == durable.view && durable.lease >= Some(p.block.height()),
            Message::Prepare(vote) => {
                let vote = &vote.payload;
                let recorded = vote.view == durable.view && durable.prepares.get(&vote.height) == Some(vote);
                recorded && self.is_stored(vote.height, vote.block)
            }
            Message::Commit(vote) => {
                let vote = &vote.payload;
                let justified = durable
                    .highest_prepared
                    .as_ref()
                    .is_some_and(|p| (p.vote.view, p.vote.height) >= (vote.view, vote.height));
                let recorded = vote.view == durable.view && durable.commits.get(&vote.height) == Some(vote);
                recorded && justified && self.is_stored(vote.height, vote.block)
            }
            Message::Ask(ask) => self.durable.starts >= ask.payload.counter.start,
            Message::ViewChange(v) => durable.view_change.as_ref().is_some_and(|record| {
                record.claims == v.claims.payload
                    && record.committed == v.committed
                    && record.prepared == v.prepared
            }),
            Message::NewView(new_view) => durable.new_view.as_ref() == Some(new_view),
            Message::Status(_)
            | Message::Certificate(_)
            | Message::Suspect(_)
            | Message::Recall(_)
            | Message::Newest(_) => true,
        }
    }
}
