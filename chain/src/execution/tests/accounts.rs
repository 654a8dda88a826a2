//! Organisations, accounts, keys, roles.

use super::*;
use crate::codec::Text;
use AccountStatus::{Active, Closed, Frozen};
use ExecutionError as E;

fn register(i: u8, organisation: Option<OrganisationId>, roles: Roles) -> Instruction {
    Instruction::RegisterAccount { account: id(i), organisation, roles }
}

fn status(i: u8, status: AccountStatus) -> Instruction {
    Instruction::SetAccountStatus { account: id(i), status }
}

fn roles(i: u8, roles: Roles) -> Instruction {
    Instruction::SetAccountRoles { account: id(i), roles }
}

fn keys(i: u8, keys: &[u8], threshold: u16) -> Instruction {
    let mut keys: Vec<_> = keys.iter().map(|i| AccountKey { key: key(*i).public(), weight: 1 }).collect();
    keys.sort_unstable_by_key(|key| key.key);
    Instruction::SetAccountKeys { account: id(i), keys: List::new(keys).unwrap(), threshold }
}

#[test]
fn organisations_are_the_chain_admins() {
    let mut state = state();
    let make = |i| Instruction::RegisterOrganisation {
        organisation: organisation(i),
        name: Text::new("port").unwrap(),
    };
    let set = |i, status| Instruction::SetOrganisationStatus { organisation: organisation(i), status };
    let outcomes = each(
        &mut state,
        vec![
            (BANK_ADMIN, make(40)),
            (ADMIN, make(40)),
            (ADMIN, make(40)),
            (ADMIN, set(41, Frozen)),
            (BANK_ADMIN, set(20, Frozen)),
            (ADMIN, set(40, Frozen)),
            (ADMIN, set(40, Closed)),
            (ADMIN, set(40, Active)),
            (ADMIN, register(50, Some(organisation(40)), Roles::MEMBER)),
            (ADMIN, register(50, Some(organisation(41)), Roles::MEMBER)),
        ],
    );
    let denied = Err(E::NotPermitted);
    let expected = [
        denied,
        Ok(()),
        Err(E::OrganisationExists),
        Err(E::UnknownOrganisation),
        denied,
        Ok(()),
        Ok(()),
        Err(E::OrganisationClosed),
        Err(E::OrganisationClosed),
        Err(E::UnknownOrganisation),
    ];
    assert_eq!(outcomes, expected);
}

#[test]
fn accounts_are_made_by_their_admins_and_where_the_chain_is_open_by_members() {
    let (bank, both) = (Some(organisation(20)), Roles::MEMBER | Roles::ISSUER);
    let mut open = state();
    let cases = vec![
        (ADMIN, register(50, bank, both), Ok(())),
        (ADMIN, register(50, bank, both), Err(E::AccountExists)),
        (BANK_ADMIN, register(51, bank, Roles::MEMBER | Roles::ADMIN), Ok(())),
        (BANK_ADMIN, register(52, bank, both), Err(E::NotPermitted)),
        (BANK_ADMIN, register(52, None, Roles::AUDITOR), Err(E::NotPermitted)),
        (TELLER, register(52, bank, Roles::MEMBER), Err(E::NotPermitted)),
        (TELLER, register(52, None, Roles::MEMBER), Ok(())),
        (TELLER, register(53, None, Roles::MEMBER | Roles::AUDITOR), Err(E::NotPermitted)),
    ];
    let (steps, expected): (Vec<_>, Vec<_>) =
        cases.into_iter().map(|(by, step, is)| ((by, step), is)).unzip();
    assert_eq!(each(&mut open, steps), expected);
    let permissioned = Parameters { open: false, ..Parameters::default() };
    let mut state = state();
    let transactions = vec![
        signed(1, 0, vec![register(50, None, Roles::MEMBER)]),
        signed(1, 1, vec![pay(50, 1)]),
        signed(ADMIN, 0, vec![register(50, None, Roles::MEMBER)]),
        signed(1, 2, vec![pay(50, 1)]),
    ];
    let receipts = execute_with(&mut state, &permissioned, &block(transactions));
    let outcomes: Vec<_> = receipts.iter().map(outcome).collect();
    assert_eq!(outcomes, [Err(E::NotPermitted), Err(E::UnknownReceiver), Ok(()), Ok(())]);
}

#[test]
fn weak_and_broken_keys_are_never_registered() {
    let mut state = state();
    let mut identity = [0; 32];
    identity[0] = 1;
    for bad in [identity, [2; 32]] {
        let memo = Bytes::default();
        let pay =
            Instruction::Transfer { to: AccountId(bad), asset: AssetId::NATIVE, amount: Amount(1), memo };
        let account = Instruction::RegisterAccount {
            account: AccountId(bad),
            organisation: None,
            roles: Roles::MEMBER,
        };
        let name = Text::new("x").unwrap();
        let organisation = Instruction::RegisterOrganisation { organisation: OrganisationId(bad), name };
        let list = List::new(vec![AccountKey { key: PublicKey(bad), weight: 1 }]).unwrap();
        let keys = Instruction::SetAccountKeys { account: id(1), keys: list, threshold: 1 };
        let outcomes = each(&mut state, vec![(1, pay), (ADMIN, account), (ADMIN, organisation), (1, keys)]);
        assert_eq!(outcomes, [Err(E::WeakKey); 4]);
    }
}

#[test]
fn keys_are_set_by_the_account_and_its_admins() {
    let mut state = state();
    let cases = vec![
        (1, keys(1, &[31, 32], 3), Err(E::BadKeys)),
        (1, keys(2, &[31], 1), Err(E::NotPermitted)),
        (BANK_ADMIN, keys(1, &[31], 1), Err(E::NotPermitted)),
        (BANK_ADMIN, keys(TELLER, &[31], 1), Ok(())),
        (ADMIN, keys(2, &[33], 1), Ok(())),
        (1, keys(1, &[31, 32], 2), Ok(())),
        (ADMIN, keys(99, &[31], 1), Err(E::UnknownAccount)),
    ];
    let (steps, expected): (Vec<_>, Vec<_>) =
        cases.into_iter().map(|(by, step, is)| ((by, step), is)).unzip();
    assert_eq!(each(&mut state, steps), expected);
    assert_eq!(refused(&state, signed(1, 3, vec![pay(2, 1)])), InvalidTransaction::Unauthorised(id(1)));
    let next = |state: &Memory| nonce(state, 1);
    let back = sign(body(1, next(&state), vec![keys(1, &[], 1)]), &[31, 32]);
    assert_eq!(outcome(&execute(&mut state, vec![back])[0]), Ok(()));
    let own = signed(1, next(&state), vec![pay(2, 1)]);
    assert_eq!(outcome(&execute(&mut state, vec![own])[0]), Ok(()), "by the key that it is named after");
}

#[test]
fn roles_are_set_by_admins_and_the_issuer_s_by_the_chain_s_only() {
    let mut state = state();
    let cases = vec![
        (TELLER, roles(TELLER, Roles::ADMIN), Err(E::NotPermitted)),
        (BANK_ADMIN, roles(1, Roles::MEMBER), Err(E::NotPermitted)),
        (BANK_ADMIN, roles(TELLER, Roles::MEMBER | Roles::ISSUER), Err(E::NotPermitted)),
        (ADMIN, roles(TELLER, Roles::MEMBER | Roles::ISSUER), Ok(())),
        (BANK_ADMIN, roles(TELLER, Roles::MEMBER), Err(E::NotPermitted)),
        (BANK_ADMIN, roles(TELLER, Roles::MEMBER | Roles::ISSUER | Roles::AUDITOR), Ok(())),
        (ADMIN, roles(TELLER, Roles::NONE), Ok(())),
    ];
    let (steps, expected): (Vec<_>, Vec<_>) =
        cases.into_iter().map(|(by, step, is)| ((by, step), is)).unzip();
    assert_eq!(each(&mut state, steps), expected);
    let silenced = signed(TELLER, nonce(&state, TELLER), vec![pay(1, 1)]);
    assert_eq!(refused(&state, silenced), InvalidTransaction::NoRole(id(TELLER)));
}

#[test]
fn accounts_are_frozen_thawed_and_closed_for_ever() {
    let mut state = state();
    let cases = vec![
        (1, status(1, Frozen), Err(E::NotPermitted)),
        (BANK_ADMIN, status(1, Frozen), Err(E::NotPermitted)),
        (ADMIN, status(1, Frozen), Ok(())),
        (2, pay(1, 1), Ok(())),
        (ADMIN, status(1, Active), Ok(())),
        (1, status(1, Closed), Err(E::HoldsAssets)),
        (1, pay(2, 101), Ok(())),
        (1, status(1, Closed), Ok(())),
        (ADMIN, status(1, Active), Err(E::AccountClosed)),
        (ADMIN, keys(1, &[31], 1), Err(E::AccountClosed)),
        (ADMIN, roles(1, Roles::MEMBER), Err(E::AccountClosed)),
        (2, pay(1, 1), Err(E::AccountClosed)),
        (ADMIN, register(1, None, Roles::MEMBER), Err(E::AccountExists)),
    ];
    let (steps, expected): (Vec<_>, Vec<_>) =
        cases.into_iter().map(|(by, step, is)| ((by, step), is)).unzip();
    assert_eq!(each(&mut state, steps), expected);
}
