//! A blocking JSON-RPC client of a Quorate node.
//!
//! ```no_run
//! use quorate_rpc_client::Client;
//!
//! let node = Client::new("http://127.0.0.1:26600")?;
//! println!("height {}", node.status()?.height);
//! # Ok::<(), quorate_rpc_client::ClientError>(())
//! ```
//!
//! `client.rs` has the calls, `bulk.rs` those for high rates, `answers.rs` what they return, `error.rs` how they fail. Answers are read
//! leniently: fields that a newer node adds are skipped.

mod answers;
mod bulk;
mod client;
mod error;

pub use answers::{
    Account, Balance, Block, BlockResult, Committed, Health, Outcome, Receipt, Status, Submitted,
    TransactionInfo,
};
pub use bulk::{BlockOutcomes, Many, Refused};
pub use client::{ANSWER_BYTES_MAX, Client, TIMEOUT};
pub use error::{ClientError, RpcError};
