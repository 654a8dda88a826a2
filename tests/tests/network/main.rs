//! Real processes: validators of the real binary on this machine, killed, stopped, robbed of their disks' caches.
//!
//! | file | what |
//! | --- | --- |
//! | `program.rs` | finds the binary, runs it, waits for conditions |
//! | `devnet.rs` | a devnet in a temporary folder; all that it started ends with it |
//! | `nodes.rs` | single `quorate node` processes, if wanted under the power-loss shim |
//! | `wallet.rs` | accounts that sign |
//! | `proof.rs` | checks blocks offline: the genesis document and `quorate-chain`, nothing else |
//! | `chain.rs` | what several nodes say of one chain, compared and checked |
//! | `load.rs` | clients that send until the nodes are killed, and what must be there afterwards |
//! | `agreement.rs` `again.rs` `bench.rs` `crashes.rs` `power.rs` `rejections.rs` `refusals.rs` `observer.rs` `guard.rs` `instructions.rs` `keep.rs` `tools.rs` `way.rs` | the tests |
//!
//! The devnets take turns, so that each has the machine for itself. `QUORATE_PROGRAM` names another binary to be
//! tested than the one beside these tests.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod again;
mod agreement;
mod bench;
mod chain;
mod crashes;
mod devnet;
mod guard;
mod instructions;
mod keep;
mod load;
mod nodes;
mod observer;
mod power;
mod program;
mod proof;
mod refusals;
mod rejections;
mod tools;
mod wallet;
mod way;
