use super::*;
use quorate_chain::AssetId;
use quorate_chain::crypto::SecretKey;
use quorate_chain::validator::{Validator, ValidatorError};
use serde_json::{Value, json};

fn key(kind: u8, index: u8) -> SecretKey {
    SecretKey::from_seed(&[kind * 16 + index; 32])
}

fn card(index: u8) -> Card {
    let [identity, consensus, network] = [1, 2, 3].map(|kind| key(kind, index));
    let validator = Validator {
        name: Text::new(format!("bank-{index}")).unwrap(),
        organisation: OrganisationId(identity.public().0),
        identity: identity.public(),
        consensus: consensus.public(),
        network: network.public(),
        recovering: false,
    };
    let address = Text::new(format!("bank-{index}.example:26601")).unwrap();
    Card::sign(validator, address, &identity, &consensus, &network)
}

fn account(index: u8, balance: u128) -> GenesisAccount {
    GenesisAccount::member(key(4, index).public().into(), Amount(balance))
}

fn merge(cards: Vec<Card>, accounts: Vec<GenesisAccount>) -> Result<Genesis, GenesisError> {
    let time = TimestampMs(1_700_000_000_000);
    Genesis::merge(cards, accounts, Parameters::default(), "banks", time)
}

fn fixed() -> Genesis {
    let named = GenesisAccount {
        name: Some(Text::new("cash desk").unwrap()),
        organisation: Some(OrganisationId(key(1, 2).public().0)),
        ..account(1, 1_000_000)
    };
    merge((0..4).map(card).collect(), vec![named, account(2, 0)]).unwrap()
}

/// The document as JSON, changed by `edit`, read again.
fn reread(edit: impl FnOnce(&mut Value)) -> Result<Genesis, GenesisError> {
    let mut value = serde_json::from_str(&fixed().to_json().unwrap()).unwrap();
    edit(&mut value);
    Genesis::from_json(&value.to_string())
}

#[test]
fn golden_chain_id() {
    let chain = "01fed97df77b9ebda6e7977a96e830a56ea4004878656bab7c1aa7d7e68877aa";
    assert_eq!(fixed().chain_id().to_string(), chain);
}

#[test]
fn the_content_counts_and_spaces_do_not() {
    let genesis = fixed();
    let json = genesis.to_json().unwrap();
    assert_eq!(Genesis::from_json(&json).unwrap(), genesis);
    // Another order of fields, and no white space.
    assert_eq!(reread(|_| ()).unwrap().chain_id(), genesis.chain_id());
    assert_eq!(reread(|v| v["accounts"][1]["name"] = Value::Null).unwrap().chain_id(), genesis.chain_id());
    for edit in [
        (|v| v["name"] = json!("bonks")) as fn(&mut Value),
        |v| v["timestamp_ms"] = json!(1_700_000_000_001_u64),
        |v| v["accounts"][1]["balance"] = json!("1"),
        |v| v["accounts"][1]["name"] = json!("safe"),
        |v| v["parameters"]["window"] = json!(2),
        |v| v["members"].as_array_mut().unwrap().swap(0, 1),
    ] {
        assert_ne!(reread(edit).unwrap().chain_id(), genesis.chain_id());
    }
}

#[test]
fn a_document_says_all_and_nothing_else() {
    let place = |edit: fn(&mut Value)| match reread(edit) {
        Err(GenesisError::NotExact { place, .. }) => place,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        place(|v| v["members"][2]["validator"]["power"] = json!(9)),
        "document.members[2].validator.power"
    );
    assert_eq!(place(|v| v["accounts"][0]["balance"] = json!("01000000")), "document.accounts[0].balance");
    let missing: fn(&mut Value) = |v| drop(v["parameters"].as_object_mut().unwrap().remove("window"));
    assert_eq!(place(missing), "document.parameters.window");
    assert!(matches!(reread(|v| v["parameter"] = json!({})), Err(GenesisError::Json(_))));
    assert!(matches!(reread(|v| v["version"] = json!(2)), Err(GenesisError::Version(2))));
    let twice = fixed().to_json().unwrap().replacen("\"version\"", "\"version\": 1, \"version\"", 1);
    assert!(matches!(Genesis::from_json(&twice), Err(GenesisError::Json(_))));
}

#[test]
fn tampered_and_repeated_cards_are_refused() {
    let tampered = reread(|v| v["members"][1]["address"] = json!("thief.example:26601"));
    assert!(matches!(
        tampered,
        Err(GenesisError::Validator(ValidatorError::Signature { key: "identity", name })) if name == "bank-1"
    ));
    assert!(matches!(merge(vec![card(1), card(1)], vec![]), Err(GenesisError::DuplicateName(_))));
    let mut renamed = card(1).validator;
    renamed.name = Text::new("other").unwrap();
    let address = Text::new("other.example:1").unwrap();
    let [identity, consensus, network] = [1, 2, 3].map(|kind| key(kind, 1));
    let renamed = Card::sign(renamed, address, &identity, &consensus, &network);
    assert!(matches!(
        merge(vec![card(1), renamed], vec![]),
        Err(GenesisError::Validator(ValidatorError::Repeated(_)))
    ));
    assert!(matches!(merge(vec![], vec![]), Err(GenesisError::Validator(ValidatorError::Size(_)))));
}

#[test]
fn small_sets_are_allowed_and_survive_no_fault() {
    for n in 1..=3 {
        let genesis = merge((0..n).map(card).collect(), vec![]).unwrap();
        assert_eq!(genesis.validator_set().quorum().f(), 0);
    }
}

#[test]
fn unsound_accounts_are_refused() {
    let with = |accounts| merge(vec![card(0)], accounts).unwrap_err();
    assert!(matches!(with(vec![account(1, 1), account(1, 2)]), GenesisError::DuplicateAccount(_)));
    assert!(matches!(with(vec![account(1, u128::MAX), account(2, 1)]), GenesisError::SupplyOverflow));
    let weak = GenesisAccount { address: AccountId([0; 32]), ..account(1, 1) };
    assert!(matches!(with(vec![weak]), GenesisError::Address { .. }));
    let stranger = GenesisAccount { organisation: Some(OrganisationId([7; 32])), ..account(1, 1) };
    assert!(matches!(with(vec![stranger]), GenesisError::UnknownOrganisation { .. }));
}

#[test]
fn parameters_are_checked() {
    assert!(matches!(reread(|v| v["parameters"]["window"] = json!(0)), Err(GenesisError::Parameter(_))));
}

#[test]
fn the_first_state_has_what_the_document_says() {
    let genesis = fixed();
    let state = genesis.to_state();
    assert_eq!((state.chain, state.timestamp_ms), (genesis.chain_id(), genesis.timestamp_ms()));
    assert_eq!(&state.validators, genesis.validator_set());
    let [first, second] = [1, 2].map(|i| AccountId::from(key(4, i).public()));
    let balance = |id| match state.entries.get(&StateKey::Account(id)) {
        Some(StateValue::Account(account)) => Some(account.balance),
        _ => None,
    };
    assert_eq!(balance(first), Some(Amount(1_000_000)));
    assert_eq!(balance(second), Some(Amount(0)));
    let Some(StateValue::Account(account)) = state.entries.get(&StateKey::Account(first)) else {
        panic!("the account is there");
    };
    assert_eq!(account.organisation, Some(OrganisationId(key(1, 2).public().0)));
    assert!(state.entries.contains_key(&StateKey::Account(second)));
    // Parameters, validators, four seated keys, four organisations, two accounts, the native asset.
    assert_eq!(state.entries.len(), 1 + 1 + 4 + 4 + 2 + 1);
    let Some(StateValue::Asset(native)) = state.entries.get(&StateKey::Asset(AssetId::NATIVE)) else {
        panic!("the native asset is there");
    };
    assert_eq!(native.supply, Amount(1_000_000));
    let parameters = StateValue::Parameters(genesis.parameters().clone());
    assert_eq!(state.entries.get(&StateKey::Parameters), Some(&parameters));
}

#[test]
fn a_document_is_filled_with_accounts_and_bytes_and_takes_no_more() {
    let document = |count: usize| {
        let mut all = fixed().document.clone();
        all.accounts = vec![all.accounts[0].clone(); count];
        all
    };
    let error = |count| check_accounts(&document(count)).unwrap_err();
    assert!(matches!(error(ACCOUNTS_MAX + 1), GenesisError::Accounts { max: ACCOUNTS_MAX, .. }));
    assert!(matches!(error(ACCOUNTS_MAX), GenesisError::DuplicateAccount(_)), "as many may be");
    let json = fixed().to_json().unwrap();
    let padded = |bytes: usize| Genesis::from_json(&(json.clone() + &" ".repeat(bytes - json.len())));
    assert!(padded(DOCUMENT_BYTES_MAX).is_ok());
    assert!(matches!(padded(DOCUMENT_BYTES_MAX + 1), Err(GenesisError::TooLong { .. })));
}
