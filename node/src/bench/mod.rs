//! The load generator: open-loop load on a network, and figures of what became of it.
//!
//! ```text
//!  accounts ─► work (signed ahead) ─► lanes ─► nodes ─► follow ─► tally ─► figures ─► words, report
//!               schedule ──────────────┘ due           commits     │
//!                                        processes ────────────────┘
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `network.rs` | the nodes, and who funds the senders |
//! | `accounts.rs` | the accounts that send: their keys, nonces and funds |
//! | `schedule.rs` | when each transaction is due, and which connection sends it |
//! | `work.rs` | the transactions, signed before the run begins |
//! | `lane.rs` | a connection: sends what is due, sends again what is refused for now |
//! | `verdict.rs` | whether a refusal is final |
//! | `hostile.rs` | connections that send what no node should take |
//! | `follow.rs` | follows the chain and sees what is committed |
//! | `tally.rs` | where each transaction is: nothing is left out |
//! | `timeline.rs` | latencies, of the whole run and second by second |
//! | `processes.rs` | processor time and memory of the nodes on this machine |
//! | `load.rs` | one run at one rate |
//! | `peak.rs` | runs at rising rates |
//! | `figures.rs` | what a run comes to, as text and as JSON |
//! | `report/` | the same as an HTML page with plots |
//!
//! A transaction is *submitted* once it was handed to a node for the first time; each submitted one ends as
//! committed, rejected or lost. Latency is counted from the instant at which a transaction was due, not from when it
//! was sent: what a slow network holds up counts as waiting for it.

mod accounts;
mod figures;
mod follow;
mod hostile;
mod lane;
mod load;
mod network;
mod peak;
mod processes;
mod report;
mod schedule;
mod tally;
mod timeline;
mod verdict;
mod work;

pub(crate) use hostile::HOSTILE_MAX;
pub(crate) use work::Kind;

use crate::cli::{Output, interrupt};
use crate::error::NodeError;
use accounts::Accounts;
use hostile::Hostile;
use load::Bench;
use network::Network;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Connections to a node, unless it is said otherwise.
const CLIENTS_EACH: usize = 2;

/// What the command line says.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// `devnet.json`, or the folder that it is in.
    pub(crate) network: Option<PathBuf>,
    /// Nodes of any network.
    pub(crate) rpc: Vec<String>,
    /// The key of the account that funds the senders.
    pub(crate) key: Option<PathBuf>,
    /// Transactions due each second.
    pub(crate) rate: u32,
    /// How long they become due.
    pub(crate) duration: Duration,
    /// How many accounts send.
    pub(crate) accounts: u32,
    /// Bytes of a memo, or of a data entry's value.
    pub(crate) payload: usize,
    /// What is sent, in turn.
    pub(crate) mix: Vec<Kind>,
    /// Connections.
    pub(crate) clients: Option<u32>,
    /// Connections that mean harm.
    pub(crate) hostile: u32,
    /// How long nothing may be committed before the rest counts as lost.
    pub(crate) settle: Duration,
    /// Whether to look for the highest rate.
    pub(crate) find_peak: bool,
    /// Where the HTML page goes.
    pub(crate) report: Option<PathBuf>,
}

/// Loads the network and says what became of it.
///
/// # Errors
/// When no node answers, the senders cannot be funded, or nothing was committed.
pub(crate) fn run(options: &Options, output: Output) -> Result<(), NodeError> {
    let stop = Arc::new(AtomicBool::new(false));
    interrupt::listen(Arc::clone(&stop))?;
    let network = Network::open(options, output)?;
    let lanes = options.clients.map_or(network.nodes.len() * CLIENTS_EACH, |clients| clients as usize);
    // Every lane has as many accounts as the others.
    let count = (options.accounts as usize).div_ceil(lanes) * lanes;
    let mut accounts = Accounts::prepare(&network, count + options.hostile as usize, output, &stop)?;
    let hostile = accounts.0.split_off(count);
    let hostile =
        hostile.iter().map(|account| Hostile::new(account, network.chain)).collect::<Result<_, _>>()?;
    let mut bench = Bench { options, network: &network, accounts, hostile, lanes, output, stop: &stop };
    let (best, steps) =
        if options.find_peak { peak::find(&mut bench)? } else { (bench.run_alone()?, Vec::new()) };
    if let Some(path) = &options.report {
        let page = report::page(options, &network, &best, &steps);
        std::fs::write(path, page).map_err(NodeError::file("write", path))?;
        output.progress(&format!("report: {}", path.display()));
    }
    output.answer(&best.text(&steps), &best.json(&steps))?;
    if best.account.committed == 0 {
        return Err(NodeError::Usage(
            "nothing was committed: look at the nodes' health (`quorate query health --rpc URL`) and logs"
                .to_owned(),
        ));
    }
    Ok(())
}
