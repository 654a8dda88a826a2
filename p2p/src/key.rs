//! Network keys, and the peer ids that libp2p makes of them.

use crate::error::Error;
use libp2p::PeerId;
use libp2p::identity::{PublicKey, ed25519};
use std::fmt;

/// An ed25519 public key that opens connections; 64 hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkKey(pub [u8; 32]);

impl fmt::Display for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for NetworkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl NetworkKey {
    pub(crate) fn peer_id(self) -> Result<PeerId, Error> {
        let key = ed25519::PublicKey::try_from_bytes(&self.0)
            .map_err(|error| Error::Setup(format!("network key {self}: {error}")))?;
        Ok(PublicKey::from(key).to_peer_id())
    }
}

/// A peer that is admitted, and where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerAddress {
    /// Its key.
    pub key: NetworkKey,
    /// `host:port`, resolved at each dial; without it the peer has to dial.
    pub address: Option<String>,
}
