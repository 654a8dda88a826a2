//! Several validators on this machine, each a process of its own, in one folder:
//!
//! ```text
//!  DIR/devnet.lock       held while a devnet runs; marks the folder as a devnet's
//!      generated.json    written last: keys and genesis are complete
//!      genesis.json      the document, also in each validator's folder
//!      accounts/         keys of the demo accounts
//!      validator-I/      a node's home, with node.log
//!      devnet.json       for scripts: processes, addresses, accounts
//!      devnet.sock       for `quorate devnet --restart`
//! ```
//!
//! | file | what |
//! | --- | --- |
//! | `folder.rs` | lock, marker, `--fresh` |
//! | `plan.rs` | how many validators on which ports; whether those are free |
//! | `generate.rs` | keys, cards, genesis: the code that members use |
//! | `child.rs` | a validator's process |
//! | `supervisor.rs` | the loop that watches all of them |
//! | `readiness.rs` | asks the validators until a block can be committed |
//! | `control.rs` | the socket: asking for a restart, and answering |
//! | `manifest.rs` | devnet.json |
//! | `words.rs` | what is printed once it is ready |

mod child;
mod control;
mod folder;
mod generate;
mod manifest;
mod plan;
mod readiness;
mod supervisor;
mod words;

pub(crate) use control::restart;
pub(crate) use manifest::{Manifest, Seat};

use crate::cli::Output;
use crate::error::NodeError;
use folder::Folder;
use plan::Plan;
use std::path::PathBuf;
use supervisor::Supervisor;

/// What the command line says.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The folder.
    pub(crate) dir: PathBuf,
    /// How many validators, if it was said.
    pub(crate) validators: Option<u16>,
    /// The first port, if it was said.
    pub(crate) base_port: Option<u16>,
    /// Whether to delete what is there.
    pub(crate) fresh: bool,
}

/// Generates what is missing, starts all validators and watches them until it is told to stop.
///
/// # Errors
/// When the folder is no devnet's, not complete or in use, a port is taken, or too few validators start.
pub(crate) fn run(options: &Options, output: Output) -> Result<(), NodeError> {
    let folder = Folder::open(&options.dir, options.fresh)?;
    let generated = folder.generated()?;
    let plan = Plan::new(options, generated)?;
    plan.check_ports()?;
    if generated.is_none() {
        let text =
            format!("making keys and genesis of {} validators in {}", plan.validators, options.dir.display());
        output.progress(&text);
        generate::generate(&folder, plan)?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(NodeError::system("cannot start the runtime"))?;
    runtime.block_on(async { Box::pin(Supervisor::start(&folder, plan, output)?.run()).await })
}
