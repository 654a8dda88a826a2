//! The chain that is measured: accounts with balances, and transfers between them.

use quorate_chain::codec::{Bytes, List, encode};
use quorate_chain::crypto::SecretKey;
use quorate_chain::instruction::Instruction;
use quorate_chain::ledger::GenesisState;
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{Account, StateKey, StateValue};
use quorate_chain::transaction::{TransactionBody, Witness};
use quorate_chain::validator::fixture::validator_set;
use quorate_chain::{AccountId, Amount, AssetId, ChainId, Nonce, Signature, TimestampMs, Transaction};
use std::collections::BTreeMap;

pub(crate) const CHAIN: ChainId = ChainId([7; 32]);

/// Random numbers that are the same in each run (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }
}

/// Account number `i`: its id is a hash, not a key, so that ten million are quickly made.
pub(crate) fn id(i: usize) -> AccountId {
    AccountId(*blake3::hash(&i.to_le_bytes()).as_bytes())
}

/// Signed transfers, each of another account, for what looks at signatures.
pub(crate) fn signed(count: usize) -> Vec<Transaction> {
    let transfer = |i| {
        let key = SecretKey::from_seed(&id(i).0);
        Transaction::sign(body(key.public().into(), 0, id(i)), CHAIN, &[&key]).unwrap()
    };
    (0..count).map(transfer).collect()
}

/// Transfers between accounts by chance.
pub(crate) struct Traffic {
    numbers: Numbers,
    /// Of the accounts that take part.
    nonces: Vec<u64>,
}

impl Traffic {
    pub(crate) fn new(accounts: usize) -> Self {
        Self { numbers: Numbers(5), nonces: vec![0; accounts] }
    }

    /// The next ones. Their signatures don't hold: execution and commit don't look at them.
    pub(crate) fn next(&mut self, count: usize) -> Vec<Transaction> {
        let mut transfer = || {
            let accounts = self.nonces.len();
            let (from, to) = (self.numbers.below(accounts), self.numbers.below(accounts));
            let nonce = self.nonces[from];
            self.nonces[from] += 1;
            unsigned(id(from), nonce, id(to))
        };
        (0..count).map(|_| transfer()).collect()
    }
}

fn body(account: AccountId, nonce: u64, to: AccountId) -> TransactionBody {
    let memo = Bytes::default();
    let transfer = Instruction::Transfer { to, asset: AssetId::NATIVE, amount: Amount(1), memo };
    TransactionBody::new(CHAIN, account, Nonce(nonce), vec![transfer]).unwrap()
}

fn unsigned(account: AccountId, nonce: u64, to: AccountId) -> Transaction {
    let witness = Witness { key: None, signature: Signature([0; 64]) };
    let witnesses = List::<Witness, 1, 16>::new(vec![witness]).unwrap();
    let bytes = [encode(&body(account, nonce, to)), encode(&witnesses)].concat();
    Transaction::from_bytes(&bytes).unwrap()
}

/// A chain with these accounts, each with a balance.
pub(crate) fn genesis(accounts: impl Iterator<Item = AccountId>) -> GenesisState {
    let mut entries = BTreeMap::new();
    for account in accounts {
        let entry = Account { balance: Amount(1_000_000), ..Account::default() };
        entries.insert(StateKey::Account(account), StateValue::Account(entry));
    }
    GenesisState::new(CHAIN, TimestampMs(1), validator_set(4), Parameters::default(), entries)
}
