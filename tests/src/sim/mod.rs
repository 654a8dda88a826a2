//! A seeded network of consensus cores in virtual time: one number decides everything that happens.
//!
//! ```text
//!   seed ─► Plan (faults) ─► World: queue of events by virtual time ─► SimNode: core + disk + executor
//!                                     │                                     │
//!                                     └────────── Checker ◄── signed, committed ┘
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `random.rs` | the generator behind every choice |
//! | `plan.rs` | which faults happen when |
//! | `node.rs` | one replica with a disk that loses what was not synced, and a small deterministic executor |
//! | `world.rs` | the clock, the queue of events, faults, the phases of a run |
//! | `network.rs` | messages on their way: loss, delay, partitions |
//! | `driver.rs` | a node's driver: what becomes of effects |
//! | `transactions.rs` | what the clients submit |
//! | `checker.rs` | what must never happen |
//!
//! The cores are the real ones, with their real signatures. The executor chains hashes; the ledger has tests
//! of its own.

mod checker;
mod driver;
mod network;
mod node;
mod plan;
mod random;
mod transactions;
mod world;

pub use checker::Violation;
pub use plan::{Fault, Plan};
pub use random::Random;
pub use world::{Outcome, Settings, run};
