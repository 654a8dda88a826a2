//! The ledger: a journal is the truth.

pub mod journal;
