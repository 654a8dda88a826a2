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
//! | `behaviour.rs` | which libp2p protocols, with which limits |
//! | `direct.rs` | ordered streams of frames between two peers; the one file that knows libp2p-stream |
//! | `dial.rs` | who dials whom, and when |
//! | `key.rs` | network keys and peer ids |
//! | `stats.rs` | counters |
//!
//! TCP, Noise, Yamux. Only peers on the allow-list get past the handshake. Gossip carries transactions, which
//! authenticate themselves; it is anonymous and validated before it is passed on. Direct streams keep order
//! within one stream; what is queued when a peer goes is lost, and whoever sent it sends it again. A reader
//! that stops reading the events makes the streams wait (Yamux back-pressure), never memory grow.

mod behaviour;
mod dial;
mod direct;
mod error;
mod event;
mod key;
mod network;
mod stats;
mod swarm;

pub use behaviour::{GOSSIP_BATCH_BYTES_MAX, REQUEST_BYTES_MAX, REQUEST_TIMEOUT, RESPONSE_BYTES_MAX};
pub use direct::{DIRECT_QUEUE_BYTES_MAX, FRAME_BYTES_MAX};
pub use error::Error;
pub use event::{Event, GossipVerdict, Responder};
pub use key::{NetworkKey, PeerAddress};
pub use network::{Config, Network, start};
pub use stats::Stats;
