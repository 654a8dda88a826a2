//! Whatever transactions say: supply is conserved, no permission is passed, no quota is exceeded, no panic, and
//! one block does what its transactions do in blocks of their own.

use super::fixture::check_state;
use super::*;
use crate::codec::Text;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Those of the fixture, two that are not there, one that will be made.
const PEOPLE: [u8; 9] = [1, 2, ADMIN, ISSUER, BANK_ADMIN, TELLER, AUDITOR, 60, 61];
/// As tight as a chain may be, so that quotas are reached.
const STATE_BYTES: u64 = 900;

fn parameters() -> Parameters {
    Parameters {
        account_work_max: 200,
        account_work_per_second: 1_000,
        organisation_work_max: 300,
        organisation_work_per_second: 1_000,
        account_state_bytes_max: STATE_BYTES,
        organisation_state_bytes_max: STATE_BYTES,
        ..Parameters::default()
    }
}

fn person() -> impl Strategy<Value = u8> {
    prop::sample::select(&PEOPLE[..])
}

fn asset() -> impl Strategy<Value = AssetId> {
    (prop::sample::select(vec![ISSUER, ADMIN, 1]), 0..3u8).prop_map(|(issuer, which)| match which {
        0 => AssetId::NATIVE,
        _ => asset_id(id(issuer), &symbol(which)),
    })
}

fn symbol(which: u8) -> Text<16> {
    Text::new(["A", "B", "C"][usize::from(which)]).unwrap()
}

fn amount() -> impl Strategy<Value = Amount> {
    prop_oneof![5 => 0..120u128, 1 => Just(u128::MAX), 1 => u128::MAX - 100..u128::MAX].prop_map(Amount)
}

fn roles() -> impl Strategy<Value = Roles> {
    let all = [Roles::ADMIN, Roles::ISSUER, Roles::MEMBER, Roles::AUDITOR];
    prop::collection::vec(prop::sample::select(all.to_vec()), 0..4)
        .prop_map(|some| some.into_iter().fold(Roles::NONE, |all, one| all | one))
}

fn status() -> impl Strategy<Value = AccountStatus> {
    prop_oneof![
        3 => Just(AccountStatus::Active),
        2 => Just(AccountStatus::Frozen),
        1 => Just(AccountStatus::Closed)
    ]
}

fn name() -> impl Strategy<Value = Bytes<128>> {
    (0..3u8).prop_map(|i| Bytes::new(vec![i]).unwrap())
}

fn instruction() -> impl Strategy<Value = Instruction> {
    let organisations = || prop::option::of(prop::sample::select(vec![organisation(20), organisation(40)]));
    let rules = (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(mint, burn, freeze)| AssetRules {
        mint,
        burn,
        freeze,
    });
    let on_accounts = prop_oneof![
        (person(), organisations(), roles()).prop_map(|(i, organisation, roles)| {
            Instruction::RegisterAccount { account: id(i), organisation, roles }
        }),
        (person(), roles()).prop_map(|(i, roles)| Instruction::SetAccountRoles { account: id(i), roles }),
        (person(), status()).prop_map(|(i, status)| Instruction::SetAccountStatus { account: id(i), status }),
        (person(), person(), 0..3u16).prop_map(|(i, by, threshold)| {
            let keys = List::new(vec![AccountKey { key: key(by).public(), weight: 1 }]).unwrap();
            Instruction::SetAccountKeys { account: id(i), keys, threshold }
        }),
        status()
            .prop_map(|status| Instruction::SetOrganisationStatus { organisation: organisation(20), status }),
        Just(Instruction::RegisterOrganisation {
            organisation: organisation(40),
            name: Text::new("port").unwrap()
        }),
    ];
    let on_assets = prop_oneof![
        6 => (asset(), person(), amount()).prop_map(|(asset, to, amount)| {
            Instruction::Transfer { to: id(to), asset, amount, memo: Bytes::default() }
        }),
        2 => (0..3u8, rules, prop::option::of(amount()), amount()).prop_map(|(which, rules, supply_max, supply)| {
            Instruction::CreateAsset { symbol: symbol(which), decimals: 2, rules, supply_max, supply }
        }),
        2 => (asset(), person(), amount()).prop_map(|(asset, to, amount)| Instruction::Mint { asset, to: id(to), amount }),
        2 => (asset(), amount()).prop_map(|(asset, amount)| Instruction::Burn { asset, amount }),
        1 => (asset(), person(), any::<bool>()).prop_map(|(asset, holder, frozen)| {
            Instruction::FreezeHolder { asset, holder: id(holder), frozen }
        }),
        1 => (person(), asset(), amount()).prop_map(|(i, asset, at_least)| {
            Instruction::RequireBalance { account: id(i), asset, at_least }
        }),
    ];
    let on_data = prop_oneof![
        (person(), name(), 0..500usize).prop_map(|(i, key, bytes)| {
            Instruction::PutData { namespace: id(i), key, value: Bytes::new(vec![7; bytes]).unwrap() }
        }),
        (person(), name()).prop_map(|(i, key)| Instruction::DeleteData { namespace: id(i), key }),
        (person(), name(), person())
            .prop_map(|(i, key, to)| { Instruction::TransferData { namespace: id(i), key, to: id(to) } }),
        (0..3u8).prop_map(|i| Instruction::AnchorDocument {
            digest: Digest([i; 32]),
            size: 1,
            metadata: Bytes::default()
        }),
    ];
    prop_oneof![2 => on_accounts, 4 => on_assets, 2 => on_data]
}

/// Who sends, who pays, the steps with their actors, whether all that must sign do.
type Plan = (u8, Option<u8>, Vec<(Option<u8>, Instruction)>, bool);

fn plan() -> impl Strategy<Value = Plan> {
    let step = (prop::option::weighted(0.3, person()), instruction());
    let sponsor = prop::option::weighted(0.1, person());
    (person(), sponsor, prop::collection::vec(step, 1..5), prop::bool::weighted(0.95))
}

/// The transaction, signed by the keys that the accounts have now.
fn transaction(state: &Memory, (from, sponsor, steps, complete): &Plan) -> Transaction {
    let steps = steps
        .iter()
        .map(|(actor, instruction)| Step { actor: actor.map(id), instruction: instruction.clone() });
    let next = match state.get(&StateKey::Account(id(*from))).unwrap() {
        Some(StateValue::Account(account)) => account.nonce,
        _ => Nonce(0),
    };
    let body = TransactionBody {
        sponsor: sponsor.map(id),
        instructions: List::new(steps.collect()).unwrap(),
        ..TransactionBody::new(CHAIN, id(*from), next, vec![pay(1, 1)]).unwrap()
    };
    let involved = [body.account].into_iter().chain(body.parties()).chain(body.sponsor);
    let acts = |i: &u8| {
        involved.clone().any(|account| match state.get(&StateKey::Account(account)).unwrap() {
            Some(StateValue::Account(entry)) => entry.acts(account, key(*i).public()),
            _ => false,
        })
    };
    let mut signers: Vec<u8> = PEOPLE.into_iter().filter(acts).collect();
    if !complete || signers.is_empty() {
        signers = vec![*from];
    }
    sign(body, &signers)
}

fn accounts(state: &Memory) -> impl Iterator<Item = (AccountId, &Account)> {
    state.0.iter().filter_map(|entry| match entry {
        (StateKey::Account(id), Some(StateValue::Account(account))) => Some((*id, account)),
        _ => None,
    })
}

/// What must hold in every state.
fn check(state: &Memory) {
    let entries = state.0.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    check_state(entries, &parameters(), Amount(200));
}

/// Roles, organisation, status and keys change only at the hand of who may change them.
fn check_permissions(before: &Memory, after: &Memory, transaction: &Transaction) {
    let body = transaction.body();
    let acting: Vec<_> = [body.account].into_iter().chain(body.parties()).collect();
    let admin = |of: Option<OrganisationId>| {
        accounts(before).any(|(id, account)| {
            let reaches = account.organisation.is_none() || account.organisation == of;
            acting.contains(&id) && account.roles.has(Roles::ADMIN) && reaches
        })
    };
    let chain_admin = admin(Some(organisation(99)));
    let old: BTreeMap<_, _> = accounts(before).collect();
    for (id, now) in accounts(after) {
        let Some(was) = old.get(&id) else {
            let plain = now.organisation.is_none() && now.roles == Roles::MEMBER;
            assert!(plain || admin(now.organisation), "made without permission");
            continue;
        };
        assert_eq!(was.organisation, now.organisation);
        assert!(was.roles == now.roles || admin(now.organisation), "roles without permission");
        let issuer = was.roles.has(Roles::ISSUER) != now.roles.has(Roles::ISSUER);
        assert!(!issuer || chain_admin, "an issuer without the chain's admin");
        let closed_itself = now.status == AccountStatus::Closed && acting.contains(&id);
        assert!(was.status == now.status || admin(now.organisation) || closed_itself, "status");
        let keys = was.keys == now.keys && was.threshold == now.threshold;
        assert!(keys || admin(now.organisation) || acting.contains(&id), "keys without permission");
        assert!(was.balance <= now.balance || acting.contains(&id), "spent without its keys");
    }
}

fn run(plans: &[Plan]) -> (Memory, Vec<Transaction>) {
    let mut state = state();
    let mut accepted = Vec::new();
    for (step, plan) in plans.iter().enumerate() {
        let transaction = transaction(&state, plan);
        let block = block_at(1001 + step as u64, vec![transaction.clone()]);
        if validate_with(&state, &parameters(), &block).is_err() {
            continue;
        }
        let before = state.clone();
        let executed = execute_block(&state, &parameters(), &block).unwrap();
        state.0.extend(executed.changes);
        check(&state);
        check_permissions(&before, &state, &transaction);
        accepted.push(transaction);
    }
    (state, accepted)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn supply_permissions_and_quotas_hold_whatever_is_asked(plans in prop::collection::vec(plan(), 1..40)) {
        run(&plans);
    }

    #[test]
    fn a_block_does_what_its_transactions_do_one_by_one(plans in prop::collection::vec(plan(), 1..12)) {
        let mut one_by_one = state();
        let first = state();
        let mut together = Vec::new();
        for plan in &plans {
            let transaction = transaction(&one_by_one, plan);
            // Only what is valid in one block with those before it: by the state at the block's start.
            let all = [together.clone(), vec![transaction.clone()]].concat();
            let valid = validate_with(&first, &parameters(), &block(all.clone())).is_ok();
            if !valid || validate_with(&one_by_one, &parameters(), &block(vec![transaction.clone()])).is_err() {
                continue;
            }
            let alone = execute_block(&one_by_one, &parameters(), &block(vec![transaction])).unwrap();
            one_by_one.0.extend(alone.changes);
            together = all;
        }
        let executed = execute_block(&first, &parameters(), &block(together)).unwrap();
        let mut at_once = first;
        at_once.0.extend(executed.changes);
        for state in [&mut one_by_one, &mut at_once] {
            state.0.retain(|_, value| value.is_some());
        }
        prop_assert_eq!(one_by_one.0, at_once.0);
    }
}
