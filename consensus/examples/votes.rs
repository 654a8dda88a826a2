//! What the core costs without network and signatures: one backup commits block after block; every vote of the
//! other validators goes through [`Replica::step`]. Prints votes a second and the memory in between.
//!
//! `cargo run --release -p quorate-consensus --example votes -- [VALIDATORS] [HEIGHTS]`

#![allow(clippy::disallowed_methods, reason = "a bench needs a clock")]

use quorate_chain::block::transactions_root;
use quorate_chain::certificate::{CommitVote, PrepareVote};
use quorate_chain::codec::List;
use quorate_chain::validator::fixture::validator_set;
use quorate_chain::{
    Block, BlockHash, ChainId, Epoch, Header, Height, ResultHash, Signature, TimestampMs, ValidatorIndex,
    View,
};
use quorate_consensus::message::{EpochContext, Newest, NewestSigned, Proposal, Signed};
use quorate_consensus::{
    Config, DurableState, Effect, Input, Message, Now, Outgoing, Replica, SealedBlock, Time, Tip, Unsigned,
    Verified,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CHAIN: ChainId = ChainId([7; 32]);
const ME: ValidatorIndex = ValidatorIndex(1);
const RESULT: ResultHash = ResultHash([2; 32]);
/// Heights in flight.
const WINDOW: u64 = 8;
/// Parts of a run after which a line is printed.
const PARTS: u64 = 10;

fn signed<T>(payload: T, signer: u16) -> Signed<T> {
    Signed { payload, signer: ValidatorIndex(signer), signature: Signature([9; 64]) }
}

fn context(n: u16) -> EpochContext {
    EpochContext {
        chain: CHAIN,
        epoch: Epoch::ZERO,
        set: Arc::new(validator_set(n)),
        start_height: Height::ZERO,
        start_block: CHAIN.genesis_block(),
        start_result: RESULT,
    }
}

/// A replica, the inputs that its own effects lead to, and the time spent inside of it.
struct Bench {
    replica: Replica,
    now: Now,
    own: VecDeque<Input>,
    spent: Duration,
    votes: u64,
}

impl Bench {
    fn new(n: u16) -> Self {
        let now = Now { time: Time(0), clock: TimestampMs(1) };
        let config = Config {
            context: context(n),
            me: Some(ME),
            window: WINDOW,
            timeout_base_ms: 1_000,
            timeout_max_ms: 60_000,
            status_ms: 500,
            max_ahead_ms: 1_000,
            batch_wait_ms: 2,
            max_idle_ms: 0,
        };
        let tip = Tip {
            height: Height::ZERO,
            block: CHAIN.genesis_block(),
            result: RESULT,
            timestamp_ms: TimestampMs(0),
            certificate: None,
        };
        let (replica, effects) = Replica::start(now, config, DurableState::default(), tip, [], Vec::new());
        let mut bench = Self { replica, now, own: VecDeque::new(), spent: Duration::ZERO, votes: 0 };
        let recall = effects.iter().find_map(|effect| match effect {
            Effect::Broadcast(Outgoing::Own(Unsigned::Recall(recall))) => Some(*recall),
            _ => None,
        });
        bench.follow(effects);
        if let Some(recall) = recall {
            for from in (0..n).filter(|from| *from != ME.0) {
                let newest = Newest { asker: ME, recall, seen: NewestSigned::default() };
                bench.hear(Message::Newest(Arc::new(signed(newest, from))));
            }
        }
        bench
    }

    /// Whatever the replica wants is done at once.
    fn follow(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            let input = match effect {
                Effect::Persist(id, _) => Input::Persisted(id),
                Effect::StoreBody(block) => Input::BodyStored(block.hash()),
                Effect::Validate(block) => Input::Validated { block: block.hash(), valid: true },
                Effect::Execute(block) => {
                    Input::Executed { block: block.hash(), result: RESULT, ends_epoch: false }
                }
                Effect::Broadcast(Outgoing::Own(Unsigned::Prepare(vote))) => {
                    Input::Message(Verified::vouched(Message::Prepare(signed(vote, ME.0))))
                }
                Effect::Broadcast(Outgoing::Own(Unsigned::Commit(vote))) => {
                    Input::Message(Verified::vouched(Message::Commit(signed(vote, ME.0))))
                }
                _ => continue,
            };
            self.own.push_back(input);
        }
    }

    fn step(&mut self, input: Input) {
        let votes = matches!(&input, Input::Message(m)
            if matches!(m.get(), Message::Prepare(_) | Message::Commit(_)));
        self.votes += u64::from(votes);
        let started = Instant::now();
        let effects = self.replica.step(self.now, input);
        self.spent += started.elapsed();
        self.follow(effects);
    }

    fn hear(&mut self, message: Message) {
        self.step(Input::Message(Verified::vouched(message)));
        while let Some(own) = self.own.pop_front() {
            self.step(own);
        }
    }

    /// One block after the other, all votes of all others for each.
    fn commit(&mut self, n: u16, parent: (Height, BlockHash)) -> Option<(Height, BlockHash)> {
        self.now.time = self.now.time + 1;
        self.now.clock = self.now.clock.next();
        let header = Header {
            version: 1,
            height: parent.0.next(),
            epoch: Epoch::ZERO,
            parent: parent.1,
            timestamp_ms: self.now.clock,
            transactions_root: transactions_root(&[]),
            transaction_count: 0,
            parent_result: RESULT,
            proposer: ValidatorIndex(0),
        };
        let block = SealedBlock::new(Block { header, transactions: List::default() })?;
        let (epoch, view, height, hash) = (Epoch::ZERO, View::ZERO, block.height(), block.hash());
        let proposal = Proposal { epoch, view, block, signature: Signature([9; 64]) };
        self.hear(Message::Proposal(Arc::new(proposal)));
        for from in (0..n).filter(|from| *from != ME.0) {
            self.hear(Message::Prepare(signed(PrepareVote { epoch, view, height, block: hash }, from)));
        }
        for from in (0..n).filter(|from| *from != ME.0) {
            let vote = CommitVote { epoch, view, height, block: hash, result: RESULT };
            self.hear(Message::Commit(signed(vote, from)));
        }
        Some((height, hash))
    }
}

/// Resident memory of this process, KiB.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let n: u16 = arguments.next().map_or(Ok(4), |n| n.parse())?;
    let heights: u64 = arguments.next().map_or(Ok(1_000_000), |heights| heights.parse())?;
    let mut bench = Bench::new(n);
    let mut tip = (Height::ZERO, CHAIN.genesis_block());
    println!("{n} validators, {heights} heights");
    for part in 1..=PARTS {
        while tip.0.0 < heights * part / PARTS {
            tip = bench.commit(n, tip).ok_or("a block that does not fit its header")?;
        }
        let seconds = bench.spent.as_secs_f64();
        println!(
            "height {:>8}: {:>9.0} votes/s in the core, {:.2} µs a block, {} KiB resident",
            bench.replica.tip().height.0,
            bench.votes as f64 / seconds,
            seconds * 1e6 / tip.0.0 as f64,
            resident_kib()
        );
    }
    if bench.replica.tip().height == tip.0 { Ok(()) } else { Err("not everything was committed".into()) }
}
