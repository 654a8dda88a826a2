//! Limits of the server. All have defaults that suit one node's clients.

use std::net::SocketAddr;
use std::time::Duration;

/// Where the server listens, and what it allows.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Longest request body, bytes.
    pub body_bytes_max: usize,
    /// Most calls in a JSON-RPC batch.
    pub batch_max: usize,
    /// Longest JSON-RPC answer, a batch's as a whole, bytes.
    pub response_bytes_max: usize,
    /// Most open connections; more wait in the system's accept queue.
    pub connections_max: usize,
    /// Most requests at once; more are answered `busy`.
    pub requests_max: usize,
    /// Most requests that wait for a commit at once, fewer than `requests_max` so that reads go on.
    pub waiting_max: usize,
    /// Most ledger reads at once; more wait for their turn.
    pub reads_max: usize,
    /// Time for a request's head to arrive, and for an idle connection to bring the next.
    pub head_timeout: Duration,
    /// Time for a whole request, from its head to its answer.
    pub request_timeout: Duration,
    /// How long a submitted transaction's check may take.
    pub check_timeout: Duration,
    /// How long `broadcast_tx_commit` waits for the block; check, wait and look-up fit into
    /// `request_timeout`.
    pub commit_timeout: Duration,
    /// How long requests may go on after the server was told to stop.
    pub stop_timeout: Duration,
}

impl ServerConfig {
    /// The defaults, at this address.
    #[must_use]
    pub const fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            body_bytes_max: 1024 * 1024,
            batch_max: 100,
            response_bytes_max: 32 * 1024 * 1024,
            connections_max: 2048,
            requests_max: 1024,
            waiting_max: 512,
            reads_max: 32,
            head_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(20),
            check_timeout: Duration::from_secs(5),
            commit_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(5),
        }
    }
}
