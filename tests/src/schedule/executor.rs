//! What executes blocks: a chain of hashes, or the real ledger in memory.

use super::disk::Committed;
use super::setup::Setup;
use quorate_chain::codec::{Bytes, List};
use quorate_chain::crypto::SecretKey;
use quorate_chain::instruction::Instruction;
use quorate_chain::ledger::journal::MemDisk;
use quorate_chain::ledger::{GenesisState, Ledger, MemoryStore, Reader};
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{Account, StateKey, StateValue};
use quorate_chain::transaction::TransactionBody;
use quorate_chain::{
    AccountId, Amount, AssetId, BlockHash, ChainId, CommitCertificate, Header, Nonce, ResultHash,
    TimestampMs, Transaction,
};
use quorate_consensus::SealedBlock;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Whose transactions the clients of a stage submit.
fn client() -> SecretKey {
    SecretKey::from_seed(&[77; 32])
}

/// Whom the client pays one unit with every transaction.
pub const PAYEE: AccountId = AccountId([9; 32]);

/// A transfer by the client.
pub(super) fn transfer(chain: ChainId, nonce: u64) -> Transaction {
    let memo = Bytes::default();
    let body = TransactionBody::new(
        chain,
        client().public().into(),
        Nonce(nonce),
        vec![Instruction::Transfer { to: PAYEE, asset: AssetId::NATIVE, amount: Amount(1), memo }],
    )
    .expect("one instruction");
    Transaction::sign(body, chain, &[&client()]).expect("a transfer is small enough to sign")
}

fn genesis(setup: &Setup) -> GenesisState {
    let account = AccountId::from(client().public());
    let entry = StateValue::Account(Account { balance: Amount(1_000_000), ..Account::default() });
    let entries = BTreeMap::from([(StateKey::Account(account), entry)]);
    let set = (*setup.context.set).clone();
    GenesisState::new(setup.context.chain, TimestampMs(1), set, Parameters::default(), entries)
}

/// What genesis gives.
pub(super) fn start_result(setup: &Setup) -> ResultHash {
    if setup.with_ledger {
        genesis(setup).result().expect("a small state").hash()
    } else {
        setup.context.start_result
    }
}

/// What a block gives in a chain of hashes.
pub(super) fn chained(parent: ResultHash, block: BlockHash) -> ResultHash {
    ResultHash(*blake3::hash(&[parent.0, block.0].concat()).as_bytes())
}

pub(super) enum Executor {
    /// Results by block; `odd` is wrong in every one, as nondeterminism would make it.
    Hashes { results: BTreeMap<BlockHash, ResultHash>, odd: bool },
    /// The real one.
    Ledger(Box<Ledger>),
}

impl Executor {
    /// After these committed blocks.
    pub(super) fn new(setup: &Setup, committed: &[Committed]) -> Self {
        if setup.with_ledger {
            let disk = Arc::new(MemDisk::new(1));
            let store = Box::new(MemoryStore::default());
            let opened = Ledger::open_with(disk, Path::new("/journal"), store, &genesis(setup));
            return Self::Ledger(Box::new(opened.expect("an empty ledger opens").ledger));
        }
        let start = (setup.context.start_block, setup.context.start_result);
        let known = committed.iter().map(|c| (c.block.hash(), c.result));
        Self::Hashes { results: std::iter::once(start).chain(known).collect(), odd: false }
    }

    /// Executes a block; its parent was executed before.
    pub(super) fn execute(&mut self, block: &SealedBlock) -> ResultHash {
        match self {
            Self::Hashes { results, odd } => {
                let parent = results.get(&block.header().parent).expect("executed after its parent");
                let mut result = chained(*parent, block.hash());
                if *odd {
                    result = chained(result, block.hash());
                }
                results.insert(block.hash(), result);
                result
            }
            Self::Ledger(ledger) => ledger.execute(block.block()).expect("executed after its parent").hash(),
        }
    }

    /// From now on every result is wrong.
    pub(super) const fn err(&mut self) {
        if let Self::Hashes { odd, .. } = self {
            *odd = true;
        }
    }

    pub(super) fn is_valid(&self, block: &SealedBlock) -> bool {
        match self {
            Self::Hashes { .. } => true,
            Self::Ledger(ledger) => ledger.validate(block.block(), |_| false).is_ok(),
        }
    }

    pub(super) fn commit(
        &mut self,
        block: &SealedBlock,
        certificate: &CommitCertificate,
        path: &[Header],
    ) -> ResultHash {
        match self {
            Self::Hashes { results, .. } => *results.get(&block.hash()).expect("executed before"),
            Self::Ledger(ledger) => {
                let path = List::new(path.to_vec()).expect("a short path");
                ledger.commit(block.hash(), path, certificate.clone()).expect("executed before");
                ledger.tip().result.hash()
            }
        }
    }

    /// Reads the real ledger, if that is what executes.
    pub(super) fn reader(&self) -> Option<Reader> {
        match self {
            Self::Hashes { .. } => None,
            Self::Ledger(ledger) => Some(ledger.reader()),
        }
    }
}
