//! The accounts that send. Their keys follow from the funding account's, so the next run finds them again.

use super::network::{Network, Node};
use crate::cli::Output;
use crate::error::NodeError;
use quorate_chain::codec::Bytes;
use quorate_chain::crypto::SecretKey;
use quorate_chain::instruction::{INSTRUCTIONS_MAX, Instruction};
use quorate_chain::{AccountId, Amount, AssetId, Height, Nonce, Transaction, TransactionBody, TransactionId};
use quorate_rpc_client::{Client, ClientError};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The most that an account is given, in units of the native asset. Each pays one unit a transfer and gets as much.
const FUNDS: u128 = 1_000;
/// An account with less is funded.
const FUNDS_LOW: u128 = 20;
/// How long funding may stand still.
const PATIENCE: Duration = Duration::from_secs(20);
/// Accounts between two looks at the stop signal.
const LOOK_EVERY: usize = 64;

/// An account that sends.
#[derive(Debug)]
pub(super) struct Account {
    /// Its key.
    pub(super) key: SecretKey,
    /// Its address.
    pub(super) address: AccountId,
    /// The nonce of its next transaction.
    pub(super) nonce: Nonce,
}

/// All of them; account `a` sends by lane `a % lanes`.
#[derive(Debug)]
pub(super) struct Accounts(pub(super) Vec<Account>);

impl Accounts {
    /// Makes the keys, asks for the accounts, and funds those that hold too little.
    ///
    /// # Errors
    /// When a node fails, the funds do not suffice, or the chain takes no new accounts.
    pub(super) fn prepare(
        network: &Network,
        count: usize,
        output: Output,
        stop: &AtomicBool,
    ) -> Result<Self, NodeError> {
        let mut accounts = Self((0..count).map(|number| derive(&network.funder, number)).collect());
        output.progress(&format!("asking for {count} accounts"));
        let balances = accounts.ask(network, stop)?;
        let poor: Vec<_> = accounts.0.iter().zip(&balances).filter(|(_, held)| **held < FUNDS_LOW).collect();
        let poor: Vec<AccountId> = poor.into_iter().map(|(account, _)| account.address).collect();
        if !poor.is_empty() {
            fund(network, &poor, output, stop)?;
            accounts.ask(network, stop)?;
        }
        Ok(accounts)
    }

    /// Asks for every account's nonce; gives what each holds of the native asset.
    ///
    /// # Errors
    /// When a node fails.
    pub(super) fn ask(&mut self, network: &Network, stop: &AtomicBool) -> Result<Vec<u128>, NodeError> {
        let each = self.0.len().div_ceil(network.nodes.len()).max(1);
        let parts = self.0.chunks_mut(each).zip(&network.nodes);
        std::thread::scope(|scope| {
            let asking: Vec<_> =
                parts.map(|(part, node)| scope.spawn(move || ask(part, node, stop))).collect();
            let mut balances = Vec::new();
            for part in asking {
                balances
                    .extend(part.join().map_err(|_| NodeError::Usage("asking for accounts failed".into()))??);
            }
            Ok(balances)
        })
    }
}

fn ask(part: &mut [Account], node: &Node, stop: &AtomicBool) -> Result<Vec<u128>, NodeError> {
    let mut balances = Vec::with_capacity(part.len());
    for (number, account) in part.iter_mut().enumerate() {
        if number % LOOK_EVERY == 0 && stop.load(Ordering::Relaxed) {
            return Err(stopped());
        }
        match node.client.account(account.address) {
            Ok(found) => {
                account.nonce = found.nonce;
                let native = found.balances.iter().find(|balance| balance.asset == AssetId::NATIVE);
                balances.push(native.map_or(0, |balance| balance.amount.0));
            }
            Err(error) if error.reason() == Some("not_found") => balances.push(0),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(balances)
}

fn stopped() -> NodeError {
    NodeError::Usage("stopped before the load began".to_owned())
}

fn derive(funder: &SecretKey, number: usize) -> Account {
    let material = [&funder.seed()[..], &(number as u64).to_le_bytes()].concat();
    let key = SecretKey::from_seed(&blake3::derive_key("quorate bench 2026 sending account", &material));
    Account { address: key.public().into(), key, nonce: Nonce::ZERO }
}

/// What each may be given, so that half of the funds stay.
fn share(held: u128, count: usize) -> Result<u128, NodeError> {
    let each = (held / 2 / count as u128).min(FUNDS);
    if each >= FUNDS_LOW {
        return Ok(each);
    }
    Err(NodeError::Usage(format!(
        "the funding account holds {held} units, {count} accounts need {} from it (as much again stays): use fewer \
         --accounts, or another funding account",
        count as u128 * FUNDS_LOW
    )))
}

/// Transfers to all of these, as many in a transaction as it takes, and waits for the commits.
fn fund(network: &Network, poor: &[AccountId], output: Output, stop: &AtomicBool) -> Result<(), NodeError> {
    let Some(node) = network.nodes.first() else { return Ok(()) };
    let funder = network.funder_address();
    let found = node.client.account(funder).map_err(|error| match error.reason() {
        Some("not_found") => NodeError::Usage(format!("the funding account {funder} is not on this chain")),
        _ => error.into(),
    })?;
    let held = found.balances.iter().find(|balance| balance.asset == AssetId::NATIVE);
    let amount = Amount(share(held.map_or(0, |balance| balance.amount.0), poor.len())?);
    let from = node.client.status()?.height.next();
    let mut nonce = found.nonce;
    let mut waiting = BTreeSet::new();
    for part in poor.chunks(INSTRUCTIONS_MAX) {
        let transfer = |to: &AccountId| {
            let (to, asset, memo) = (*to, AssetId::NATIVE, Bytes::default());
            Instruction::Transfer { to, asset, amount, memo }
        };
        let made = TransactionBody::new(network.chain, funder, nonce, part.iter().map(transfer).collect())
            .and_then(|body| Transaction::sign(body, network.chain, &[&network.funder]));
        let transaction = made.map_err(|error| NodeError::Usage(format!("funding: {}", error.0)))?;
        hand_over(&node.client, &transaction)?;
        waiting.insert(transaction.id());
        nonce = nonce.next();
    }
    let all = poor.len();
    output.progress(&format!("funding {all} accounts with {amount} units each"));
    let last = wait_for(&node.client, from, waiting, stop)?;
    wait_until_all_are_at(network, last, stop)
}

fn hand_over(node: &Client, transaction: &Transaction) -> Result<(), NodeError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match node.broadcast_tx_sync(transaction) {
            Ok(_) => return Ok(()),
            Err(error) if error.is_transient() && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(100));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits until all are committed; gives the last height that was seen.
fn wait_for(
    node: &Client,
    mut from: Height,
    mut waiting: BTreeSet<TransactionId>,
    stop: &AtomicBool,
) -> Result<Height, NodeError> {
    let mut deadline = Instant::now() + PATIENCE;
    while !waiting.is_empty() {
        for block in node.outcomes(from, Duration::from_secs(1)).map_err(explain)? {
            for (id, succeeded) in block.transactions {
                if waiting.remove(&id) {
                    deadline = Instant::now() + PATIENCE;
                    if !succeeded {
                        return Err(funding_failed(node, id));
                    }
                }
            }
            from = block.height.next();
        }
        if stop.load(Ordering::Relaxed) {
            return Err(stopped());
        }
        if Instant::now() >= deadline {
            return Err(NodeError::Usage(format!(
                "funding is not committed after {} s without progress: look at the nodes' health",
                PATIENCE.as_secs()
            )));
        }
    }
    Ok(from.previous())
}

/// An older node lacks the calls that this command needs.
pub(super) fn explain(error: ClientError) -> NodeError {
    match error.reason() {
        Some("unknown_method") => {
            NodeError::Usage("the node is of an older version: it has no GET /v1/outcomes".to_owned())
        }
        _ => error.into(),
    }
}

fn funding_failed(node: &Client, id: TransactionId) -> NodeError {
    let why = match node.tx(id) {
        Ok(info) => info.committed.receipt.error.unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    let next = match why.as_str() {
        "unknown_receiver" => {
            ": the chain is not open, so its members register accounts; load a network whose genesis document has \
             `open` instead"
        }
        _ => "",
    };
    NodeError::Usage(format!("funding failed ({why}){next}"))
}

/// Every node must know the accounts before it takes their transactions.
fn wait_until_all_are_at(network: &Network, height: Height, stop: &AtomicBool) -> Result<(), NodeError> {
    let deadline = Instant::now() + PATIENCE;
    for node in &network.nodes {
        while node.client.status()?.height < height {
            if stop.load(Ordering::Relaxed) {
                return Err(stopped());
            }
            if Instant::now() >= deadline {
                return Err(NodeError::Usage(format!(
                    "{} is not at height {height} after {} s: wait until it has caught up, or leave it out with --rpc",
                    node.name,
                    PATIENCE.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_funder_always_has_the_same_senders_and_no_two_are_one() {
        let (one, other) = (SecretKey::from_seed(&[1; 32]), SecretKey::from_seed(&[2; 32]));
        let of = |funder| (0..20).map(|number| derive(funder, number).address).collect::<BTreeSet<_>>();
        assert_eq!(of(&one), of(&one));
        assert_eq!(of(&one).union(&of(&other)).count(), 40);
    }

    #[test]
    fn half_of_the_funds_stay() {
        assert_eq!(share(1_000_000, 1_000).unwrap(), 500);
        assert_eq!(share(u128::MAX, 3).unwrap(), FUNDS);
        assert_eq!(share(2 * 1_000 * FUNDS_LOW, 1_000).unwrap(), FUNDS_LOW);
        let error = share(1_000, 1_000).unwrap_err().to_string();
        assert!(error.contains("--accounts"), "{error}");
    }
}
