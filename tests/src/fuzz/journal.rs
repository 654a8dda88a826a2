//! Files of a journal: whatever is in them, opening gives an error or a clean journal, never a panic.

use super::genuine::CHAIN;
use super::script::Script;
use quorate_chain::TimestampMs;
use quorate_chain::ledger::journal::{
    Disk, Entry, Journal, MemDisk, Options, Owner, Position, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES,
    VERSION,
};
use quorate_chain::ledger::{GenesisState, Ledger, MemoryStore};
use quorate_chain::parameters::Parameters;
use quorate_chain::validator::fixture::validator_set;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

const SEGMENT_BYTES: u64 = 4096;
const OPTIONS: Options = Options { segment_bytes: SEGMENT_BYTES, record_bytes_max: 1024 };
/// Most segments of an input.
const SEGMENTS_MAX: u64 = 3;
const FOLDER: &str = "/journal";

fn segment(number: u64) -> PathBuf {
    Path::new(FOLDER).join(format!("{number:010}.journal"))
}

fn write(disk: &MemDisk, number: u64, bytes: &[u8]) {
    let file = disk.create(&segment(number), bytes.len() as u64).expect("a disk without limits");
    let mut at = 0;
    while at < bytes.len() {
        at += file.write_at(at as u64, &bytes[at..]).expect("a disk without limits");
    }
    file.sync_all().expect("a disk without limits");
}

/// A segment as a writer with no sense would make it: every field is the script's, every checksum right.
fn forge(script: &mut Script<'_>, number: u64, sequence: &mut u64) -> Vec<u8> {
    let mut header = [0; SEGMENT_HEADER_BYTES as usize];
    let lies = script.byte();
    let bytes = if lies & 3 == 3 { SEGMENT_BYTES + 512 * u64::from(lies >> 4) } else { SEGMENT_BYTES };
    let first = if lies & 12 == 12 { u64::from(script.byte()) } else { *sequence };
    let identity = [if lies & 0x30 == 0x30 { lies } else { 7 }; 16];
    let said_number = if lies & 0xc0 == 0xc0 { u64::from(script.byte()) } else { number };
    header[..8].copy_from_slice(b"QUORJRNL");
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    header[16..24].copy_from_slice(&said_number.to_le_bytes());
    header[24..32].copy_from_slice(&bytes.to_le_bytes());
    header[32..40].copy_from_slice(&first.to_le_bytes());
    header[40..56].copy_from_slice(&identity);
    // The chain's, or no owner that there can be.
    header[56] = if lies == u8::MAX { script.byte() } else { 1 };
    header[57..89].copy_from_slice(&CHAIN.0);
    let checksum = blake3::hash(&header[..89]);
    header[89..105].copy_from_slice(&checksum.as_bytes()[..16]);
    let key = blake3::derive_key(
        "quorate journal segment key 2",
        &[&identity[..], &said_number.to_le_bytes(), &header[56..89]].concat(),
    );
    let mut out = header.to_vec();
    for _ in 0..script.below(12) {
        if out.len() as u64 + RECORD_HEADER_BYTES > SEGMENT_BYTES {
            break;
        }
        forge_record(script, &key, sequence, &mut out);
    }
    out.resize(SEGMENT_BYTES as usize, 0);
    out
}

fn forge_record(script: &mut Script<'_>, key: &[u8; 32], sequence: &mut u64, out: &mut Vec<u8>) {
    let lies = script.byte();
    let payload = script.take(usize::from(lies & 31));
    let start = out.len();
    let length = match lies >> 5 {
        7 => u32::MAX - u32::from(script.byte()),
        6 => 16 * u32::from(script.byte()),
        _ => payload.len() as u32,
    };
    let said = if lies >> 5 == 5 { u64::from(script.byte()) } else { *sequence };
    let synced = if lies >> 5 == 4 { u64::MAX - u64::from(script.byte()) } else { said.saturating_sub(1) };
    out.extend_from_slice(b"QREC");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&said.to_le_bytes());
    out.extend_from_slice(&synced.to_le_bytes());
    out.extend_from_slice(&[lies & 3, 0, 0, 0]);
    let check = blake3::keyed_hash(key, &out[start..]);
    out.extend_from_slice(&check.as_bytes()[..4]);
    let checksum = blake3::keyed_hash(key, &[&out[start..], payload].concat());
    out.extend_from_slice(&checksum.as_bytes()[..16]);
    out.extend_from_slice(payload);
    out.resize(out.len().next_multiple_of(8), 0);
    *sequence += 1;
}

/// Segments of any bytes; or forged with true checksums; or written by a journal and then damaged. The journal
/// that opens is whole: everything in it reads, one more record fits, and all of it is there the next time.
pub fn journal(data: &[u8]) {
    let mut script = Script::new(data);
    let disk = MemDisk::new(1);
    let mut sequence = 1;
    match script.below(3) {
        0 => write(&disk, 1, script.rest()),
        1 => {
            for number in 1..=1 + script.below(SEGMENTS_MAX as usize) as u64 {
                let bytes = forge(&mut script, number, &mut sequence);
                write(&disk, number, &bytes);
            }
        }
        _ => written_and_damaged(&disk, &mut script),
    }
    let Ok((journal, recovered)) = open(&disk) else { return };
    let entries: Vec<_> = journal.scan(recovered.first).collect();
    // Only the last segment is checked by opening: damage in older ones shows here.
    let Ok(entries) = entries.into_iter().collect::<Result<Vec<Entry>, _>>() else { return };
    for entry in &entries {
        let read = journal.read(entry.position).expect("a record that a scan gave reads");
        assert_eq!(read, (entry.kind, entry.payload.clone()));
    }
    let _ = journal.read(Position { segment: 1, offset: u64::from(script.byte()) });
    drop(journal);
    let Ok((mut journal, again)) = open(&disk) else {
        panic!("a journal that was opened does not open again")
    };
    assert_eq!((again.records, again.torn_tail), (recovered.records, None), "opening changed the records");
    // Its sequence may be of no sense only where a forged segment says so.
    if recovered.records < u64::MAX / 2 {
        let position = journal.append(9, b"one more").expect("a disk without limits");
        journal.sync().expect("a disk without limits");
        assert_eq!(journal.read(position).expect("the record that was just written").1, b"one more");
        let all: Result<Vec<Entry>, _> = journal.scan(recovered.first).collect();
        let all = all.expect("a whole journal");
        assert_eq!(all[..entries.len()], entries[..]);
        assert_eq!(all.len(), entries.len() + 1);
    }
}

fn open(
    disk: &MemDisk,
) -> Result<(Journal, quorate_chain::ledger::journal::Recovered), quorate_chain::ledger::journal::Error> {
    Journal::open(Arc::new(disk.clone()), Path::new(FOLDER), Owner::Chain(CHAIN), OPTIONS)
}

fn written_and_damaged(disk: &MemDisk, script: &mut Script<'_>) {
    let (mut journal, _) = open(disk).expect("an empty disk");
    for _ in 0..script.below(24) {
        let how = script.byte();
        let payload = vec![how; usize::from(how) * usize::from(how & 3)];
        journal.append(how & 7, &payload).expect("a disk without limits");
        if how & 0x30 == 0 {
            journal.sync().expect("a disk without limits");
        }
    }
    drop(journal);
    while !script.is_empty() {
        let number = 1 + script.below(SEGMENTS_MAX as usize) as u64;
        let offset = script.below(SEGMENT_BYTES as usize) as u64;
        let bytes = script.take(3);
        let _ = disk.damage(&segment(number), offset.min(SEGMENT_BYTES - 3), bytes);
    }
}

pub(super) static GENESIS: LazyLock<GenesisState> = LazyLock::new(|| {
    let parameters = Parameters::default();
    GenesisState::new(CHAIN, TimestampMs(1), validator_set(4), parameters, BTreeMap::new())
});

/// Records of the chain's journal with whole checksums and any content: bodies and commits that nobody wrote.
/// Opening the ledger gives an error, or a ledger at a height that its journal proves.
pub fn ledger(data: &[u8]) {
    let mut script = Script::new(data);
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).expect("an empty disk");
    for _ in 0..4 {
        let kind = script.byte() % 4;
        let length = script.below(1025);
        let payload = script.take(length);
        journal.append(kind, payload).expect("a disk without limits");
    }
    journal.sync().expect("a disk without limits");
    drop(journal);
    let store = Box::new(MemoryStore::default());
    let Ok(opened) = Ledger::open_with(Arc::new(disk), Path::new(FOLDER), store, &GENESIS) else { return };
    let tip = opened.ledger.tip();
    assert_eq!(opened.ledger.root(), tip.result.state_root);
    for block in &opened.uncommitted {
        assert!(block.header.height > tip.height);
    }
}
