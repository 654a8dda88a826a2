//! Known mistakes, put back on purpose one at a time: a checker that does not find them proves nothing.

use super::byzantine::CENSOR;
use super::guided;
use super::scenario::Scenario;
use super::settings::Settings;
use super::slip::Slip;
use quorate_consensus::Mistake;

/// A mistake with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutation {
    name: &'static str,
    rule: &'static str,
    /// What all cores do wrong.
    mistakes: &'static [Mistake],
    /// What all drivers or ledgers do wrong.
    slip: Option<Slip>,
    replicas: usize,
    schedule: Option<u8>,
    hunt: Hunt,
}

/// What finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hunt {
    /// Views that fail.
    Guided,
    /// The same, and a validator lies.
    WithLiars,
    /// A primary that censors a client.
    Censor,
}

/// One of the cores, that four replicas show.
const fn core(name: &'static str, rule: &'static str, mistakes: &'static [Mistake]) -> Mutation {
    Mutation { name, rule, mistakes, slip: None, replicas: 4, schedule: None, hunt: Hunt::Guided }
}

/// One of the drivers or ledgers.
const fn slip(name: &'static str, rule: &'static str, slip: Slip) -> Mutation {
    Mutation { slip: Some(slip), ..core(name, rule, &[]) }
}

impl Mutation {
    /// All of them: first what `PROTOCOL.md` names, forks and then stalls, then the other gates.
    pub const ALL: [Self; 39] = {
        use Mistake as M;
        [
            core("votes-after-view-change", "R13", &[M::VotesAfterViewChange]),
            core("quorum-2f", "R2", &[M::QuorumOf2f]),
            core("prepared-lost-before-view-change", "R18", &[M::LosesPrepared]),
            core("prepare-without-parent", "R5", &[M::PrepareWithoutParent]),
            core("mixed-views", "R2", &[M::MixedViews]),
            slip("restart-forgets-all", "R47", Slip::ForgetsAll).scripted(3),
            core("prepare-below-anchor", "R21", &[M::PrepareBelowAnchor]),
            core("anchor-not-recomputed", "R25", &[M::AnchorNotRecomputed]),
            slip("restart-forgets-view-change", "R14", Slip::ForgetsViewChange),
            core("anchor-by-height-only", "R19", &[M::AnchorByHeightOnly]),
            core("anchor-by-height-only-long-chains", "R19", &[M::AnchorByHeightOnly, M::NoWindowBound]),
            core("prepared-lowered", "R19", &[M::LowersPAtCommit, M::AnchorOnPreparedOnly]),
            core(
                "prepared-lowered-long-chains",
                "R19",
                &[M::LowersPAtCommit, M::AnchorOnPreparedOnly, M::NoWindowBound],
            ),
            core("late-commits", "R19", &[M::LowersPAtCommit, M::NoHeightFloor]).scripted(1),
            core("quorum-2f-plus-1-of-5", "R2", &[M::QuorumOf2fPlus1]).of(5),
            core("quorum-2f-plus-1-of-6", "R2", &[M::QuorumOf2fPlus1]).of(6),
            core("suspects-counted-literally", "R39", &[M::SuspectsLiterally]).scripted(16),
            slip("anchor-not-durable", "R12", Slip::ForgetsAnchor).scripted(17).with_liars(),
            slip("anchor-not-durable-long-chains", "R12", Slip::ForgetsAnchor).and(&[M::NoWindowBound]),
            core("ask-beats-view-change", "R27", &[M::AskBeatsViewChange]).scripted(18),
            core("counter-restarts", "R26", &[M::CounterRestarts]).scripted(18),
            core("mute-relays-nothing", "R33", &[M::MuteRelaysNothing]).scripted(19),
            core("suspect-not-resent", "R29", &[M::SuspectNotResent]),
            slip("send-before-persist", "R11", Slip::SendsBeforePersist).scripted(7),
            slip("body-before-persist", "R10", Slip::BodyBeforePersist).scripted(5),
            core("signer-counted-twice", "R2", &[M::CountsSignerTwice]),
            core("timeout-never-doubles", "R31", &[M::TimeoutNeverDoubles]).scripted(9),
            core("timer-for-exact-view", "R28", &[M::TimerForExactView]).scripted(4),
            core("commit-after-view-change", "R13", &[M::KeepsWithheldVotes]).scripted(7).with_liars(),
            slip("late-votes", "R13", Slip::LateVotes),
            slip("restart-forgets-prepared", "R19", Slip::ForgetsPrepared),
            slip("restart-forgets-view", "R12", Slip::ForgetsView).scripted(2),
            slip("restart-forgets-lease", "R10", Slip::ForgetsLease),
            core("silent-asker", "R26", &[M::SilentAsker]).scripted(6),
            core("never-withdraws", "R26", &[M::NeverWithdraws]).scripted(11),
            core("old-epoch-view-counts", "R18", &[M::OldEpochViewCounts]).scripted(8),
            core("no-parent-plus-one", "R6", &[M::NoParentPlusOne]).scripted(13),
            slip("state-root-skips-bucket", "S2", Slip::SkipsBucket),
            core("passed-over-unnoticed", "R38", &[M::PassedOverUnnoticed]).scripted(15).with_censor(),
        ]
    };

    /// With these of the cores.
    const fn and(self, mistakes: &'static [Mistake]) -> Self {
        Self { mistakes, ..self }
    }

    /// Shown by so many replicas instead.
    const fn of(self, replicas: usize) -> Self {
        Self { replicas, ..self }
    }

    /// Shown only if a validator lies as well.
    const fn with_liars(self) -> Self {
        Self { hunt: Hunt::WithLiars, ..self }
    }

    /// Shown only by a primary that censors.
    const fn with_censor(self) -> Self {
        Self { hunt: Hunt::Censor, ..self }
    }

    /// Found by the schedule of this number, too.
    const fn scripted(self, schedule: u8) -> Self {
        Self { schedule: Some(schedule), ..self }
    }

    /// The one with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mutation| mutation.name == name)
    }

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The rule or invariant that it breaks.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        self.rule
    }

    /// Who makes it.
    #[must_use]
    pub const fn made_by(self) -> &'static str {
        match self.slip {
            None => "core",
            Some(Slip::SkipsBucket) => "ledger",
            Some(_) => "driver",
        }
    }

    /// The validators of a run that is to find it.
    #[must_use]
    pub const fn replicas(self) -> usize {
        self.replicas
    }

    /// The number of the schedule that finds it at once, if one does.
    #[must_use]
    pub const fn schedule(self) -> Option<u8> {
        self.schedule
    }

    /// The scenario whose runs are to find it.
    #[must_use]
    pub const fn scenario(self) -> Scenario {
        match self.hunt {
            Hunt::Guided => guided::scenario(),
            Hunt::WithLiars => guided::with_liars(),
            Hunt::Censor => CENSOR,
        }
    }
}

impl Settings {
    /// What drivers and ledgers do wrong on purpose.
    pub(super) fn slip(&self) -> Option<Slip> {
        self.mutation.and_then(|mutation| mutation.slip)
    }

    /// What the cores do wrong on purpose.
    pub(super) fn mistakes(&self) -> impl Iterator<Item = Mistake> {
        self.mutation.map_or(&[][..], |mutation| mutation.mistakes).iter().copied()
    }
}
