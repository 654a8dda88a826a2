//! Who has ever asked for which view, and who suspects which primary: whether a view may have to end (R26, R39).

use super::Term;
use quorate_chain::{Epoch, ValidatorIndex, View};
use quorate_consensus::Message;
use std::collections::{BTreeMap, BTreeSet};

/// Of all validators, the faulty ones too.
#[derive(Default)]
pub(in super::super) struct Complaints {
    /// The highest target of each seat's Asks and ViewChanges.
    asked: BTreeMap<(Epoch, ValidatorIndex), View>,
    suspected: BTreeMap<Term, BTreeSet<ValidatorIndex>>,
}

impl Complaints {
    pub(super) fn note(&mut self, seat: ValidatorIndex, message: &Message) {
        let target = match message {
            Message::Ask(ask) => ask.payload.target,
            Message::ViewChange(change) => change.claims.payload.target,
            Message::Suspect(suspect) => {
                let term = (message.epoch(), suspect.payload.view);
                self.suspected.entry(term).or_default().insert(seat);
                return;
            }
            _ => return,
        };
        let asked = self.asked.entry((message.epoch(), seat)).or_default();
        *asked = target.max(*asked);
    }

    /// How many have ever asked for a view, or a higher one.
    pub(in super::super) fn asks_for(&self, (epoch, target): Term) -> usize {
        self.asked.iter().filter(|((of, _), highest)| *of == epoch && **highest >= target).count()
    }

    /// How many suspect the primary of a view; that does not lapse (R39).
    pub(in super::super) fn suspects_of(&self, term: Term) -> usize {
        self.suspected.get(&term).map_or(0, BTreeSet::len)
    }
}
