//! Known mistakes, made on purpose in test builds, so that tests show that they would be found. Without the
//! feature `mistakes`, which only the tests' crate turns on, none of this is compiled.

#[cfg(feature = "mistakes")]
use super::Withheld;
#[cfg(feature = "mistakes")]
use super::blocks::Asked;
#[cfg(feature = "mistakes")]
use crate::message::{Anchor, AnchorKind, Highest, KeyCertificate, NewViewContents};
#[cfg(feature = "mistakes")]
use quorate_chain::{BlockHash, PreparedCertificate};

/// A rule broken on purpose.
#[cfg(feature = "mistakes")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mistake {
    /// R19: P is forgotten when its height is committed.
    LowersPAtCommit,
    /// R19, R21: the anchor is the highest P or C by key, even below the highest C by height, which is not
    /// adopted then.
    NoHeightFloor,
    /// R19: the anchor is the highest P or C by height alone.
    AnchorByHeightOnly,
    /// R25: the anchor is what the NewView's certificate says, whatever its ViewChanges claim.
    AnchorNotRecomputed,
    /// R19: the anchor is the highest P, whatever is committed.
    AnchorOnPreparedOnly,
    /// R18: a ViewChange claims no P.
    LosesPrepared,
    /// R13: the replica goes on voting in the view that it has asked to leave.
    VotesAfterViewChange,
    /// R5, R9: height by height, as PBFT numbers its requests: a proposal is prepared when it comes, whether
    /// or not its parent is here.
    PrepareWithoutParent,
    /// R2: votes of different views add up.
    MixedViews,
    /// R21: a proposal below a prepared anchor is accepted.
    PrepareBelowAnchor,
    /// R28: while changing, only ViewChanges for exactly the own target keep the timer running.
    TimerForExactView,
    /// R26: an expired timer falls silent at once.
    SilentAsker,
    /// R13: votes that wait for the disk still leave after the view has been left, and the ViewChange reports
    /// only what is durable.
    KeepsWithheldVotes,
    /// R18: at the start of an epoch the certificate that ended the last one counts with its own view.
    OldEpochViewCounts,
    /// R26: an ask is never taken back.
    NeverWithdraws,
    /// R6: a block's time must not be ahead of the own clock, whatever its parent's is.
    NoParentPlusOne,
    /// R39: only Suspects are counted, not asks beside them.
    SuspectsLiterally,
    /// R29: a Suspect is sent once.
    SuspectNotResent,
    /// R38: who passes a transaction over is not suspected for it.
    PassedOverUnnoticed,
    /// R40: no transaction is ever excused.
    ExcusesNothing,
    /// R41: a slow primary is not suspected.
    SlownessUnnoticed,
    /// R26: a restarted replica counts its asks from zero again.
    CounterRestarts,
    /// R27: an Ask counts before any ViewChange.
    AskBeatsViewChange,
    /// R33: a replica that is changing views relays nothing and says nothing.
    MuteRelaysNothing,
    /// R31: the time-out never grows.
    TimeoutNeverDoubles,
    /// R47: nobody is asked before the first vote.
    VotesUnasked,
    /// R7: its second sentence is left out (no mistake, but longer chains).
    NoWindowBound,
    /// R2: one signer fills two places of a certificate.
    CountsSignerTwice,
    /// 2f votes are taken for a quorum.
    QuorumOf2f,
    /// 2f+1 votes are taken for a quorum, whatever n is.
    QuorumOf2fPlus1,
}

/// Whether a test build makes this mistake; `false` in every other build.
macro_rules! mistaken {
    ($replica:expr, $mistake:ident) => {{
        #[cfg(feature = "mistakes")]
        let made = $replica.mistakes.contains(&$crate::replica::mistakes::Mistake::$mistake);
        #[cfg(not(feature = "mistakes"))]
        let made = false;
        made
    }};
}

#[cfg(not(feature = "mistakes"))]
impl super::Replica {
    /// A ViewChange leaves out no P.
    pub(super) fn forgets(&self, _: &quorate_chain::PreparedCertificate) -> bool {
        false
    }

    /// R9: every Prepare waits for its ancestors.
    pub(super) fn leaves_without_parent(&self, _: &super::Withheld) -> bool {
        false
    }

    /// R5: nothing is accepted without its parent.
    pub(super) fn accept_without_parent(&mut self) {}
}

#[cfg(feature = "mistakes")]
impl super::Replica {
    /// Makes a mistake from now on; to be called right after [`super::Replica::start`].
    pub fn make(&mut self, mistake: Mistake) {
        self.mistakes.insert(mistake);
        match mistake {
            Mistake::AskBeatsViewChange => self.asks.ask_beats_view_change = true,
            Mistake::MixedViews => self.votes.mixes_views = true,
            Mistake::CountsSignerTwice => self.votes.counts_signer_twice = true,
            Mistake::TimeoutNeverDoubles => self.timeout.never_doubles = true,
            Mistake::VotesUnasked => self.memory = super::recall::Memory::Whole,
            Mistake::CounterRestarts => self.starts = 0,
            _ => {}
        }
    }

    /// Whether a ViewChange leaves out this P: any, or one whose own Commit still waits for the disk.
    pub(super) fn forgets(&self, prepared: &PreparedCertificate) -> bool {
        let key = (prepared.vote.view, prepared.vote.height, prepared.vote.block);
        let withheld = |(_, message): &(_, Withheld)| {
            matches!(message, Withheld::Commit(_)) && message.vote() == Some(key)
        };
        self.mistakes.contains(&Mistake::LosesPrepared)
            || self.mistakes.contains(&Mistake::KeepsWithheldVotes) && self.withheld.iter().any(withheld)
    }

    /// Whether it is a Prepare that waits for no more than its own body.
    pub(super) fn leaves_without_parent(&self, message: &Withheld) -> bool {
        let Withheld::Prepare(vote) = message else { return false };
        let stored = self.blocks.get(vote.block).is_some_and(|entry| entry.stored == Asked::Answer(()));
        stored && self.mistakes.contains(&Mistake::PrepareWithoutParent)
    }

    /// Accepts what this view's primary proposes above a hole, or on another block than the accepted one, and
    /// executes it once its parent is.
    pub(super) fn accept_without_parent(&mut self) {
        if !self.mistakes.contains(&Mistake::PrepareWithoutParent) {
            return;
        }
        let (parent, floor) = (self.parent().map(|p| p.block), self.tip.height.max(self.anchor.height));
        let proposed = self.proposals.range(floor.next()..).map(|(height, p)| (*height, p));
        let open = proposed.filter(|(height, p)| {
            let voted = self.own_prepares.contains_key(height) || self.own_commits.contains_key(height);
            // What is proposed on the accepted block is validated first.
            let in_order = parent == Some(p.block.header().parent);
            p.view == self.view && !voted && !in_order && self.within_window(*height)
        });
        let open: Vec<_> = open.map(|(_, p)| p.block.clone()).collect();
        for block in open {
            if self.blocks.insert(&block) {
                let (height, hash) = (block.height(), block.hash());
                self.chain.insert(height, hash);
                self.accepted_at.insert(height, self.now.time);
                self.store(hash);
                self.cast_prepare(height, hash);
            }
        }
        let here = |block: &BlockHash| {
            let parent = self.blocks.get(*block).map(|entry| entry.block.header().parent);
            parent.is_some_and(|p| p == self.tip.block || self.blocks.execution(p).is_some())
        };
        let ready: Vec<_> = self.chain.values().copied().filter(here).collect();
        ready.into_iter().for_each(|block| self.store_and_execute(block));
    }

    /// The anchor as the mistakes have it, if there is one that concerns it.
    pub(super) fn mistaken_anchor(&self, contents: &NewViewContents) -> Option<Anchor> {
        let claims = contents.view_changes.iter().map(|signed| &signed.payload);
        if self.mistakes.contains(&Mistake::AnchorNotRecomputed) {
            believed_anchor(contents)
        } else if self.mistakes.contains(&Mistake::AnchorByHeightOnly) {
            Highest::by_height(claims)
        } else if self.mistakes.contains(&Mistake::AnchorOnPreparedOnly) {
            Highest::prepared_only(claims)
        } else if self.mistakes.contains(&Mistake::NoHeightFloor) {
            Highest::of(claims).map(|highest| highest.key)
        } else {
            None
        }
    }
}

#[cfg(feature = "mistakes")]
/// What a NewView's certificate says, whatever its claims are.
fn believed_anchor(contents: &NewViewContents) -> Option<Anchor> {
    match &contents.key {
        KeyCertificate::EpochStart => contents.anchor(),
        KeyCertificate::Prepared(p) => Some(Anchor {
            kind: AnchorKind::Prepared,
            view: Some(p.vote.view),
            height: p.vote.height,
            block: p.vote.block,
        }),
        KeyCertificate::Committed(c) => Some(Anchor {
            kind: AnchorKind::Committed,
            view: Some(c.view),
            height: c.height,
            block: c.block_hash,
        }),
    }
}
