//! Blocks of any instructions on a small state: whoever signs and whatever it says, the state stays sound.

use super::genuine::CHAIN;
use super::script::Script;
use quorate_chain::block::{Block, Header, PROTOCOL_VERSION, transactions_root};
use quorate_chain::codec::{Bytes, List, Text};
use quorate_chain::crypto::SecretKey;
use quorate_chain::execution::fixture::check_state;
use quorate_chain::execution::{Parent, execute_block, validate_block};
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{
    Account, AccountKey, AccountStatus, AssetRules, Organisation, Roles, StateError, StateKey, StateReader,
    StateValue, asset_id,
};
use quorate_chain::{
    AccountId, Amount, AssetId, BlockHash, Digest, Epoch, Height, Instruction, Nonce, OrganisationId,
    PublicKey, ResultHash, Signature, Step, TimestampMs, Transaction, TransactionBody, ValidatorIndex,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Keys that there are; the first accounts are there from the start.
const KEYS: usize = 10;
/// What there is of the native asset.
const NATIVE: u128 = 1_000;
/// Blocks of an input at most.
const BLOCKS_MAX: usize = 24;

static PEOPLE: LazyLock<Vec<PublicKey>> =
    LazyLock::new(|| (0..KEYS).map(|i| SecretKey::from_seed(&[60 + i as u8; 32]).public()).collect());

#[derive(Clone)]
struct State(BTreeMap<StateKey, Option<StateValue>>);

impl StateReader for State {
    fn get(&self, key: &StateKey) -> Result<Option<StateValue>, StateError> {
        Ok(self.0.get(key).cloned().flatten())
    }
}

fn parameters() -> Parameters {
    Parameters {
        account_work_max: 300,
        account_work_per_second: 20_000,
        organisation_work_max: 400,
        account_state_bytes_max: 2_000,
        organisation_state_bytes_max: 2_500,
        ..Parameters::default()
    }
}

fn id(i: usize) -> AccountId {
    AccountId::from(PEOPLE[i % KEYS])
}

fn organisation(i: usize) -> OrganisationId {
    OrganisationId(PEOPLE[i % 2].0)
}

fn genesis() -> State {
    let mut entries = BTreeMap::new();
    let bank = Some(organisation(0));
    let roles = [
        (None, Roles::ADMIN),
        (None, Roles::ISSUER),
        (bank, Roles::ADMIN | Roles::MEMBER),
        (bank, Roles::MEMBER | Roles::ISSUER),
        (None, Roles::MEMBER),
        (bank, Roles::AUDITOR),
    ];
    for (i, (organisation, roles)) in roles.into_iter().enumerate() {
        let balance = Amount(if i == 4 { NATIVE } else { 0 });
        let account = Account { balance, ..Account::new(organisation, roles) };
        entries.insert(StateKey::Account(id(i)), Some(StateValue::Account(account)));
    }
    let bank = Organisation::new(Text::new("bank").unwrap());
    entries.insert(StateKey::Organisation(organisation(0)), Some(StateValue::Organisation(bank)));
    State(entries)
}

fn amount(script: &mut Script<'_>) -> Amount {
    match script.byte() {
        255 => Amount(u128::MAX),
        254 => Amount(u128::MAX - 7),
        byte => Amount(u128::from(byte % 64)),
    }
}

fn symbol(script: &mut Script<'_>) -> Text<16> {
    Text::new(["A", "B"][script.below(2)]).unwrap()
}

fn asset(script: &mut Script<'_>) -> AssetId {
    match script.below(6) {
        0 | 1 => AssetId::NATIVE,
        2 => asset_id(id(3), &symbol(script)),
        _ => asset_id(id(1), &symbol(script)),
    }
}

fn roles(script: &mut Script<'_>) -> Roles {
    let byte = script.byte();
    let all = [Roles::ADMIN, Roles::ISSUER, Roles::MEMBER, Roles::AUDITOR];
    let some = all.into_iter().enumerate().filter(|(i, _)| byte >> i & 1 == 1);
    some.fold(Roles::NONE, |roles, (_, role)| roles | role)
}

fn status(script: &mut Script<'_>) -> AccountStatus {
    [AccountStatus::Active, AccountStatus::Frozen, AccountStatus::Closed][script.below(3)]
}

fn person(script: &mut Script<'_>) -> AccountId {
    match script.byte() {
        // No sound key.
        255 => AccountId([2; 32]),
        byte => id(usize::from(byte)),
    }
}

fn name(script: &mut Script<'_>) -> Bytes<128> {
    Bytes::new(vec![script.byte() % 3]).unwrap()
}

fn keys(script: &mut Script<'_>) -> List<AccountKey, 0, 16> {
    let count = script.below(4);
    let mut keys: Vec<_> = (0..count)
        .map(|_| AccountKey { key: PublicKey(person(script).0), weight: u16::from(script.byte() % 4) })
        .collect();
    if script.byte() < 240 {
        keys.sort_unstable_by_key(|key| key.key);
        keys.dedup_by_key(|key| key.key);
    }
    List::new(keys).unwrap()
}

fn on_accounts(script: &mut Script<'_>) -> Instruction {
    let account = person(script);
    match script.below(6) {
        0 => Instruction::RegisterOrganisation {
            organisation: organisation(script.below(2)),
            name: Text::new("port").unwrap(),
        },
        1 => Instruction::SetOrganisationStatus {
            organisation: organisation(script.below(2)),
            status: status(script),
        },
        2 => {
            let of = (script.byte() < 128).then(|| organisation(script.below(2)));
            Instruction::RegisterAccount { account, organisation: of, roles: roles(script) }
        }
        3 => Instruction::SetAccountKeys {
            account,
            keys: keys(script),
            threshold: u16::from(script.byte() % 5),
        },
        4 => Instruction::SetAccountRoles { account, roles: roles(script) },
        _ => Instruction::SetAccountStatus { account, status: status(script) },
    }
}

fn on_assets(script: &mut Script<'_>) -> Instruction {
    let (of, to) = (asset(script), person(script));
    match script.below(8) {
        0 => {
            let bits = script.byte();
            let rules = AssetRules { mint: bits & 1 == 0, burn: bits & 2 == 0, freeze: bits & 4 == 0 };
            let supply_max = (bits & 8 == 0).then(|| amount(script));
            let symbol = symbol(script);
            Instruction::CreateAsset {
                symbol,
                decimals: bits >> 2,
                rules,
                supply_max,
                supply: amount(script),
            }
        }
        1 => Instruction::Mint { asset: of, to, amount: amount(script) },
        2 => Instruction::Burn { asset: of, amount: amount(script) },
        3 => Instruction::FreezeHolder { asset: of, holder: to, frozen: script.byte() < 160 },
        4 => Instruction::RequireBalance { account: to, asset: of, at_least: amount(script) },
        _ => Instruction::Transfer { to, asset: of, amount: amount(script), memo: Bytes::default() },
    }
}

fn on_data(script: &mut Script<'_>) -> Instruction {
    let (namespace, key) = (person(script), name(script));
    match script.below(6) {
        0 => Instruction::DeleteData { namespace, key },
        1 => Instruction::TransferData { namespace, key, to: person(script) },
        2 => {
            let metadata = Bytes::new(vec![7; script.below(256)]).unwrap();
            Instruction::AnchorDocument { digest: Digest([script.byte() % 4; 32]), size: 1, metadata }
        }
        3 => Instruction::RequireData { namespace, key, digest: None },
        4 => Instruction::RequireHeightBelow { height: Height(u64::from(script.byte())) },
        _ => {
            let value = Bytes::new(vec![7; 2 * script.below(256)]).unwrap();
            Instruction::PutData { namespace, key, value }
        }
    }
}

fn transaction(script: &mut Script<'_>, state: &State) -> Transaction {
    let from = id(script.below(KEYS));
    let step = |script: &mut Script<'_>| {
        let actor = (script.byte() < 60).then(|| id(script.below(KEYS)));
        let instruction = match script.below(8) {
            0 | 1 => on_accounts(script),
            2 | 3 => on_data(script),
            _ => on_assets(script),
        };
        Step { actor, instruction }
    };
    let steps: Vec<_> = (0..=script.below(3)).map(|_| step(script)).collect();
    let nonce = state.account_entry(from).unwrap().map_or(Nonce(0), |account| account.nonce);
    let plain = Instruction::RequireHeightBelow { height: Height(1) };
    let body = TransactionBody {
        sponsor: (script.byte() < 20).then(|| id(script.below(KEYS))),
        instructions: List::new(steps).unwrap(),
        ..TransactionBody::new(CHAIN, from, nonce, vec![plain]).unwrap()
    };
    // Mostly whoever must; now and then just anybody.
    let involved: Vec<_> = [from].into_iter().chain(body.parties()).chain(body.sponsor).collect();
    let must = |key: &PublicKey| {
        involved.iter().any(|id| match state.get(&StateKey::Account(*id)) {
            Ok(Some(StateValue::Account(account))) => account.acts(*id, *key),
            _ => key.0 == id.0,
        })
    };
    let anybody = script.byte() >= 245;
    let mut signers: Vec<_> =
        PEOPLE.iter().copied().filter(|key| if anybody { script.byte() < 128 } else { must(key) }).collect();
    if signers.is_empty() {
        signers.push(PublicKey(from.0));
    }
    let signatures = signers.into_iter().map(|key| (key, Signature([0; 64]))).collect();
    Transaction::with_signatures(body, signatures).unwrap()
}

fn block(height: u64, transactions: Vec<Transaction>) -> (Parent, Block) {
    let parent = Parent {
        height: Height(height - 1),
        block: BlockHash([4; 32]),
        timestamp_ms: TimestampMs(10 * height),
        result: ResultHash([5; 32]),
        epoch: Epoch(0),
    };
    let header = Header {
        version: PROTOCOL_VERSION,
        height: Height(height),
        epoch: parent.epoch,
        parent: parent.block,
        timestamp_ms: TimestampMs(10 * height + 5),
        transactions_root: transactions_root(&transactions),
        transaction_count: u32::try_from(transactions.len()).unwrap(),
        parent_result: parent.result,
        proposer: ValidatorIndex(0),
    };
    (parent, Block { header, transactions: List::new(transactions).unwrap() })
}

/// Blocks of one to four transactions each; those that are not valid are left out. What is valid executes, and
/// leaves a sound state.
pub fn instructions(data: &[u8]) {
    let mut script = Script::new(data);
    let (parameters, mut state) = (parameters(), genesis());
    for height in 1..=BLOCKS_MAX as u64 {
        if script.is_empty() {
            break;
        }
        let mut chosen: Vec<Transaction> = Vec::new();
        for _ in 0..=script.below(4) {
            let mut more = chosen.clone();
            more.push(transaction(&mut script, &state));
            let (parent, block) = block(height, more.clone());
            if validate_block(&state, &parameters, CHAIN, &parent, &block, |_| true).is_ok() {
                chosen = more;
            }
        }
        let (_, block) = block(height, chosen);
        let executed = execute_block(&state, &parameters, &block).expect("a state that can be read");
        assert_eq!(executed.receipts.len(), block.transactions.len());
        state.0.extend(executed.changes);
        let entries = state.0.iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        check_state(entries, &parameters, Amount(NATIVE));
    }
}
