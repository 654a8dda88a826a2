//! Golden vectors: the bytes of everything that is signed, hashed or stored, and what is computed of them, made from
//! fixed seeds and compared with `tests/vectors/*.json`. `tests/vectors/check.py` recomputes the files on its own.
//!
//! A changed format shows here as a difference. Where the change is meant,
//! `QUORATE_WRITE_VECTORS=1 cargo test -p quorate-chain --test vectors` writes the files again.
//!
//! | module | file |
//! | --- | --- |
//! | `keys.rs` | domain tags, keys, signatures with the verdicts of both predicates |
//! | `transactions.rs` | an instruction of every kind, transactions, ids of assets |
//! | `receipts.rs` | an event of every kind, every error, receipts and their root |
//! | `blocks.rs` | headers, blocks, results |
//! | `certificates.rs` | validator sets, cards, readies, votes, certificates |
//! | `state.rs` | an entry of every kind, roots |
//! | `proofs.rs` | proofs of entries, absences and list elements |
//! | `stored.rs` | journal, store and archive of a chain of five |

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

mod blocks;
mod certificates;
mod document;
mod every;
mod file;
mod keys;
mod proofs;
mod receipts;
mod state;
mod stored;
mod transactions;

use borsh::BorshSerialize;
use quorate_chain::codec::encode;
use quorate_chain::crypto::SecretKey;
use quorate_chain::{AccountId, ChainId};

/// The chain that everything is signed for.
const CHAIN: ChainId = ChainId([0x51; 32]);
/// Another one.
const OTHER_CHAIN: ChainId = ChainId([0x52; 32]);

/// The account key of this number.
fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

/// The account that is named after [`key`].
fn account(number: u8) -> AccountId {
    key(number).public().into()
}

/// The encoding in hex.
fn bytes<T: BorshSerialize + ?Sized>(value: &T) -> String {
    hex::encode(encode(value))
}
