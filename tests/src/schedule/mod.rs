//! A stage on which a script decides everything: who hears what and when, whose clock runs, whose disk is
//! slow, and what a Byzantine validator signs. For the schedules that random search misses (PROTOCOL.md §4).
//!
//! ```text
//!   script ──verbs──► Stage ──► Actor: the real core + disk + executor (one a validator, none for a Byzantine)
//!                      │  ▲                      │ signs, sends
//!                      │  └── mail: Letters ◄────┘
//!                      └────► Checker: all signatures that exist
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `setup.rs` | what a stage is made of, and the mistakes made on it |
//! | `stage.rs` | the verbs for letters and time: deliver, lose, let flow, heal |
//! | `machine.rs` | those for machines: crash, restart, slow disk, transactions |
//! | `look.rs` | what a script can see |
//! | `letter.rs` | what is on its way, and which of it a script means |
//! | `actor.rs` | one validator's machine |
//! | `effects.rs` | the duties of its driver |
//! | `disk.rs` | what survives a power loss |
//! | `executor.rs` | what executes blocks: a chain of hashes, or the real ledger |
//! | `forge.rs` | what a Byzantine validator can make of all signatures that exist |
//! | `checker.rs` | what must never happen |
//!
//! Nothing happens by itself: a message stays in the mail until the script delivers it, and no timer expires
//! before the script lets time pass. Disk and executor answer at once unless they are held.

#![allow(clippy::expect_used, reason = "a script that asks for what does not exist is wrong")]

mod actor;
mod checker;
mod disk;
mod effects;
mod executor;
mod forge;
mod letter;
mod look;
mod machine;
mod setup;
mod stage;

pub use crate::slot::Slot;
pub use checker::Violation;
pub use executor::PAYEE;
pub use letter::{Kind, Which, all, of};
pub use setup::{EpochEnd, Setup, Slip};
pub use stage::{Stage, Stall};
