//! What a block is and does: everything of the chain that needs no network and no clock.
//!
//! ```text
//!  ids  codec  crypto  merkle  quorum            numbers, bytes, keys, hashes, sizes of quorums
//!    └──► instruction  transaction  receipt  block  certificate  validator  parameters
//!            │                                   what is signed, hashed and sent
//!            ├──► mempool                        transactions waiting for a block
//!            └──► state ──► execution            entries and their root; what a block does to them
//!                   └─────────┴──► ledger        journal (the truth) and sled (state, indexes)
//! ```
//!
//! A transaction comes in as bytes ([`transaction`]), waits in the [`mempool`], is ordered into a [`block`],
//! executed ([`execution`]) on a version of the [`state`], and made durable by the [`ledger`]. A
//! [`certificate`] proves a block and its result to whoever knows the [`validator`] set.

pub mod block;
pub mod certificate;
pub mod codec;
pub mod crypto;
pub mod execution;
pub mod ids;
pub mod instruction;
pub mod ledger;
pub mod mempool;
pub mod merkle;
pub mod parameters;
pub mod quorum;
pub mod receipt;
pub mod state;
pub mod transaction;
pub mod validator;

pub use block::{Block, BlockResult, Header};
pub use certificate::{CertifiedHeader, CommitCertificate, PreparedCertificate};
pub use ids::{
    AccountId, Amount, AssetId, BlockHash, ChainId, Digest, Epoch, Height, Nonce, OrganisationId, PublicKey,
    ResultHash, ShortId, Signature, StateRoot, TimestampMs, TransactionId, ValidatorIndex, View,
};
pub use instruction::{Instruction, Step};
pub use transaction::{Transaction, TransactionBody};
pub use validator::ValidatorSet;
