//! A replica with a disk that can lose what was not synced, and messages of the other validators.

pub(super) use super::rig::Rig;
use crate::message::{
    Ask, AskCounter, CommitClaim, EpochContext, Message, NewView, PrepareClaim, Status, Unsigned, ViewChange,
    ViewChangeClaims,
};
use crate::record::{PersistId, Record};
use crate::replica::new_view::new_view_contents;
use crate::replica::{Effect, Input, Pending, Tip};
use crate::{Outgoing, SealedBlock};
use quorate_chain::block::transactions_root;
use quorate_chain::certificate::fixture::commit_certificate;
use quorate_chain::certificate::{CommitVote, PrepareVote, Signatures, ValidatorSignature};
use quorate_chain::codec::List;
use quorate_chain::crypto::Domain;
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{
    Block, BlockHash, ChainId, CommitCertificate, Epoch, Header, Height, PreparedCertificate, ResultHash,
    TimestampMs, TransactionId, ValidatorIndex, View,
};
use std::sync::Arc;

pub(super) const CHAIN: ChainId = ChainId([7; 32]);
pub(super) const EPOCH: Epoch = Epoch(0);
/// The transaction that waits.
pub(super) const WAITING: TransactionId = TransactionId([5; 32]);
/// Wall clock at the start of every test.
pub(super) const CLOCK: u64 = 1_000_000;
pub(super) const TIMEOUT_MS: u64 = 1000;
/// Longer than the time-out, so that most tests see no resending.
pub(super) const STATUS_MS: u64 = 5000;
pub(super) const MAX_AHEAD_MS: u64 = 100;
pub(super) const BATCH_WAIT_MS: u64 = 5;

pub(super) fn context(n: u16) -> EpochContext {
    EpochContext {
        chain: CHAIN,
        epoch: EPOCH,
        set: Arc::new(validator_set(n)),
        start_height: Height::ZERO,
        start_block: CHAIN.genesis_block(),
        start_result: result(0),
    }
}

/// Epoch 1 on top of `last`.
pub(super) fn next_context(last: &SealedBlock) -> EpochContext {
    EpochContext {
        epoch: Epoch(1),
        start_height: last.height(),
        start_block: last.hash(),
        start_result: result(last.height().0),
        ..context(4)
    }
}

pub(super) fn genesis_tip() -> Tip {
    Tip {
        height: Height::ZERO,
        block: CHAIN.genesis_block(),
        result: result(0),
        timestamp_ms: TimestampMs(0),
        certificate: None,
    }
}

/// What executing the block of a height gives.
pub(super) fn result(height: u64) -> ResultHash {
    ResultHash([height.to_le_bytes()[0]; 32])
}

/// The oldest transactions are sent to all.
pub(super) fn relayed(first: Option<TransactionId>) -> Effect {
    Effect::RelayTransactions { first }
}

/// A transaction waits.
pub(super) fn pending() -> Input {
    Input::Pending(Pending::Some { oldest: Some(WAITING), full: false })
}

fn block_on(parent: (Height, BlockHash), proposer: u16, timestamp_ms: u64) -> SealedBlock {
    let header = Header {
        version: 1,
        height: parent.0.next(),
        epoch: EPOCH,
        parent: parent.1,
        timestamp_ms: TimestampMs(timestamp_ms),
        transactions_root: transactions_root(&[]),
        transaction_count: 0,
        parent_result: result(parent.0.0),
        proposer: ValidatorIndex(proposer),
    };
    SealedBlock::new(Block { header, transactions: List::default() }).unwrap()
}

/// A first block; another time makes another block.
pub(super) fn first(proposer: u16, timestamp_ms: u64) -> SealedBlock {
    block_on((Height::ZERO, CHAIN.genesis_block()), proposer, timestamp_ms)
}

pub(super) fn child(parent: &SealedBlock, proposer: u16, timestamp_ms: u64) -> SealedBlock {
    block_on((parent.height(), parent.hash()), proposer, timestamp_ms)
}

/// `count` blocks on genesis, proposed by validator 0.
pub(super) fn blocks(count: usize) -> Vec<SealedBlock> {
    let mut blocks = vec![first(0, 1)];
    while blocks.len() < count {
        let next = child(blocks.last().unwrap(), 0, 1 + blocks.len() as u64);
        blocks.push(next);
    }
    blocks
}

pub(super) fn changed(block: &SealedBlock, change: impl FnOnce(&mut Header)) -> SealedBlock {
    let mut header = block.header().clone();
    change(&mut header);
    SealedBlock::new(Block { header, transactions: List::default() }).unwrap()
}

pub(super) fn prepare_vote(view: u64, block: &SealedBlock) -> PrepareVote {
    PrepareVote { epoch: EPOCH, view: View(view), height: block.height(), block: block.hash() }
}

pub(super) fn commit_vote(view: u64, block: &SealedBlock) -> CommitVote {
    let (height, result) = (block.height(), result(block.height().0));
    CommitVote { epoch: EPOCH, view: View(view), height, block: block.hash(), result }
}

fn signatures<T: borsh::BorshSerialize>(domain: Domain, vote: &T, signers: &[u16]) -> Signatures {
    let one = |i: &u16| ValidatorSignature {
        validator: ValidatorIndex(*i),
        signature: consensus_key(*i).sign(domain, CHAIN, vote),
    };
    List::new(signers.iter().map(one).collect()).unwrap()
}

/// P of validators 0, 1 and 2.
pub(super) fn p(view: u64, block: &SealedBlock) -> PreparedCertificate {
    p_by(view, block, &[0, 1, 2])
}

pub(super) fn p_by(view: u64, block: &SealedBlock, signers: &[u16]) -> PreparedCertificate {
    let vote = prepare_vote(view, block);
    PreparedCertificate { vote, signatures: signatures(Domain::Prepare, &vote, signers) }
}

/// C of validators 0, 1 and 2.
pub(super) fn c(view: u64, block: &SealedBlock) -> CommitCertificate {
    certificate(commit_vote(view, block), &[0, 1, 2])
}

pub(super) fn certificate(vote: CommitVote, signers: &[u16]) -> CommitCertificate {
    commit_certificate(CHAIN, vote, signers)
}

pub(super) fn certificate_message(certificate: &CommitCertificate) -> Message {
    Message::Certificate(Arc::new(certificate.clone()))
}

pub(super) fn proposal(view: u64, block: &SealedBlock) -> Unsigned {
    Unsigned::Proposal(EPOCH, View(view), block.clone())
}

pub(super) fn ask(target: u64, start: u64, sequence: u64) -> Unsigned {
    Unsigned::Ask(Ask { epoch: EPOCH, target: View(target), counter: AskCounter { start, sequence } })
}

pub(super) fn status(view: u64, tip: Option<&SealedBlock>, prepared: u64) -> Unsigned {
    Unsigned::Status(Status {
        epoch: EPOCH,
        view: View(view),
        tip: tip.map_or(Height::ZERO, SealedBlock::height),
        tip_block: tip.map_or(CHAIN.genesis_block(), SealedBlock::hash),
        prepared: Height(prepared),
    })
}

pub(super) fn claims(
    target: u64,
    committed: Option<&CommitCertificate>,
    prepared: Option<&PreparedCertificate>,
) -> ViewChangeClaims {
    let start =
        CommitClaim { view: None, height: Height::ZERO, block: CHAIN.genesis_block(), result: result(0) };
    let committed = committed.map_or(start, |c| CommitClaim {
        view: Some(c.view),
        height: c.height,
        block: c.block_hash,
        result: c.result_hash,
    });
    let prepared =
        prepared.map(|p| PrepareClaim { view: p.vote.view, height: p.vote.height, block: p.vote.block });
    ViewChangeClaims { epoch: EPOCH, target: View(target), committed, prepared }
}

pub(super) fn view_change(
    target: u64,
    committed: Option<&CommitCertificate>,
    prepared: Option<&PreparedCertificate>,
) -> Unsigned {
    Unsigned::ViewChange(claims(target, committed, prepared), committed.cloned(), prepared.cloned())
}

pub(super) fn signed(from: u16, message: Unsigned) -> Message {
    message.sign(CHAIN, ValidatorIndex(from), &consensus_key(from))
}

fn signed_view_change(from: u16, message: Unsigned) -> Arc<ViewChange> {
    let Message::ViewChange(view_change) = signed(from, message) else { panic!("not a ViewChange") };
    view_change
}

/// The NewView that the primary of `view` (of 4) makes of these ViewChanges, one of each given validator.
pub(super) fn new_view(view: u64, of: Vec<(u16, Unsigned)>) -> Arc<NewView> {
    let all: Vec<_> = of.into_iter().map(|(from, message)| signed_view_change(from, message)).collect();
    let contents = new_view_contents(View(view), &all).unwrap();
    let primary = u16::try_from(view % 4).unwrap();
    let Message::NewView(new_view) = signed(primary, Unsigned::NewView(contents)) else {
        panic!("not a NewView")
    };
    new_view
}

/// A NewView of which every ViewChange makes the same claims.
pub(super) fn new_view_of(
    view: u64,
    committed: Option<&CommitCertificate>,
    prepared: Option<&PreparedCertificate>,
) -> Arc<NewView> {
    new_view(view, (0..3).map(|from| (from, view_change(view, committed, prepared))).collect())
}

pub(super) fn sent(message: Unsigned) -> Effect {
    Effect::Broadcast(Outgoing::Own(message))
}

pub(super) fn persist(id: u64, record: Record) -> Effect {
    Effect::Persist(PersistId(id), record)
}

pub(super) fn committed(block: &SealedBlock, certificate: &CommitCertificate) -> Effect {
    Effect::Commit { block: block.clone(), certificate: certificate.clone(), path: Vec::new() }
}
