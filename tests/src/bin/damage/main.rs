//! Campaigns of damage: power that goes at any write, and rot in any file.
//!
//! ```console
//! $ cargo run --release -p quorate-tests --bin damage -- crash-images --images 10000 --jobs 2
//! $ cargo run --release -p quorate-tests --bin damage -- crash-images --only 4711
//! $ cargo run --release -p quorate-tests --bin damage -- rot --flips 10000 --dir /dev/shm --jobs 2
//! ```
//!
//! Exit code 1: something was not as it must be. `rot` damages one place after the other in processes of its own,
//! so that a hang or memory that grows without end is seen too.
//!
//! | file | what |
//! | --- | --- |
//! | `images.rs` | crash images, on several threads |
//! | `rot.rs` | damaged places, in several processes |
//! | `worker.rs` | such a process |
//! | `report.rs` | verdicts counted |

mod images;
mod report;
mod rot;
mod worker;

use clap::{Parser, Subcommand};
use quorate_tests::damage::Failure;
use std::process::ExitCode;

/// Damages ledgers and looks at what becomes of them.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    campaign: Campaign,
}

#[derive(Subcommand)]
enum Campaign {
    /// Losses of power at every write of disk and store, and in the openings that follow.
    CrashImages(images::Arguments),
    /// Bits, bytes, sectors and files that are not what was written.
    Rot(rot::Arguments),
    /// A process of `rot`.
    #[command(hide = true)]
    RotWorker(worker::Arguments),
}

fn main() -> ExitCode {
    let done: Result<bool, Failure> = match Arguments::parse().campaign {
        Campaign::CrashImages(arguments) => images::run(&arguments),
        Campaign::Rot(arguments) => rot::run(&arguments),
        Campaign::RotWorker(arguments) => worker::run(&arguments),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
