mod damage;
mod faults;
mod files;
mod golden;
mod power;
mod records;
mod survey;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Entry, Error, Journal, MemDisk, Options, Owner, Position, Recovered};

/// Small segments, so that a test crosses several.
const SMALL: Options = Options { segment_bytes: 4096, record_bytes_max: 2048 };
const DIR: &str = "/journal";
const OWNER: Owner = Owner::Votes(*b"whose votes this");

fn open(disk: &MemDisk) -> Result<(Journal, Recovered), Error> {
    open_with(disk, SMALL)
}

fn open_with(disk: &MemDisk, options: Options) -> Result<(Journal, Recovered), Error> {
    Journal::open(Arc::new(disk.clone()), Path::new(DIR), OWNER, options)
}

fn segment(number: u64) -> PathBuf {
    super::format::segment_path(Path::new(DIR), number)
}

/// A payload without zero bytes, different for each index.
fn payload(index: u64, bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|at| ((index * 31 + at * 7) % 255) as u8 + 1).collect()
}

fn append(journal: &mut Journal, index: u64, bytes: usize) -> Position {
    journal.append(index as u8, &payload(index, bytes)).unwrap()
}

fn all(journal: &Journal) -> Vec<Entry> {
    journal.scan(journal.first()).collect::<Result<_, _>>().unwrap()
}

/// That record `n` of the journal is the `n`-th of `bytes`, for as many as there are; returns how many.
fn assert_prefix(journal: &Journal, bytes: &[usize]) -> usize {
    let found = all(journal);
    assert!(found.len() <= bytes.len(), "{} records, {} appended", found.len(), bytes.len());
    for (index, entry) in found.iter().enumerate() {
        assert_eq!(entry.sequence, index as u64 + 1);
        assert_eq!(entry.kind, index as u8);
        assert_eq!(entry.payload, payload(index as u64, bytes[index]));
        assert_eq!(journal.read(entry.position).unwrap(), (entry.kind, entry.payload.clone()));
    }
    found.len()
}
