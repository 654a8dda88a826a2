//! A new primary that lies: it names the highest C of its NewView's claims where a P with a higher key belongs
//! (R24). Whoever recomputes the anchor does not care, and whoever verifies the message refuses it (R25).

use super::world::World;
use quorate_consensus::Unsigned;
use quorate_consensus::message::KeyCertificate;

impl World {
    /// What a node signs instead. Where messages are verified nobody would take it.
    pub(super) fn lie(&mut self, node: usize, mut unsigned: Unsigned) -> Unsigned {
        if self.liar == Some(node)
            && !self.settings.verify
            && let Unsigned::NewView(contents) = &mut unsigned
            && let (KeyCertificate::Prepared(_), Some(committed)) = (&contents.key, &contents.committed)
        {
            contents.key = KeyCertificate::Committed(committed.clone());
            self.fired("lying primary");
        }
        unsigned
    }
}
