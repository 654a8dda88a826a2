//! Who and what a story is about: accounts, assets, entries, and the ends of epochs.

use quorate_chain::codec::{Bytes, DecodeError, List, Text};
use quorate_chain::crypto::SecretKey;
use quorate_chain::ledger::GenesisState;
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{Account, Asset, AssetRules, Holding, Roles, StateKey, StateValue};
use quorate_chain::validator::{SetChange, ValidatorSet, fixture::validator_set};
use quorate_chain::{AccountId, Amount, AssetId, ChainId, TimestampMs};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

pub(super) const CHAIN: ChainId = ChainId([0xda; 32]);
const VALIDATORS: u16 = 4;
/// Accounts that send.
pub(super) const SENDERS: u8 = 8;
/// Accounts that are made by what they are sent.
pub(super) const RECEIVERS: u8 = 40;
/// What each sender has at first.
const BALANCE: u128 = 5_000;
/// Data entries of a sender.
pub(super) const DATA_KEYS: u64 = 6;
/// A second asset, which senders hold from the start; the first of them issues it.
pub(super) const COUPON: AssetId = AssetId([0xc0; 32]);

/// Senders, then receivers.
static ACCOUNTS: LazyLock<Vec<AccountId>> = LazyLock::new(|| {
    let seeds = (0..SENDERS).chain((0..RECEIVERS).map(|number| 0x40 + number));
    seeds.map(|seed| key(seed).public().into()).collect()
});

/// The key of a sender.
pub(super) fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

pub(super) fn sender(number: u8) -> AccountId {
    ACCOUNTS[usize::from(number)]
}

pub(super) fn receiver(number: u8) -> AccountId {
    ACCOUNTS[usize::from(SENDERS + number)]
}

/// Every account that there may ever be.
pub(super) fn accounts() -> &'static [AccountId] {
    &ACCOUNTS
}

pub(super) fn genesis() -> Result<GenesisState, DecodeError> {
    let mut entries = BTreeMap::new();
    for id in (0..SENDERS).map(sender) {
        let account = Account { balance: Amount(BALANCE), holdings: 1, ..Account::new(None, Roles::ALL) };
        entries.insert(StateKey::Account(id), StateValue::Account(account));
        let holding = Holding { amount: Amount(BALANCE), frozen: false };
        entries.insert(StateKey::Balance(id, COUPON), StateValue::Balance(holding));
    }
    let coupon = Asset {
        issuer: Some(sender(0)),
        symbol: Text::new("COUPON")?,
        decimals: 0,
        rules: AssetRules { mint: true, burn: true, freeze: true },
        supply_max: None,
        supply: Amount(BALANCE * u128::from(SENDERS)),
    };
    entries.insert(StateKey::Asset(COUPON), StateValue::Asset(coupon));
    let set = validator_set(VALIDATORS);
    Ok(GenesisState::new(CHAIN, TimestampMs(1), set, Parameters::default(), entries))
}

/// The n-th change: the same seats, one's mark set or taken away, so that nobody needs to be ready.
pub(super) fn change(number: usize) -> SetChange {
    let mut seats = validator_set(VALIDATORS).validators().to_vec();
    let seat = number / 2 % seats.len();
    seats[seat].recovering = number.is_multiple_of(2);
    let set = ValidatorSet::new(seats).unwrap_or_else(|_| validator_set(VALIDATORS));
    SetChange { set, ready: List::default() }
}

/// Every entry that the chain may ever have, but the seats of validators.
pub(super) fn keys() -> BTreeSet<StateKey> {
    let mut keys = BTreeSet::from([StateKey::Parameters, StateKey::Validators]);
    keys.extend([AssetId::NATIVE, COUPON].map(StateKey::Asset));
    for account in accounts() {
        keys.insert(StateKey::Account(*account));
        keys.insert(StateKey::Balance(*account, COUPON));
    }
    let names = (0..SENDERS).flat_map(|number| (0..DATA_KEYS).map(move |name| (number, name)));
    let data = names.filter_map(|(number, name)| Some(StateKey::Data(sender(number), data_key(name).ok()?)));
    keys.extend(data);
    keys
}

pub(super) fn data_key<const MAX: usize>(name: u64) -> Result<Bytes<MAX>, DecodeError> {
    Bytes::new(format!("entry/{name}").into_bytes())
}
