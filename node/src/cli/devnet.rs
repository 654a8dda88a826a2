//! `quorate devnet`.

use super::Output;
use crate::devnet::{self, Options};
use crate::error::NodeError;
use clap::Args;
use std::path::PathBuf;

/// Everything is under one folder and listens on 127.0.0.1 only. Validator I answers clients on port base+2*I
/// and peers on base+2*I+1; its log is DIR/validator-I/node.log. DIR/devnet.json says all of this to scripts.
/// Started again on the same folder, the chain goes on where it was. Ctrl-C stops all.
#[derive(Debug, Args)]
pub(crate) struct DevnetArgs {
    /// How many validators [default: 4, or as many as the folder has].
    #[arg(long, value_name = "N")]
    validators: Option<u16>,
    /// Where keys, chain and logs are kept.
    #[arg(long, value_name = "DIR", default_value = ".quorate/devnet")]
    dir: PathBuf,
    /// The first of the ports, two a validator [default: 26600, or the folder's].
    #[arg(long, value_name = "PORT")]
    base_port: Option<u16>,
    /// Delete what an earlier devnet left in the folder, its chain and keys included.
    #[arg(long)]
    fresh: bool,
    /// Ask the devnet that runs on the folder to start a validator that died.
    #[arg(long, value_name = "INDEX", conflicts_with_all = ["validators", "base_port", "fresh"])]
    restart: Option<u16>,
}

pub(crate) fn run(args: &DevnetArgs, output: Output) -> Result<(), NodeError> {
    if let Some(index) = args.restart {
        return devnet::restart(&args.dir, index, output);
    }
    let options = Options {
        dir: args.dir.clone(),
        validators: args.validators,
        base_port: args.base_port,
        fresh: args.fresh,
    };
    devnet::run(&options, output)
}
