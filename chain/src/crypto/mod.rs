//! Keys, signatures and hashes, each bound to what it is for by a domain tag.
//!
//! | file | what |
//! | --- | --- |
//! | `compress.rs` | several keyed hashes side by side |
//! | `domain.rs` | the table of tags; the bytes that are signed and hashed |
//! | `keys.rs` | secret keys; the check that a registered key is a sound one |
//! | `strict.rs` | votes, cards, certificates: `verify_strict` |
//! | `transactions.rs` | transaction signatures: ZIP-215, one by one or in batches |
//!
//! Two predicates on purpose. Votes and certificates are verified strictly: every implementation, a
//! browser's too, gives the same verdict. Transactions are verified by ZIP-215 everywhere: its batch and
//! single verdicts agree, so no crafted signature splits replicas that batch differently.

pub(crate) mod compress;
mod domain;
mod keys;
mod strict;
mod transactions;

pub use domain::{Domain, hash, signed_bytes};
pub use keys::{KeyError, SecretKey, check_registrable};
pub use strict::{SignatureCheck, strict, verify_strict};
pub use transactions::{SignedMessage, verify_batch, verify_zip215};
