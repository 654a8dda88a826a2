//! The state: entries, where they are, and the root over all of them.
//!
//! | file | what |
//! | --- | --- |
//! | `entry.rs` | kinds of entries, their keys and values |
//! | `account.rs` `asset.rs` | accounts, organisations, keys, roles; assets and holdings |
//! | `changes.rs` | what a block changed |
//! | `version.rs` | the state at one block: what it changed over its parent, and its tree |
//! | `tree/` | the partition tree that commits to all entries |
//!
//! A block executes on its parent's version and makes a new one. Versions of blocks that are not committed
//! are overlays in memory; dropping one undoes it.

mod account;
mod asset;
mod changes;
mod entry;
pub mod tree;
mod version;

pub use account::{
    ACCOUNT_KEYS_MAX, Account, AccountKey, AccountStatus, KeysError, Organisation, Quota, Roles, check_keys,
};
pub use asset::{Asset, AssetRules, Holding, asset_id};
pub use changes::{Changes, Entry};
pub use entry::{DataEntry, Document, StateKey, StateValue, value_hash};
pub use version::{StateError, StateReader, Version};
