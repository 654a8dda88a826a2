//! `quorate tx`.

use super::Output;
use super::output::table;
use crate::error::NodeError;
use clap::{Args, Subcommand};
use quorate_chain::codec::{Bytes, DecodeError, List};
use quorate_chain::transaction::{ChainTag, Instruction, TransactionBody};
use quorate_chain::{AccountId, Amount, AssetId, ChainId, Height, Nonce, Transaction};
use quorate_genesis::{KeyFile, KeyKind};
use quorate_rpc_client::{Client, Committed, Outcome};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum TxCommand {
    /// Move an amount of the native asset to another account.
    Transfer {
        /// Who receives it.
        #[arg(long, value_name = "ADDRESS")]
        to: AccountId,
        /// How much, in indivisible units.
        #[arg(long, value_name = "N")]
        amount: u128,
        /// Text for the receiver, at most 256 bytes.
        #[arg(long, value_name = "TEXT")]
        memo: Option<String>,
        #[command(flatten)]
        signing: SigningArgs,
    },
    /// Write a data entry.
    Put {
        /// The entry's key, at most 128 bytes.
        #[arg(long, value_name = "TEXT")]
        data_key: String,
        /// The entry's value as text, at most 16 KiB.
        #[arg(long, value_name = "TEXT", required_unless_present = "file")]
        value: Option<String>,
        /// The entry's value from a file.
        #[arg(long, value_name = "FILE", conflicts_with = "value")]
        file: Option<PathBuf>,
        /// The account in whose namespace the entry is [default: the signing one].
        #[arg(long, value_name = "ADDRESS")]
        namespace: Option<AccountId>,
        #[command(flatten)]
        signing: SigningArgs,
    },
}

/// How a transaction is signed and sent.
#[derive(Debug, Args)]
pub(crate) struct SigningArgs {
    /// The key file of the account that acts.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The node to hand it to, as in http://127.0.0.1:26600.
    #[arg(long, value_name = "URL")]
    rpc: String,
    /// The last height at which it may execute; 0 is no limit.
    #[arg(long, value_name = "H", default_value_t = 0)]
    valid_until: u64,
    /// The account's nonce [default: asked of the node].
    #[arg(long, value_name = "N")]
    nonce: Option<u64>,
    /// Sign for this chain only [default: the node's].
    #[arg(long, value_name = "ID")]
    chain_id: Option<ChainId>,
    /// Wait until it is committed, and print where and what became of it.
    #[arg(long)]
    wait: bool,
}

pub(crate) fn run(command: TxCommand, output: Output) -> Result<(), NodeError> {
    match command {
        TxCommand::Transfer { to, amount, memo, signing } => {
            let memo = Bytes::new(memo.unwrap_or_default().into_bytes()).map_err(too_long("--memo"))?;
            let transfer = Instruction::Transfer { to, asset: AssetId::NATIVE, amount: Amount(amount), memo };
            send(&signing, output, |_| transfer)
        }
        TxCommand::Put { data_key, value, file, namespace, signing } => {
            let key = Bytes::new(data_key.into_bytes()).map_err(too_long("--data-key"))?;
            let value = match file {
                Some(path) => std::fs::read(&path).map_err(NodeError::file("read", &path))?,
                None => value.unwrap_or_default().into_bytes(),
            };
            let value = Bytes::new(value).map_err(too_long("the value"))?;
            let put = |account| Instruction::PutData { namespace: namespace.unwrap_or(account), key, value };
            send(&signing, output, put)
        }
    }
}

fn too_long(what: &'static str) -> impl FnOnce(DecodeError) -> NodeError {
    move |error| NodeError::Usage(format!("{what}: {}", error.0))
}

fn send(
    args: &SigningArgs,
    output: Output,
    instruction: impl FnOnce(AccountId) -> Instruction,
) -> Result<(), NodeError> {
    let key = KeyFile::load(&args.key, KeyKind::Account)?;
    let account = AccountId::from(key.public());
    let node = Client::new(&args.rpc)?;
    let chain = node.status()?.chain_id;
    if let Some(expected) = args.chain_id.filter(|expected| *expected != chain) {
        return Err(NodeError::Usage(format!("the node is of chain {chain}, not of {expected}")));
    }
    let nonce = match args.nonce {
        Some(nonce) => Nonce(nonce),
        None => node.account(account)?.nonce,
    };
    let instructions = List::new(vec![instruction(account)]);
    let body = TransactionBody {
        chain: ChainTag::from(chain),
        account,
        nonce,
        valid_until: Height(args.valid_until),
        sponsor: None,
        instructions: instructions.map_err(too_long("the transaction"))?,
    };
    let transaction = Transaction::sign(body, chain, &[key.secret()]).map_err(too_long("the transaction"))?;
    if !args.wait {
        let id = node.broadcast_tx_sync(&transaction)?.id;
        return output.answer(&id.to_string(), &json!({ "id": id }));
    }
    // Whatever becomes of the wait, the id is known.
    output.text(&transaction.id().to_string())?;
    report(&node.broadcast_tx_commit(&transaction)?, output)
}

fn report(committed: &Committed, output: Output) -> Result<(), NodeError> {
    let Committed { id, height, index, receipt } = committed;
    let failed = (receipt.status == Outcome::Failed)
        .then(|| receipt.error.clone().unwrap_or_else(|| "no reason given".to_owned()));
    let status = failed.as_ref().map_or_else(|| "success".to_owned(), |reason| format!("failed: {reason}"));
    let rows = [("height", height.to_string()), ("index", index.to_string()), ("receipt", status)];
    let receipt = json!({ "status": receipt.status, "error": receipt.error });
    let json = json!({ "id": id, "height": height, "index": index, "receipt": receipt });
    output.answer(&table(&rows), &json)?;
    match failed {
        Some(reason) => Err(NodeError::ReceiptFailed { height: height.0, reason }),
        None => Ok(()),
    }
}
