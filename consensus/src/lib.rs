//! PBFT over hash-chained blocks as a pure state machine: no clock, no thread, no socket, no disk.
//!
//! ```text
//!              Input ──►┌────────────────────────┐──► Effect
//!   verified message    │        Replica         │   persist, store body, sign and send,
//!   body stored         │ step(now, input, out)  │   validate, execute, commit,
//!   records persisted   │                        │   request batch, fetch, sync, relay,
//!   block validated     │ view · anchor · chain  │   evidence, halt
//!   block executed      │ votes · asks · timers  │
//!   batch, block        └────────────────────────┘   deadline() says when to come back
//! ```
//!
//! The driver owns the clock, the disk, the keys and the network. It verifies what comes in ([`message::verify`]),
//! feeds it to [`Replica::step`], and carries the effects out in order. Whatever must be durable before a
//! message leaves is an [`Effect::Persist`] or [`Effect::StoreBody`]; the core holds the message back until
//! the driver says that it is (R10–R13). After a crash the replica is made again from its [`DurableState`]
//! and nothing else (R14).
//!
//! | module | what |
//! | --- | --- |
//! | [`message`] | what replicas say, what is signed, verification |
//! | [`record`] | what must survive a crash, and the state that follows from it |
//! | [`fetched`] | whether what was fetched proves itself |
//! | [`evidence`] | proof of what no honest validator signs |
//! | [`replica`] | the state machine |
//! | [`service`] | the simple interface: one's own service, replicated |
//!
//! To replicate a service of one's own, none of this need be known: implement the three functions of
//! [`service::Service`] and give it to a [`service::Host`], which is driver enough for one fixed set of
//! machines, still without a clock, a disk or a socket of its own. [`service`] explains it on a page, and
//! `examples/kv.rs` does it in eighty lines.
//!
//! Rules are cited by number (`R11`); `docs/PROTOCOL.md` has them.

pub mod evidence;
pub mod fetched;
pub mod message;
pub mod record;
pub mod replica;
pub mod service;
mod time;

pub use evidence::{Evidence, EvidenceKind};
pub use message::{EpochContext, Message, Outgoing, SealedBlock, Unsigned, Verified};
pub use record::{DurableState, PersistId, Record};
#[cfg(feature = "mistakes")]
pub use replica::Mistake;
pub use replica::{Config, Effect, Halt, Input, Lost, OldEpoch, Peer, Pending, Phase, Replica, Tip};
pub use time::{Now, Time};
