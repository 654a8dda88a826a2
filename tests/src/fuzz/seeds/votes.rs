//! Messages, records and evidence.

use super::values::transactions;
use crate::forge;
use crate::fuzz::genuine::{self, CHAIN, VALIDATORS};
use borsh::BorshSerialize;
use quorate_chain::block::{PROTOCOL_VERSION, transactions_root};
use quorate_chain::certificate::{CommitVote, PrepareVote, Signatures, ValidatorSignature};
use quorate_chain::codec::List;
use quorate_chain::crypto::Domain;
use quorate_chain::{
    Block, BlockHash, CommitCertificate, Epoch, Header, Height, PreparedCertificate, ResultHash, TimestampMs,
    TransactionId, ValidatorIndex, View,
};
use quorate_consensus::message::{
    Ask, AskCounter, KeyCertificate, NewViewContents, Newest, NewestSigned, Recall, Signed, Status, Suspect,
    ViewChangeClaims,
};
use quorate_consensus::record::ViewChangeRecord;
use quorate_consensus::{DurableState, Evidence, Message, Record, SealedBlock, Unsigned};
use std::sync::Arc;

pub(super) const EPOCH: Epoch = Epoch(1);
pub(super) const VIEW: View = View(3);
pub(super) const HEIGHT: Height = Height(4);
pub(super) const BLOCK: BlockHash = BlockHash([0xb1; 32]);
pub(super) const RESULT: ResultHash = ResultHash([0xc2; 32]);

pub(super) fn signed<T: BorshSerialize>(payload: T, domain: Domain, signer: u16) -> Signed<T> {
    let signature = genuine::key(signer).sign(domain, CHAIN, &payload);
    Signed { payload, signer: ValidatorIndex(signer), signature }
}

pub(super) fn signatures<T: BorshSerialize>(vote: &T, domain: Domain) -> Signatures {
    let one = |i: u16| ValidatorSignature {
        validator: ValidatorIndex(i),
        signature: genuine::key(i).sign(domain, CHAIN, vote),
    };
    List::new((1..VALIDATORS).map(one).collect()).expect("three signatures")
}

pub(super) const fn prepare_vote(view: View) -> PrepareVote {
    PrepareVote { epoch: EPOCH, view, height: HEIGHT, block: BLOCK }
}

pub(super) const fn commit_vote(view: View) -> CommitVote {
    CommitVote { epoch: EPOCH, view, height: HEIGHT, block: BLOCK, result: RESULT }
}

pub(super) fn prepared(view: View) -> PreparedCertificate {
    let vote = prepare_vote(view);
    PreparedCertificate { vote, signatures: signatures(&vote, Domain::Prepare) }
}

pub(super) fn committed(view: View) -> CommitCertificate {
    let vote = commit_vote(view);
    CommitCertificate::new(vote, signatures(&vote, Domain::Commit))
}

/// A ViewChange for view 6 that claims nothing, a P, or a C and a P.
pub(super) fn view_change(kind: u8) -> Unsigned {
    let (committed, prepared) = ((kind == 2).then(|| committed(VIEW)), (kind > 0).then(|| prepared(VIEW)));
    forge::view_change(&genuine::context(), View(6), committed, prepared)
}

pub(super) fn claims(kind: u8) -> ViewChangeClaims {
    let Unsigned::ViewChange(claims, ..) = view_change(kind) else { unreachable!("a ViewChange") };
    claims
}

/// The NewView of view 6 of claims of one kind; its primary is validator 3.
pub(super) fn new_view(kind: u8) -> NewViewContents {
    let changes = (0..3).map(|signer| signed(claims(kind), Domain::ViewChange, signer)).collect();
    NewViewContents {
        epoch: EPOCH,
        view: View(6),
        view_changes: List::new(changes).expect("three ViewChanges"),
        key: match kind {
            0 => KeyCertificate::EpochStart,
            1 => KeyCertificate::Prepared(prepared(VIEW)),
            _ => KeyCertificate::Committed(committed(VIEW)),
        },
        committed: (kind == 2).then(|| committed(VIEW)),
    }
}

pub(super) fn block() -> Block {
    let transactions = transactions();
    let header = Header {
        version: PROTOCOL_VERSION,
        height: HEIGHT,
        epoch: EPOCH,
        parent: BLOCK,
        timestamp_ms: TimestampMs(9),
        transactions_root: transactions_root(&transactions),
        transaction_count: transactions.len() as u32,
        parent_result: RESULT,
        proposer: ValidatorIndex(0),
    };
    Block { header, transactions: List::new(transactions).expect("few transactions") }
}

pub(super) fn newest() -> Newest {
    let recall = Recall { epoch: EPOCH, start: 2, clock: TimestampMs(5) };
    let Message::NewView(new_view) = sign(Unsigned::NewView(new_view(0)), 3) else {
        unreachable!("a NewView")
    };
    let sealed = SealedBlock::new(block()).expect("a bound block");
    let Message::Proposal(proposal) = sign(Unsigned::Proposal(EPOCH, View(2), sealed), 3) else {
        unreachable!("a proposal")
    };
    let seen = NewestSigned {
        proposal: Some(proposal.signed_claim(ValidatorIndex(3))),
        prepare: Some(signed(prepare_vote(VIEW), Domain::Prepare, 3)),
        commit: Some(signed(commit_vote(VIEW), Domain::Commit, 3)),
        view_change: Some(signed(claims(0), Domain::ViewChange, 3)),
        new_view: Some(new_view),
    };
    Newest { asker: ValidatorIndex(3), recall, seen }
}

pub(super) fn sign(unsigned: Unsigned, signer: u16) -> Message {
    unsigned.sign(CHAIN, ValidatorIndex(signer), genuine::key(signer))
}

pub(super) fn messages() -> Vec<Message> {
    let counter = AskCounter { start: 1, sequence: 2 };
    let status = Status { epoch: EPOCH, view: VIEW, tip: HEIGHT, tip_block: BLOCK, prepared: Height(5) };
    let sealed = SealedBlock::new(block()).expect("a bound block");
    let others = [
        Unsigned::Proposal(EPOCH, VIEW, sealed),
        Unsigned::Prepare(prepare_vote(VIEW)),
        Unsigned::Commit(commit_vote(VIEW)),
        Unsigned::Ask(Ask { epoch: EPOCH, target: VIEW, counter }),
        Unsigned::Status(status),
        Unsigned::Suspect(Suspect { epoch: EPOCH, view: VIEW, transaction: TransactionId([7; 32]) }),
        Unsigned::Recall(Recall { epoch: EPOCH, start: 2, clock: TimestampMs(5) }),
        Unsigned::Newest(Box::new(newest())),
    ];
    let others = others.into_iter().map(|unsigned| sign(unsigned, 0));
    let changes = (0..3).map(|kind| sign(view_change(kind), 1));
    let new_views = (0..3).map(|kind| sign(Unsigned::NewView(new_view(kind)), 3));
    others.chain(changes).chain(new_views).chain([Message::Certificate(Arc::new(committed(VIEW)))]).collect()
}

pub(super) fn records() -> Vec<Record> {
    let Message::NewView(new_view) = sign(Unsigned::NewView(new_view(1)), 3) else {
        unreachable!("a NewView")
    };
    let view = new_view.contents.view;
    let change = ViewChangeRecord { claims: claims(1), committed: None, prepared: Some(prepared(VIEW)) };
    let mut records = vec![
        Record::Start(3),
        Record::Epoch(EPOCH),
        Record::Entered(new_view),
        Record::Prepare(prepare_vote(view)),
        Record::Commit(commit_vote(view), prepared(view)),
        Record::Lease(EPOCH, view, Height(70)),
        Record::ViewChange(change),
    ];
    let mut state = DurableState::default();
    records.iter().for_each(|record| state.apply(record.clone()));
    records.push(Record::Snapshot(Box::new(state.clone())));
    records.push(Record::Snapshot(Box::new(state.next_epoch(Epoch(2)))));
    records.push(Record::Lost);
    records
}

pub(super) fn evidence() -> Vec<Evidence> {
    let other = BlockHash([0xee; 32]);
    let prepares = (prepare_vote(VIEW), PrepareVote { block: other, ..prepare_vote(VIEW) });
    let commits = (commit_vote(VIEW), CommitVote { result: ResultHash([1; 32]), ..commit_vote(VIEW) });
    let messages = [0, 1].map(|kind| sign(Unsigned::NewView(new_view(kind)), 3));
    let [Message::NewView(first), Message::NewView(second)] = messages else { unreachable!("two NewViews") };
    let changes = [0, 1].map(|kind| signed(claims(kind), Domain::ViewChange, 2));
    vec![
        Evidence::Prepares(signed(prepares.0, Domain::Prepare, 2), signed(prepares.1, Domain::Prepare, 2)),
        Evidence::Commits(signed(commits.0, Domain::Commit, 2), signed(commits.1, Domain::Commit, 2)),
        Evidence::ViewChanges(Box::new(changes.into())),
        Evidence::NewViews(ValidatorIndex(3), first, second),
    ]
}
