//! Why a host refuses something, or cannot go on.

use super::operation::OPERATION_BYTES_MAX;
use super::pool::WAITING_MAX;
use super::wire::MESSAGE_BYTES_MAX;
use crate::message::Invalid;
use quorate_chain::certificate::CertificateError;
use quorate_chain::codec::DecodeError;
use quorate_chain::{Height, ValidatorIndex};

/// What a call to a host may fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The disk. The host is at its end: what is durable is not known any more.
    #[error("storage: {0}")]
    Storage(#[from] std::io::Error),
    /// An earlier call failed for good.
    #[error("the host has stopped")]
    Stopped,
    /// The key has no seat in the validator set.
    #[error("the key is of none of the validators")]
    NoSeat,
    /// The storage was never initialised, or is lost. A key without its record never votes (R47).
    #[error("the storage has no record of this key")]
    NoRecord,
    /// The storage is another key's, or another network's.
    #[error("the storage is of another key or network")]
    OtherOwner,
    /// What is stored does not fit together.
    #[error("stored {what}: {why}")]
    Damaged {
        /// Which entry.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The service executed a committed block again, with another result: it is not deterministic, or not the
    /// service that executed it first.
    #[error("the block at height {0} gives another result than it did")]
    Diverged(Height),
    /// A block came to be proven only by one so far above it that the proof is too long to keep. The next
    /// start fetches it with a shorter one.
    #[error("the proof of the block at height {0} is too long")]
    LongProof(Height),
    /// An operation that the service does not take.
    #[error("the service does not take this operation")]
    InvalidOperation,
    /// An operation that is too long.
    #[error("an operation of {0} bytes, allowed are {OPERATION_BYTES_MAX}")]
    LongOperation(usize),
    /// Too many operations wait. Try again after the next reply.
    #[error("{WAITING_MAX} operations, or too many bytes, wait already")]
    Full,
    /// Others have seen signatures that the own record does not know of: nothing is signed any more (R47).
    #[error("the vote record is not whole: this key signs nothing any more")]
    RecordLost,
    /// No other host has this seat.
    #[error("seat {0} is of no other host")]
    Stranger(ValidatorIndex),
    /// A message that only its signer sends, from another.
    #[error("host {0} passes on what only its signer sends")]
    SecondHand(ValidatorIndex),
    /// A message that is too long.
    #[error("a message of {0} bytes, allowed are {MESSAGE_BYTES_MAX}")]
    LongMessage(usize),
    /// Bytes that are no message.
    #[error("{0}")]
    Encoding(#[from] DecodeError),
    /// A consensus message that does not hold.
    #[error("{0}")]
    Message(#[from] Invalid),
    /// A certificate that does not hold.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// Blocks that do not follow each other or are not proven.
    #[error("{0}")]
    Blocks(&'static str),
    /// An operation passed on by a host that no host should have signed.
    #[error("an operation that is not signed by a host, or not taken by the service")]
    ForgedOperation,
}

impl Error {
    /// Whether no correct host could have sent it: its sender, if the transport vouches for who that is, may
    /// be cut off. The host goes on as if nothing had come. A message of another epoch is such a fault too:
    /// here there is only one.
    #[must_use]
    pub const fn is_peer_fault(&self) -> bool {
        matches!(
            self,
            Self::Stranger(_)
                | Self::SecondHand(_)
                | Self::LongMessage(_)
                | Self::Encoding(_)
                | Self::Message(_)
                | Self::Certificate(_)
                | Self::Blocks(_)
                | Self::ForgedOperation
        )
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Full)
    }

    /// Whether the host is at its end.
    pub(super) const fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::Storage(_) | Self::Stopped | Self::Damaged { .. } | Self::Diverged(_) | Self::LongProof(_)
        )
    }
}
