//! What can go wrong when sending.

use crate::key::NetworkKey;
use std::net::SocketAddr;

/// Why something could not be sent or started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The secret is no ed25519 seed, or a protocol could not be set up.
    #[error("cannot set up the network: {0}")]
    Setup(String),
    /// The listen address is taken or not this machine's.
    #[error("cannot listen for peers on {address}: {reason}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// What the system says.
        reason: String,
    },
    /// More bytes than allowed.
    #[error("{bytes} bytes, allowed are {max}")]
    TooLarge {
        /// How many there are.
        bytes: usize,
        /// How many may be.
        max: usize,
    },
    /// Too much waits to be sent already.
    #[error("too much waits to be sent")]
    Busy,
    /// The peer is not connected.
    #[error("{0} is not connected")]
    NotConnected(NetworkKey),
    /// The peer did not answer in time, or refused.
    #[error("{peer} did not answer: {reason}")]
    NoAnswer {
        /// Which peer.
        peer: NetworkKey,
        /// What went wrong.
        reason: String,
    },
    /// The network has been shut down.
    #[error("the network has been shut down")]
    Stopped,
}

impl Error {
    /// Whether trying again, perhaps with another peer, may help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy | Self::NotConnected(_) | Self::NoAnswer { .. })
    }
}
