//! What the node shows to the server, and what it takes from it.

use crate::rejection::Rejection;
use quorate_chain::ledger::Reader;
use quorate_chain::{Epoch, Height, PublicKey, Transaction, ValidatorIndex, View};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};

/// Everything that the server reads and where it submits. A clone shares all of it.
#[derive(Clone, Debug)]
pub struct NodeView {
    /// Committed blocks and state.
    pub reader: Reader,
    /// The committed height; sent after [`Self::reader`] shows it. A closed channel says that the node stops.
    pub committed: watch::Receiver<Height>,
    /// What the node is doing.
    pub status: watch::Receiver<NodeStatus>,
    /// Takes transactions; bounded: a full one is answered `busy`, a closed one `stopping`.
    pub submit: mpsc::Sender<Submission>,
    /// The genesis document, byte for byte as on disk; JSON.
    pub genesis_json: Arc<str>,
    /// What people call this node.
    pub name: Arc<str>,
    /// The program's version.
    pub version: &'static str,
    /// The commit it was built from.
    pub build: &'static str,
    /// What else `/metrics` shows.
    pub metrics: MoreMetrics,
}

/// Makes the text of metrics in the format of OpenMetrics, without its end.
#[derive(Clone)]
pub struct MoreMetrics(pub Arc<dyn Fn() -> String + Send + Sync>);

impl Default for MoreMetrics {
    fn default() -> Self {
        Self(Arc::new(String::new))
    }
}

impl fmt::Debug for MoreMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MoreMetrics")
    }
}

/// What the node is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeStatus {
    /// Epoch of the next height.
    pub epoch: Epoch,
    /// The view it is in.
    pub view: View,
    /// Who leads that view.
    pub primary: ValidatorIndex,
    /// Its own seat; `None` for an observer.
    pub me: Option<ValidatorIndex>,
    /// Whether it takes part in votes.
    pub voting: bool,
    /// Whether it knows of committed heights that it lacks.
    pub catching_up: bool,
    /// Why it has stopped taking part, if it has.
    pub halted: Option<String>,
    /// Why its consensus key must not be used any more, if so: its vote record is not whole.
    pub record_lost: Option<String>,
    /// Who it is connected to.
    pub peers: Vec<PeerInfo>,
    /// Transactions that wait for a block.
    pub mempool_transactions: usize,
}

/// A connected peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerInfo {
    /// Its network key.
    pub network: PublicKey,
    /// Its seat, if it is a validator's.
    pub validator: Option<ValidatorIndex>,
}

/// A well-formed transaction for the node to check and take into its pool.
#[derive(Debug)]
pub struct Submission {
    /// The transaction; its signatures are not checked yet.
    pub transaction: Transaction,
    /// Answered when it is in the pool or refused. Nobody may be listening (`broadcast_tx_async`). Dropped
    /// without an answer it says that the node stops.
    pub answer: oneshot::Sender<Result<(), Rejection>>,
}
