//! Replicating one's own service: PBFT as a library with a simple interface (PBFT §6.2).
//!
//! A service is a deterministic state machine: bytes in, bytes out. Implement [`Service`], give one instance
//! to a [`Host`] on each machine, and all hosts execute the same operations in the same order, while up to
//! f = ⌊(n−1)/3⌋ of the n machines do whatever they like.
//!
//! ```text
//!   submit(operation) ─►┌───────────────────────────┐─► Output::Reply: answer and its certificate
//!   receive(from, bytes)│           Host            │─► Output::Broadcast, Output::Send: bytes for others
//!   tick  at deadline() │ Replica · Service · pool  │─► Output::Committed, Output::Alarm
//!                       └───────────┬───────────────┘
//!                                   ▼
//!                            Storage: durable
//! ```
//!
//! The host is as pure as the [`Replica`](crate::Replica) inside it: the program that embeds it owns the
//! clock, the disk (through [`Storage`]) and the network. It has four duties:
//!
//! 1. Call [`Host::receive`] with what arrives, and [`Host::tick`] at [`Host::deadline`] if nothing did.
//! 2. After each call, take [`Host::outputs`] and send the bytes, at most [`MESSAGE_BYTES_MAX`] each. Messages
//!    may be lost, repeated and reordered: the hosts repeat what counts. Whatever has to be durable before a
//!    message leaves, is. Connections should know their peers: [`Host::receive`] is told who sent what.
//! 3. Call [`storage::initialise`] once, when a machine's key is made. A host without its record never votes
//!    (R47): after a lost disk the machine needs a new key, and so a new network.
//! 4. Stop the host when a call gives an error that is no fault of a peer ([`Error::is_peer_fault`]).
//!
//! A whole service, and its replication:
//!
//! ```
//! use quorate_chain::validator::fixture::{consensus_key, validator_set};
//! use quorate_chain::{ChainId, ValidatorIndex};
//! use quorate_consensus::service::{Host, Memory, Output, Service, Settings, storage};
//! use quorate_consensus::{Now, Time};
//!
//! /// Adds up what it is told; an operation is one byte.
//! #[derive(Clone, Default)]
//! struct Sum(u64);
//!
//! impl Service for Sum {
//!     fn validate(&self, operation: &[u8]) -> bool {
//!         operation.len() == 1
//!     }
//!     fn execute(&mut self, operation: &[u8]) -> Vec<u8> {
//!         self.0 += operation.iter().map(|byte| u64::from(*byte)).sum::<u64>();
//!         self.0.to_le_bytes().to_vec()
//!     }
//!     fn digest(&self) -> [u8; 32] {
//!         *blake3::hash(&self.0.to_le_bytes()).as_bytes()
//!     }
//! }
//!
//! # fn main() -> Result<(), quorate_consensus::service::Error> {
//! let settings = Settings::new(ChainId([7; 32]), validator_set(4));
//! let mut hosts = Vec::new();
//! for seat in 0..4 {
//!     let mut disk = Memory::default();
//!     storage::initialise(&mut disk, settings.chain, &consensus_key(seat))?;
//!     hosts.push(Host::start(Now::default(), settings.clone(), consensus_key(seat), disk, Sum::default())?);
//! }
//! let mut sums = Vec::new();
//! for ms in 0..100 {
//!     let now = Now { time: Time(ms), clock: quorate_chain::TimestampMs(ms) };
//!     if ms == 10 {
//!         hosts[3].submit(now, &[42])?;
//!     }
//!     for from in 0..4u16 {
//!         for output in hosts[usize::from(from)].outputs() {
//!             let (to, bytes) = match output {
//!                 Output::Broadcast(bytes) => (None, bytes),
//!                 Output::Send(ValidatorIndex(to), bytes) => (Some(to), bytes),
//!                 Output::Reply(reply) => {
//!                     assert!(reply.verify(&settings.set, settings.chain).is_ok());
//!                     sums.push(reply.bytes);
//!                     continue;
//!                 }
//!                 Output::Committed(_) | Output::Alarm(_) => continue,
//!             };
//!             for other in (0..4).filter(|other| *other != from && to.is_none_or(|to| to == *other)) {
//!                 hosts[usize::from(other)].receive(now, ValidatorIndex(from), &bytes)?;
//!             }
//!         }
//!     }
//! }
//! assert_eq!(sums, [42u64.to_le_bytes()]);
//! # Ok(())
//! # }
//! ```
//!
//! `examples/kv.rs` is a key-value service on a simulated network whose primary dies; `tests/tests/service.rs`
//! runs it over TCP.
//!
//! **What is promised.** An operation for which a [`Reply`] came is executed exactly once, in the same place of
//! the same order, by every correct host, for ever; the reply proves itself to anybody who knows the validator
//! set ([`Reply::verify`]). An operation that was submitted to a host that stopped before its reply may still
//! be executed, once. Operations submitted to one host execute in the order of submission, unless that host
//! was restarted while some of an earlier run were on their way. To read what is certainly the latest,
//! submit the read as an operation; [`Host::service`] gives the own, perhaps older, committed state.
//!
//! **How operations travel.** As transactions of the chain's blocks: one data entry with the operation as its
//! value, signed with the host's consensus key under the domain of transactions, numbered by a nonce. So the
//! hosts are the clients; whoever else wants to use the service talks to a host, and if hosts are not to be
//! believed, operations carry their author's signature and [`Service::validate`] checks it. A block's result
//! binds [`Service::digest`], the nonces and all replies.
//!
//! **What it does not do.** The validator set is fixed: the host stays in epoch 0 and refuses messages of
//! others. A start executes all committed operations again, and a host that fell behind executes what it
//! missed; there is no transfer of states. `quorate-chain` and the node have both.
//!
//! | file | what |
//! | --- | --- |
//! | `host.rs` | the host: its parts, its calls |
//! | `start.rs` | from what is stored (R14) |
//! | `effects.rs` | carrying out what the replica asks for |
//! | `peers.rs` | what comes from other hosts: verification, catching up |
//! | `execution.rs` | states by block, results, the validity of blocks (R6) |
//! | `operation.rs` | an operation as a transaction |
//! | `pool.rs` | operations that wait for a block |
//! | `reply.rs` | replies and committed blocks, with their proofs |
//! | `storage.rs` | what is kept, and where |
//! | `wire.rs` | what hosts say to each other; sizes |

mod effects;
mod error;
mod execution;
mod host;
mod operation;
mod peers;
mod pool;
mod reply;
mod settings;
mod start;
pub mod storage;
#[cfg(test)]
mod tests;
mod wire;

pub use error::Error;
pub use host::{Alarm, Host, Output};
pub use operation::OPERATION_BYTES_MAX;
pub use pool::WAITING_MAX;
pub use reply::{Committed, Reply, ReplyProof, Ticket};
pub use settings::Settings;
pub use storage::{Memory, Storage};
pub use wire::MESSAGE_BYTES_MAX;

/// A deterministic state machine to be replicated.
///
/// The host keeps a clone for each block in flight, because a block executes before it is final and its
/// predecessor's state may be needed again. At most `Settings::window` are alive, and a few more after failed
/// views; a service with a large state keeps it in structures that share (behind `Arc`, or persistent ones).
pub trait Service: Clone {
    /// Whether the operation may be ordered at all: its form, the signature of its author. Asked by every host
    /// about every operation before it gets into a block, at different times, so the answer depends on the
    /// operation and on what never changes in `self`, and on nothing else. What the present state does not
    /// allow is for [`Self::execute`] to refuse in its reply.
    fn validate(&self, operation: &[u8]) -> bool;

    /// Executes a valid operation; gives the reply. Same state and same operation give the same state and the
    /// same reply on every machine: no clock, no randomness, no order of hash maps. It must not panic.
    fn execute(&mut self, operation: &[u8]) -> Vec<u8>;

    /// A collision-resistant hash of the whole state, taken after each block.
    fn digest(&self) -> [u8; 32];
}
