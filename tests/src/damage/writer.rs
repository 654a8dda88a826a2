//! A story told for the first time, to a ledger in memory that nothing happens to.

use super::actors::{
    CHAIN, COUPON, DATA_KEYS, RECEIVERS, SENDERS, change, data_key, genesis, key, receiver, sender,
};
use super::story::{Failure, Plan, Step, Story};
use super::truth::Truth;
use crate::sim::Random;
use quorate_chain::block::{PROTOCOL_VERSION, transactions_root};
use quorate_chain::certificate::fixture::commit_certificate;
use quorate_chain::codec::{Bytes, List};
use quorate_chain::ledger::fixture::commit_vote;
use quorate_chain::ledger::journal::MemDisk;
use quorate_chain::ledger::{Ledger, MemoryStore};
use quorate_chain::state::{StateKey, StateReader, StateValue};
use quorate_chain::{
    AccountId, Amount, AssetId, Block, BlockHash, BlockResult, Epoch, Header, Height, Instruction, Nonce,
    TimestampMs, Transaction, TransactionBody, ValidatorIndex,
};
use std::path::Path;
use std::sync::Arc;

/// Most heights that are executed before the first of them is committed.
const BURST_MAX: u64 = 4;
/// Most transactions of a block.
const BATCH_MAX: u64 = 5;
/// Longest value of a data entry: several sectors.
const VALUE_BYTES_MAX: u64 = 2_400;
/// Most entries that are written behind at once: less than a block's mostly.
const SLICE_ENTRIES_MAX: u64 = 24;
/// Most steps of a scrub in a row.
const SCRUB_STEPS_MAX: u64 = 12;

impl Story {
    /// Writes a story.
    ///
    /// # Errors
    /// When the ledger refuses what the plan makes; that is a mistake here or there.
    pub fn write(plan: Plan) -> Result<Self, Failure> {
        let genesis = genesis()?;
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
        writer.story.prepare(&mut writer.ledger);
        while writer.ledger.tip().height.0 < plan.heights {
            writer.burst(&plan)?;
        }
        Ok(writer.story)
    }
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
            let vote = commit_vote(&blocks[proven].0.header, blocks[proven].1.hash());
            let certificate = commit_certificate(CHAIN, vote, &[0, 1, 2]);
            let height = block.header.height;
            self.ledger.commit(block.hash(), List::new(path)?, certificate)?;
            self.story.truth.record(&self.ledger)?;
            self.story.steps.push(Step::Commit(height));
            self.between_commits(height, plan)?;
        }
        Ok(())
    }

    /// What a ledger's own threads do meanwhile.
    fn between_commits(&mut self, height: Height, plan: &Plan) -> Result<(), Failure> {
        while self.random.chance(50) {
            let entries = 1 + self.random.below(SLICE_ENTRIES_MAX) as usize;
            self.step(Step::Write(height, entries))?;
        }
        if self.random.chance(15) {
            let steps = 1 + self.random.below(SCRUB_STEPS_MAX) as usize;
            self.step(Step::Scrub(height, steps))?;
        }
        if self.random.chance(plan.checkpoint_percent) {
            self.step(Step::Checkpoint(height))?;
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
        let nonce = self.nonces[usize::from(number)];
        let body = TransactionBody::new(CHAIN, sender(number), nonce, instructions?)?;
        let nonce = &mut self.nonces[usize::from(number)];
        *nonce = nonce.next();
        Ok(Transaction::sign(body, CHAIN, &[&key(number)])?)
    }

    fn instruction(&mut self, number: u8, parent: BlockHash) -> Result<Instruction, Failure> {
        let asset = if self.random.chance(70) { AssetId::NATIVE } else { COUPON };
        let to = self.anyone();
        let memo = Bytes::default();
        let amount = match self.random.below(100) {
            0..15 => return self.data(number),
            15..20 => return Ok(self.supply(number)),
            // All of it: the entry of the balance goes.
            20..27 => self.balance(number, asset, parent)?,
            // More than anyone has: the transaction fails.
            27..35 => Amount(1_000_000),
            _ => Amount(u128::from(1 + self.random.below(40))),
        };
        Ok(Instruction::Transfer { to, asset, amount, memo })
    }

    /// Writes an entry, or removes one, which fails if there is none.
    fn data(&mut self, number: u8) -> Result<Instruction, Failure> {
        let (namespace, key) = (sender(number), data_key(self.random.below(DATA_KEYS))?);
        if self.random.chance(20) {
            return Ok(Instruction::DeleteData { namespace, key });
        }
        let bytes = self.random.below(VALUE_BYTES_MAX);
        let value = (0..bytes).map(|_| self.random.next() as u8).collect();
        Ok(Instruction::PutData { namespace, key, value: Bytes::new(value)? })
    }

    /// More or less of the second asset; only its issuer makes more.
    fn supply(&mut self, number: u8) -> Instruction {
        let amount = Amount(u128::from(1 + self.random.below(40)));
        match self.random.below(2) {
            0 => Instruction::Mint { asset: COUPON, to: self.anyone(), amount },
            _ if number.is_multiple_of(2) => Instruction::Burn { asset: COUPON, amount },
            _ => Instruction::FreezeHolder {
                asset: COUPON,
                holder: self.anyone(),
                frozen: amount.0.is_multiple_of(3),
            },
        }
    }

    fn anyone(&mut self) -> AccountId {
        match self.random.below(2) {
            0 => sender(self.random.below(SENDERS.into()) as u8),
            _ => receiver(self.random.below(RECEIVERS.into()) as u8),
        }
    }

    fn balance(&self, number: u8, asset: AssetId, parent: BlockHash) -> Result<Amount, Failure> {
        let reader = self.ledger.reader_at(parent).ok_or("the parent was not executed")?;
        let key = match asset {
            AssetId::NATIVE => StateKey::Account(sender(number)),
            asset => StateKey::Balance(sender(number), asset),
        };
        match reader.get(&key)? {
            Some(StateValue::Account(account)) => Ok(account.balance),
            Some(StateValue::Balance(holding)) => Ok(holding.amount),
            _ => Ok(Amount(0)),
        }
    }
}
