//! Every way in which the binary can fail. The text is what its user reads after `error:`.

use quorate_chain::ledger::LedgerError;
use quorate_chain::ledger::tools::ToolError;
use quorate_genesis::GenesisError;
use quorate_rpc::ServeError;
use quorate_rpc_client::ClientError;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// Why a command, or the node, ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: `read`, `write`, …
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something else of the system: a signal handler, standard output, a socket.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The configuration file is not what it should be.
    #[error("{}: {message}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        message: String,
    },
    /// An argument, environment variable or combination of them makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Genesis document, key file or vote record.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// A node's answer, or none.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The data folder could not be opened or used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A tool for the ledger ended early.
    #[error(transparent)]
    LedgerTool(Box<ToolError>),
    /// A tool did its work and found damage.
    #[error("{0}")]
    LedgerDamaged(String),
    /// Clients cannot be served.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The node stopped itself.
    #[error("the node stopped: {0}")]
    Stopped(String),
    /// Peers can't be served.
    #[error(transparent)]
    Network(#[from] quorate_p2p::Error),
    /// The network key is not the one on the validator's card.
    #[error(
        "the consensus key has seat {seat:?} of the genesis document, but the network key is another than on \
         its card; a node needs the keys that were made together"
    )]
    NetworkKey {
        /// The seat's name.
        seat: String,
    },
    /// A transaction was committed, but failed.
    #[error("the transaction was committed at height {height}, but failed: {reason}")]
    ReceiptFailed {
        /// Where it was committed.
        height: u64,
        /// Why it failed.
        reason: String,
    },
    /// A port is taken.
    #[error(
        "{address} is in use by another program (or another devnet); stop that, or choose other ports with \
         --base-port, and another --dir if the devnet was made before: it keeps its ports"
    )]
    PortBusy {
        /// Which address.
        address: SocketAddr,
    },
    /// A devnet could not be made, started or asked.
    #[error("{0}")]
    Devnet(String),
}

impl NodeError {
    /// For `map_err` after an operation on `path`.
    pub(crate) fn file(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { action, path: path.to_owned(), source }
    }

    /// For `map_err` after an operation that has no path.
    pub(crate) const fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::System { what, source }
    }
}
