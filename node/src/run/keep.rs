//! The pool over a restart: what waits when the node is told to stop is written to `data/pool`, and taken in again at
//! the next start as if another node had sent it, signatures and all. A node that is killed keeps nothing: clients and
//! the other validators have what waits.

use super::ingest::Incoming;
use super::wire::BATCH_TRANSACTIONS_MAX;
use crate::config::NodeConfig;
use crate::error::NodeError;
use crate::files::replace;
use quorate_chain::Transaction;
use quorate_chain::codec::{List, decode, encode};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use tokio::sync::mpsc;

/// Most transactions of the file: as many as a pool holds.
const KEPT_MAX: usize = 100_000;
/// Longest file: as many bytes as a pool holds, and the transactions' lengths.
const KEPT_BYTES_MAX: u64 = 65 * 1024 * 1024;
/// Bytes of the checksum at the end.
const CHECKSUM_BYTES: usize = blake3::OUT_LEN;

/// Writes what waits; the file is there as a whole or not at all.
pub(super) fn write<'a>(
    path: &Path,
    waiting: impl Iterator<Item = &'a Transaction>,
) -> Result<usize, NodeError> {
    let all: Vec<_> = waiting.take(KEPT_MAX).cloned().collect();
    let count = all.len();
    if count == 0 {
        return Ok(0);
    }
    let mut bytes = encode(&all);
    bytes.extend(blake3::hash(&bytes).as_bytes());
    replace(path, &bytes)?;
    Ok(count)
}

/// Reads what the last run kept, and removes it: a second start has nothing to do with it.
pub(super) fn take(path: &Path) -> io::Result<Vec<Transaction>> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Ok(file) => file.take(KEPT_BYTES_MAX + 1).read_to_end(&mut bytes)?,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    fs::remove_file(path)?;
    let damaged = |what: &str| io::Error::new(ErrorKind::InvalidData, what.to_owned());
    if bytes.len() as u64 > KEPT_BYTES_MAX {
        return Err(damaged("the file is too long"));
    }
    let body = bytes.len().checked_sub(CHECKSUM_BYTES).ok_or_else(|| damaged("the file is too short"))?;
    let checksum = bytes.split_off(body);
    if checksum != blake3::hash(&bytes).as_bytes() {
        return Err(damaged("the checksum does not fit"));
    }
    let all = decode::<List<Transaction, 0, KEPT_MAX>>(&bytes).map_err(|error| damaged(&error.0))?;
    Ok(all.into_inner())
}

/// What the last run of this node kept of its pool. What an older one kept goes if nothing is to be kept any more.
pub(super) fn read(config: &NodeConfig) -> Vec<Transaction> {
    let path = config.pool_file();
    let read = if config.keep_pool {
        take(&path)
    } else {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(Vec::new()),
        }
    };
    read.unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "the transactions that waited at the last stop are lost here; \
            clients and other validators have them");
        Vec::new()
    })
}

/// Brings them to the checks.
pub(super) async fn bring(kept: Vec<Transaction>, ingest: mpsc::Sender<Incoming>) {
    if !kept.is_empty() {
        tracing::info!(transactions = kept.len(), "taking in what waited when the node was stopped");
    }
    for some in kept.chunks(BATCH_TRANSACTIONS_MAX) {
        if ingest.send(Incoming::Relayed(some.to_vec())).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::transactions;
    use super::*;

    #[test]
    fn what_was_kept_is_taken_once_and_only_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool");
        assert_eq!(take(&path).unwrap(), []);
        assert_eq!(write(&path, [].iter()).unwrap(), 0);
        let all = transactions(0..20, 300);
        assert_eq!(write(&path, all.iter()).unwrap(), 20);
        assert_eq!(take(&path).unwrap(), all);
        assert_eq!(take(&path).unwrap(), [], "it is gone");
        for place in [0, 100, 20 * 300, 20 * 304 + 10] {
            write(&path, all.iter()).unwrap();
            let mut bytes = fs::read(&path).unwrap();
            bytes[place] ^= 1;
            fs::write(&path, &bytes).unwrap();
            assert_eq!(take(&path).unwrap_err().kind(), ErrorKind::InvalidData, "byte {place}");
            fs::write(&path, &bytes[..place]).unwrap();
            assert_eq!(take(&path).unwrap_err().kind(), ErrorKind::InvalidData, "{place} bytes");
        }
        assert!(!path.exists(), "what is damaged is not tried again");
    }

    #[test]
    fn a_pool_s_worth_is_kept_and_a_longer_file_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pool");
        let one = transactions(0..1, 300);
        assert_eq!(write(&path, std::iter::repeat_n(&one[0], KEPT_MAX + 1)).unwrap(), KEPT_MAX);
        assert_eq!(take(&path).unwrap().len(), KEPT_MAX);
        File::create(&path).unwrap().set_len(KEPT_BYTES_MAX + 1).unwrap();
        assert!(take(&path).unwrap_err().to_string().contains("too long"));
    }
}
