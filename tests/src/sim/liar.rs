//! A new primary that lies: it names the highest C of its NewView's claims where a P with a higher key belongs
//! (R24). Whoever recomputes the anchor does not care, and whoever verifies the message refuses it (R25).

use super::world::World;
use quorate_consensus::message::KeyCertificate;
use quorate_consensus::{Message, Unsigned};

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

    /// What nobody verifies where hashes stand for signatures, whoever passes it on: the NewViews of such a
    /// primary, and what a core with a mistake says. The other cores alone must bear the first, and the checker
    /// see what follows from the second.
    pub(super) const fn is_taken_unverified(&self, message: &Message) -> bool {
        let lie = self.liar.is_some() && matches!(message, Message::NewView(_));
        !self.settings.verify && (lie || self.settings.mutation.is_some())
    }
}
