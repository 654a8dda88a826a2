//! Tables of the documentation that follow from the code.

#![allow(clippy::unwrap_used, reason = "a test program")]

use quorate_chain::certificate::{CommitVote, PrepareVote, Signatures, ValidatorSignature};
use quorate_chain::codec::{List, encode};
use quorate_chain::{
    Block, BlockHash, CommitCertificate, Epoch, Header, Height, PreparedCertificate, ResultHash, Signature,
    TimestampMs, TransactionId, ValidatorIndex, View, quorum::Quorum,
};
use quorate_consensus::message::{
    Ask, AskCounter, CommitClaim, KeyCertificate, NewView, NewViewContents, Newest, NewestSigned,
    PrepareClaim, Proposal, ProposalClaim, Recall, Signed, Status, Suspect, ViewChange, ViewChangeClaims,
};
use quorate_consensus::{Message, SealedBlock};
use std::sync::Arc;

const EPOCH: Epoch = Epoch(0);
const VIEW: View = View(3);
const HEIGHT: Height = Height(9);
const BLOCK: BlockHash = BlockHash([1; 32]);
const RESULT: ResultHash = ResultHash([2; 32]);
const SIGNATURE: Signature = Signature([3; 64]);

fn signed<T>(payload: T) -> Signed<T> {
    Signed { payload, signer: ValidatorIndex(0), signature: SIGNATURE }
}

fn signatures(count: usize) -> Signatures {
    let one = |i| ValidatorSignature { validator: ValidatorIndex(i), signature: SIGNATURE };
    List::new((0..u16::try_from(count).unwrap()).map(one).collect()).unwrap()
}

fn prepare() -> PrepareVote {
    PrepareVote { epoch: EPOCH, view: VIEW, height: HEIGHT, block: BLOCK }
}

fn commit() -> CommitVote {
    CommitVote { epoch: EPOCH, view: VIEW, height: HEIGHT, block: BLOCK, result: RESULT }
}

/// The largest message of each kind that honest validators of a set of `n` send, in the table's order; a
/// proposal without transactions.
fn messages(n: usize) -> Vec<(&'static str, Message)> {
    let q = Quorum::of(n).q();
    let committed = CommitCertificate {
        epoch: EPOCH,
        view: VIEW,
        height: HEIGHT,
        block_hash: BLOCK,
        result_hash: RESULT,
        signatures: signatures(q),
    };
    let prepared = PreparedCertificate { vote: prepare(), signatures: signatures(q) };
    let claims = signed(ViewChangeClaims {
        epoch: EPOCH,
        target: View(4),
        committed: CommitClaim { view: Some(VIEW), height: HEIGHT, block: BLOCK, result: RESULT },
        prepared: Some(PrepareClaim { view: VIEW, height: HEIGHT, block: BLOCK }),
    });
    let contents = NewViewContents {
        epoch: EPOCH,
        view: View(4),
        view_changes: List::new(vec![claims.clone(); q]).unwrap(),
        key: KeyCertificate::Prepared(prepared.clone()),
        committed: Some(committed.clone()),
    };
    let new_view = Arc::new(NewView { contents, signature: SIGNATURE });
    let header = Header {
        version: 1,
        height: HEIGHT,
        epoch: EPOCH,
        parent: BLOCK,
        timestamp_ms: TimestampMs(5),
        transactions_root: quorate_chain::block::transactions_root(&[]),
        transaction_count: 0,
        parent_result: RESULT,
        proposer: ValidatorIndex(0),
    };
    let block = SealedBlock::new(Block { header, transactions: List::default() }).unwrap();
    let claim = ProposalClaim { epoch: EPOCH, view: VIEW, height: HEIGHT, block: BLOCK };
    let counter = AskCounter { start: 1, sequence: 2 };
    let recall = Recall { epoch: EPOCH, start: 1, clock: TimestampMs(5) };
    let seen = NewestSigned {
        proposal: Some(signed(claim)),
        prepare: Some(signed(prepare())),
        commit: Some(signed(commit())),
        view_change: Some(claims.clone()),
        new_view: Some(Arc::clone(&new_view)),
    };
    let status = Status { epoch: EPOCH, view: VIEW, tip: HEIGHT, tip_block: BLOCK, prepared: HEIGHT };
    let suspect = Suspect { epoch: EPOCH, view: VIEW, transaction: TransactionId([4; 32]) };
    let view_change =
        ViewChange { claims, committed: Some(committed.clone()), prepared: Some(prepared.clone()) };
    vec![
        (
            "Proposal",
            Message::Proposal(Arc::new(Proposal { epoch: EPOCH, view: VIEW, block, signature: SIGNATURE })),
        ),
        ("Prepare", Message::Prepare(signed(prepare()))),
        ("Commit", Message::Commit(signed(commit()))),
        ("Ask", Message::Ask(signed(Ask { epoch: EPOCH, target: VIEW, counter }))),
        ("Suspect", Message::Suspect(signed(suspect))),
        ("ViewChange", Message::ViewChange(Arc::new(view_change))),
        ("NewView", Message::NewView(new_view)),
        ("Status", Message::Status(signed(status))),
        ("Certificate", Message::Certificate(Arc::new(committed))),
        ("Recall", Message::Recall(signed(recall))),
        ("Newest", Message::Newest(Arc::new(signed(Newest { asker: ValidatorIndex(1), recall, seen })))),
    ]
}

/// `docs/PROTOCOL.md` names the size of every message at n = 4 and n = 100.
#[test]
fn the_sizes_of_messages_are_those_in_the_documentation() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md");
    let text = std::fs::read_to_string(path).unwrap();
    for ((name, small), (_, large)) in messages(4).into_iter().zip(messages(100)) {
        let sizes = format!(" | {} | {} | ", encode(&small).len(), encode(&large).len());
        let row = text.lines().find(|line| line.starts_with(&format!("| {name} | ")));
        assert!(row.is_some_and(|row| row.contains(&sizes)), "{name}: {sizes} in {row:?}");
    }
}

/// A reader finds the code of a rule by its number.
#[test]
fn every_rule_is_cited_where_it_is_built() {
    let folders = ["consensus/src", "chain/src"]
        .map(|folder| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(folder));
    let mut cited = String::new();
    let mut waiting = Vec::from(folders);
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if !path.iter().any(|part| part == "tests" || part == "tests.rs") {
            cited += &std::fs::read_to_string(&path).unwrap();
        }
    }
    let words: std::collections::BTreeSet<_> = cited.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    // R38 and R40 count transactions in the pool and come with it.
    let rules = (1..=48).filter(|rule| ![38, 40].contains(rule)).map(|rule| format!("R{rule}"));
    let missing: Vec<_> = rules
        .chain(["R46b".to_owned(), "R47b".to_owned()])
        .filter(|rule| !words.contains(rule.as_str()))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}
