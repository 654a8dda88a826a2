//! Files that people write and hand on: genesis documents, cards, keys.

use super::script::Script;
use quorate_genesis::{Genesis, KeyFile, KeyKind, member, vote_record};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

/// A genesis document: what is read is written again as a document of the same chain.
pub fn genesis_document(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(genesis) = Genesis::from_json(text) else { return };
    let written = genesis.to_json().expect("a checked document");
    let again = Genesis::from_json(&written).expect("a document that was written");
    assert_eq!(again, genesis);
    let state = genesis.to_state();
    assert_eq!((state.chain, &state.validators), (genesis.chain_id(), genesis.validator_set()));
    assert!(state.result().is_ok());
    assert!(
        genesis.members().iter().all(|card| card.verify().is_ok() && member::is_host_port(&card.address))
    );
}

/// A folder of its own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("quorate-fuzz-{}-{number}", std::process::id()));
        std::fs::create_dir_all(path.join("data/journal/votes")).expect("a folder for temporary files");
        Self(path)
    }

    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, content).expect("a folder for temporary files");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).expect("an own file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind is only untidy.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A key file, a card or the mark of a vote record: the first byte says which. What is read is sound.
pub fn member_files(data: &[u8]) {
    let mut script = Script::new(data);
    let kind = script.byte();
    let content = script.rest();
    let folder = Folder::new();
    match kind % 6 {
        0 => {
            let path = folder.write("card.json", content);
            let card = member::load_card(&path);
            assert!(card.is_err() || card.is_ok_and(|card| card.verify().is_ok()));
        }
        1 => {
            folder.write("data/journal/votes/RECORD", content);
            let key = KeyFile::generate(KeyKind::Consensus);
            assert!(vote_record::check(&folder.0, &key).is_err(), "a record of a key that is new");
        }
        kind => {
            let kinds = [KeyKind::Identity, KeyKind::Consensus, KeyKind::Network, KeyKind::Account];
            let kind = kinds[usize::from(kind - 2)];
            let path = folder.write("key.json", content);
            let Ok(key) = KeyFile::load(&path, kind) else { return };
            assert_eq!((key.kind(), key.vote_record().is_some()), (kind, kind == KeyKind::Consensus));
            let again = folder.0.join("again.json");
            key.write_new(&again).expect("a file of its own");
            let again = KeyFile::load(&again, kind).expect("a key that was written");
            assert_eq!((again.public(), again.vote_record()), (key.public(), key.vote_record()));
            assert_eq!(again.public(), again.secret().public());
        }
    }
}
