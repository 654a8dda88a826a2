//! Fuzz targets: each takes any bytes, and panics when a property is broken.
//!
//! They run in two ways: on their committed corpus with a fixed number of mutations, as a plain test
//! (`tests/fuzz.rs`), and under `cargo fuzz` (`tests/fuzz/README.md`), which only wraps them.
//!
//! | file | what |
//! | --- | --- |
//! | `decoders.rs` | bytes from peers, clients and disk |
//! | `proofs.rs` | what a client verifies, and forged |
//! | `journal.rs` | files of the journal and of the ledger |
//! | `archive.rs` | exported blocks, damaged and forged |
//! | `instructions.rs` | blocks of instructions on a small state |
//! | `documents.rs` | genesis documents, cards, key files |
//! | `replica/` | replicas of the consensus core against a Byzantine one |
//! | `genuine.rs` | what verification should say, found without it |
//! | `script.rs` | bytes as decisions |
//! | `seeds.rs` | where the corpora begin |

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a broken property panics"
)]

mod archive;
mod decoders;
mod documents;
mod genuine;
mod instructions;
mod journal;
mod proofs;
mod replica;
mod script;
mod seeds;

pub use archive::archive;
pub use decoders::{CHAIN_VALUES, chain_value, evidence, hostile_lengths, message, record, transaction};
pub use documents::{genesis_document, member_files};
pub use instructions::instructions;
pub use journal::{journal, ledger};
pub use proofs::{certificates, list_proof, state_proof};
pub use replica::{
    Novelty, Reach, replica_heals, replica_is_new, replica_reach, replica_step, replica_twice,
    replica_verified,
};

pub use seeds::{CORPUS_BYTES_MAX, CORPUS_FILES_MAX, seeds};

/// A target: its name, which is its corpus folder's too, and what it does with an input.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 19] = [
    ("archive", archive),
    ("certificates", certificates),
    ("chain_value", chain_value),
    ("evidence", evidence),
    ("genesis_document", genesis_document),
    ("hostile_lengths", hostile_lengths),
    ("instructions", instructions),
    ("journal", journal),
    ("ledger", ledger),
    ("list_proof", list_proof),
    ("member_files", member_files),
    ("message", message),
    ("record", record),
    ("replica_heals", replica_heals),
    ("replica_step", replica_step),
    ("replica_twice", replica_twice),
    ("replica_verified", replica_verified),
    ("state_proof", state_proof),
    ("transaction", transaction),
];
