//! Byzantine validators: real nodes whose driver lies.
//!
//! Each runs the real core, so it knows what an insider knows; its *fixture* decides what becomes of what the
//! core says, and says more, signed with the validator's own key. All of a run share what they hear
//! ([`Library`]). What verification would refuse does not arrive, and is counted. They lie to the end, also
//! after everything else has healed.
//!
//! | file | what |
//! | --- | --- |
//! | `scene.rs` | what a fixture sees when it decides |
//! | `library.rs` | what the coalition has heard, and the certificates that can be made of it |
//! | `stage.rs` | how the simulated world asks the fixtures, and sends what they say |
//! | `plans.rs` | scenarios |
//! | the others | a fixture each |

mod ask_storm;
mod block_stuffer;
mod body_withholder;
mod censor;
mod double_voter;
mod equivocator;
mod future_flooder;
mod library;
mod mutator;
mod plans;
mod scene;
mod selective_sender;
mod silent;
mod slow_primary;
mod stage;
mod stale_replayer;
mod sync_liar;
mod timestamp_cheat;
mod twins;
mod view_liar;

pub(super) use library::Library;
pub(super) use plans::{CENSOR, SCENARIOS};
pub(super) use stage::LIE_EVERY_MS;

use super::wire::Wire;
use quorate_consensus::{Message, Unsigned};
use scene::Scene;
use serde::{Deserialize, Serialize};

/// What a Byzantine validator does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Kind {
    /// As primary it proposes different blocks to different halves.
    Equivocator,
    /// It votes for everything that it hears of, both sides, and for wrong results.
    DoubleVoter,
    /// It hears everything and says nothing.
    Silent,
    /// In each view it talks to some quorum only.
    SelectiveSender,
    /// It gives nobody a body, and proposes to f+1 only.
    BodyWithholder,
    /// Its proposals come just before the time-out.
    SlowPrimary,
    /// In view changes it claims whatever it can prove, to each half something else, and signs two NewViews.
    ViewLiar,
    /// It says again what was said long ago, in other views and epochs too.
    StaleReplayer,
    /// Its key runs two nodes, each of which hears one half.
    Twins,
    /// It speaks of views, heights and epochs that are far away.
    FutureFlooder,
    /// It asks for ever higher views, suspects, and withdraws.
    AskStorm,
    /// What it says is off by one here and there, or its signature is.
    Mutator,
    /// It proposes old, doubled and reordered transactions.
    BlockStuffer,
    /// It proposes times in the past and in the future.
    TimestampCheat,
    /// It answers fetches with something else than what was asked for, or with forged proof.
    SyncLiar,
    /// Its blocks hold nothing of one client.
    Censor,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Equivocator,
        Self::DoubleVoter,
        Self::Silent,
        Self::SelectiveSender,
        Self::BodyWithholder,
        Self::SlowPrimary,
        Self::ViewLiar,
        Self::StaleReplayer,
        Self::Twins,
        Self::FutureFlooder,
        Self::AskStorm,
        Self::Mutator,
        Self::BlockStuffer,
        Self::TimestampCheat,
        Self::SyncLiar,
        Self::Censor,
    ];

    /// What is counted when it does it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Equivocator => "byzantine: equivocation",
            Self::DoubleVoter => "byzantine: double vote",
            Self::Silent => "byzantine: silence",
            Self::SelectiveSender => "byzantine: sent to some only",
            Self::BodyWithholder => "byzantine: withheld body",
            Self::SlowPrimary => "byzantine: slow proposal",
            Self::ViewLiar => "byzantine: lie in a view change",
            Self::StaleReplayer => "byzantine: replay",
            Self::Twins => "byzantine: twins",
            Self::FutureFlooder => "byzantine: future",
            Self::AskStorm => "byzantine: asks",
            Self::Mutator => "byzantine: off by one",
            Self::BlockStuffer => "byzantine: stuffed block",
            Self::TimestampCheat => "byzantine: wrong time",
            Self::SyncLiar => "byzantine: forged answer",
            Self::Censor => "byzantine: censored client",
        }
    }

    fn fixture(self) -> Box<dyn Fixture> {
        match self {
            Self::Equivocator => Box::new(equivocator::Equivocator),
            Self::DoubleVoter => Box::new(double_voter::DoubleVoter),
            Self::Silent => Box::new(silent::Silent),
            Self::SelectiveSender => Box::new(selective_sender::SelectiveSender),
            Self::BodyWithholder => Box::new(body_withholder::BodyWithholder),
            Self::SlowPrimary => Box::new(slow_primary::SlowPrimary),
            Self::ViewLiar => Box::new(view_liar::ViewLiar::default()),
            Self::StaleReplayer => Box::new(stale_replayer::StaleReplayer),
            Self::Twins => Box::new(twins::Twins),
            Self::FutureFlooder => Box::new(future_flooder::FutureFlooder),
            Self::AskStorm => Box::new(ask_storm::AskStorm::default()),
            Self::Mutator => Box::new(mutator::Mutator),
            Self::BlockStuffer => Box::new(block_stuffer::BlockStuffer::default()),
            Self::TimestampCheat => Box::new(timestamp_cheat::TimestampCheat),
            Self::SyncLiar => Box::new(sync_liar::SyncLiar),
            Self::Censor => Box::new(censor::Censor::default()),
        }
    }
}

/// What becomes of something that the core of a Byzantine validator sends.
pub(super) enum Fate {
    /// It goes.
    Pass,
    /// It does not.
    Drop,
    /// It goes so many milliseconds later.
    Delay(u64),
    /// Something else goes.
    Instead(Wire),
}

/// Something to say beside what the core says.
pub(super) struct Letter {
    to: Vec<usize>,
    what: Content,
}

enum Content {
    /// Signed with the own key.
    Own(Unsigned),
    /// As it is, whoever signed it.
    Known(Message),
    /// Signed, and the signature then broken.
    Broken(Unsigned),
}

/// One way to lie; what it leaves out is done honestly.
pub(super) trait Fixture {
    /// Of what the core sends to a node.
    fn fate(&mut self, _: &mut Scene<'_>, _to: usize, _: &Wire) -> Fate {
        Fate::Pass
    }

    /// What it signs instead of what its core wants to; the core hears that it was this.
    fn signs(&mut self, _: &mut Scene<'_>, unsigned: Unsigned) -> Unsigned {
        unsigned
    }

    /// Beside something that the core says.
    fn says(&mut self, _: &mut Scene<'_>, _: &Message) -> Vec<Letter> {
        Vec::new()
    }

    /// When it hears something.
    fn hears(&mut self, _: &mut Scene<'_>, _: &Message) -> Vec<Letter> {
        Vec::new()
    }

    /// Now and then.
    fn idles(&mut self, _: &mut Scene<'_>) -> Vec<Letter> {
        Vec::new()
    }
}

/// What makes a node Byzantine.
pub(super) struct Liar {
    kind: Kind,
    fixture: Box<dyn Fixture>,
}

impl Liar {
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, fixture: kind.fixture() }
    }
}

fn own(to: Vec<usize>, unsigned: Unsigned) -> Letter {
    Letter { to, what: Content::Own(unsigned) }
}
