//! The golden vector of the genesis document: `tests/vectors/genesis.json`. See `chain/tests/vectors/main.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

#[path = "../../chain/tests/vectors/file.rs"]
mod file;

use quorate_chain::codec::{List, Text};
use quorate_chain::crypto::SecretKey;
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{AccountKey, Roles};
use quorate_chain::validator::{Card, Validator};
use quorate_chain::{AccountId, Amount, OrganisationId, TimestampMs};
use quorate_genesis::{Genesis, GenesisAccount};
use serde_json::json;

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn account(number: u8) -> AccountId {
    key(number).public().into()
}

/// The card of seat `number`; seats 2 and 3 are of one organisation.
fn card(number: u8) -> Card {
    let [identity, consensus, network] = [10, 20, 30].map(|kind| key(kind + number));
    let validator = Validator {
        name: Text::new(format!("bank-{number}")).unwrap(),
        organisation: OrganisationId(key(10 + number.min(2)).public().0),
        identity: identity.public(),
        consensus: consensus.public(),
        network: network.public(),
        recovering: false,
    };
    let address = Text::new(format!("bank-{number}.example:26601")).unwrap();
    Card::sign(validator, address, &identity, &consensus, &network)
}

#[test]
fn the_document_and_what_follows_from_it() {
    let mut keys = vec![key(2).public(), key(3).public()];
    keys.sort_unstable();
    let keys = keys.into_iter().map(|key| AccountKey { key, weight: 1 }).collect();
    let governor = GenesisAccount {
        name: Some(Text::new("the members").unwrap()),
        roles: Roles::ADMIN | Roles::ISSUER,
        keys: List::new(keys).unwrap(),
        threshold: 2,
        ..GenesisAccount::member(account(1), Amount(0))
    };
    let organisation = Some(card(0).validator.organisation);
    let member = GenesisAccount { organisation, ..GenesisAccount::member(account(4), Amount(1 << 80)) };
    let plain = GenesisAccount::member(account(5), Amount(7));
    let parameters = Parameters { open: false, window: 4, ..Parameters::default() };
    let cards = (0..4).map(card).collect();
    let accounts = vec![governor, member, plain];
    let genesis =
        Genesis::merge(cards, accounts, parameters, "Vector Chain", TimestampMs(1_700_000_000_000)).unwrap();
    let result = genesis.to_state().result().unwrap();
    let document: serde_json::Value = serde_json::from_str(&genesis.to_json().unwrap()).unwrap();
    let made = json!({
        "document": document,
        "chain": genesis.chain_id(),
        "result": { "fields": result, "hash": result.hash() },
    });
    file::check("genesis", &made);
}
