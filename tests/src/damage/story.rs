//! A chain that is written down once and then told again and again, to disks that lose power and rot.

use super::truth::Truth;
use crate::sim::Random;
use quorate_chain::block::{PROTOCOL_VERSION, transactions_root};
use quorate_chain::certificate::{CommitVote, fixture::commit_certificate};
use quorate_chain::codec::{Bytes, DecodeError, List};
use quorate_chain::crypto::SecretKey;
use quorate_chain::ledger::journal::MemDisk;
use quorate_chain::ledger::{GenesisState, Ledger, LedgerError, MemoryStore};
use quorate_chain::parameters::Parameters;
use quorate_chain::state::{Account, StateKey, StateReader, StateValue};
use quorate_chain::transaction::{ChainTag, Instruction, TransactionBody};
use quorate_chain::validator::{SetChange, ValidatorSet, fixture::validator_set};
use quorate_chain::{
    AccountId, Amount, AssetId, Block, BlockHash, BlockResult, ChainId, CommitCertificate, Epoch, Header,
    Height, Nonce, TimestampMs, Transaction, ValidatorIndex, View,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

const CHAIN: ChainId = ChainId([0xda; 32]);
const VALIDATORS: u16 = 4;
/// Accounts that send.
const SENDERS: u8 = 8;
/// Accounts that are made by what they are sent.
const RECEIVERS: u8 = 40;
/// What each sender has at first.
const BALANCE: u128 = 5_000;
/// Most heights that are executed before the first of them is committed.
const BURST_MAX: u64 = 4;
/// Most transactions of a block.
const BATCH_MAX: u64 = 5;
/// Data entries of a sender.
const DATA_KEYS: u64 = 6;
/// Longest value of a data entry: several sectors.
const VALUE_BYTES_MAX: u64 = 2_400;

/// Why a story could not be written.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a story is, and how often things happen in it.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The same seed gives the same story.
    pub seed: u64,
    /// Blocks that are committed.
    pub heights: u64,
    /// So many of a hundred heights are followed by a checkpoint.
    pub checkpoint_percent: u64,
    /// Every so many heights end an epoch.
    pub epoch_heights: u64,
}

/// One thing that is done to the ledger.
#[derive(Clone, Debug)]
pub enum Step {
    /// A block's body is appended; it may be one that is never committed.
    Body(Block),
    /// What was appended is made durable.
    Sync(Height),
    /// A block is executed; it may be one that is never committed.
    Execute(Block),
    /// The block of a height is committed.
    Commit(Height),
    /// A checkpoint at a height.
    Checkpoint(Height),
}

impl Step {
    /// The height that the step is about.
    #[must_use]
    pub const fn height(&self) -> Height {
        match self {
            Self::Body(block) | Self::Execute(block) => block.header.height,
            Self::Sync(height) | Self::Commit(height) | Self::Checkpoint(height) => *height,
        }
    }
}

/// What is done, and what must be there afterwards.
#[derive(Debug)]
pub struct Story {
    /// What the chain starts from.
    pub genesis: GenesisState,
    /// Set changes by the height that executes them.
    pub changes: BTreeMap<Height, SetChange>,
    /// Everything that is done, in order.
    pub steps: Vec<Step>,
    /// What a reader must find at each height.
    pub truth: Truth,
}

impl Story {
    /// Writes a story, by telling it to a ledger in memory that nothing happens to.
    ///
    /// # Errors
    /// When the ledger refuses what the plan makes; that is a mistake here or there.
    pub fn write(plan: Plan) -> Result<Self, Failure> {
        let genesis = genesis();
        let ends = (1..=plan.heights).filter(|height| height.is_multiple_of(plan.epoch_heights));
        let changes = ends.enumerate().map(|(number, height)| (Height(height), change(number))).collect();
        let (disk, store) = (Arc::new(MemDisk::new(plan.seed)), Box::new(MemoryStore::default()));
        let opened = Ledger::open_with(disk, Path::new("/reference"), store, &genesis)?;
        let story = Self { genesis, changes, steps: Vec::new(), truth: Truth::new(&opened)? };
        let mut writer = Writer {
            ledger: opened.ledger,
            random: Random::new(plan.seed),
            nonces: [Nonce::ZERO; SENDERS as usize],
            story,
        };
        schedule(&mut writer.ledger, &writer.story.changes);
        while writer.ledger.tip().height.0 < plan.heights {
            writer.burst(&plan)?;
        }
        Ok(writer.story)
    }

    /// Opens a ledger's eyes for what is to come: the set changes above its tip.
    pub fn prepare(&self, ledger: &mut Ledger) {
        schedule(ledger, &self.changes);
    }

    /// Commits the block of a height as the story has it; it must have been executed.
    ///
    /// # Errors
    /// The ledger's.
    pub fn commit(&self, ledger: &mut Ledger, height: Height) -> Result<(), LedgerError> {
        let Some(told) = self.truth.block(height) else {
            return Err(LedgerError::Damaged { height, what: "the story has no such height".into() });
        };
        ledger.commit(told.block.hash(), told.path.clone(), told.certificate.clone()).map(|_| ())
    }

    /// Does one step.
    ///
    /// # Errors
    /// The ledger's.
    pub fn tell(&self, ledger: &mut Ledger, step: &Step) -> Result<(), LedgerError> {
        match step {
            Step::Body(block) => ledger.append_body(block),
            Step::Sync(_) => ledger.sync(),
            Step::Execute(block) => ledger.execute(block).map(|_| ()),
            Step::Commit(height) => self.commit(ledger, *height),
            Step::Checkpoint(_) => ledger.checkpoint(),
        }
    }

    /// Does every step above the tip.
    ///
    /// # Errors
    /// The ledger's.
    pub fn tell_rest(&self, ledger: &mut Ledger) -> Result<(), LedgerError> {
        self.prepare(ledger);
        let from = ledger.tip().height;
        self.steps.iter().filter(|step| step.height() > from).try_for_each(|step| self.tell(ledger, step))
    }
}

fn schedule(ledger: &mut Ledger, changes: &BTreeMap<Height, SetChange>) {
    let tip = ledger.tip().height;
    for (height, change) in changes.iter().filter(|(height, _)| **height > tip) {
        ledger.schedule_set_change(*height, change.clone());
    }
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_seed(&[number; 32])
}

fn sender(number: u8) -> AccountId {
    key(number).public().into()
}

const fn receiver(number: u8) -> AccountId {
    AccountId([0x40 + number; 32])
}

/// A second asset, which senders hold from the start.
const COUPON: AssetId = AssetId([0xc0; 32]);

fn genesis() -> GenesisState {
    let mut entries = BTreeMap::new();
    for account in (0..SENDERS).map(sender) {
        entries.insert(StateKey::Account(account), StateValue::Account(Account::default()));
        for asset in [AssetId::NATIVE, COUPON] {
            entries.insert(StateKey::Balance(account, asset), StateValue::Balance(Amount(BALANCE)));
        }
    }
    let set = validator_set(VALIDATORS);
    GenesisState::new(CHAIN, TimestampMs(1), set, Parameters::default(), entries)
}

/// The n-th change: the same seats, one's mark set or taken away, so that nobody needs to be ready.
fn change(number: usize) -> SetChange {
    let mut seats = validator_set(VALIDATORS).validators().to_vec();
    let seat = number / 2 % seats.len();
    seats[seat].recovering = number.is_multiple_of(2);
    let set = ValidatorSet::new(seats).unwrap_or_else(|_| validator_set(VALIDATORS));
    SetChange { set, ready: List::default() }
}

/// Every entry that the chain may ever have, but parameters and validators.
pub(super) fn keys() -> BTreeSet<StateKey> {
    let mut keys = BTreeSet::new();
    for account in accounts() {
        keys.insert(StateKey::Account(account));
        keys.extend([AssetId::NATIVE, COUPON].map(|asset| StateKey::Balance(account, asset)));
    }
    let names = (0..SENDERS).flat_map(|number| (0..DATA_KEYS).map(move |name| (number, name)));
    let data = names.filter_map(|(number, name)| Some(StateKey::Data(sender(number), data_key(name).ok()?)));
    keys.extend(data);
    keys
}

/// Every account that there may ever be.
pub(super) fn accounts() -> Vec<AccountId> {
    (0..SENDERS).map(sender).chain((0..RECEIVERS).map(receiver)).collect()
}

fn data_key<const MAX: usize>(name: u64) -> Result<Bytes<MAX>, DecodeError> {
    Bytes::new(format!("entry/{name}").into_bytes())
}

/// Tells the story for the first time.
struct Writer {
    ledger: Ledger,
    random: Random,
    nonces: [Nonce; SENDERS as usize],
    story: Story,
}

impl Writer {
    /// A few blocks on each other, then their commits.
    fn burst(&mut self, plan: &Plan) -> Result<(), Failure> {
        let tip = self.ledger.tip().clone();
        let count = (1 + self.random.below(BURST_MAX)).min(plan.heights - tip.height.0);
        let mut blocks: Vec<(Block, BlockResult)> = Vec::new();
        let (mut parent, mut result) = (tip.block, tip.result);
        for _ in 0..count {
            let height = Height(tip.height.0 + 1 + blocks.len() as u64);
            let block = self.block(height, tip.epoch, parent, &result)?;
            self.rival(&block)?;
            self.step(Step::Body(block.clone()))?;
            if self.random.chance(70) {
                self.step(Step::Sync(height))?;
            }
            let executed = self.ledger.execute(&block)?;
            self.story.steps.push(Step::Execute(block.clone()));
            (parent, result) = (block.hash(), executed.result);
            blocks.push((block, result));
            if executed.ends_epoch {
                break;
            }
        }
        self.commits(&blocks, plan)
    }

    /// Commits all of a burst: some by a certificate of their own, some by that of the last one (R22).
    fn commits(&mut self, blocks: &[(Block, BlockResult)], plan: &Plan) -> Result<(), Failure> {
        for (place, (block, _)) in blocks.iter().enumerate() {
            let own = self.random.chance(50);
            let proven = if own { place } else { blocks.len() - 1 };
            let path: Vec<Header> =
                blocks[place + 1..=proven.max(place)].iter().map(|(block, _)| block.header.clone()).collect();
            let certificate = certify(&blocks[proven].0, &blocks[proven].1);
            let height = block.header.height;
            self.ledger.commit(block.hash(), List::new(path)?, certificate)?;
            self.story.truth.record(&self.ledger)?;
            self.story.steps.push(Step::Commit(height));
            if self.random.chance(plan.checkpoint_percent) {
                self.step(Step::Checkpoint(height))?;
            }
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), Failure> {
        self.story.tell(&mut self.ledger, &step)?;
        self.story.steps.push(step);
        Ok(())
    }

    /// Now and then another block at the same height, which a view drops.
    fn rival(&mut self, block: &Block) -> Result<(), Failure> {
        if !self.random.chance(20) {
            return Ok(());
        }
        let mut rival = block.clone();
        rival.header.timestamp_ms.0 += 1;
        self.step(Step::Body(rival.clone()))?;
        if self.random.chance(50) {
            self.step(Step::Execute(rival))?;
        }
        Ok(())
    }

    fn block(
        &mut self,
        height: Height,
        epoch: Epoch,
        parent: BlockHash,
        parent_result: &BlockResult,
    ) -> Result<Block, Failure> {
        let count = self.random.below(BATCH_MAX + 1);
        let transactions: Vec<_> = (0..count).map(|_| self.transaction(parent)).collect::<Result<_, _>>()?;
        let header = Header {
            version: PROTOCOL_VERSION,
            height,
            epoch,
            parent,
            timestamp_ms: TimestampMs(10 * height.0),
            transactions_root: transactions_root(&transactions),
            transaction_count: u32::try_from(transactions.len())?,
            parent_result: parent_result.hash(),
            proposer: ValidatorIndex(0),
        };
        Ok(Block { header, transactions: List::new(transactions)? })
    }

    fn transaction(&mut self, parent: BlockHash) -> Result<Transaction, Failure> {
        let number = self.random.below(SENDERS.into()) as u8;
        let count = if self.random.chance(15) { 3 } else { 1 };
        let instructions: Result<Vec<_>, _> = (0..count).map(|_| self.instruction(number, parent)).collect();
        let body = TransactionBody {
            chain: ChainTag::from(CHAIN),
            account: sender(number),
            nonce: self.nonces[usize::from(number)],
            valid_until: Height::ZERO,
            sponsor: None,
            instructions: List::new(instructions?)?,
        };
        let nonce = &mut self.nonces[usize::from(number)];
        *nonce = nonce.next();
        Ok(Transaction::sign(body, CHAIN, &[&key(number)])?)
    }

    fn instruction(&mut self, number: u8, parent: BlockHash) -> Result<Instruction, Failure> {
        let asset = if self.random.chance(70) { AssetId::NATIVE } else { COUPON };
        let to = match self.random.below(2) {
            0 => sender(self.random.below(SENDERS.into()) as u8),
            _ => receiver(self.random.below(RECEIVERS.into()) as u8),
        };
        let memo = Bytes::default();
        let amount = match self.random.below(100) {
            0..15 => return self.put_data(number),
            // All of it: the entry of the balance goes.
            15..25 => self.balance(number, asset, parent)?,
            // More than anyone has: the transaction fails.
            25..35 => Amount(1_000_000),
            _ => Amount(u128::from(1 + self.random.below(40))),
        };
        Ok(Instruction::Transfer { to, asset, amount, memo })
    }

    fn put_data(&mut self, number: u8) -> Result<Instruction, Failure> {
        let key = data_key(self.random.below(DATA_KEYS))?;
        let bytes = self.random.below(VALUE_BYTES_MAX);
        let value = (0..bytes).map(|_| self.random.next() as u8).collect();
        Ok(Instruction::PutData { namespace: sender(number), key, value: Bytes::new(value)? })
    }

    fn balance(&self, number: u8, asset: AssetId, parent: BlockHash) -> Result<Amount, Failure> {
        let reader = self.ledger.reader_at(parent).ok_or("the parent was not executed")?;
        match reader.get(&StateKey::Balance(sender(number), asset))? {
            Some(StateValue::Balance(amount)) => Ok(amount),
            _ => Ok(Amount(0)),
        }
    }
}

fn certify(block: &Block, result: &BlockResult) -> CommitCertificate {
    let vote = CommitVote {
        epoch: block.header.epoch,
        view: View(0),
        height: block.header.height,
        block: block.hash(),
        result: result.hash(),
    };
    commit_certificate(CHAIN, vote, &[0, 1, 2])
}
