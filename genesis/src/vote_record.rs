//! The vote record's mark: a consensus key votes only beside the record of what it has signed (R47).
//!
//! `keys/consensus.json` and `data/journal/votes/RECORD` hold the same random id, made together, and so is the
//! journal itself, still empty: one that is not there was lost. Each of its files names the id as its owner, so
//! that those of another record are refused. A folder that was emptied, in part or as a whole, or is another
//! key's lacks the journal or the id: the key may have voted elsewhere, and stays silent. A restored old backup
//! has both; replicas find that out by asking each other.

use crate::error::GenesisError;
use crate::files;
use crate::key_file::KeyFile;
use quorate_chain::ledger::journal::{self, FsDisk, Journal, Options, Owner, SEGMENT_HEADER_BYTES};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Longest record file, bytes: 32 hex digits and the end of the line.
const RECORD_BYTES_MAX: usize = 64;

/// The id that a consensus key and its vote record share; 32 hex digits in text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VoteRecordId([u8; 16]);

impl VoteRecordId {
    pub(crate) fn generate() -> Self {
        Self(rand::random())
    }

    fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).is_ok().then_some(Self(bytes))
    }
}

impl fmt::Display for VoteRecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for VoteRecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VoteRecordId({self})")
    }
}

impl Serialize for VoteRecordId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for VoteRecordId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as Deserialize>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("expected 32 hex digits"))
    }
}

fn folder(home: &Path) -> PathBuf {
    home.join("data").join("journal").join("votes")
}

/// Where a node's record is marked.
#[must_use]
pub fn path(home: &Path) -> PathBuf {
    folder(home).join("RECORD")
}

/// Makes the empty record of a new consensus key and marks it; synced. What an earlier key signed is refused.
pub(crate) fn create(home: &Path, id: VoteRecordId) -> Result<(), GenesisError> {
    let (folder, path) = (folder(home), path(home));
    files::make_folder(&folder, 0o755)?;
    match Journal::open(Arc::new(FsDisk), &folder, Owner::Votes(id.0), Options::votes()) {
        Ok((_journal, found)) if found.records == 0 => {}
        Ok(_) | Err(journal::Error::Foreign { .. }) => {
            return Err(GenesisError::VoteRecordOther { path: folder });
        }
        Err(error) => return Err(error.into()),
    }
    files::write_new(&path, 0o644, format!("{id}\n").as_bytes())
}

/// Whether the record beside which this consensus key may vote is in `home`.
///
/// # Errors
/// When there is none, it is another key's, or it cannot be read.
pub fn check(home: &Path, key: &KeyFile) -> Result<(), GenesisError> {
    match read(home)? {
        None => return Err(GenesisError::VoteRecordMissing { path: path(home) }),
        found if found != key.vote_record() => {
            return Err(GenesisError::VoteRecordOther { path: path(home) });
        }
        Some(_) => {}
    }
    let folder = folder(home);
    if has_journal(&folder).map_err(GenesisError::file("look into", &folder))? {
        Ok(())
    } else {
        Err(GenesisError::VoteRecordMissing { path: folder.join("*.journal") })
    }
}

/// Whose the vote journal in `home` is: the marked record's, also when the key is gone and the node only
/// follows; nobody's where none was ever made.
///
/// # Errors
/// When the mark cannot be read.
pub fn owner(home: &Path) -> Result<Owner, GenesisError> {
    Ok(Owner::Votes(read(home)?.map_or([0; 16], |id| id.0)))
}

/// The mark, if there is one.
fn read(home: &Path) -> Result<Option<VoteRecordId>, GenesisError> {
    let path = path(home);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(GenesisError::file("read", &path)(error)),
    };
    let text = files::read_text(&mut file, &path, RECORD_BYTES_MAX)?;
    let found = VoteRecordId::parse(text.trim_end());
    found.map(Some).ok_or(GenesisError::VoteRecordOther { path })
}

/// Whether there is a segment with a header. One is whole at all times: the last is never pruned, and the one
/// before goes only once its successor is durable. What is in them is the journal's to judge.
fn has_journal(folder: &Path) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "journal") {
            let mut header = Vec::new();
            File::open(path)?.take(SEGMENT_HEADER_BYTES).read_to_end(&mut header)?;
            if header.iter().any(|byte| *byte != 0) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::KeyKind;

    #[test]
    fn a_key_votes_only_beside_its_own_record() {
        let home = tempfile::tempdir().unwrap();
        let key = KeyFile::generate(KeyKind::Consensus);
        let id = key.vote_record().unwrap();
        assert!(matches!(check(home.path(), &key), Err(GenesisError::VoteRecordMissing { .. })));
        create(home.path(), id).unwrap();
        assert!(check(home.path(), &key).is_ok());
        let other = KeyFile::generate(KeyKind::Consensus);
        assert!(matches!(check(home.path(), &other), Err(GenesisError::VoteRecordOther { .. })));
        let account = KeyFile::generate(KeyKind::Account);
        assert!(matches!(check(home.path(), &account), Err(GenesisError::VoteRecordOther { .. })));
        assert!(create(home.path(), id).is_err(), "never overwritten");
        std::fs::write(path(home.path()), "").unwrap();
        assert!(matches!(check(home.path(), &key), Err(GenesisError::VoteRecordOther { .. })));
    }

    fn written() -> (tempfile::TempDir, KeyFile, PathBuf) {
        let (home, key) = (tempfile::tempdir().unwrap(), KeyFile::generate(KeyKind::Consensus));
        create(home.path(), key.vote_record().unwrap()).unwrap();
        let segment = folder(home.path()).join("0000000001.journal");
        (home, key, segment)
    }

    fn vote(home: &Path) {
        let owner = owner(home).unwrap();
        let (mut journal, _) =
            Journal::open(Arc::new(FsDisk), &folder(home), owner, Options::votes()).unwrap();
        journal.append(1, b"a vote").unwrap();
        journal.sync().unwrap();
    }

    #[test]
    fn a_mark_without_its_journal_is_no_record() {
        let (home, key, segment) = written();
        vote(home.path());
        assert!(check(home.path(), &key).is_ok());
        let bytes = std::fs::read(&segment).unwrap();
        let lost = |key: &KeyFile| {
            matches!(check(home.path(), key), Err(GenesisError::VoteRecordMissing { path })
                if path.starts_with(folder(home.path())))
        };
        // The journal takes the last two for a segment that a crash kept from being made, and begins anew.
        for content in [None, Some(vec![]), Some(vec![0; bytes.len()])] {
            match content {
                Some(content) => std::fs::write(&segment, content).unwrap(),
                None => std::fs::remove_file(&segment).unwrap(),
            }
            assert!(lost(&key));
        }
        std::fs::write(&segment, bytes).unwrap();
        assert!(check(home.path(), &key).is_ok());
    }

    #[test]
    fn a_new_key_does_not_take_over_what_another_signed() {
        let (home, _key, _segment) = written();
        vote(home.path());
        std::fs::remove_file(path(home.path())).unwrap();
        let id = VoteRecordId::generate();
        assert!(matches!(create(home.path(), id), Err(GenesisError::VoteRecordOther { .. })));
        assert!(!path(home.path()).exists());
    }

    #[test]
    fn a_mark_is_no_longer_than_it_may_be() {
        let (home, key, _segment) = written();
        let text = std::fs::read_to_string(path(home.path())).unwrap();
        let padded = |bytes: usize| {
            std::fs::write(path(home.path()), text.clone() + &" ".repeat(bytes - text.len())).unwrap();
            check(home.path(), &key).map_err(|error| error.to_string())
        };
        assert!(padded(RECORD_BYTES_MAX + 1).is_err_and(|error| error.contains("64")));
        assert_eq!(padded(RECORD_BYTES_MAX), Ok(()));
    }
}
