//! How long a lone transaction takes from submission to its commit, as a client sees it.
//!
//! `cargo run --release -p quorate-tests --example lone -- --network .quorate/devnet/devnet.json`

use clap::Parser;
use quorate_chain::codec::Bytes;
use quorate_chain::instruction::Instruction;
use quorate_chain::transaction::TransactionBody;
use quorate_chain::{AccountId, Amount, AssetId, ChainId, Nonce, Transaction};
use quorate_genesis::{KeyFile, KeyKind};
use quorate_rpc_client::Client;
use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Sends one transfer after the other to a running devnet and reports the times.
#[derive(Parser)]
struct Arguments {
    /// The devnet's description.
    #[arg(long, default_value = ".quorate/devnet/devnet.json")]
    network: PathBuf,
    /// How many transfers.
    #[arg(long, default_value_t = 200)]
    count: u32,
    /// Pause between them, milliseconds.
    #[arg(long, default_value_t = 20)]
    pause_ms: u64,
    /// The validator that is asked, by index.
    #[arg(long, default_value_t = 0)]
    validator: usize,
}

fn text<'a>(value: &'a serde_json::Value, path: &str) -> Result<&'a str, Box<dyn Error>> {
    value.pointer(path).and_then(|v| v.as_str()).ok_or_else(|| format!("no {path} in the description").into())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let network: serde_json::Value = serde_json::from_slice(&std::fs::read(&arguments.network)?)?;
    let client = Client::new(text(&network, &format!("/validators/{}/rpc", arguments.validator))?)?;
    let chain: ChainId = text(&network, "/chain_id")?.parse()?;
    let key = KeyFile::load(text(&network, "/accounts/0/key_file")?.as_ref(), KeyKind::Account)?;
    let from: AccountId = key.public().into();
    let to: AccountId = text(&network, "/accounts/1/address")?.parse()?;
    let mut nonce = client.account(from)?.nonce;
    let mut times_ms = Vec::new();
    for _ in 0..arguments.count {
        let memo = Bytes::default();
        let transfer = Instruction::Transfer { to, asset: AssetId::NATIVE, amount: Amount(1), memo };
        let body = TransactionBody::new(chain, from, nonce, vec![transfer])?;
        let transaction = Transaction::sign(body, chain, &[key.secret()])?;
        let started = Instant::now();
        client.broadcast_tx_commit(&transaction)?;
        times_ms.push(started.elapsed().as_secs_f64() * 1_000.0);
        nonce = Nonce(nonce.0 + 1);
        std::thread::sleep(Duration::from_millis(arguments.pause_ms));
    }
    times_ms.sort_by(f64::total_cmp);
    let at = |percent: usize| times_ms[(times_ms.len() - 1) * percent / 100];
    println!(
        "{} lone transfers: p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        times_ms.len(),
        at(50),
        at(90),
        at(99),
        at(100)
    );
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load average {}", load.trim());
    Ok(())
}
