//! Who submits transactions: each again and again, to one node after the other, until it is committed there.

use super::random::Random;
use quorate_chain::codec::Bytes;
use quorate_chain::crypto::SecretKey;
use quorate_chain::instruction::Instruction;
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{Account, StateKey, StateReader, StateValue};
use quorate_chain::transaction::TransactionBody;
use quorate_chain::{AccountId, Amount, AssetId, ChainId, Nonce, Transaction, TransactionId};
use std::collections::BTreeMap;
use std::sync::OnceLock;

pub(super) const CHAIN: ChainId = ChainId([1; 32]);
/// Transactions that clients submit while there are faults, at most and usually.
pub(super) const TRANSACTIONS: usize = 104;
/// Transactions that there are: one more is submitted when the network has healed.
const ALL: usize = TRANSACTIONS + 1;
/// Transactions of a block.
pub(super) const BATCH_MAX: usize = 3;
/// Accounts that send.
const ACCOUNTS: usize = 8;
/// Accounts that are made by what they are sent.
const RECEIVERS: u8 = 4;
/// What each sender has at first; some transfers ask for more and fail.
const BALANCE: u128 = 1_000;

/// So many of a hundred transactions come together with others, so that several blocks are in flight.
const BURST_PERCENT: u64 = 60;
/// How often they come, milliseconds.
const BURST_MS: u64 = 400;

/// How long a client waits before it asks another node, milliseconds; less if this one `refused`.
pub(super) fn patience_ms(random: &mut Random, refused: bool) -> u64 {
    if refused { random.between(10, 60) } else { random.between(1_000, 2_000) }
}

/// When each transaction is submitted first: some in bursts, those of an account in the order of their nonces,
/// but that some overtake others.
pub(super) fn schedule(random: &mut Random, count: usize, until_ms: u64) -> Vec<u64> {
    let one = |random: &mut Random| {
        let time = random.below(until_ms);
        if random.chance(BURST_PERCENT) { time - time % BURST_MS } else { time }
    };
    let mut times: Vec<u64> = (0..count).map(|_| one(random)).collect();
    for account in 0..ACCOUNTS {
        let of = || (account..count).step_by(ACCOUNTS);
        let mut sorted: Vec<u64> = of().map(|i| times[i]).collect();
        sorted.sort_unstable();
        of().zip(sorted).for_each(|(i, time)| times[i] = time);
    }
    for _ in 0..count / 10 {
        let late = random.below((count - ACCOUNTS) as u64) as usize;
        times.swap(late, late + ACCOUNTS);
    }
    times
}

struct Made {
    transactions: Vec<Transaction>,
    places: BTreeMap<TransactionId, usize>,
}

fn key(account: usize) -> SecretKey {
    SecretKey::from_seed(&[77 + account as u8; 32])
}

fn accounts() -> &'static [AccountId] {
    static ACCOUNT_IDS: OnceLock<Vec<AccountId>> = OnceLock::new();
    ACCOUNT_IDS.get_or_init(|| (0..ACCOUNTS).map(|account| key(account).public().into()).collect())
}

/// Signed once for all runs of a process.
fn made() -> &'static Made {
    static MADE: OnceLock<Made> = OnceLock::new();
    MADE.get_or_init(|| {
        let transactions: Vec<_> = (0..ALL).filter_map(transaction).collect();
        assert_eq!(transactions.len(), ALL, "a transfer is small enough to sign");
        let places = transactions.iter().map(Transaction::id).zip(0..).collect();
        Made { transactions, places }
    })
}

pub(super) fn transactions() -> &'static [Transaction] {
    &made().transactions
}

/// Whether a client of the simulator signed it.
pub(super) fn is_authentic(id: TransactionId) -> bool {
    made().places.contains_key(&id)
}

fn transaction(number: usize) -> Option<Transaction> {
    let sender = number % ACCOUNTS;
    let key = key(sender);
    let instruction = if number % 9 == 5 {
        let name = Bytes::new(vec![number as u8 % 3]).ok()?;
        let value = Bytes::new(vec![number as u8; 40]).ok()?;
        Instruction::PutData { namespace: accounts()[sender], key: name, value }
    } else {
        let to = match number % 5 {
            0 => receiver(number as u8 % RECEIVERS),
            _ => accounts()[number * 3 % ACCOUNTS],
        };
        let amount = if number % 7 == 3 { Amount(100 * BALANCE) } else { Amount(1 + number as u128) };
        Instruction::Transfer { to, asset: AssetId::NATIVE, amount, memo: Bytes::default() }
    };
    let body =
        TransactionBody::new(CHAIN, accounts()[sender], Nonce((number / ACCOUNTS) as u64), vec![instruction])
            .ok()?;
    Transaction::sign(body, CHAIN, &[&key]).ok()
}

fn receiver(number: u8) -> AccountId {
    static RECEIVER_IDS: OnceLock<Vec<AccountId>> = OnceLock::new();
    let made = || (0..RECEIVERS).map(|number| key(ACCOUNTS + usize::from(number)).public().into()).collect();
    RECEIVER_IDS.get_or_init(made)[usize::from(number)]
}

/// Accounts and balances of genesis.
pub(super) fn entries() -> BTreeMap<StateKey, StateValue> {
    let account = Account { balance: Amount(BALANCE), ..Account::default() };
    let entry = |id: &AccountId| (StateKey::Account(*id), StateValue::Account(account.clone()));
    accounts().iter().map(entry).collect()
}

pub(super) fn parameters(window: u64) -> Parameters {
    let window = u16::try_from(window).unwrap_or(u16::MAX);
    Parameters { window, block_transactions_max: BATCH_MAX as u32, ..Parameters::default() }
}

/// The account's next nonce.
pub(super) fn next_nonce(state: &impl StateReader, account: AccountId) -> Option<Nonce> {
    state.account_entry(account).ok().flatten().map(|account| account.nonce)
}

/// The next nonces of all that send.
pub(super) fn nonces(state: &impl StateReader) -> BTreeMap<AccountId, Nonce> {
    accounts().iter().filter_map(|id| Some((*id, next_nonce(state, *id)?))).collect()
}

/// S5: what all accounts hold together, beside what they held at first.
pub(super) fn balances(state: &impl StateReader) -> (u128, u128) {
    let all = accounts().iter().copied().chain((0..RECEIVERS).map(receiver));
    let held = all.filter_map(|id| state.account_entry(id).ok().flatten()).map(|account| account.balance.0);
    (held.sum(), BALANCE * ACCOUNTS as u128)
}
