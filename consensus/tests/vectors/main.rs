//! Golden vectors of what replicas say to each other, `tests/vectors/messages.json`, and write down. See
//! `chain/tests/vectors/main.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test program")]

#[path = "../../../chain/tests/vectors/file.rs"]
mod file;
mod records;

use quorate_chain::block::{PROTOCOL_VERSION, transactions_root};
use quorate_chain::certificate::fixture::commit_certificate;
use quorate_chain::certificate::{CommitVote, PrepareVote, ValidatorSignature};
use quorate_chain::codec::{List, encode};
use quorate_chain::crypto::Domain;
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{
    Block, ChainId, CommitCertificate, Epoch, Header, Height, PreparedCertificate, ResultHash, TimestampMs,
    TransactionId, ValidatorIndex, View,
};
use quorate_consensus::message::{
    Ask, AskCounter, CommitClaim, KeyCertificate, NewViewContents, Newest, NewestSigned, PrepareClaim,
    Recall, Signed, SignedViewChange, Status, Suspect, ViewChangeClaims,
};
use quorate_consensus::{Message, SealedBlock, Unsigned};
use serde_json::json;
use std::sync::Arc;

const CHAIN: ChainId = ChainId([0x51; 32]);
const EPOCH: Epoch = Epoch(1);
const VIEW: View = View(2);
const HEIGHT: Height = Height(5);
const RESULT: ResultHash = ResultHash([0xc2; 32]);
/// Who leads view 2 of epoch 1, and the next one.
const PRIMARY: ValidatorIndex = ValidatorIndex(3);
const NEXT: ValidatorIndex = ValidatorIndex(0);

fn hex(bytes: Vec<u8>) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn block() -> SealedBlock {
    let header = Header {
        version: PROTOCOL_VERSION,
        height: HEIGHT,
        epoch: EPOCH,
        parent: quorate_chain::BlockHash([0xb0; 32]),
        timestamp_ms: TimestampMs(1_700_000_000_005),
        transactions_root: transactions_root(&[]),
        transaction_count: 0,
        parent_result: ResultHash([0xc1; 32]),
        proposer: PRIMARY,
    };
    SealedBlock::new(Block { header, transactions: List::default() }).unwrap()
}

fn prepare() -> PrepareVote {
    PrepareVote { epoch: EPOCH, view: VIEW, height: HEIGHT, block: block().hash() }
}

fn commit() -> CommitVote {
    CommitVote { epoch: EPOCH, view: VIEW, height: HEIGHT, block: block().hash(), result: RESULT }
}

fn prepared() -> PreparedCertificate {
    let signatures = [0, 1, 3].map(|i| ValidatorSignature {
        validator: ValidatorIndex(i),
        signature: consensus_key(i).sign(Domain::Prepare, CHAIN, &prepare()),
    });
    PreparedCertificate { vote: prepare(), signatures: List::new(signatures.to_vec()).unwrap() }
}

fn committed() -> CommitCertificate {
    commit_certificate(CHAIN, commit(), &[0, 1, 2])
}

fn claims() -> ViewChangeClaims {
    let CommitVote { height, block, result, .. } = commit();
    ViewChangeClaims {
        epoch: EPOCH,
        target: VIEW.next(),
        committed: CommitClaim { view: Some(VIEW), height, block, result },
        prepared: Some(PrepareClaim { view: VIEW, height, block }),
    }
}

/// Of a replica that has seen nothing of its epoch.
fn bare_claims() -> ViewChangeClaims {
    let start = CommitClaim {
        view: None,
        height: Height(4),
        block: quorate_chain::BlockHash([0xb0; 32]),
        result: ResultHash([0xc1; 32]),
    };
    ViewChangeClaims { committed: start, prepared: None, ..claims() }
}

fn signed_claims(signer: u16, payload: ViewChangeClaims) -> SignedViewChange {
    let signature = consensus_key(signer).sign(Domain::ViewChange, CHAIN, &payload);
    Signed { payload, signer: ValidatorIndex(signer), signature }
}

fn new_view() -> NewViewContents {
    let claims =
        vec![signed_claims(0, claims()), signed_claims(1, claims()), signed_claims(2, bare_claims())];
    NewViewContents {
        epoch: EPOCH,
        view: VIEW.next(),
        view_changes: List::new(claims).unwrap(),
        key: KeyCertificate::Committed(committed()),
        committed: None,
    }
}

fn recall() -> Recall {
    Recall { epoch: EPOCH, start: 6, clock: TimestampMs(1_700_000_000_009) }
}

fn signed(signer: ValidatorIndex, unsigned: Unsigned) -> Message {
    unsigned.sign(CHAIN, signer, &consensus_key(signer.0))
}

fn newest() -> Newest {
    let mut seen = NewestSigned::default();
    let parts = [
        signed(PRIMARY, Unsigned::Proposal(EPOCH, VIEW, block())),
        signed(PRIMARY, Unsigned::Prepare(prepare())),
        signed(PRIMARY, Unsigned::Commit(commit())),
    ];
    for part in parts {
        match part {
            Message::Proposal(proposal) => seen.proposal = Some(proposal.signed_claim(PRIMARY)),
            Message::Prepare(vote) => seen.prepare = Some(vote),
            Message::Commit(vote) => seen.commit = Some(vote),
            _ => {}
        }
    }
    seen.view_change = Some(signed_claims(PRIMARY.0, claims()));
    Newest { asker: PRIMARY, recall: recall(), seen }
}

/// A message of every kind. One without an arm does not compile, one without a vector fails the test.
fn name(message: &Message) -> &'static str {
    match message {
        Message::Proposal(_) => "proposal",
        Message::Prepare(_) => "prepare",
        Message::Commit(_) => "commit",
        Message::Ask(_) => "ask",
        Message::ViewChange(_) => "view_change",
        Message::NewView(_) => "new_view",
        Message::Status(_) => "status",
        Message::Certificate(_) => "certificate",
        Message::Suspect(_) => "suspect",
        Message::Recall(_) => "recall",
        Message::Newest(_) => "newest",
    }
}

/// In the order of their numbers.
fn messages() -> [Message; 11] {
    let ask = Ask { epoch: EPOCH, target: VIEW.next(), counter: AskCounter { start: 6, sequence: 7 } };
    let status = Status {
        epoch: EPOCH,
        view: VIEW,
        tip: Height(4),
        tip_block: block().header().parent,
        prepared: HEIGHT,
    };
    let suspect = Suspect { epoch: EPOCH, view: VIEW, transaction: TransactionId([0xaa; 32]) };
    [
        signed(PRIMARY, Unsigned::Proposal(EPOCH, VIEW, block())),
        signed(ValidatorIndex(1), Unsigned::Prepare(prepare())),
        signed(ValidatorIndex(1), Unsigned::Commit(commit())),
        signed(ValidatorIndex(1), Unsigned::Ask(ask)),
        signed(ValidatorIndex(1), Unsigned::ViewChange(claims(), Some(committed()), Some(prepared()))),
        signed(NEXT, Unsigned::NewView(new_view())),
        signed(ValidatorIndex(2), Unsigned::Status(status)),
        Message::Certificate(Arc::new(committed())),
        signed(ValidatorIndex(2), Unsigned::Suspect(suspect)),
        signed(PRIMARY, Unsigned::Recall(recall())),
        signed(ValidatorIndex(2), Unsigned::Newest(Box::new(newest()))),
    ]
}

#[test]
fn every_message() {
    let set = validator_set(4);
    assert_eq!((set.primary(EPOCH, VIEW), set.primary(EPOCH, VIEW.next())), (PRIMARY, NEXT));
    let messages = messages();
    let numbers: Vec<_> = messages.iter().map(|message| encode(message)[0]).collect();
    assert_eq!(numbers, (1..=11).collect::<Vec<_>>());
    let shown = messages.map(|message| {
        let signer = if let Message::Certificate(_) = message { None } else { Some(signer_of(&message)) };
        json!({ "name": name(&message), "signer": signer, "bytes": hex(encode(&message)) })
    });
    let keys: Vec<_> = set.validators().iter().map(|seat| json!({ "consensus": seat.consensus })).collect();
    file::check("messages", &json!({ "chain": CHAIN, "validators": keys, "messages": shown }));
}

/// The seat whose key the message was signed with, as written above.
fn signer_of(message: &Message) -> ValidatorIndex {
    match message {
        Message::Proposal(_) => PRIMARY,
        Message::NewView(_) => NEXT,
        Message::Prepare(vote) => vote.signer,
        Message::Commit(vote) => vote.signer,
        Message::Ask(ask) => ask.signer,
        Message::ViewChange(view_change) => view_change.claims.signer,
        Message::Status(status) => status.signer,
        Message::Suspect(suspect) => suspect.signer,
        Message::Recall(recall) => recall.signer,
        Message::Newest(newest) => newest.signer,
        Message::Certificate(_) => panic!("many signed it"),
    }
}
