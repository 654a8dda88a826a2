//! The node's HTTP side: JSON-RPC 2.0 at `/`, the same calls as REST under `/v1`, the explorer under
//! `/explorer`.
//!
//! ```text
//!  request ─► server (connections, sizes, time, load) ─► json_rpc ─┐
//!                                                    ├─► rest ─────┼─► api ─► reads ─► ledger::Reader
//!                                                    └─► explorer ─┘    └───► submission ─► the node
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `config.rs` | limits and their defaults |
//! | `view.rs` | what the node shows and takes |
//! | `rejection.rs` | why a transaction is not taken |
//! | `errors.rs` | every error with its code, reason and HTTP status; the table of them |
//! | `shapes.rs` | the answers |
//! | `reads.rs` | ledger reads off the async threads, so many at once |
//! | `api.rs`, `submission.rs` | one function a call |
//! | `bulk.rs` | many transactions in a request, many outcomes in an answer |
//! | `json_rpc.rs`, `rest.rs`, `explorer/` | the three doors |
//! | `metrics.rs` | metrics at `/metrics` |
//! | `server.rs`, `guard.rs` | sockets, routes and limits |
//!
//! | JSON-RPC | parameters | REST |
//! | --- | --- | --- |
//! | `health` | | `GET /v1/health` (503 when halted) |
//! | `status` | | `GET /v1/status` |
//! | `genesis` | | `GET /v1/genesis` (the file, byte for byte) |
//! | `validators` | | `GET /v1/validators` |
//! | `block` | `height`: number or `"latest"` (default) | `GET /v1/blocks/{height}` |
//! | `commit` | `height`, as above | `GET /v1/commits/{height}` |
//! | `tx` | `id` | `GET /v1/transactions/{id}` |
//! | `account` | `address` | `GET /v1/accounts/{address}` |
//! | `broadcast_tx_async` | `tx`: the bytes as hex | `POST /v1/transactions?mode=async`, the bytes as body |
//! | `broadcast_tx_sync` | `tx` | `POST /v1/transactions?mode=sync` (default) |
//! | `broadcast_tx_commit` | `tx` | `POST /v1/transactions?mode=commit` |
//! | | | `POST /v1/transactions/batch`, a borsh list of byte strings: `{"taken": N, "refused": [{"index", "error"}]}` |
//! | | | `GET /v1/outcomes?from=H&wait_ms=T`, a borsh list of [`BlockOutcomes`], empty if the wait ran out |
//!
//! Whoever can reach the port can read everything that is committed and can submit; the default address is
//! the loopback one. Nothing here holds a key or changes state: transactions are handed to the node.

mod api;
mod bulk;
mod config;
mod errors;
mod explorer;
mod guard;
mod json_rpc;
mod metrics;
mod reads;
mod rejection;
mod rest;
mod server;
pub mod shapes;
mod submission;
mod view;

pub use bulk::{BlockOutcomes, MANY_MAX, OUTCOME_BLOCKS_MAX, OUTCOME_TRANSACTIONS_MAX, OUTCOME_WAIT_MAX};
pub use config::ServerConfig;
pub use errors::{ApiError, ErrorKind, error_table};
pub use rejection::Rejection;
pub use server::{ServeError, Server, serve};
pub use view::{MoreMetrics, NodeStatus, NodeView, PeerInfo, Submission};
