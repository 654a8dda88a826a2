//! A seeded network of consensus cores in virtual time: one number decides everything that happens.
//!
//! ```text
//!   seed ─► Plan (faults) ─► World: queue of events by virtual time ─► SimNode: core + disk + executor
//!                              │  ▲ weather                               │
//!                              └──┴──────────── Checker ◄── signed, committed ┘
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `settings.rs` | what a run is made of beside its seed, and what became of it |
//! | `mutation.rs` | known mistakes, made by the driver on purpose, that the checker must find |
//! | `random.rs` | the generator behind every choice |
//! | `plan.rs` | which faults happen when |
//! | `weather.rs` | what the network does to a message |
//! | `disk.rs` | what survives a crash |
//! | `node.rs` | one replica with its disk, its pool and a small deterministic executor |
//! | `signing.rs` | real signatures, or keyed hashes in their place |
//! | `clients.rs` | who submits transactions, again and again until they are committed |
//! | `world.rs` | the clock and the queue of events: safety phase, healing, liveness phase |
//! | `effects.rs` | what becomes of a core's effects |
//! | `wire.rs` | what goes over the network and how it is taken in |
//! | `checker.rs` | what must never happen |
//!
//! A run goes through a phase with faults, is healed (all are up but those that are silent for ever, nothing
//! is lost), and must then commit every submitted transaction everywhere within a bound. The checker sees
//! everything that anybody signed, whether or not it arrived. The cores are the real ones. The executor
//! chains hashes; the ledger has tests of its own.

mod checker;
mod clients;
mod disk;
mod effects;
mod mutation;
mod node;
mod plan;
mod random;
mod settings;
mod signing;
mod weather;
mod wire;
mod world;

pub use checker::Violation;
pub use mutation::Mutation;
pub use plan::{Fault, Plan};
pub use random::Random;
pub use settings::{Outcome, Settings, TIMEOUT_BASE_MS, TIMEOUT_MAX_MS};
pub use world::{run, run_plan};
