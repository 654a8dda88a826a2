//! One replica with its driver, for tests of exact effects.

use super::fixture::*;
use crate::message::{Message, NewView, Newest, NewestSigned, Recall, Unsigned, verify};
use crate::record::{DurableState, PersistId, Record};
use crate::replica::recall::Memory;
use crate::replica::{Config, Effect, Input, Replica, Tip};
use crate::time::{Now, Time};
use crate::{Outgoing, SealedBlock, Verified};
use quorate_chain::{BlockHash, CommitCertificate, Epoch, TimestampMs, ValidatorIndex};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One replica, and what its disk holds.
pub(super) struct Rig {
    pub(super) replica: Replica,
    pub(super) config: Config,
    pub(super) now: Now,
    records: Vec<(PersistId, Record)>,
    pub(super) durable: DurableState,
    bodies: BTreeMap<BlockHash, SealedBlock>,
    tip: Tip,
}

impl Rig {
    /// Validator `me` of 4, just started, its start durable.
    pub(super) fn new(me: u16, window: u64) -> Self {
        Self::of(4, me, window)
    }

    pub(super) fn of(n: u16, me: u16, window: u64) -> Self {
        let mut rig = Self::started(n, me, window, genesis_tip()).0;
        assert_eq!(rig.step(Input::Persisted(PersistId(1))), []);
        rig
    }

    pub(super) fn started(n: u16, me: u16, window: u64, tip: Tip) -> (Self, Vec<Effect>) {
        let config = Config {
            context: context(n),
            me: Some(ValidatorIndex(me)),
            window,
            timeout_base_ms: TIMEOUT_MS,
            timeout_max_ms: 8 * TIMEOUT_MS,
            status_ms: STATUS_MS,
            max_ahead_ms: MAX_AHEAD_MS,
            batch_wait_ms: BATCH_WAIT_MS,
            max_idle_ms: 0,
        };
        let now = Now { time: Time(0), clock: TimestampMs(CLOCK) };
        Self::boot(config, now, DurableState::default(), tip, BTreeMap::new())
    }

    /// Starts, and hears from all others that they know of nothing newer (R47); the question itself is left
    /// out of the effects.
    fn boot(
        config: Config,
        now: Now,
        durable: DurableState,
        tip: Tip,
        bodies: BTreeMap<BlockHash, SealedBlock>,
    ) -> (Self, Vec<Effect>) {
        let (mut rig, mut effects) = Self::boot_unasked(config, now, durable, tip, bodies);
        let asked =
            effects.extract_if(.., |e| matches!(e, Effect::Broadcast(Outgoing::Own(Unsigned::Recall(_)))));
        if let Some(Effect::Broadcast(Outgoing::Own(Unsigned::Recall(recall)))) = asked.last() {
            effects.extend(rig.answer(&recall, |_| NewestSigned::default()));
        }
        (rig, effects)
    }

    /// All others answer a question of R47.
    pub(super) fn answer(&mut self, recall: &Recall, seen: impl Fn(u16) -> NewestSigned) -> Vec<Effect> {
        let asker = self.config.me.unwrap();
        let others = (0..self.config.context.set.quorum().n() as u16).filter(|i| *i != asker.0);
        others
            .flat_map(|from| {
                let newest = Newest { asker, recall: *recall, seen: seen(from) };
                self.say(from, Unsigned::Newest(Box::new(newest)))
            })
            .collect()
    }

    pub(super) fn boot_unasked(
        config: Config,
        now: Now,
        durable: DurableState,
        tip: Tip,
        bodies: BTreeMap<BlockHash, SealedBlock>,
    ) -> (Self, Vec<Effect>) {
        let above = bodies.values().cloned().collect();
        let (replica, effects) = Replica::start(now, config.clone(), durable.clone(), tip.clone(), [], above);
        let mut rig = Self { replica, config, now, records: Vec::new(), durable, bodies, tip };
        rig.note(&effects);
        (rig, effects)
    }

    /// Starts again from this record, with nobody's answer yet.
    pub(super) fn boot_again(
        self,
        durable: DurableState,
        bodies: BTreeMap<BlockHash, SealedBlock>,
    ) -> (Self, Vec<Effect>) {
        Self::boot_unasked(self.config, self.now, durable, self.tip, bodies)
    }

    /// The same rig around another replica.
    pub(super) fn with(mut self, replica: Replica) -> Self {
        self.config = replica.config.clone();
        self.replica = replica;
        self
    }

    /// The same in another epoch than the rig's.
    pub(super) fn settle_recall_of(&mut self, epoch: Epoch) {
        self.config.context.epoch = epoch;
        self.settle_recall();
    }

    /// All others answer what the replica asks (R47).
    pub(super) fn settle_recall(&mut self) {
        if let Memory::Asking(recall, _) = &self.replica.memory {
            let recall = *recall;
            self.answer(&recall, |_| NewestSigned::default());
        }
    }

    /// Loses power: what was not synced is gone.
    pub(super) fn restart(self) -> (Self, Vec<Effect>) {
        Self::boot(self.config, self.now, self.durable, self.tip, self.bodies)
    }

    fn note(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Persist(id, record) => self.records.push((*id, record.clone())),
                Effect::Commit { block, certificate, .. } => {
                    self.tip = Tip {
                        height: block.height(),
                        block: block.hash(),
                        result: result(block.height().0),
                        timestamp_ms: block.header().timestamp_ms,
                        certificate: Some(certificate.clone()),
                    };
                }
                _ => {}
            }
        }
    }

    pub(super) fn step(&mut self, input: Input) -> Vec<Effect> {
        if let Input::Persisted(id) = &input {
            for (_, record) in self.records.extract_if(.., |(record, _)| *record <= *id) {
                self.durable.apply(record);
            }
        }
        let effects = self.replica.step(self.now, input);
        self.note(&effects);
        effects
    }

    /// A message that passes verification.
    pub(super) fn hear(&mut self, message: Message) -> Vec<Effect> {
        let context = self.config.context.clone();
        self.step(Input::Message(verify(message, &context).unwrap()))
    }

    /// A message of another validator, or an own one that comes back.
    pub(super) fn say(&mut self, from: u16, message: Unsigned) -> Vec<Effect> {
        self.hear(signed(from, message))
    }

    /// So many milliseconds pass, and a tick.
    pub(super) fn wait(&mut self, ms: u64) -> Vec<Effect> {
        self.now.time = self.now.time + ms;
        self.now.clock.0 += ms;
        self.step(Input::Tick)
    }

    pub(super) fn persisted(&mut self, id: u64) -> Vec<Effect> {
        self.step(Input::Persisted(PersistId(id)))
    }

    pub(super) fn stored(&mut self, block: &SealedBlock) -> Vec<Effect> {
        self.bodies.insert(block.hash(), block.clone());
        self.step(Input::BodyStored(block.hash()))
    }

    pub(super) fn valid(&mut self, block: &SealedBlock) -> Vec<Effect> {
        self.step(Input::Validated { block: block.hash(), valid: true })
    }

    pub(super) fn executed(&mut self, block: &SealedBlock) -> Vec<Effect> {
        self.step(Input::Executed {
            block: block.hash(),
            result: result(block.height().0),
            ends_epoch: false,
        })
    }

    pub(super) fn certified(&mut self, block: &SealedBlock, certificate: &CommitCertificate) -> Vec<Effect> {
        let certificate = Verified::vouched(certificate.clone());
        self.step(Input::Certified { block: block.clone(), certificate })
    }

    /// Does at once whatever the replica wants done, but for batches and fetches, until it wants no more.
    /// Gives all effects in order.
    pub(super) fn settle(&mut self, effects: Vec<Effect>) -> Vec<Effect> {
        let mut all = effects.clone();
        let mut waiting = std::collections::VecDeque::from(effects);
        while let Some(effect) = waiting.pop_front() {
            let me = self.config.me.unwrap_or(ValidatorIndex(1)).0;
            let more = match effect {
                Effect::Persist(PersistId(id), _) => self.persisted(id),
                Effect::StoreBody(block) => self.stored(&block),
                Effect::Validate(block) => self.valid(&block),
                Effect::Execute(block) => self.executed(&block),
                Effect::Broadcast(Outgoing::Own(message)) | Effect::Sign(message) => self.say(me, message),
                _ => Vec::new(),
            };
            all.extend(more.clone());
            waiting.extend(more);
        }
        all
    }

    /// Hears a message and settles.
    pub(super) fn settled(&mut self, from: u16, message: Unsigned) -> Vec<Effect> {
        let effects = self.say(from, message);
        self.settle(effects)
    }

    /// Accepts a proposal of the current view: voted for, durable, executed.
    pub(super) fn accept(&mut self, block: &SealedBlock) {
        let (view, primary) = (self.replica.view().0, self.replica.primary().0);
        self.settled(primary, proposal(view, block));
        assert_eq!(self.replica.own_prepares[&block.height()].vote.block, block.hash());
    }

    /// Commits a block that it receives together with its certificate.
    pub(super) fn commit(&mut self, block: &SealedBlock, certificate: &CommitCertificate) {
        let effects = self.certified(block, certificate);
        self.settle(effects);
        assert_eq!(self.replica.tip().block, block.hash());
    }

    /// Enters a view, its entry durable; gives everything that follows at once.
    pub(super) fn enter(&mut self, new_view: &Arc<NewView>) -> Vec<Effect> {
        let effects = self.hear(Message::NewView(Arc::clone(new_view)));
        let all = self.settle(effects);
        assert_eq!(self.replica.view(), new_view.contents.view);
        all
    }
}
