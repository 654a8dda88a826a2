//! The transactions of a run, signed before it begins: signing takes more processor time than all the rest.

use super::accounts::{Account, Accounts};
use super::schedule::Schedule;
use crate::error::NodeError;
use clap::ValueEnum;
use quorate_chain::codec::List;
use quorate_chain::codec::{Bytes, DecodeError};
use quorate_chain::instruction::{Instruction, Step};
use quorate_chain::transaction::TRANSACTION_BYTES_MAX;
use quorate_chain::{
    AccountId, Amount, AssetId, ChainId, Nonce, Transaction, TransactionBody, TransactionId,
};
use quorate_chain::{Height, transaction::ChainTag};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most transactions that are signed ahead; each takes about 350 bytes of memory and its payload.
pub(super) const SIGNED_AHEAD_MAX: usize = 5_000_000;
/// Data entries of an account: the state does not grow with the run.
const DATA_KEYS: u64 = 16;
/// Transactions between two looks at the stop signal.
const LOOK_EVERY: usize = 256;

/// What a transaction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One unit of the native asset to the next account.
    Transfer,
    /// A value under one of the account's own keys.
    Data,
    /// Two accounts pay each other, both or neither; both sign.
    Atomic,
}

impl Kind {
    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "transfer",
            Self::Data => "data",
            Self::Atomic => "atomic",
        }
    }
}

/// What a lane sends: transactions one after the other, each with its length before it, so that any stretch of them
/// is the inside of a request.
#[derive(Debug, Default)]
pub(super) struct LaneWork {
    bytes: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl LaneWork {
    /// The transactions at these places, encoded as the inside of a borsh list.
    pub(super) fn stretch(&self, places: std::ops::Range<usize>) -> &[u8] {
        let end =
            |place: usize| place.checked_sub(1).and_then(|last| self.ends.get(last)).copied().unwrap_or(0);
        self.bytes.get(end(places.start)..end(places.end)).unwrap_or_default()
    }

    fn push(&mut self, transaction: &Transaction) {
        const _: () = assert!(TRANSACTION_BYTES_MAX <= u32::MAX as usize);
        let bytes = transaction.bytes();
        self.bytes.extend((bytes.len() as u32).to_le_bytes());
        self.bytes.extend(bytes);
        self.ends.push(self.bytes.len());
    }
}

/// All that a run sends.
#[derive(Debug)]
pub(super) struct Work {
    /// By lane.
    pub(super) lanes: Vec<LaneWork>,
    /// Which transaction an id is.
    pub(super) numbers: HashMap<TransactionId, u32>,
}

/// What all transactions of a run have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe<'a> {
    /// The chain.
    pub(super) chain: ChainId,
    /// The kinds, which take turns.
    pub(super) mix: &'a [Kind],
    /// Bytes of memo or value.
    pub(super) payload: usize,
}

/// Signs everything that the schedule asks for, on all cores.
///
/// # Errors
/// When it is too much, or was told to stop.
pub(super) fn sign(
    recipe: Recipe<'_>,
    accounts: &Accounts,
    schedule: Schedule,
    stop: &AtomicBool,
) -> Result<Work, NodeError> {
    let (count, lanes) = (schedule.count(), schedule.lanes());
    if count > SIGNED_AHEAD_MAX {
        return Err(NodeError::Usage(format!(
            "--rate times --duration are {count} transactions, at most {SIGNED_AHEAD_MAX} are signed ahead: lower one \
             of them"
        )));
    }
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(lanes);
    let sign_lane = |lane| sign_lane(recipe, &accounts.0, schedule, lane, stop);
    let mut signed: Vec<_> = std::thread::scope(|scope| {
        let share =
            |worker| (worker..lanes).step_by(workers).map(|lane| (lane, sign_lane(lane))).collect::<Vec<_>>();
        let working: Vec<_> = (0..workers).map(|worker| scope.spawn(move || share(worker))).collect();
        working.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    });
    signed.sort_unstable_by_key(|(lane, _)| *lane);
    let mut work = Work { lanes: Vec::with_capacity(lanes), numbers: HashMap::with_capacity(count) };
    for (lane, done) in signed {
        let (transactions, ids) =
            done.map_err(|error| NodeError::Usage(format!("cannot make the transactions: {}", error.0)))?;
        let numbered = ids.into_iter().enumerate();
        // Bounded by the most that are signed.
        work.numbers.extend(numbered.map(|(place, id)| (id, schedule.number(lane, place) as u32)));
        work.lanes.push(transactions);
    }
    if stop.load(Ordering::Relaxed) {
        return Err(NodeError::Usage("stopped before the load began".to_owned()));
    }
    Ok(work)
}

fn sign_lane(
    recipe: Recipe<'_>,
    accounts: &[Account],
    schedule: Schedule,
    lane: usize,
    stop: &AtomicBool,
) -> Result<(LaneWork, Vec<TransactionId>), DecodeError> {
    let (mut work, mut ids) = (LaneWork::default(), Vec::new());
    for place in 0..schedule.of_lane(lane) {
        if place % LOOK_EVERY == 0 && stop.load(Ordering::Relaxed) {
            break;
        }
        let number = schedule.number(lane, place);
        let transaction = make(recipe, accounts, schedule.lanes(), number)?;
        ids.push(transaction.id());
        work.push(&transaction);
    }
    Ok((work, ids))
}

/// Transaction `number`. Its receiver is the next account of the same lane, so that what an account receives comes
/// as fast as what it sends.
fn make(
    recipe: Recipe<'_>,
    accounts: &[Account],
    lanes: usize,
    number: usize,
) -> Result<Transaction, DecodeError> {
    let (at, round) = (number % accounts.len(), number / accounts.len());
    let (own, next) = (&accounts[at], &accounts[(at + lanes) % accounts.len()]);
    let nonce = Nonce(own.nonce.0 + round as u64);
    let kind = recipe.mix.get((number + round) % recipe.mix.len().max(1)).copied().unwrap_or(Kind::Transfer);
    let text = vec![b'x'; recipe.payload];
    let pay =
        |to: AccountId, memo| Instruction::Transfer { to, asset: AssetId::NATIVE, amount: Amount(1), memo };
    let (steps, keys): (Vec<Step>, Vec<_>) = match kind {
        Kind::Transfer => (vec![pay(next.address, Bytes::new(text)?).into()], vec![&own.key]),
        Kind::Data => {
            let key = Bytes::new(format!("bench-{}", nonce.0 % DATA_KEYS).into_bytes())?;
            let put = Instruction::PutData { namespace: own.address, key, value: Bytes::new(text)? };
            (vec![put.into()], vec![&own.key])
        }
        Kind::Atomic => {
            let there = pay(next.address, Bytes::new(text)?).into();
            // An account that is alone pays itself.
            let back = pay(own.address, Bytes::default());
            let alone = own.address == next.address;
            let keys = if alone { vec![&own.key] } else { vec![&own.key, &next.key] };
            (vec![there, if alone { back.into() } else { back.by(next.address) }], keys)
        }
    };
    let body = TransactionBody {
        chain: ChainTag::from(recipe.chain),
        account: own.address,
        nonce,
        valid_until: Height::ZERO,
        sponsor: None,
        instructions: List::new(steps)?,
    };
    Transaction::sign(body, recipe.chain, &keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use quorate_chain::codec::decode;
    use quorate_chain::crypto::SecretKey;
    use std::collections::BTreeMap;
    use std::time::Duration;

    const CHAIN: ChainId = ChainId([7; 32]);
    type Many = List<Transaction, 0, 1_000>;

    fn accounts(count: u8) -> Accounts {
        let account = |seed| {
            let key = SecretKey::from_seed(&[seed; 32]);
            Account { address: key.public().into(), key, nonce: Nonce(5) }
        };
        Accounts((1..=count).map(account).collect())
    }

    fn work(rate: u32, lanes: usize, accounts: &Accounts, mix: &[Kind]) -> (Schedule, Work) {
        let schedule = Schedule::new(rate, Duration::from_secs(1), lanes);
        let recipe = Recipe { chain: CHAIN, mix, payload: 9 };
        (schedule, sign(recipe, accounts, schedule, &AtomicBool::new(false)).unwrap())
    }

    #[test]
    fn every_transaction_is_authentic_and_each_accounts_nonces_follow_one_another() {
        let accounts = accounts(6);
        for mix in [&[Kind::Transfer][..], &[Kind::Transfer, Kind::Data, Kind::Atomic]] {
            let (schedule, work) = work(20, 3, &accounts, mix);
            assert_eq!(work.numbers.len(), 20);
            let mut next: BTreeMap<AccountId, (usize, Nonce)> = BTreeMap::new();
            for (lane, transactions) in work.lanes.iter().enumerate() {
                let count = schedule.of_lane(lane);
                let list = [&(count as u32).to_le_bytes(), transactions.stretch(0..count)].concat();
                for (place, transaction) in decode::<Many>(&list).unwrap().iter().enumerate() {
                    assert!(transaction.verify_signatures(CHAIN));
                    let number = schedule.number(lane, place);
                    assert_eq!(work.numbers[&transaction.id()] as usize, number);
                    let body = transaction.body();
                    let (of, nonce) = next.entry(body.account).or_insert((lane, Nonce(5)));
                    assert_eq!((*of, *nonce), (lane, body.nonce), "one lane, in order");
                    *nonce = nonce.next();
                }
            }
            assert_eq!(next.len(), 6);
        }
    }

    #[test]
    fn any_stretch_is_the_inside_of_a_request() {
        let (_, work) = work(10, 1, &accounts(2), &[Kind::Transfer]);
        let list = [&3_u32.to_le_bytes(), work.lanes[0].stretch(4..7)].concat();
        let numbers: Vec<_> = decode::<Many>(&list).unwrap().iter().map(|t| work.numbers[&t.id()]).collect();
        assert_eq!(numbers, [4, 5, 6]);
        assert!(work.lanes[0].stretch(4..4).is_empty());
    }

    #[test]
    fn so_many_are_signed_ahead_and_more_are_refused_with_what_to_do() {
        let schedule = Schedule::new(1, Duration::from_secs(SIGNED_AHEAD_MAX as u64), 1);
        assert_eq!(schedule.count(), SIGNED_AHEAD_MAX);
        let recipe = Recipe { chain: CHAIN, mix: &[Kind::Data], payload: 0 };
        let stop = AtomicBool::new(true);
        let told = |count: u64| {
            let schedule = Schedule::new(1, Duration::from_secs(count), 1);
            sign(recipe, &accounts(1), schedule, &stop).unwrap_err().to_string()
        };
        assert!(told(SIGNED_AHEAD_MAX as u64).contains("stopped"), "it had begun");
        assert!(told(SIGNED_AHEAD_MAX as u64 + 1).contains("lower one"));
    }
}
