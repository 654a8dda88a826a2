//! The server over real sockets, on a real ledger with blocks in it.
//!
//! | file | what |
//! | --- | --- |
//! | `node.rs` | a node of one thread: it checks, executes and commits, and signs as a quorum |
//! | `client.rs` | requests |
//! | `reads.rs`, `submissions.rs`, `limits.rs`, `explorer.rs`, `errors.rs` | the tests |

// Functions beside the tests may fail like them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bulk;
mod client;
mod errors;
mod explorer;
mod limits;
mod node;
mod reads;
mod submissions;
