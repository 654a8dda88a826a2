//! Clients that submit open-loop, and wait for the acknowledgement of each transfer.

use crate::{DEADLINE, Failure, LOOK_EVERY, Run};
use quorate_chain::codec::Bytes;
use quorate_chain::crypto::SecretKey;
use quorate_chain::instruction::Instruction;
use quorate_chain::transaction::TransactionBody;
use quorate_chain::{AccountId, Amount, AssetId, ChainId, Nonce, Transaction, TransactionId};
use quorate_rpc_client::{Client, Committed, Outcome};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Transfers of a client that wait for their acknowledgement: fewer than a pool takes of an account.
const UNCONFIRMED_MAX: usize = 4_000;

/// An account that sends.
pub(crate) struct Wallet {
    key: SecretKey,
}

impl Wallet {
    pub(crate) fn generate() -> Self {
        Self { key: SecretKey::generate() }
    }

    pub(crate) fn address(&self) -> AccountId {
        self.key.public().into()
    }

    /// Submits a transfer every `interval`, whatever becomes of those before, until the run is over; gives
    /// what was acknowledged as committed.
    pub(crate) fn send(
        &self,
        run: &Run,
        chain: ChainId,
        to: AccountId,
        nodes: &[Client],
        interval: Duration,
    ) -> Result<Vec<Committed>, Failure> {
        let (submitted, queue) = sync_channel(UNCONFIRMED_MAX);
        std::thread::scope(|scope| {
            let submitting = scope.spawn(move || self.submit(run, chain, to, nodes, interval, &submitted));
            let confirmed = confirm(run, nodes, queue);
            submitting.join().map_err(|_| "a client's thread panicked")??;
            confirmed
        })
    }

    fn submit(
        &self,
        run: &Run,
        chain: ChainId,
        to: AccountId,
        nodes: &[Client],
        interval: Duration,
        submitted: &SyncSender<Transaction>,
    ) -> Result<(), Failure> {
        let mut due = Instant::now();
        let mut nonce = Nonce::ZERO;
        for turn in 0.. {
            sleep(due.saturating_duration_since(Instant::now()));
            if run.is_over() {
                break;
            }
            let transaction = self.transfer(chain, nonce, to)?;
            // One that no node takes now is handed over again when its acknowledgement is waited for.
            let mut from_turn = nodes.iter().cycle().skip(turn % nodes.len()).take(nodes.len());
            from_turn.any(|node| node.broadcast_tx_sync(&transaction).is_ok());
            if submitted.send(transaction).is_err() {
                break;
            }
            nonce = nonce.next();
            due += interval;
        }
        Ok(())
    }

    fn transfer(&self, chain: ChainId, nonce: Nonce, to: AccountId) -> Result<Transaction, Failure> {
        let memo = Bytes::default();
        let transfer = Instruction::Transfer { to, asset: AssetId::NATIVE, amount: Amount(1), memo };
        let body = TransactionBody::new(chain, self.address(), nonce, vec![transfer])?;
        Ok(Transaction::sign(body, chain, &[&self.key])?)
    }
}

/// Waits for the commit of one after the other, at the node that was given it first, then at the next. Each
/// has it, or takes it again.
fn confirm(run: &Run, nodes: &[Client], queue: Receiver<Transaction>) -> Result<Vec<Committed>, Failure> {
    let mut acknowledged: Vec<Committed> = Vec::new();
    for transaction in queue {
        let deadline = Instant::now() + DEADLINE;
        let mut from_turn = nodes.iter().cycle().skip(acknowledged.len() % nodes.len());
        let committed = loop {
            let Some(node) = from_turn.next() else { return Ok(acknowledged) };
            match node.broadcast_tx_commit(&transaction) {
                Ok(committed) => break committed,
                Err(error) => {
                    run.check(&format!("the commit of {}, last: {error}", transaction.id()), deadline)?;
                    sleep(LOOK_EVERY);
                }
            }
        };
        if committed.id != transaction.id() || committed.receipt.status != Outcome::Success {
            return Err(format!("{} was answered with {committed:?}", transaction.id()).into());
        }
        acknowledged.push(committed);
    }
    Ok(acknowledged)
}

/// What of it a node does not have where it was.
pub(crate) fn missing(
    run: &Run,
    node: &Client,
    acknowledged: &[Committed],
) -> Result<Vec<TransactionId>, Failure> {
    let mut missing = Vec::new();
    for committed in acknowledged {
        let found = run.wait_for("the answer for a transaction", || match node.tx(committed.id) {
            Ok(info) => Some(info.committed == *committed),
            Err(error) if error.reason() == Some("not_found") => Some(false),
            Err(_) => None,
        })?;
        if !found {
            missing.push(committed.id);
        }
    }
    Ok(missing)
}
