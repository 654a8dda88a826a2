//! `quorate tx`: signs transactions and sends them.
//!
//! Where several must sign, one writes the transaction into a file (`--out`), the others look at it and add their
//! signatures (`tx sign`), and anybody sends it (`tx submit`).

mod commands;
mod file;
mod send;

use super::Output;
use crate::error::NodeError;
use clap::{Args, Subcommand};
use commands::InstructionCommand;
use quorate_chain::codec::{DecodeError, List};
use quorate_chain::transaction::ChainTag;
use quorate_chain::{AccountId, ChainId, Height, Nonce, Step, TransactionBody};
use quorate_genesis::{KeyFile, KeyKind};
use quorate_rpc_client::Client;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum TxCommand {
    #[command(flatten)]
    Instruction(InstructionCommand),
    /// Several steps as one unit, from a JSON file: all of them take effect, or none.
    ///
    /// The file holds a list of instructions as the API shows them, each with an `actor` if it does not act for
    /// the transaction's account: [{"type": "transfer", "actor": …, "to": …, "asset": …, "amount": "5", "memo": ""}].
    Steps {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Show a transaction in a file, and add a signature to it.
    Sign {
        /// The file, as `--out` wrote it.
        file: PathBuf,
        /// The key files to sign with; without any the transaction is only shown.
        #[arg(long = "key", value_name = "FILE")]
        keys: Vec<PathBuf>,
    },
    /// Send a transaction from a file.
    Submit {
        /// The file.
        file: PathBuf,
        #[command(flatten)]
        sending: SendingArgs,
    },
}

/// How a transaction is sent.
#[derive(Debug, Args)]
pub(crate) struct SendingArgs {
    /// The node to hand it to, as in http://127.0.0.1:26600.
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// Wait until it is committed, and print where and what became of it.
    #[arg(long)]
    wait: bool,
}

/// How a transaction is signed.
#[derive(Debug, Args)]
pub(crate) struct SigningArgs {
    /// The key file of the account that acts; more for an account with several keys, for parties and sponsor.
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// The account that acts [default: the one named after the first key].
    #[arg(long, value_name = "ADDRESS")]
    account: Option<AccountId>,
    /// The account whose quota pays instead.
    #[arg(long, value_name = "ADDRESS")]
    sponsor: Option<AccountId>,
    /// The last height at which it may execute; 0 is no limit.
    #[arg(long, value_name = "H", default_value_t = 0)]
    valid_until: u64,
    /// The account's nonce [default: asked of the node].
    #[arg(long, value_name = "N")]
    nonce: Option<u64>,
    /// Sign for this chain only [default: the node's].
    #[arg(long, value_name = "ID")]
    chain_id: Option<ChainId>,
    /// Write it to this file instead of sending it, for others to sign.
    #[arg(long, value_name = "FILE", conflicts_with = "wait")]
    out: Option<PathBuf>,
    #[command(flatten)]
    sending: SendingArgs,
}

pub(crate) fn run(command: TxCommand, output: Output) -> Result<(), NodeError> {
    match command {
        TxCommand::Instruction(command) => {
            let (signing, instruction) = command.split();
            make(&signing, output, |account| Ok(vec![instruction(account)?.into()]))
        }
        TxCommand::Steps { file, signing } => make(&signing, output, |_| read_steps(&file)),
        TxCommand::Sign { file, keys } => file::sign(&file, &load_keys(&keys)?, output),
        TxCommand::Submit { file, sending } => send::send(&file::read(&file)?.signed()?, &sending, output),
    }
}

fn load_keys(files: &[PathBuf]) -> Result<Vec<KeyFile>, NodeError> {
    Ok(files.iter().map(|path| KeyFile::load(path, KeyKind::Account)).collect::<Result<_, _>>()?)
}

fn read_steps(path: &std::path::Path) -> Result<Vec<Step>, NodeError> {
    let text = std::fs::read_to_string(path).map_err(NodeError::file("read", path))?;
    serde_json::from_str(&text)
        .map_err(|error| NodeError::Config { path: path.to_owned(), message: error.to_string() })
}

/// For `map_err`: names what was too long or too many.
fn bad(what: &'static str) -> impl FnOnce(DecodeError) -> NodeError {
    move |error| NodeError::Usage(format!("{what}: {}", error.0))
}

/// Makes and signs a transaction, then sends it or writes it to a file.
fn make(
    args: &SigningArgs,
    output: Output,
    steps: impl FnOnce(AccountId) -> Result<Vec<Step>, NodeError>,
) -> Result<(), NodeError> {
    let keys = load_keys(&args.keys)?;
    let first = keys.first().map(|key| AccountId::from(key.public()));
    let Some(account) = args.account.or(first) else {
        return Err(NodeError::Usage("--key: at least one key signs".to_owned()));
    };
    let node = Client::new(&args.sending.rpc)?;
    let chain = node.status()?.chain_id;
    if let Some(expected) = args.chain_id.filter(|expected| *expected != chain) {
        return Err(NodeError::Usage(format!("the node is of chain {chain}, not of {expected}")));
    }
    let nonce = match args.nonce {
        Some(nonce) => Nonce(nonce),
        None => node.account(account)?.nonce,
    };
    let body = TransactionBody {
        chain: ChainTag::from(chain),
        account,
        nonce,
        valid_until: Height(args.valid_until),
        sponsor: args.sponsor,
        instructions: List::new(steps(account)?).map_err(bad("the steps"))?,
    };
    let mut draft = file::Draft::new(chain, body);
    keys.iter().for_each(|key| draft.sign(key));
    match &args.out {
        Some(path) => file::write(path, &draft, output),
        None => send::send(&draft.signed()?, &args.sending, output),
    }
}
