//! R6: what may be in a block at all.

use super::*;
use crate::transaction::ChainTag;

#[test]
fn r6_transactions_that_may_not_execute_make_the_block_invalid() {
    let refused = |transaction| super::refused(&state(), transaction);
    let nonce =
        |expected, found| InvalidTransaction::Nonce { expected: Nonce(expected), found: Nonce(found) };
    assert_eq!(refused(signed(1, 1, vec![pay(2, 1)])), nonce(0, 1));
    assert_eq!(refused(signed(9, 0, vec![pay(2, 1)])), InvalidTransaction::UnknownAccount(id(9)));
    let other = Transaction::sign(body(1, 0, vec![pay(2, 1)]), ChainId([2; 32]), &[&key(1)]).unwrap();
    assert_eq!(refused(other), InvalidTransaction::Signature);
    let tagged = TransactionBody { chain: ChainTag([7; 4]), ..body(1, 0, vec![pay(2, 1)]) };
    assert!(matches!(refused(sign(tagged, &[1])), InvalidTransaction::WrongChain { .. }));
    let late = TransactionBody { valid_until: Height(4), ..body(1, 0, vec![pay(2, 1)]) };
    assert!(matches!(refused(sign(late, &[1])), InvalidTransaction::Expired { .. }));
    assert_eq!(refused(sign(body(1, 0, vec![pay(2, 1)]), &[2])), InvalidTransaction::Unauthorised(id(1)));
    let twice = block(vec![signed(1, 0, vec![pay(2, 1)]), signed(1, 0, vec![pay(2, 1)])]);
    assert!(matches!(validate(&state(), &twice), Err(BlockError::Transaction { .. })));
}

#[test]
fn r6_the_header_follows_from_the_parent() {
    let good = block(vec![signed(1, 0, vec![pay(2, 1)])]);
    assert_eq!(validate(&state(), &good), Ok(()));
    type Change = fn(&mut Block);
    let changes: [(&str, Change); 6] = [
        ("version", |b| b.header.version = 2),
        ("height", |b| b.header.height = Height(6)),
        ("parent", |b| b.header.parent = BlockHash::default()),
        ("parent result", |b| b.header.parent_result = ResultHash::default()),
        ("epoch", |b| b.header.epoch = Epoch(1)),
        ("time", |b| b.header.timestamp_ms = TimestampMs(1000)),
    ];
    for (name, change) in changes {
        let mut changed = good.clone();
        change(&mut changed);
        assert_eq!(validate(&state(), &changed), Err(BlockError::Header(name)));
    }
    let mut swapped = good.clone();
    swapped.transactions = List::new(vec![signed(1, 0, vec![pay(2, 2)])]).unwrap();
    assert_eq!(validate(&state(), &swapped), Err(BlockError::Transactions));
    let small = Parameters { block_transactions_max: 0, ..Parameters::default() };
    assert_eq!(validate_with(&state(), &small, &good), Err(BlockError::TooLarge("transactions")));
}

#[test]
fn who_is_frozen_closed_or_without_a_role_does_not_transact() {
    for status in [AccountStatus::Frozen, AccountStatus::Closed] {
        let mut state = state();
        let changed = Account { status, ..account(&state, 1) };
        set_account(&mut state, 1, changed);
        let error = refused(&state, signed(1, 0, vec![pay(2, 1)]));
        assert_eq!(error, InvalidTransaction::Inactive(id(1)));
    }
    assert_eq!(
        refused(&state(), signed(AUDITOR, 0, vec![pay(2, 1)])),
        InvalidTransaction::NoRole(id(AUDITOR))
    );
    let mut state = state();
    let Some(Some(StateValue::Organisation(bank))) =
        state.0.get_mut(&StateKey::Organisation(organisation(20)))
    else {
        panic!("no organisation");
    };
    bank.status = AccountStatus::Frozen;
    assert_eq!(refused(&state, signed(TELLER, 0, vec![pay(2, 1)])), InvalidTransaction::Inactive(id(TELLER)));
    assert_eq!(validate(&state, &block(vec![signed(1, 0, vec![pay(2, 1)])])), Ok(()), "others go on");
}

#[test]
fn a_sponsor_must_sign_too() {
    let sponsored = TransactionBody { sponsor: Some(id(2)), ..body(1, 0, vec![pay(2, 1)]) };
    let refused = |signers: &[u8]| super::refused(&state(), sign(sponsored.clone(), signers));
    assert_eq!(refused(&[1]), InvalidTransaction::Unauthorised(id(2)));
    assert_eq!(refused(&[2]), InvalidTransaction::Unauthorised(id(1)));
    assert_eq!(refused(&[1, 2, 3]), InvalidTransaction::Unauthorised(id(1)), "a stranger beside");
    assert_eq!(validate(&state(), &block(vec![sign(sponsored, &[1, 2])])), Ok(()));
}

#[test]
fn several_keys_sign_up_to_a_threshold() {
    let mut state = state();
    let mut keys: Vec<_> = [31, 32, 33].map(|i| AccountKey { key: key(i).public(), weight: 1 }).into();
    keys.sort_unstable_by_key(|key| key.key);
    let shared = Account { keys: List::new(keys).unwrap(), threshold: 2, ..account(&state, 1) };
    set_account(&mut state, 1, shared);
    let body = || body(1, 0, vec![pay(2, 1)]);
    for signers in [&[1][..], &[31], &[33]] {
        assert_eq!(refused(&state, sign(body(), signers)), InvalidTransaction::Unauthorised(id(1)));
    }
    let stranger = sign(body(), &[31, 32, 9]);
    assert_eq!(refused(&state, stranger), InvalidTransaction::Unauthorised(id(1)));
    for signers in [&[31, 32][..], &[32, 33], &[31, 32, 33]] {
        assert_eq!(validate(&state, &block(vec![sign(body(), signers)])), Ok(()));
    }
}

#[test]
fn what_a_block_changes_of_keys_roles_and_status_counts_for_what_follows_in_it() {
    let freeze = |i| Instruction::SetAccountStatus { account: id(i), status: AccountStatus::Frozen };
    let mut state = state();
    let receipts = execute(
        &mut state,
        vec![
            signed(ADMIN, 0, vec![freeze(1)]),
            signed(1, 0, vec![pay(2, 1)]),
            signed(2, 0, vec![pay(1, 1)]),
            sign(
                TransactionBody {
                    instructions: List::new(vec![pay(2, 1).by(id(1))]).unwrap(),
                    ..body(2, 1, vec![pay(1, 1)])
                },
                &[1, 2],
            ),
        ],
    );
    let outcomes: Vec<_> = receipts.iter().map(outcome).collect();
    let lost = Err(ExecutionError::Unauthorised);
    assert_eq!(outcomes, [Ok(()), lost, Ok(()), lost], "who is frozen receives, but acts no more");
    assert_eq!([1, 2].map(|i| (balance(&state, i), nonce(&state, i))), [(101, 1), (99, 2)]);
}
