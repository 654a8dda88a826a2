//! Transfers and assets.

use super::*;
use crate::codec::Text;
use ExecutionError as E;

fn create(rules: AssetRules, supply: u128, supply_max: Option<u128>) -> Instruction {
    let (symbol, supply) = (Text::new("EUR").unwrap(), Amount(supply));
    Instruction::CreateAsset { symbol, decimals: 2, rules, supply_max: supply_max.map(Amount), supply }
}

fn euro() -> AssetId {
    asset_id(id(ISSUER), &Text::new("EUR").unwrap())
}

fn mint(to: u8, amount: u128) -> Instruction {
    Instruction::Mint { asset: euro(), to: id(to), amount: Amount(amount) }
}

fn burn(amount: u128) -> Instruction {
    Instruction::Burn { asset: euro(), amount: Amount(amount) }
}

fn freeze(i: u8, frozen: bool) -> Instruction {
    Instruction::FreezeHolder { asset: euro(), holder: id(i), frozen }
}

const ALL: AssetRules = AssetRules { mint: true, burn: true, freeze: true };

fn supply(state: &Memory) -> u128 {
    match state.get(&StateKey::Asset(euro())).unwrap() {
        Some(StateValue::Asset(asset)) => asset.supply.0,
        other => panic!("no asset: {other:?}"),
    }
}

fn check(state: &mut Memory, cases: Vec<(u8, Instruction, Result<(), E>)>) {
    let (steps, expected): (Vec<_>, Vec<_>) =
        cases.into_iter().map(|(by, step, is)| ((by, step), is)).unzip();
    assert_eq!(each(state, steps), expected);
}

#[test]
fn transfers_move_amounts_and_make_accounts() {
    let mut state = state();
    let receipts = execute(&mut state, vec![signed(1, 0, vec![pay(3, 60)]), signed(1, 1, vec![pay(1, 40)])]);
    assert!(receipts.iter().all(|r| r.status == ReceiptStatus::Success));
    let made = Event::AccountRegistered { account: id(3), organisation: None, roles: Roles::MEMBER };
    let moved = Event::Transferred { from: id(1), to: id(3), asset: AssetId::NATIVE, amount: Amount(60) };
    assert_eq!(receipts[0].events.to_vec(), [made, moved]);
    assert_eq!([1, 2, 3].map(|i| balance(&state, i)), [40, 100, 60], "to oneself nothing moves");
    assert_eq!([1, 2, 3].map(|i| nonce(&state, i)), [2, 0, 0]);
}

#[test]
fn a_failed_transaction_consumes_its_nonce_and_nothing_else() {
    let mut state = state();
    let receipts =
        execute(&mut state, vec![signed(1, 0, vec![pay(3, 60), pay(3, 60)]), signed(2, 0, vec![pay(1, 0)])]);
    let failed = |instruction, error| ReceiptStatus::Failed { instruction, error };
    assert_eq!(receipts[0].status, failed(1, E::InsufficientBalance));
    assert_eq!(receipts[1].status, failed(0, E::ZeroAmount));
    assert!(receipts[0].events.is_empty());
    assert_eq!([1, 2, 3].map(|i| balance(&state, i)), [100, 100, 0]);
    assert_eq!([1, 2].map(|i| nonce(&state, i)), [1, 1]);
    assert!(state.get(&StateKey::Account(id(3))).unwrap().is_none());
}

#[test]
fn an_overflowing_receiver_gets_nothing() {
    let mut state = state();
    set_account(&mut state, 2, Account { balance: Amount(u128::MAX), ..Account::default() });
    check(&mut state, vec![(1, pay(2, 1), Err(E::BalanceOverflow))]);
    assert_eq!(balance(&state, 1), 100);
}

#[test]
fn an_asset_is_made_by_an_issuer_once() {
    let mut state = state();
    let many = Instruction::CreateAsset {
        symbol: Text::new("X").unwrap(),
        decimals: 39,
        rules: ALL,
        supply_max: None,
        supply: Amount(0),
    };
    check(
        &mut state,
        vec![
            (1, create(ALL, 5, None), Err(E::NotPermitted)),
            (ISSUER, many, Err(E::TooManyDecimals)),
            (ISSUER, create(ALL, 5, Some(4)), Err(E::SupplyExceeded)),
            (ISSUER, create(ALL, 5, Some(5)), Ok(())),
            (ISSUER, create(ALL, 5, None), Err(E::AssetExists)),
        ],
    );
    assert_eq!((supply(&state), holding(&state, ISSUER, euro())), (5, 5));
    assert_eq!(account(&state, ISSUER).holdings, 1);
}

#[test]
fn the_issuer_mints_up_to_the_bound_and_holders_burn() {
    let mut state = state();
    check(
        &mut state,
        vec![
            (ISSUER, mint(1, 1), Err(E::UnknownAsset)),
            (ISSUER, create(ALL, 0, Some(100)), Ok(())),
            (1, mint(1, 1), Err(E::NotPermitted)),
            (ISSUER, mint(1, 0), Err(E::ZeroAmount)),
            (ISSUER, mint(1, 100), Ok(())),
            (ISSUER, mint(1, 1), Err(E::SupplyExceeded)),
            (ISSUER, mint(99, 1), Err(E::SupplyExceeded)),
            (1, pay_in(euro(), 2, 30), Ok(())),
            (2, burn(31), Err(E::InsufficientBalance)),
            (2, burn(30), Ok(())),
            (ISSUER, mint(99, 1), Err(E::UnknownAccount)),
            (ADMIN, Instruction::SetAccountRoles { account: id(ISSUER), roles: Roles::MEMBER }, Ok(())),
            (ISSUER, mint(1, 1), Err(E::NotPermitted)),
        ],
    );
    assert_eq!((supply(&state), holding(&state, 1, euro()), holding(&state, 2, euro())), (70, 70, 0));
    assert_eq!([1, 2].map(|i| account(&state, i).holdings), [1, 0], "an empty holding has no entry");
    assert!(state.get(&StateKey::Balance(id(2), euro())).unwrap().is_none());
}

#[test]
fn rules_bind_the_issuer_too() {
    let mut state = state();
    let against = Err(E::AgainstRules);
    check(
        &mut state,
        vec![
            (ISSUER, create(AssetRules::default(), 50, None), Ok(())),
            (ISSUER, mint(1, 1), against),
            (ISSUER, burn(1), against),
            (ISSUER, freeze(1, true), against),
            (1, Instruction::Burn { asset: AssetId::NATIVE, amount: Amount(1) }, Err(E::UnknownAsset)),
        ],
    );
}

#[test]
fn a_frozen_holder_neither_sends_nor_receives() {
    let mut state = state();
    let frozen = Err(E::HolderFrozen);
    check(
        &mut state,
        vec![
            (ISSUER, create(ALL, 50, None), Ok(())),
            (ISSUER, pay_in(euro(), 1, 10), Ok(())),
            (1, freeze(2, true), Err(E::NotPermitted)),
            (ISSUER, freeze(1, true), Ok(())),
            (ISSUER, freeze(2, true), Ok(())),
            (1, pay_in(euro(), ISSUER, 1), frozen),
            (1, burn(1), frozen),
            (ISSUER, pay_in(euro(), 2, 1), frozen),
            (ISSUER, mint(2, 1), frozen),
            (1, pay(2, 100), Ok(())),
            (
                1,
                Instruction::SetAccountStatus { account: id(1), status: AccountStatus::Closed },
                Err(E::HoldsAssets),
            ),
            (ISSUER, freeze(1, false), Ok(())),
            (ISSUER, freeze(2, false), Ok(())),
            (1, pay_in(euro(), 2, 10), Ok(())),
            (1, Instruction::SetAccountStatus { account: id(1), status: AccountStatus::Closed }, Ok(())),
            (ISSUER, freeze(1, true), Err(E::AccountClosed)),
        ],
    );
    assert_eq!(holding(&state, 2, euro()), 10);
}
