//! A member of the consortium before there is a chain: its keys, its vote record, its card.

use crate::error::GenesisError;
use crate::files;
use crate::key_file::{KeyFile, KeyKind};
use crate::vote_record;
use quorate_chain::codec::Text;
use quorate_chain::validator::{Card, Validator};
use quorate_chain::{OrganisationId, PublicKey};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Longest card file, bytes.
const CARD_FILE_BYTES_MAX: usize = 16 * 1024;

/// Where a member's card is.
#[must_use]
pub fn card_path(home: &Path) -> PathBuf {
    home.join("card.json")
}

/// Whether this has the form `host:port`; the name need not resolve yet.
#[must_use]
pub fn is_host_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && !host.contains(char::is_whitespace) && port.parse::<u16>().is_ok_and(|p| p > 0)
    })
}

/// Makes a member's three keys, the vote record of its consensus key and its card in `home`. Its
/// organisation is, if not given, the one that its identity key stands for.
///
/// # Errors
/// When name or address are not usable, one of the files is there already (nothing is made then), or one
/// cannot be written.
pub fn create(
    home: &Path,
    name: &str,
    address: &str,
    organisation: Option<OrganisationId>,
) -> Result<Card, GenesisError> {
    let name = Text::new(name).map_err(|source| GenesisError::Text { what: "the name", source })?;
    if !is_host_port(address) {
        return Err(GenesisError::HostPort { name: name.to_string(), address: address.to_owned() });
    }
    let address = Text::new(address).map_err(|source| GenesisError::Text { what: "the address", source })?;
    let kinds = [KeyKind::Identity, KeyKind::Consensus, KeyKind::Network];
    refuse_existing(
        kinds.iter().map(|kind| kind.path(home)).chain([card_path(home), vote_record::path(home)]),
    )?;
    let keys = kinds.map(KeyFile::generate);
    let [identity, consensus, network] = &keys;
    let validator = Validator {
        name,
        organisation: organisation.unwrap_or(OrganisationId(identity.public().0)),
        identity: identity.public(),
        consensus: consensus.public(),
        network: network.public(),
        recovering: false,
    };
    let card = Card::sign(validator, address, identity.secret(), consensus.secret(), network.secret());
    card.verify()?;
    // The record is there before its key: a key without its record would be refused for ever.
    if let Some(id) = consensus.vote_record() {
        vote_record::create(home, id)?;
    }
    for key in &keys {
        key.write_new(&key.kind().path(home))?;
    }
    let mut json = serde_json::to_vec_pretty(&card)?;
    json.push(b'\n');
    files::write_new(&card_path(home), 0o644, &json)?;
    Ok(card)
}

/// Makes the one key of a node that follows the chain without voting; peers admit it by that key.
///
/// # Errors
/// When it is there already or cannot be written.
pub fn create_observer(home: &Path) -> Result<PublicKey, GenesisError> {
    let key = KeyFile::generate(KeyKind::Network);
    key.write_new(&KeyKind::Network.path(home))?;
    Ok(key.public())
}

fn refuse_existing(paths: impl Iterator<Item = PathBuf>) -> Result<(), GenesisError> {
    for path in paths {
        if path.try_exists().map_err(GenesisError::file("look for", &path))? {
            return Err(GenesisError::KeyExists { path });
        }
    }
    Ok(())
}

/// Reads a card; its signatures are checked.
///
/// # Errors
/// When it cannot be read or a signature does not hold.
pub fn load_card(path: &Path) -> Result<Card, GenesisError> {
    let mut file = File::open(path).map_err(GenesisError::file("read", path))?;
    let text = files::read_text(&mut file, path, CARD_FILE_BYTES_MAX)?;
    let card: Card = serde_json::from_str(&text).map_err(|e| GenesisError::from(e).in_file(path))?;
    card.verify().map_err(|e| GenesisError::from(e).in_file(path))?;
    Ok(card)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_has_keys_a_record_and_a_card() {
        let home = tempfile::tempdir().unwrap();
        let card = create(home.path(), "bank", "bank.example:26601", None).unwrap();
        assert_eq!(load_card(&card_path(home.path())).unwrap(), card);
        for (kind, public) in [
            (KeyKind::Identity, card.validator.identity),
            (KeyKind::Consensus, card.validator.consensus),
            (KeyKind::Network, card.validator.network),
        ] {
            assert_eq!(KeyFile::load(&kind.path(home.path()), kind).unwrap().public(), public);
        }
        let consensus = KeyFile::load(&KeyKind::Consensus.path(home.path()), KeyKind::Consensus).unwrap();
        assert!(vote_record::check(home.path(), &consensus).is_ok());
        assert!(matches!(
            create(home.path(), "bank", "bank.example:26601", None),
            Err(GenesisError::KeyExists { .. })
        ));
    }

    #[test]
    fn nothing_is_made_where_anything_is() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(card_path(home.path()), "{}").unwrap();
        assert!(create(home.path(), "bank", "bank.example:26601", None).is_err());
        assert!(!home.path().join("keys").exists());
        assert!(!home.path().join("data").exists());
    }

    #[test]
    fn addresses_have_a_host_and_a_port() {
        let home = tempfile::tempdir().unwrap();
        for address in ["bank.example", "bank.example:0", ":26601", "bank.example:66000", "a b:1", ""] {
            assert!(create(home.path(), "bank", address, None).is_err(), "{address}");
        }
        assert!(is_host_port("[::1]:26601"));
    }

    #[test]
    fn a_tampered_card_is_refused() {
        let home = tempfile::tempdir().unwrap();
        create(home.path(), "bank", "bank.example:26601", None).unwrap();
        let path = card_path(home.path());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("bank.example", "thief.example")).unwrap();
        assert!(matches!(load_card(&path), Err(GenesisError::InFile { .. })));
    }

    #[test]
    fn a_file_is_no_longer_than_a_card_may_be() {
        let home = tempfile::tempdir().unwrap();
        let card = create(home.path(), "bank", "bank.example:26601", None).unwrap();
        let path = card_path(home.path());
        let text = std::fs::read_to_string(&path).unwrap();
        let padded = |bytes: usize| std::fs::write(&path, text.clone() + &" ".repeat(bytes - text.len()));
        padded(CARD_FILE_BYTES_MAX).unwrap();
        assert_eq!(load_card(&path).unwrap(), card);
        padded(CARD_FILE_BYTES_MAX + 1).unwrap();
        let error = load_card(&path).unwrap_err();
        assert!(error.to_string().contains(&CARD_FILE_BYTES_MAX.to_string()), "{error}");
    }
}
