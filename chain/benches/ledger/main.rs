//! What a transaction costs in each part of the ledger, as one table in markdown.
//!
//! ```console
//! $ cargo bench -p quorate-chain --bench ledger
//! $ cargo bench -p quorate-chain --bench ledger -- --accounts 10000000 --only root,execution,proof,reopen
//! $ cargo bench -p quorate-chain --bench ledger -- --soak 5000000
//! ```
//!
//! A program of its own, as the stages of a block follow from each other: a commit cannot be repeated, opening
//! is measured in seconds and proofs in bytes, which the usual harnesses don't put into one table.
//!
//! | file | what |
//! | --- | --- |
//! | `setup.rs` | genesis, accounts, transactions: what to adapt when their form changes |
//! | `meter.rs` | clocks, and a disk that notes when it is synced |
//! | `transactions.rs` | decoding and signatures |
//! | `blocks.rs` | one block after the other through a ledger in a folder |
//! | `proofs.rs`, `grinding.rs` | proofs; keys that share 24 bits of their hash |
//! | `soak.rs` | millions of transactions, memory and disk |
//! | `table.rs` | rows and how they are printed |

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measuring program")]

mod blocks;
mod grinding;
mod meter;
mod proofs;
mod setup;
mod soak;
mod table;
mod transactions;

use clap::Parser;
use quorate_chain::ledger::{IndexLevel, LedgerOptions};
use std::path::PathBuf;
use table::Table;

/// The node's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rounds before those that are measured, where nothing but the processor's caches has to warm up.
const WARM_UP: usize = 3;

/// Measures the ledger's parts: µs of a transaction on one core, medians over blocks, warm-up left out.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Accounts in the state.
    #[arg(long, visible_alias = "keys", default_value_t = 200_000)]
    accounts: usize,
    /// Blocks that are measured.
    #[arg(long, default_value_t = 40)]
    blocks: usize,
    /// Blocks before those, so that caches hold what they hold in a node that runs.
    #[arg(long, default_value_t = 200)]
    warm_up: usize,
    /// Accounts that take part in transfers; all of them by default.
    #[arg(long)]
    active: Option<usize>,
    /// Transfers of a block.
    #[arg(long, default_value_t = 2_000)]
    transfers: usize,
    /// Only the rows whose name contains one of these, separated by commas.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Where the ledger is made; a folder of the system's for temporary files by default.
    #[arg(long)]
    folder: Option<PathBuf>,
    /// What is indexed: none, tx or full.
    #[arg(long, default_value_t = IndexLevel::Tx)]
    index: IndexLevel,
    /// Memory for the ledger's caches, MiB.
    #[arg(long, default_value_t = 512)]
    cache: u64,
    /// For programs.
    #[arg(long)]
    json: bool,
    /// Instead of the table: so many transactions through execution and commit, with memory and disk.
    #[arg(long)]
    soak: Option<usize>,
    /// What `cargo bench` gives to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Whether one of these rows is asked for.
    fn wants(&self, names: &[&str]) -> bool {
        self.only.is_empty() || names.iter().any(|name| self.wants_row(name))
    }

    fn wants_row(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }

    /// Accounts that take part in transfers.
    fn active(&self) -> usize {
        self.active.unwrap_or(self.accounts).min(self.accounts)
    }

    /// How the ledger is opened.
    fn ledger(&self) -> LedgerOptions {
        LedgerOptions { index: self.index, cache_bytes: self.cache << 20, ..LedgerOptions::default() }
    }

    fn temporary(&self) -> tempfile::TempDir {
        match &self.folder {
            Some(folder) => tempfile::tempdir_in(folder).unwrap(),
            None => tempfile::tempdir().unwrap(),
        }
    }
}

fn main() {
    let options = Options::parse();
    if let Some(count) = options.soak {
        return soak::run(&options, count);
    }
    let mut table = Table::new(&options);
    if options.wants(&transactions::ROWS) {
        transactions::run(&options, &mut table);
    }
    if options.wants(&blocks::ROWS) || options.wants(&proofs::ROWS) {
        blocks::run(&options, &mut table);
    }
    if options.wants(&grinding::ROWS) {
        grinding::run(&options, &mut table);
    }
    table.print(&options);
}
