//! libp2p: moves bytes between the members of an allow-list and knows no blocks.
//!
//! ```text
//!  Network ──commands──► swarm task ──► gossip · requests · dialling · allow-list
//!     │                      │
//!     └──frames──► queue ──► sender task ═══ stream ═══► reader task ──► Event
//!                 (bytes bounded)      one stream a direction            (bounded channel)
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `network.rs` | [`Network`], the handle; [`start`] |
//! | `event.rs` | [`Event`] and what it is answered with |
//! | `swarm.rs` | the task that owns the swarm |
//! | `backlog.rs` | events that wait for room, so that this task does not |
//! | `behaviour.rs` | which libp2p protocols, with which limits |
//! | `direct.rs` | ordered streams of frames between two peers; the one file that knows libp2p-stream |
//! | `closing.rs` | a dead connection does not take a quarter of an hour to close |
//! | `codec.rs` | requests and responses on the wire |
//! | `session.rs` | which connections a peer has, which of two is kept |
//! | `peers.rs` | the allow-list and the queues, shared by all tasks |
//! | `dial.rs` | who dials whom, and when |
//! | `standing.rs` | who is not heard in gossip for a while |
//! | `key.rs` | network keys and peer ids |
//! | `stats.rs` | counters |
//!
//! TCP, Noise, Yamux. Only peers on the allow-list get past the handshake, and only those of the same chain
//! stay. Gossip carries transactions, which authenticate themselves; it is anonymous and validated before it
//! is passed on; whoever sends too much that is rejected is not heard for a while. Direct streams keep order;
//! what waits for a peer when it goes is dropped, as is what a broken stream had taken, and whoever sent it
//! sends it again. Whoever stops reading the events makes the streams wait (Yamux back-pressure) and gossip be
//! ignored: memory never grows. The swarm task waits for nobody.

mod backlog;
mod behaviour;
mod closing;
mod codec;
mod dial;
mod direct;
mod error;
mod event;
mod key;
mod network;
mod peers;
mod session;
mod standing;
mod stats;
mod swarm;
#[cfg(test)]
mod tests;

pub use behaviour::{GOSSIP_BATCH_BYTES_MAX, REQUEST_TIMEOUT};
pub use codec::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX};
pub use direct::{DIRECT_QUEUE_BYTES_MAX, FRAME_BYTES_MAX};
pub use error::Error;
pub use event::{Event, GossipVerdict, Responder};
pub use key::{NetworkKey, PeerAddress};
pub use network::{Config, Network, start};
pub use stats::Stats;
