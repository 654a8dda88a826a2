//! What a script can see.

use super::actor::Actor;
use super::checker::Violation;
use super::stage::Stage;
use quorate_chain::ledger::Reader;
use quorate_chain::{BlockHash, Epoch, Height};
use quorate_consensus::{Effect, Phase, Replica, SealedBlock};

impl Stage {
    /// The core of an honest validator that is up.
    ///
    /// # Panics
    /// When the script asks for another one.
    #[must_use]
    pub fn replica(&self, seat: usize) -> &Replica {
        self.actors.get(&seat).and_then(|actor| actor.replica.as_ref()).expect("honest and up")
    }

    /// The committed height of a validator.
    #[must_use]
    pub fn tip(&self, seat: usize) -> u64 {
        self.replica(seat).tip().height.0
    }

    /// The view that a validator has entered last.
    #[must_use]
    pub fn view(&self, seat: usize) -> u64 {
        self.replica(seat).view().0
    }

    /// The view that a validator is changing to.
    #[must_use]
    pub fn target(&self, seat: usize) -> Option<u64> {
        match self.replica(seat).phase() {
            Phase::Normal => None,
            Phase::Changing { target } => Some(target.0),
        }
    }

    /// The epoch of a validator.
    #[must_use]
    pub fn epoch(&self, seat: usize) -> Epoch {
        self.replica(seat).epoch()
    }

    /// Effects of a validator that an operator would hear of.
    #[must_use]
    pub fn alarms(&self, seat: usize) -> &[Effect] {
        self.actors.get(&seat).map_or(&[], |actor| &actor.alarms)
    }

    /// What must never happen and did.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.checker.violations
    }

    /// S1: the heights at which two blocks are certified.
    #[must_use]
    pub fn forks(&self) -> Vec<u64> {
        let fork = |violation: &Violation| match violation {
            Violation::Fork(height, ..) => Some(height.0),
            _ => None,
        };
        self.violations().iter().filter_map(fork).collect()
    }

    /// Whether a C for this height can be formed of all signatures that exist.
    #[must_use]
    pub fn is_certified(&self, height: u64) -> bool {
        self.checker.is_certified(Height(height))
    }

    /// Heights at which whoever does not compare results could form a C.
    #[must_use]
    pub fn certified_whatever_the_result(&self) -> Vec<Height> {
        self.checker.certified_whatever_the_result()
    }

    /// Reads the ledger of a validator, if the stage has ledgers.
    #[must_use]
    pub fn reader(&self, seat: usize) -> Option<Reader> {
        self.actors.get(&seat)?.executor.reader()
    }

    /// Whether all honest validators that are up have committed up to this height.
    #[must_use]
    pub fn all_at(&self, height: u64) -> bool {
        self.up().all(|replica| replica.tip().height.0 >= height)
    }

    /// Where everyone stands.
    pub(super) fn describe(&self) -> String {
        let one = |actor: &Actor| match &actor.replica {
            None => format!("{}: down", actor.seat),
            Some(replica) => format!(
                "{}: {} tip {} view {} {:?} time-out {} ms, {} waiting",
                actor.seat,
                replica.epoch(),
                replica.tip().height,
                replica.view(),
                replica.phase(),
                replica.timeout_ms(),
                actor.pool.len(),
            ),
        };
        self.actors.values().map(one).collect::<Vec<_>>().join("\n")
    }

    /// A block that was proposed.
    ///
    /// # Panics
    /// When it was not.
    #[must_use]
    pub fn proposed(&self, view: u64, height: u64) -> SealedBlock {
        self.checker.proposed(view, height).expect("proposed")
    }

    /// The committed block of a validator at a height.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn committed(&self, seat: usize, height: u64) -> BlockHash {
        let blocks = self.actors.get(&seat).map(|actor| actor.disk.blocks());
        let index = usize::try_from(height).unwrap_or(usize::MAX).wrapping_sub(1);
        blocks.and_then(|blocks| blocks.get(index)).map(|c| c.block.hash()).expect("committed")
    }
}
