//! What may be spent, and what a block may cost.

use super::*;
use ExecutionError as E;

/// A transfer costs 25.
const TRANSFER: u64 = 25;

fn tight() -> Parameters {
    Parameters { account_work_max: 2 * TRANSFER, account_work_per_second: 1_000, ..Parameters::default() }
}

fn error(result: Result<(), BlockError>) -> InvalidTransaction {
    match result {
        Err(BlockError::Transaction { error, .. }) => error,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn a_transaction_costs_what_the_table_says() {
    assert_eq!(work(&signed(1, 0, vec![pay(2, 1)])), TRANSFER);
    assert_eq!(work(&signed(1, 0, vec![pay(2, 1), pay(2, 1)])), TRANSFER + 5);
    assert_eq!(work(&sign(body(1, 0, vec![pay(2, 1)]), &[1, 2])), TRANSFER + WITNESS_WORK);
    let value = Bytes::new(vec![0; 16 * 1024]).unwrap();
    let put = Instruction::PutData { namespace: id(1), key: Bytes::default(), value };
    assert_eq!(work(&signed(1, 0, vec![put])), TRANSFER + 16);
}

/// The table in docs/LEDGER.md, line by line.
#[test]
fn the_documented_costs_are_the_real_ones() {
    let table = include_str!("../../../../docs/LEDGER.md");
    let row = |name: &str| {
        let line = table
            .lines()
            .find(|line| line.starts_with('|') && line.contains(name) && line.matches('|').count() == 3);
        let cell = line.unwrap_or_else(|| panic!("no row for {name}")).split('|').nth(2).unwrap().trim();
        cell.split(',').next().unwrap().parse::<u64>().unwrap()
    };
    let (one, asset, namespace) = (Amount(1), AssetId::NATIVE, id(1));
    let costs = [
        (
            "`create_asset`",
            Instruction::CreateAsset {
                symbol: crate::codec::Text::new("A").unwrap(),
                decimals: 0,
                rules: AssetRules::default(),
                supply_max: None,
                supply: one,
            },
        ),
        ("`mint`", Instruction::Mint { asset, to: id(1), amount: one }),
        ("`burn`", Instruction::Burn { asset, amount: one }),
        ("`require_balance`", Instruction::RequireBalance { account: id(1), asset, at_least: one }),
        ("`require_height_below`", Instruction::RequireHeightBelow { height: Height(1) }),
        (
            "`register_account`",
            Instruction::RegisterAccount { account: id(1), organisation: None, roles: Roles::MEMBER },
        ),
        (
            "`set_account_keys`",
            Instruction::SetAccountKeys { account: id(1), keys: List::default(), threshold: 1 },
        ),
        ("every other", pay(1, 1)),
        ("every other", Instruction::DeleteData { namespace, key: Bytes::default() }),
    ];
    for (name, instruction) in costs {
        assert_eq!(row(name), instruction_work(&instruction), "{name}");
    }
    assert_eq!((row("each transaction"), row("each witness")), (TRANSACTION_WORK, WITNESS_WORK));
}

#[test]
fn no_transaction_costs_more_than_any_bound_must_allow() {
    let signers: Vec<_> = (1..=16).collect();
    let mut keys: Vec<_> = (1..=16).map(|i| AccountKey { key: key(i).public(), weight: 1 }).collect();
    keys.sort_unstable_by_key(|key| key.key);
    let dear = Instruction::SetAccountKeys { account: id(1), keys: List::new(keys).unwrap(), threshold: 1 };
    let mut most = 0;
    for count in 1..=64 {
        let body = body(1, 0, vec![dear.clone(); count]);
        let keys: Vec<_> = signers.iter().map(|i| key(*i)).collect();
        let Ok(transaction) = Transaction::sign(body, CHAIN, &keys.iter().collect::<Vec<_>>()) else { break };
        most = work(&transaction);
    }
    assert!((9_000..=TRANSACTION_WORK_MAX).contains(&most), "{most}");
}

#[test]
fn what_an_account_spends_comes_back_with_time() {
    let mut state = state();
    let pays =
        |from: u64, count: u64| (from..from + count).map(|nonce| signed(1, nonce, vec![pay(2, 1)])).collect();
    let over = error(validate_with(&state, &tight(), &block(pays(0, 3))));
    assert_eq!(over, InvalidTransaction::Quota { payer: id(1), retry_ms: Some(25) });
    execute_with(&mut state, &tight(), &block(pays(0, 2)));
    assert_eq!(account(&state, 1).quota.spent, 2 * TRANSFER * 1000);
    let again = |at| validate_with(&state, &tight(), &block_at(at, pays(2, 1)));
    assert_eq!(error(again(1001)), InvalidTransaction::Quota { payer: id(1), retry_ms: Some(25) });
    assert_eq!(error(again(1025)), InvalidTransaction::Quota { payer: id(1), retry_ms: Some(1) });
    assert_eq!(again(1026), Ok(()));
    // A transaction that fails has cost its work all the same.
    let failed = vec![signed(2, 0, vec![pay(1, 1_000)])];
    assert!(outcome(&execute_with(&mut state, &tight(), &block(failed))[0]).is_err());
    assert_eq!(account(&state, 2).quota.spent, TRANSFER * 1000);
}

#[test]
fn a_sponsor_pays_instead() {
    let mut state = state();
    let sponsored = |nonce| {
        let body = TransactionBody { sponsor: Some(id(2)), ..body(1, nonce, vec![pay(2, 1)]) };
        sign(body, &[1, 2])
    };
    execute_with(&mut state, &tight(), &block(vec![sponsored(0)]));
    assert_eq!([1, 2].map(|i| account(&state, i).quota.spent), [0, (TRANSFER + WITNESS_WORK) * 1000]);
    let over = error(validate_with(&state, &tight(), &block(vec![sponsored(1)])));
    assert!(matches!(over, InvalidTransaction::Quota { payer, .. } if payer == id(2)));
}

#[test]
fn accounts_of_an_organisation_spend_together() {
    let state = state();
    let parameters = Parameters { organisation_work_max: 3 * TRANSFER, ..Parameters::default() };
    let of = |i| signed(i, 0, vec![pay(1, 1)]);
    let two = vec![of(BANK_ADMIN), of(TELLER)];
    assert_eq!(validate_with(&state, &parameters, &block(two.clone())), Ok(()));
    let more = signed(TELLER, 1, vec![pay(1, 1), pay(1, 1)]);
    let over = error(validate_with(&state, &parameters, &block([two, vec![more]].concat())));
    assert!(matches!(over, InvalidTransaction::Quota { payer, .. } if payer == id(TELLER)));
}

#[test]
fn a_block_s_work_is_bounded() {
    let state = state();
    let parameters = Parameters { block_work_max: 2 * TRANSFER, ..Parameters::default() };
    let pays = |count: u64| block((0..count).map(|nonce| signed(1, nonce, vec![pay(2, 1)])).collect());
    assert_eq!(validate_with(&state, &parameters, &pays(2)), Ok(()));
    assert_eq!(validate_with(&state, &parameters, &pays(3)), Err(BlockError::TooLarge("work")));
}

#[test]
fn bytes_of_state_are_bounded_for_account_and_organisation() {
    let put = |i: u8, bytes: usize| Instruction::PutData {
        namespace: id(i),
        key: Bytes::new(vec![1]).unwrap(),
        value: Bytes::new(vec![0; bytes]).unwrap(),
    };
    let run = |parameters: &Parameters, i, bytes| {
        let mut state = state();
        outcome(&execute_with(&mut state, parameters, &block(vec![signed(i, 0, vec![put(i, bytes)])]))[0])
    };
    let own = Parameters { account_state_bytes_max: 1_000, ..Parameters::default() };
    let shared = Parameters { organisation_state_bytes_max: 1_000, ..Parameters::default() };
    assert_eq!(run(&own, 1, 800), Ok(()));
    assert_eq!(run(&own, 1, 1_000), Err(E::StateQuota));
    assert_eq!(run(&shared, TELLER, 800), Ok(()));
    assert_eq!(run(&shared, TELLER, 1_000), Err(E::StateQuota));
    assert_eq!(run(&shared, 1, 1_000), Ok(()), "of no organisation");
}
