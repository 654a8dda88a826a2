//! Rot: one place of a node's data folder is damaged, then the ledger is opened, read whole, and goes on.
//!
//! | file | what |
//! | --- | --- |
//! | `folder.rs` | a data folder in memory, from which damaged copies are made |
//! | `harm.rs` | what happens to one place, by number |
//! | `probe.rs` | the verdict about a damaged copy, and what gets it going again |

mod folder;
mod harm;
mod probe;

pub use folder::Folder;
pub use harm::Harm;
pub use probe::{Mend, Probe, Verdict};
