//! Conditions, and the steps of several parties as one unit.

use super::*;
use ExecutionError as E;

fn steps(from: u8, nonce: u64, steps: Vec<Step>, signers: &[u8]) -> Transaction {
    let body =
        TransactionBody { instructions: List::new(steps).unwrap(), ..body(from, nonce, vec![pay(1, 1)]) };
    sign(body, signers)
}

#[test]
fn conditions_hold_or_nothing_happens() {
    let name = || Bytes::new(b"deed".to_vec()).unwrap();
    let value = Bytes::new(b"mine".to_vec()).unwrap();
    let digest = |bytes: &[u8]| Some(Digest(*blake3::hash(bytes).as_bytes()));
    let has = |digest| Instruction::RequireData { namespace: id(1), key: name(), digest };
    let holds =
        |asset, at_least| Instruction::RequireBalance { account: id(2), asset, at_least: Amount(at_least) };
    let below = |height| Instruction::RequireHeightBelow { height: Height(height) };
    let cases = [
        (has(None), Ok(())),
        (has(digest(b"mine")), Err(E::ConditionData)),
        (holds(AssetId::NATIVE, 100), Ok(())),
        (holds(AssetId::NATIVE, 101), Err(E::ConditionBalance)),
        (holds(AssetId([9; 32]), 0), Ok(())),
        (holds(AssetId([9; 32]), 1), Err(E::ConditionBalance)),
        (below(6), Ok(())),
        (below(5), Err(E::ConditionHeight)),
    ];
    for (condition, expected) in cases {
        let mut state = state();
        let receipts = execute(&mut state, vec![signed(1, 0, vec![pay(2, 5), condition.clone()])]);
        // The condition sees what the steps before it did.
        let expected = if condition == holds(AssetId::NATIVE, 101) { Ok(()) } else { expected };
        assert_eq!(outcome(&receipts[0]), expected, "{condition:?}");
        assert_eq!(balance(&state, 2), if expected.is_ok() { 105 } else { 100 });
    }
    let mut state = state();
    let put = Instruction::PutData { namespace: id(1), key: name(), value };
    let receipts = execute(
        &mut state,
        vec![signed(1, 0, vec![put, has(digest(b"mine"))]), signed(1, 1, vec![has(None)])],
    );
    assert_eq!([outcome(&receipts[0]), outcome(&receipts[1])], [Ok(()), Err(E::ConditionData)]);
}

#[test]
fn two_parties_exchange_both_or_neither() {
    let exchange = |first, second| vec![pay(2, first).into(), pay(1, second).by(id(2))];
    let mut state = state();
    let receipts = execute(&mut state, vec![steps(1, 0, exchange(60, 10), &[1, 2])]);
    assert_eq!(outcome(&receipts[0]), Ok(()));
    assert_eq!([1, 2].map(|i| (balance(&state, i), nonce(&state, i))), [(50, 1), (150, 0)]);
    let receipts = execute(&mut state, vec![steps(1, 1, exchange(50, 201), &[1, 2])]);
    let failed = ReceiptStatus::Failed { instruction: 1, error: E::InsufficientBalance };
    assert_eq!(receipts[0].status, failed);
    assert_eq!([1, 2].map(|i| balance(&state, i)), [50, 150]);
}

#[test]
fn a_party_must_sign_and_be_able_to_act() {
    let both = || vec![pay(2, 1).into(), pay(1, 1).by(id(2))];
    let refuse = |state: &Memory, signers: &[u8]| refused(state, steps(1, 0, both(), signers));
    assert_eq!(refuse(&state(), &[1]), InvalidTransaction::Unauthorised(id(2)));
    assert_eq!(refuse(&state(), &[2]), InvalidTransaction::Unauthorised(id(1)));
    let mut frozen = state();
    let changed = Account { status: AccountStatus::Frozen, ..account(&frozen, 2) };
    set_account(&mut frozen, 2, changed);
    assert_eq!(refuse(&frozen, &[1, 2]), InvalidTransaction::Inactive(id(2)));
    let unknown = steps(1, 0, vec![pay(2, 1).by(id(99))], &[1, 99]);
    assert_eq!(refused(&state(), unknown), InvalidTransaction::UnknownAccount(id(99)));
    // A body that names itself as a party needs no second signature.
    let own = steps(1, 0, vec![pay(2, 1).by(id(1))], &[1]);
    assert_eq!(validate(&state(), &block(vec![own])), Ok(()));
}
