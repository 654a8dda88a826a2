//! Millions of transactions through execution and commit: whether memory stays flat, and what the disk takes.

use crate::Options;
use crate::setup::{Traffic, genesis, id};
use crate::table::median;
use quorate_chain::ledger::fixture::{commit, next_block};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Instant;

/// Transactions between two lines.
const STEP: usize = 250_000;

/// Resident memory, MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// Bytes that a folder takes on disk.
fn on_disk(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => on_disk(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        // The store may remove a file of its own meanwhile.
        Err(_) => 0,
    });
    bytes.sum()
}

pub(crate) fn run(options: &Options, count: usize) {
    let folder = options.temporary();
    let start = genesis((0..options.accounts).map(id));
    let mut ledger = options.ledger().open(folder.path(), &start).unwrap().ledger;
    drop(start);
    let (journal, state) = (folder.path().join("journal"), folder.path().join("state"));
    let before = (on_disk(&journal), on_disk(&state));
    println!("{} accounts, {} transfers a block, not signed", options.accounts, options.transfers);
    println!("\n| transactions | resident MiB | journal MiB | state MiB | transactions/s |");
    println!("| --- | --- | --- | --- | --- |");
    let mib = |bytes: u64| bytes as f64 / (1024.0 * 1024.0);
    let line = |done: usize, rate: f64| {
        let (journal, state) = (mib(on_disk(&journal)), mib(on_disk(&state)));
        println!("| {done} | {:.1} | {journal:.0} | {state:.0} | {rate:.0} |", resident());
        resident()
    };
    line(0, 0.0);
    let mut traffic = Traffic::new(options.active());
    let (mut done, mut in_step, mut seconds) = (0, 0, 0.0);
    let mut memory = Vec::new();
    while done < count {
        let block = next_block(&ledger, traffic.next(options.transfers));
        let begun = Instant::now();
        commit(&mut ledger, &block, &[0, 1, 2]).unwrap();
        seconds += begun.elapsed().as_secs_f64();
        done += options.transfers;
        in_step += options.transfers;
        if in_step >= STEP || done >= count {
            memory.push(line(done, in_step as f64 / seconds));
            (in_step, seconds) = (0, 0.0);
        }
    }
    ledger.checkpoint().unwrap();
    // What the first half fills, caches among it, is not growth.
    let later = &memory[memory.len() / 2..];
    let (middle, most) = (median(later), later.iter().copied().fold(0.0, f64::max));
    let least = later.iter().copied().fold(f64::INFINITY, f64::min);
    println!("\nresident in the second half: {least:.1} to {most:.1} MiB, median {middle:.1}");
    let per = |bytes: u64| bytes as f64 / done as f64;
    println!(
        "bytes on disk a transaction: journal {:.0}, state and indexes {:.0}",
        per(on_disk(&journal) - before.0),
        per(on_disk(&state).saturating_sub(before.1)),
    );
}
