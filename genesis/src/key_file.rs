//! Secret keys on disk: `{"kind", "public", "secret"}`, readable by their owner alone.

use crate::error::GenesisError;
use crate::files;
use crate::vote_record::VoteRecordId;
use quorate_chain::PublicKey;
use quorate_chain::crypto::SecretKey;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::{Zeroize, Zeroizing};

/// Longest key file, bytes.
const KEY_FILE_BYTES_MAX: usize = 4096;
/// Permission bits of the group and of others: none may be set.
const OTHERS: u32 = 0o077;

/// What a key is for. A key has one use: a file of another kind is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// Signs a member's card and new keys; is kept offline once the card is made.
    Identity,
    /// Signs votes.
    Consensus,
    /// Opens connections.
    Network,
    /// Signs an account's transactions.
    Account,
}

impl KeyKind {
    /// Where a node's key of this kind is.
    #[must_use]
    pub fn path(self, home: &Path) -> PathBuf {
        home.join("keys").join(format!("{self}.json"))
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity",
            Self::Consensus => "consensus",
            Self::Network => "network",
            Self::Account => "account",
        })
    }
}

/// A key file's content.
#[derive(Clone, Debug)]
pub struct KeyFile {
    kind: KeyKind,
    secret: SecretKey,
    vote_record: Option<VoteRecordId>,
}

/// The JSON form; the secret's text is erased when dropped.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    kind: KeyKind,
    public: PublicKey,
    secret: SecretText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vote_record: Option<VoteRecordId>,
}

#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct SecretText(String);

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl KeyFile {
    /// A new key of the system's randomness; a consensus key with the id of its vote record.
    #[must_use]
    pub fn generate(kind: KeyKind) -> Self {
        let vote_record = (kind == KeyKind::Consensus).then(VoteRecordId::generate);
        Self { kind, secret: SecretKey::generate(), vote_record }
    }

    /// What the key is for.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The public key.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.secret.public()
    }

    /// The secret key.
    #[must_use]
    pub const fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// The secret key alone.
    #[must_use]
    pub fn into_secret(self) -> SecretKey {
        self.secret
    }

    /// The record that was made with it: a consensus key always has one.
    #[must_use]
    pub const fn vote_record(&self) -> Option<VoteRecordId> {
        self.vote_record
    }

    /// Writes a new file with mode 0600, and the folder around it with 0700 if there is none; synced.
    ///
    /// # Errors
    /// When there is a file already, or it cannot be written.
    pub fn write_new(&self, path: &Path) -> Result<(), GenesisError> {
        if let Some(folder) = path.parent() {
            files::make_folder(folder, 0o700)?;
        }
        let form = Form {
            kind: self.kind,
            public: self.public(),
            secret: SecretText(hex::encode(*self.secret.seed())),
            vote_record: self.vote_record,
        };
        let mut json = Zeroizing::new(serde_json::to_vec_pretty(&form)?);
        json.push(b'\n');
        files::write_new(path, 0o600, &json)
    }

    /// Reads a key that must be of this kind.
    ///
    /// # Errors
    /// When others can read the file, it is not a key file, of another kind, or its two keys do not belong
    /// together.
    pub fn load(path: &Path, kind: KeyKind) -> Result<Self, GenesisError> {
        let mut file = File::open(path).map_err(GenesisError::file("read", path))?;
        let mode = file.metadata().map_err(GenesisError::file("read", path))?.mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(GenesisError::KeyReadable { path: path.to_owned(), mode });
        }
        let text = Zeroizing::new(files::read_text(&mut file, path, KEY_FILE_BYTES_MAX)?);
        let form: Form = serde_json::from_str(&text).map_err(|e| GenesisError::from(e).in_file(path))?;
        if form.kind != kind {
            return Err(GenesisError::KeyKind { path: path.to_owned(), found: form.kind, expected: kind });
        }
        let mismatch = || GenesisError::KeyMismatch { path: path.to_owned(), public: form.public };
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(&form.secret.0, &mut *seed).map_err(|_| mismatch())?;
        let secret = SecretKey::from_seed(&seed);
        if secret.public() != form.public {
            return Err(mismatch());
        }
        if form.vote_record.is_some() != (kind == KeyKind::Consensus) {
            return Err(GenesisError::KeyVoteRecord { path: path.to_owned() });
        }
        Ok(Self { kind, secret, vote_record: form.vote_record })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn written(kind: KeyKind) -> (tempfile::TempDir, PathBuf, KeyFile) {
        let home = tempfile::tempdir().unwrap();
        let (path, key) = (kind.path(home.path()), KeyFile::generate(kind));
        key.write_new(&path).unwrap();
        (home, path, key)
    }

    #[test]
    fn keys_are_for_their_owner_only_and_come_back() {
        let (_home, path, key) = written(KeyKind::Consensus);
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        let loaded = KeyFile::load(&path, KeyKind::Consensus).unwrap();
        assert_eq!((loaded.public(), loaded.vote_record()), (key.public(), key.vote_record()));
        assert!(loaded.vote_record().is_some());
        assert!(matches!(key.write_new(&path), Err(GenesisError::KeyExists { .. })));
        assert_eq!(KeyFile::load(&path, KeyKind::Consensus).unwrap().public(), key.public());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let (_home, path, _key) = written(KeyKind::Account);
        for mode in [0o640, 0o604, 0o660, 0o610] {
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
            let error = KeyFile::load(&path, KeyKind::Account).unwrap_err();
            assert!(matches!(error, GenesisError::KeyReadable { mode: found, .. } if found == mode));
            assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())));
        }
    }

    #[test]
    fn another_kind_and_another_public_key_are_refused() {
        let (_home, path, _key) = written(KeyKind::Account);
        assert!(matches!(KeyFile::load(&path, KeyKind::Network), Err(GenesisError::KeyKind { .. })));
        let other = KeyFile::generate(KeyKind::Account).public().to_string();
        let own = KeyFile::load(&path, KeyKind::Account).unwrap().public().to_string();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace(&own, &other)).unwrap();
        assert!(matches!(KeyFile::load(&path, KeyKind::Account), Err(GenesisError::KeyMismatch { .. })));
        std::fs::write(&path, text.replace("\"kind\"", "\"more\": 1, \"kind\"")).unwrap();
        assert!(matches!(KeyFile::load(&path, KeyKind::Account), Err(GenesisError::InFile { .. })));
    }

    #[test]
    fn a_consensus_key_names_its_record() {
        let (_home, path, key) = written(KeyKind::Consensus);
        let mut form: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(form["vote_record"], key.vote_record().unwrap().to_string());
        form.as_object_mut().unwrap().remove("vote_record");
        std::fs::write(&path, form.to_string()).unwrap();
        assert!(matches!(KeyFile::load(&path, KeyKind::Consensus), Err(GenesisError::KeyVoteRecord { .. })));
    }

    #[test]
    fn a_file_is_no_longer_than_a_key_file_may_be() {
        let (_home, path, key) = written(KeyKind::Account);
        let text = std::fs::read_to_string(&path).unwrap();
        let padded = |bytes: usize| std::fs::write(&path, text.clone() + &" ".repeat(bytes - text.len()));
        padded(KEY_FILE_BYTES_MAX).unwrap();
        assert_eq!(KeyFile::load(&path, KeyKind::Account).unwrap().public(), key.public());
        padded(KEY_FILE_BYTES_MAX + 1).unwrap();
        let error = KeyFile::load(&path, KeyKind::Account).unwrap_err();
        assert!(error.to_string().contains(&KEY_FILE_BYTES_MAX.to_string()), "{error}");
    }
}
