//! What has to be there before there is a chain: members' keys and cards, and the genesis document.
//!
//! | file | what |
//! | --- | --- |
//! | `key_file.rs` | secret keys on disk: 0600, each kind for its one use |
//! | `vote_record.rs` | the mark that a consensus key's votes are recorded in this folder (R47) |
//! | `member.rs` | a member's three keys, vote record and signed card, made together |
//! | `document.rs` | the genesis document: JSON, its checks, its hash (the chain id), the first state |
//! | `exact.rs` | finds what a JSON text says beyond, or short of, what was understood of it |
//!
//! Every member makes its keys where they will be used and hands out its card only; whoever has all cards
//! merges them. Nobody holds another's keys.
//!
//! ```text
//!  member::create ──► keys/*.json  data/…/RECORD      (stay with the member)
//!        └──────────► card.json ──┐
//!                     card.json ──┼─► Genesis::merge ──► genesis.json ──► chain id, GenesisState
//!                     accounts  ──┘
//! ```

mod document;
mod error;
mod exact;
mod files;
mod key_file;
pub mod member;
pub mod vote_record;

pub use document::{ACCOUNTS_MAX, DOCUMENT_BYTES_MAX, Genesis, GenesisAccount, VERSION};
pub use error::GenesisError;
pub use key_file::{KeyFile, KeyKind};
