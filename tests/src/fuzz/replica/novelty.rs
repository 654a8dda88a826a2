//! What a run did, coarsely: which inputs led to which effects in which phase. A search keeps the bytes that do
//! something new, as a fuzzer does by the compiler's coverage.

use quorate_consensus::message::AnchorKind;
use quorate_consensus::{Effect, Input, Message, Outgoing, Phase, Record, Replica, Unsigned};
use std::collections::BTreeSet;

/// Kinds of steps that some run has taken.
#[derive(Clone, Debug, Default)]
pub struct Novelty(BTreeSet<u64>);

impl Novelty {
    /// Adds those of a run; true if one of them is new.
    pub(super) fn add(&mut self, run: &Self) -> bool {
        let before = self.0.len();
        self.0.extend(&run.0);
        self.0.len() > before
    }

    /// How many kinds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes a step: the kind of its input, what came of it, and where the replica was.
    pub(super) fn note(&mut self, input: u8, effects: &[Effect], replica: &Replica) {
        let done = effects.iter().fold(0u64, |done, effect| done | 1 << effect_kind(effect));
        let changing = matches!(replica.phase(), Phase::Changing { .. });
        let prepared = replica.anchor().kind == AnchorKind::Prepared;
        let above = replica.anchor().height > replica.tip().height;
        let flags = u64::from(changing) | u64::from(prepared) << 1 | u64::from(above) << 2;
        let view = replica.view().0.min(3);
        self.0.insert(done << 14 | view << 12 | flags << 8 | u64::from(input));
    }
}

/// A number for what comes in.
pub(super) fn input_kind(input: &Input) -> u8 {
    match input {
        Input::Message(message) => match message.get() {
            Message::Proposal(_) => 0,
            Message::Prepare(_) => 1,
            Message::Commit(_) => 2,
            Message::Ask(_) => 3,
            Message::ViewChange(_) => 4,
            Message::NewView(_) => 5,
            Message::Status(_) => 6,
            Message::Certificate(_) => 7,
            Message::Suspect(_) => 8,
            Message::Recall(_) => 9,
            Message::Newest(_) => 10,
        },
        Input::Tick => 11,
        Input::Persisted(_) => 12,
        Input::BodyStored(_) => 13,
        Input::Validated { valid, .. } => 14 + u8::from(*valid),
        Input::Executed { ends_epoch, .. } => 16 + u8::from(*ends_epoch),
        Input::Batch { .. } => 18,
        Input::Pending(_) => 19,
        Input::Block(_) => 20,
        Input::Certified { .. } => 21,
        Input::EpochStarted { .. } => 22,
        Input::OtherEpoch { .. } => 23,
        Input::Connected(_) => 24,
        Input::Disconnected(_) => 25,
        Input::Room(_) => 26,
    }
}

const fn effect_kind(effect: &Effect) -> u8 {
    match effect {
        Effect::Persist(_, record) => match record {
            Record::Entered(_) => 0,
            Record::Prepare(_) => 1,
            Record::Commit(..) => 2,
            Record::ViewChange(_) => 3,
            Record::Lease(..) => 4,
            _ => 5,
        },
        Effect::StoreBody(_) => 6,
        Effect::Broadcast(Outgoing::Own(unsigned)) => match unsigned {
            Unsigned::Proposal(..) => 7,
            Unsigned::Prepare(_) => 8,
            Unsigned::Commit(_) => 9,
            Unsigned::Ask(_) => 10,
            Unsigned::ViewChange(..) => 11,
            Unsigned::Suspect(_) => 12,
            _ => 13,
        },
        Effect::Broadcast(Outgoing::Signed(_)) => 14,
        Effect::Send(_, Outgoing::Own(_)) => 15,
        Effect::Send(_, Outgoing::Signed(Message::NewView(_))) => 16,
        Effect::Send(..) => 17,
        Effect::Sign(_) => 18,
        Effect::RequestBatch { .. } => 19,
        Effect::Validate(_) => 20,
        Effect::Execute(_) => 21,
        Effect::Commit { .. } => 22,
        Effect::FetchBlock(_) => 23,
        Effect::Sync { .. } => 24,
        Effect::RelayTransactions { .. } => 25,
        Effect::Discard(_) => 26,
        Effect::ShowEpochEnd { .. } => 27,
        Effect::SyncWithPeer { .. } => 28,
        Effect::ReleaseOldEpoch(_) => 29,
        Effect::RecordLost(_) => 30,
        Effect::Evidence(_) => 31,
        Effect::ResultsDiffer(_) => 32,
        Effect::Halted(_) => 33,
        Effect::Excuse(_) => 34,
    }
}
