//! The state: entries, where they are, and the root over all of them.
//!
//! | file | what |
//! | --- | --- |
//! | `entry.rs` | kinds of entries, their keys and values |
//! | `version.rs` | the state at one block: what it changed over its parent, and its tree |
//! | `tree/` | the partition tree that commits to all entries |
//!
//! A block executes on its parent's version and makes a new one. Versions of blocks that are not committed
//! are overlays in memory; dropping one undoes it.

mod entry;
pub mod tree;
mod version;

pub use entry::{
    Account, AccountKey, AccountStatus, DataEntry, Organisation, Quota, StateKey, StateValue, value_hash,
};
pub use version::{Changes, StateError, StateReader, Version};
