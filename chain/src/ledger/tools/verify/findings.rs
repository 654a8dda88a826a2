//! What is damaged, where, and what follows from that.

use crate::ids::Height;

/// Damages that are listed; more are counted only.
pub const DAMAGE_LISTED_MAX: usize = 100;

/// Which part of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The truth: bodies, certificates, results.
    Journal,
    /// State and indexes, which follow from the journal.
    Store,
}

/// One thing that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Where.
    pub part: Part,
    /// From which height on something may be missing or wrong; `None` if it has no height.
    pub height: Option<Height>,
    /// The file or entry, and what is wrong with it.
    pub what: String,
}

/// Everything that was found damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    listed: Vec<Damage>,
    journal: u64,
    store: u64,
    first: Option<Height>,
}

/// What an operator should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing is damaged.
    Nothing,
    /// The journal is whole: the store can be made from it, by `repair-index` or the next start.
    RepairIndex,
    /// The journal is damaged: blocks must come from another member.
    Import,
}

impl Findings {
    pub(super) fn add(&mut self, part: Part, height: Option<Height>, what: String) {
        match part {
            Part::Journal => {
                self.journal += 1;
                self.first = self.first.into_iter().chain(height).min();
            }
            Part::Store => self.store += 1,
        }
        if self.listed.len() < DAMAGE_LISTED_MAX {
            self.listed.push(Damage { part, height, what });
        }
    }

    /// The first [`DAMAGE_LISTED_MAX`].
    #[must_use]
    pub fn listed(&self) -> &[Damage] {
        &self.listed
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.journal + self.store
    }

    /// How many of them are in the journal.
    #[must_use]
    pub const fn in_journal(&self) -> u64 {
        self.journal
    }

    /// The first height whose block may be damaged or missing in the journal.
    #[must_use]
    pub const fn first_height(&self) -> Option<Height> {
        self.first
    }

    /// What to do.
    #[must_use]
    pub const fn remedy(&self) -> Remedy {
        match (self.journal, self.store) {
            (0, 0) => Remedy::Nothing,
            (0, _) => Remedy::RepairIndex,
            _ => Remedy::Import,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_bounded_and_the_count_is_not() {
        let mut findings = Findings::default();
        assert_eq!(findings.remedy(), Remedy::Nothing);
        for height in (1..=DAMAGE_LISTED_MAX as u64 + 5).rev() {
            findings.add(Part::Store, Some(Height(height)), "x".into());
        }
        assert_eq!(findings.listed().len(), DAMAGE_LISTED_MAX);
        assert_eq!(findings.count(), DAMAGE_LISTED_MAX as u64 + 5);
        assert_eq!((findings.remedy(), findings.first_height()), (Remedy::RepairIndex, None));
        for height in [9, 3, 7] {
            findings.add(Part::Journal, Some(Height(height)), "y".into());
        }
        assert_eq!((findings.remedy(), findings.first_height()), (Remedy::Import, Some(Height(3))));
        assert_eq!(findings.in_journal(), 3);
    }
}
