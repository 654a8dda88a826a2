//! Archives: whatever is in one, reading gives an error or what was written, and importing gives blocks of the
//! chain or none.

use super::genuine::CHAIN;
use super::journal::GENESIS;
use super::script::Script;
use quorate_chain::block::{PROTOCOL_VERSION, transactions_root};
use quorate_chain::certificate::{CommitVote, fixture::commit_certificate};
use quorate_chain::codec::{List, decode, encode};
use quorate_chain::ledger::journal::MemDisk;
use quorate_chain::ledger::tools::{
    ArchiveReader, ArchiveWriter, ArchivedBlock, Range, Stage, export, import,
};
use quorate_chain::ledger::{Ledger, MemoryStore, Opened};
use quorate_chain::{Block, BlockHash, Header, Height, TimestampMs, ValidatorIndex, View};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, LazyLock};

/// Blocks of the chain that all genuine parts are from.
const BLOCKS: usize = 4;

fn go_on(_: Stage, _: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn empty() -> Opened {
    let store = Box::new(MemoryStore::default());
    Ledger::open_with(Arc::new(MemDisk::new(1)), Path::new("/journal"), store, &GENESIS)
        .expect("an empty disk")
}

/// A chain of empty blocks, certified by all.
struct Honest {
    bytes: Vec<u8>,
    blocks: Vec<ArchivedBlock>,
    /// Genesis first.
    hashes: Vec<BlockHash>,
}

static HONEST: LazyLock<Honest> = LazyLock::new(|| {
    let mut opened = empty();
    let mut hashes = vec![opened.ledger.tip().block];
    for number in 1..=BLOCKS as u64 {
        let tip = opened.ledger.tip().clone();
        let header = Header {
            version: PROTOCOL_VERSION,
            height: Height(number),
            epoch: tip.epoch,
            parent: tip.block,
            timestamp_ms: TimestampMs(1 + number),
            transactions_root: transactions_root(&[]),
            transaction_count: 0,
            parent_result: tip.result.hash(),
            proposer: ValidatorIndex(0),
        };
        let block = Block { header, transactions: List::default() };
        let executed = opened.ledger.execute(&block).expect("it follows");
        let (hash, result) = (block.hash(), executed.hash());
        let vote =
            CommitVote { epoch: tip.epoch, view: View(0), height: Height(number), block: hash, result };
        let certificate = commit_certificate(CHAIN, vote, &[0, 1, 2]);
        opened.ledger.commit(hash, List::default(), certificate).expect("it is certified");
        hashes.push(hash);
    }
    let mut bytes = Vec::new();
    export(&opened.reader, &GENESIS, &mut bytes, Range::default(), &mut go_on).expect("it is whole");
    let blocks = read(&bytes).1;
    assert_eq!(blocks.len(), BLOCKS);
    Honest { bytes, blocks, hashes }
});

/// The genuine archive, for the corpus.
pub(super) fn honest() -> &'static [u8] {
    &HONEST.bytes
}

/// The first height, the blocks up to the end or the first error, and how many bytes these are.
fn read(bytes: &[u8]) -> (Height, Vec<ArchivedBlock>, usize) {
    let Ok(mut reader) = ArchiveReader::open(bytes) else { return (Height(1), Vec::new(), 0) };
    let mut blocks = Vec::new();
    while let Ok(Some(block)) = reader.next_block() {
        blocks.push(block);
    }
    assert_eq!(reader.blocks(), blocks.len() as u64);
    (reader.first(), blocks, reader.offset() as usize)
}

/// The genuine archive with a few bytes changed, cut or doubled.
fn damaged(script: &mut Script<'_>) -> Vec<u8> {
    let mut bytes = HONEST.bytes.clone();
    for _ in 0..=script.below(3) {
        if bytes.is_empty() {
            break;
        }
        let at = script.below(bytes.len());
        let length = script.below(64).min(bytes.len() - at);
        match script.below(4) {
            0 => bytes[at] ^= 1 << script.below(8),
            1 => bytes.truncate(at),
            2 => drop(bytes.drain(at..at + length)),
            _ => {
                let doubled = bytes[at..at + length].to_vec();
                drop(bytes.splice(at..at, doubled));
            }
        }
    }
    bytes
}

/// An archive by somebody who makes every checksum right: genuine blocks in any order, some of them changed.
fn forged(script: &mut Script<'_>) -> Vec<u8> {
    let first = Height(1 + script.below(3) as u64);
    let mut writer = ArchiveWriter::begin(Vec::new(), CHAIN, first).expect("into memory");
    for _ in 0..script.below(2 * BLOCKS) {
        let mut block = HONEST.blocks[script.below(BLOCKS)].clone();
        if script.below(3) == 0 {
            let mut bytes = encode(&block);
            let at = script.below(bytes.len());
            bytes[at] ^= script.byte();
            if let Ok(changed) = decode(&bytes) {
                block = changed;
            }
        }
        if script.below(4) == 0 {
            block.certificate = HONEST.blocks[script.below(BLOCKS)].certificate.clone();
        }
        writer.block(&block).expect("into memory");
    }
    writer.end().expect("into memory")
}

/// Any bytes, a damaged archive or a forged one. What reads is written the same again. What an import of it
/// commits is the honest chain, as far as it goes; and the honest archive brings the rest.
pub fn archive(data: &[u8]) {
    let mut script = Script::new(data);
    let bytes = match script.below(3) {
        0 => script.rest().to_vec(),
        1 => damaged(&mut script),
        _ => forged(&mut script),
    };
    let (first, blocks, length) = read(&bytes);
    if length > 0 {
        let header = ArchiveReader::open(bytes.as_slice()).expect("it opened before");
        let mut writer = ArchiveWriter::begin(Vec::new(), header.chain(), first).expect("into memory");
        blocks.iter().for_each(|block| writer.block(block).expect("into memory"));
        assert!(writer.end().expect("into memory").starts_with(&bytes[..length]));
    }
    let mut opened = empty();
    let done = import(&mut opened.ledger, bytes.as_slice(), 0, &mut go_on);
    let tip = opened.ledger.tip().clone();
    assert_eq!(HONEST.hashes.get(tip.height.0 as usize), Some(&tip.block), "a block that nobody certified");
    if let Ok(done) = done {
        assert_eq!((done.tip, done.committed), (tip.height, tip.height.0));
    }
    import(&mut opened.ledger, HONEST.bytes.as_slice(), 0, &mut go_on).expect("the honest archive");
    assert_eq!(opened.ledger.tip().block, HONEST.hashes[BLOCKS]);
}
