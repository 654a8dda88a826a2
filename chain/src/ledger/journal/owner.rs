//! Whose a journal is.

use std::fmt;

use crate::ids::ChainId;

/// Bytes in a segment's header that say whose it is.
pub(super) const OWNER_BYTES: usize = 33;
const CHAIN: u8 = 1;
const VOTES: u8 = 2;

/// What a journal is for, and whose it is. Every segment's header says it, and the records' checksums depend on
/// it: the files of one journal never open as those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The blocks of this chain. They prove themselves, so any node's journal of the chain will do.
    Chain(ChainId),
    /// The vote record with this id (R47); zeros where no key votes.
    Votes([u8; 16]),
}

impl Owner {
    /// Kind (1), then the id (32), a shorter one with zeros behind it.
    pub(super) fn encode(&self) -> [u8; OWNER_BYTES] {
        let mut out = [0; OWNER_BYTES];
        match self {
            Self::Chain(chain) => {
                out[0] = CHAIN;
                out[1..].copy_from_slice(&chain.0);
            }
            Self::Votes(id) => {
                out[0] = VOTES;
                out[1..17].copy_from_slice(id);
            }
        }
        out
    }

    /// The caller encodes again: zeros behind a shorter id are not checked here.
    pub(super) fn decode(bytes: [u8; OWNER_BYTES]) -> Option<Self> {
        let (mut chain, mut votes) = ([0; 32], [0; 16]);
        chain.copy_from_slice(&bytes[1..]);
        votes.copy_from_slice(&bytes[1..17]);
        match bytes[0] {
            CHAIN => Some(Self::Chain(ChainId(chain))),
            VOTES => Some(Self::Votes(votes)),
            _ => None,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(chain) => write!(f, "the chain {chain}"),
            Self::Votes(id) if *id == [0; 16] => f.write_str("a node without a consensus key"),
            Self::Votes(id) => write!(f, "the vote record {}", hex::encode(id)),
        }
    }
}
