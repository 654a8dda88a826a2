//! `quorate`: the node, and the commands around it.
//!
//! | folder | what |
//! | --- | --- |
//! | `cli/` | one file a command: arguments, output |
//! | `config.rs` | what a node runs with: file, environment, flags |
//! | `run/` | the node itself: consensus, execution, network, API |
//! | `devnet/` | several validators on this machine, each a child process |
//! | `bench/` | the load generator |
//! | `error.rs` | how all of it fails |

mod bench;
mod cli;
mod config;
mod devnet;
mod error;
mod files;
mod run;

use std::process::ExitCode;

/// What `--version` says.
pub(crate) const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("QUORATE_COMMIT"), ")");

/// The system's allocator takes a third of what the ledger does (docs/PERFORMANCE.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
