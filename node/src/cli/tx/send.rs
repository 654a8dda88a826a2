//! Handing a transaction to a node.

use super::SendingArgs;
use crate::cli::Output;
use crate::cli::output::table;
use crate::error::NodeError;
use quorate_chain::Transaction;
use quorate_rpc_client::{Client, Committed, Outcome};
use serde_json::json;

/// Sends it; waits for its commit if asked to.
pub(super) fn send(transaction: &Transaction, args: &SendingArgs, output: Output) -> Result<(), NodeError> {
    let node = Client::new(&args.rpc)?;
    if !args.wait {
        let id = node.broadcast_tx_sync(transaction)?.id;
        return output.answer(&id.to_string(), &json!({ "id": id }));
    }
    // Whatever becomes of the wait, the id is known.
    output.text(&transaction.id().to_string())?;
    report(&node.broadcast_tx_commit(transaction)?, output)
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
