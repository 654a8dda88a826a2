//! The vote record's mark: a consensus key votes only beside the record of what it has signed (R47).
//!
//! `keys/consensus.json` and `data/journal/votes/RECORD` hold the same random id, made together. A folder
//! that was emptied, or another key's, has no such file or another id: the key may have voted elsewhere, and
//! stays silent. A restored old backup has the right id; replicas find that out by asking each other.

use crate::error::GenesisError;
use crate::files;
use crate::key_file::KeyFile;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

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

/// Where a node's record is marked.
#[must_use]
pub fn path(home: &Path) -> PathBuf {
    home.join("data").join("journal").join("votes").join("RECORD")
}

/// Marks the record of a new consensus key; synced.
pub(crate) fn create(home: &Path, id: VoteRecordId) -> Result<(), GenesisError> {
    let path = path(home);
    if let Some(folder) = path.parent() {
        files::make_folder(folder, 0o755)?;
    }
    files::write_new(&path, 0o644, format!("{id}\n").as_bytes())
}

/// Whether the record beside which this consensus key may vote is in `home`.
///
/// # Errors
/// When there is none, it is another key's, or it cannot be read.
pub fn check(home: &Path, key: &KeyFile) -> Result<(), GenesisError> {
    let path = path(home);
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(GenesisError::VoteRecordMissing { path });
        }
        Err(error) => return Err(GenesisError::file("read", &path)(error)),
    };
    let text = files::read_text(&mut file, &path, RECORD_BYTES_MAX)?;
    let found = VoteRecordId::parse(text.trim_end());
    if found.is_some() && found == key.vote_record() {
        Ok(())
    } else {
        Err(GenesisError::VoteRecordOther { path })
    }
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
}
