//! `quorate bench`.

use super::Output;
use crate::bench::{self, HOSTILE_MAX, Kind, Options};
use crate::error::NodeError;
use clap::Args;
use quorate_chain::instruction::{DATA_VALUE_BYTES_MAX, MEMO_BYTES_MAX};
use std::path::PathBuf;
use std::time::Duration;

/// Transactions become due at a fixed rate, whatever becomes of those before; each is timed from the instant at which
/// it was due until its commit is seen, so a network that falls behind cannot hide it. All are signed before the
/// run begins. The accounts that send are made from the funding account's key, and funded from it where they hold
/// too little. Ctrl-C ends the run early, with the figures so far.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// A devnet's devnet.json, or its folder [default: .quorate/devnet].
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rpc", "key"])]
    network: Option<PathBuf>,
    /// A node of any network, as in http://127.0.0.1:26600; may be given several times.
    #[arg(long, value_name = "URL", requires = "key")]
    rpc: Vec<String>,
    /// The key file of an account that funds the senders; needed with --rpc.
    #[arg(long, value_name = "FILE", requires = "rpc")]
    key: Option<PathBuf>,
    /// Transactions that become due each second; with --find-peak the first rate that is tried.
    #[arg(long, value_name = "TX/S", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: u32,
    /// Seconds of load; with --find-peak, at each rate.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    duration: u32,
    /// Accounts that send.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    accounts: u32,
    /// Bytes of memo in a transfer (at most 256), of the value in a data transaction (at most 16384).
    #[arg(long, value_name = "BYTES", default_value_t = 0)]
    payload: usize,
    /// What is sent; several, separated by commas, take turns.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "transfer")]
    mix: Vec<Kind>,
    /// Connections, spread over the nodes; each account keeps to one [default: 2 a node].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    clients: Option<u32>,
    /// Connections that mean harm: they send wrong signatures, nonces behind a gap, and the same again, as fast as the
    /// nodes answer. Their transactions are in no figure but their own.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=i64::from(HOSTILE_MAX)))]
    hostile: u32,
    /// Give up on what is not committed once nothing at all was for so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3_600))]
    settle: u32,
    /// Raise the rate until the commits no longer follow, and report the highest rate that was sustained.
    #[arg(long)]
    find_peak: bool,
    /// Write a report with plots to this file: one HTML page that needs nothing else.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

pub(crate) fn run(args: BenchArgs, output: Output) -> Result<(), NodeError> {
    for kind in &args.mix {
        let most = if *kind == Kind::Data { DATA_VALUE_BYTES_MAX } else { MEMO_BYTES_MAX };
        if args.payload > most {
            let (asked, kind) = (args.payload, kind.name());
            return Err(NodeError::Usage(format!(
                "--payload {asked}: a transaction of kind {kind} takes at most {most} bytes"
            )));
        }
    }
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    let options = Options {
        network: args.network,
        rpc: args.rpc,
        key: args.key,
        rate: args.rate,
        duration: seconds(args.duration),
        accounts: args.accounts,
        payload: args.payload,
        mix: args.mix,
        clients: args.clients,
        hostile: args.hostile,
        settle: seconds(args.settle),
        find_peak: args.find_peak,
        report: args.report,
    };
    bench::run(&options, output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        args: BenchArgs,
    }

    #[test]
    fn the_options_have_their_bounds() {
        let taken = |option: &str, value: u64| {
            Program::try_parse_from(["bench", option, &value.to_string()]).map(|program| program.args.hostile)
        };
        assert_eq!(taken("--hostile", HOSTILE_MAX.into()).ok(), Some(HOSTILE_MAX));
        assert!(taken("--hostile", u64::from(HOSTILE_MAX) + 1).is_err());
        assert!(taken("--clients", 1_024).is_ok() && taken("--clients", 1_025).is_err());
        assert!(taken("--clients", 0).is_err());
    }
}
