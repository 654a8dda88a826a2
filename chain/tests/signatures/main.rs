//! Signatures that implementations of ed25519 disagree about: every path that verifies gives the one verdict
//! that is meant for it. Transactions are verified by ZIP-215, votes and cards strictly, keys before they are
//! registered.
//!
//! | from | what |
//! | --- | --- |
//! | `taming.json` | the twelve vectors of "Taming the many EdDSAs", with its table's verdicts |
//! | `forged.rs` | ZIP-215's 14 × 14 points of small order, and signatures that hold with the cofactor only |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod batches;
mod blocks;
mod forged;
mod taming;

use quorate_chain::crypto::SignedMessage;
use quorate_chain::{PublicKey, Signature};

/// A signature and the verdict of ZIP-215 on it.
#[derive(Clone, Debug)]
struct Case {
    name: String,
    key: PublicKey,
    message: Vec<u8>,
    signature: Signature,
    valid: bool,
}

impl Case {
    fn signed(&self) -> SignedMessage<'_> {
        SignedMessage { key: self.key, message: &self.message, signature: self.signature }
    }
}
