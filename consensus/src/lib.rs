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
//! | [`replica`] | the state machine |
//!
//! Rules are cited by number (`R11`); `docs/PROTOCOL.md` has them.

pub mod message;
pub mod record;
pub mod replica;
mod time;

pub use message::{EpochContext, Message, Outgoing, SealedBlock, Unsigned, Verified};
pub use record::{DurableState, PersistId, Record};
pub use replica::{Config, Effect, Evidence, Halt, Input, Phase, Replica, Tip};
pub use time::{Now, Time};
