//! How many entries the tables have whose keys are set once and then stay, so that a lost one is noticed.

use super::Table;
use borsh::{BorshDeserialize, BorshSerialize};

/// One for each first byte of a key.
const BUCKETS: usize = 256;

/// Entries by table and first byte of their keys. Kept beside the height of each checkpoint: what the store says
/// of a key that it does not find is believed only when as many are there as were written.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Counts(Box<[[u64; BUCKETS]; 3]>);

impl Default for Counts {
    fn default() -> Self {
        Self(Box::new([[0; BUCKETS]; 3]))
    }
}

impl Counts {
    const fn place(table: Table) -> Option<usize> {
        match table {
            Table::Hashes => Some(0),
            Table::Transactions => Some(1),
            Table::History => Some(2),
            // What is missing in these is noticed by what refers to it.
            Table::State | Table::Holdings | Table::Blocks | Table::Epochs | Table::Runs => None,
        }
    }

    /// Adds an entry that was not there.
    pub(in crate::ledger) fn add(&mut self, table: Table, key: &[u8]) {
        if let (Some(place), Some(first)) = (Self::place(table), key.first()) {
            self.0[place][usize::from(*first)] += 1;
        }
    }

    /// Forgets a table that is made anew.
    pub(in crate::ledger) fn clear(&mut self, table: Table) {
        if let Some(place) = Self::place(table) {
            self.0[place] = [0; BUCKETS];
        }
    }

    /// How many keys of a table begin with a byte; `None` where they are not counted.
    #[must_use]
    pub fn of(&self, table: Table, first: u8) -> Option<u64> {
        Self::place(table).map(|place| self.0[place][usize::from(first)])
    }
}
