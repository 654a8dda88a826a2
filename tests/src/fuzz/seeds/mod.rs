//! Where the corpora begin: genuine values of every kind, and scripts that lead to every kind of step.

use crate::fuzz::{Novelty, replica_is_new};
use crate::sim::Random;
use quorate_chain::codec::encode;
use quorate_consensus::Message;
use values::{certified, chain_values, document, member_files, transactions};
use votes::{block, evidence, messages, records};

mod values;
mod votes;

/// Files of a corpus at most.
pub const CORPUS_FILES_MAX: usize = 40;
/// Bytes of each.
pub const CORPUS_BYTES_MAX: usize = 4 * 1024;

/// The first corpus of a target; empty for one that is not there.
#[must_use]
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "message" => messages().iter().map(encode).collect(),
        "record" => records().iter().map(encode).collect(),
        "evidence" => evidence().iter().map(encode).collect(),
        "transaction" => transactions().iter().map(|t| t.bytes().to_vec()).collect(),
        "chain_value" => chain_values(),
        "hostile_lengths" => hostile(),
        "genesis_document" => vec![document().into_bytes(), b"{\"version\": 1}".to_vec()],
        "member_files" => member_files(),
        "certificates" => {
            [vec![4, 0, 3, 0, 1, 2, 3, 0, 1, 2, 2, 5, 40, 1]].into_iter().chain(noise(15, 24)).collect()
        }
        "state_proof" | "list_proof" => noise(16, 24),
        "instructions" => noise(30, 400),
        "journal" => [vec![0], vec![1; 40]].into_iter().chain(noise(24, 200)).collect(),
        "archive" => archives(),
        "ledger" => ledger(),
        "replica_heals" => scripts(2, 12),
        "replica_verified" => scripts(3, 8),
        "replica_twice" => scripts(4, 8),
        "replica_step" => scripts(1, CORPUS_FILES_MAX),
        _ => Vec::new(),
    }
}

/// Bytes of no meaning, the same every time.
fn noise(count: u64, length: u64) -> Vec<Vec<u8>> {
    let one = |seed| {
        let mut random = Random::new(seed);
        (0..4 + random.below(length)).map(|_| random.next() as u8).collect()
    };
    (0..count).map(one).collect()
}

/// The scripts among many that did the most new things, the last ones first.
fn scripts(seed: u64, count: usize) -> Vec<Vec<u8>> {
    const SEARCHED: u64 = 4_000;
    let (mut random, mut seen) = (Random::new(seed), Novelty::default());
    let mut found: Vec<Vec<u8>> = Vec::new();
    for _ in 0..SEARCHED {
        let script: Vec<u8> = (0..4 + random.below(200)).map(|_| random.next() as u8).collect();
        if replica_is_new(&script, &mut seen) {
            found.push(script);
        }
    }
    found.into_iter().rev().take(count).collect()
}

fn hostile() -> Vec<Vec<u8>> {
    let with = |kind: u8, bytes: Vec<u8>| [&[kind][..], &bytes].concat();
    let changes = messages().into_iter().filter(|m| matches!(m, Message::NewView(_) | Message::Proposal(_)));
    let mut all: Vec<_> = changes.map(|message| with(0, encode(&message))).collect();
    all.extend(records().iter().rev().take(2).map(|record| with(1, encode(record))));
    all.extend(evidence().iter().map(|evidence| with(2, encode(evidence))));
    all.extend(transactions().iter().map(|transaction| with(3, transaction.bytes().to_vec())));
    all.push(with(4, encode(&block())));
    all.push(with(5, encode(&certified())));
    all
}

/// The genuine archive as bytes, and scripts that damage and forge it.
fn archives() -> Vec<Vec<u8>> {
    let genuine = [&[0], super::archive::honest()].concat();
    let of_kind = |kind: u8, scripts: Vec<Vec<u8>>| {
        scripts.into_iter().map(move |script| [&[kind][..], &script].concat())
    };
    [genuine].into_iter().chain(of_kind(1, noise(8, 20))).chain(of_kind(2, noise(12, 40))).collect()
}

/// A journal with the body of a block, and one of bytes that mean nothing.
fn ledger() -> Vec<Vec<u8>> {
    let body = encode(&block());
    let length = (body.len() as u16).to_be_bytes();
    let script = [&[1][..], &length, &body, &[2, 0, 0], &[2, 0, 4, 1, 2, 3, 4]].concat();
    [script].into_iter().chain(noise(8, 300)).collect()
}
