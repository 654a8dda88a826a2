//! What a validator must remember having signed, and what it keeps against others: `tests/vectors/records.json`.

use crate::{
    CHAIN, EPOCH, HEIGHT, NEXT, PRIMARY, RESULT, VIEW, block, claims, committed, file, prepared, signed,
};
use crate::{bare_claims, hex, new_view, signed_claims};
use quorate_chain::certificate::{CommitVote, PrepareVote, ValidatorSignature};
use quorate_chain::codec::{List, encode};
use quorate_chain::crypto::Domain;
use quorate_chain::ledger::journal::{Disk, Journal, MemDisk, Options, Owner};
use quorate_chain::validator::fixture::{consensus_key, validator_set};
use quorate_chain::{Block, BlockHash, Epoch, Height, PreparedCertificate, ResultHash, ValidatorIndex};
use quorate_consensus::message::{NewView, NewViewContents, Signed};
use quorate_consensus::record::ViewChangeRecord;
use quorate_consensus::{DurableState, EpochContext, Evidence, Message, Record, SealedBlock, Unsigned};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// The vote record's id.
const RECORD: [u8; 16] = *b"a vote record id";
const FOLDER: &str = "/votes";
const OPTIONS: Options = Options { segment_bytes: 16 * 1024, record_bytes_max: 15 * 1024 };

/// A record of every kind. One without an arm does not compile, one without a vector fails the check.
const fn kind(record: &Record) -> &'static str {
    match record {
        Record::Start(_) => "start",
        Record::Entered(_) => "entered",
        Record::Prepare(_) => "prepare",
        Record::Commit(..) => "commit",
        Record::ViewChange(_) => "view_change",
        Record::Lease(..) => "lease",
        Record::Snapshot(_) => "snapshot",
        Record::Epoch(_) => "epoch",
        Record::Lost => "lost",
        Record::Released => "released",
    }
}

fn entered(contents: NewViewContents) -> Arc<NewView> {
    match signed(NEXT, Unsigned::NewView(contents)) {
        Message::NewView(new_view) => new_view,
        other => panic!("{other:?}"),
    }
}

/// A validator's life: two epochs, a view change, votes in the new view, and then nothing more.
fn records() -> Vec<Record> {
    let view = VIEW.next();
    let prepare = PrepareVote { epoch: EPOCH, view, height: HEIGHT, block: block().hash() };
    let commit = CommitVote { epoch: EPOCH, view, height: HEIGHT, block: block().hash(), result: RESULT };
    let signatures = [0, 1, 2].map(|i| ValidatorSignature {
        validator: ValidatorIndex(i),
        signature: consensus_key(i).sign(Domain::Prepare, CHAIN, &prepare),
    });
    let later = PreparedCertificate { vote: prepare, signatures: List::new(signatures.to_vec()).unwrap() };
    let change =
        ViewChangeRecord { claims: claims(), committed: Some(committed()), prepared: Some(prepared()) };
    let mut records = vec![
        Record::Start(2),
        Record::Epoch(EPOCH),
        Record::ViewChange(change),
        Record::Entered(entered(new_view())),
        Record::Lease(EPOCH, view, HEIGHT),
        Record::Prepare(prepare),
        // Of a view that was left, and of an epoch that never was.
        Record::Prepare(prepared().vote),
        Record::Lease(Epoch(9), view, Height(900)),
        Record::Commit(commit, later),
    ];
    let mut state = DurableState::default();
    records.iter().cloned().for_each(|record| state.apply(record));
    records.push(Record::Snapshot(Box::new(state.clone())));
    for record in [Record::Released, Record::Lost, Record::Start(3)] {
        state.apply(record.clone());
        records.push(record);
    }
    records.push(Record::Snapshot(Box::new(state)));
    records
}

/// The journal's file without the zeros at its end.
fn journal(records: &[Record]) -> Value {
    let disk = MemDisk::new(4_711);
    let (mut journal, _) =
        Journal::open(Arc::new(disk.clone()), Path::new(FOLDER), Owner::Votes(RECORD), OPTIONS).unwrap();
    for record in records {
        journal.append(1, &encode(record)).unwrap();
        journal.sync().unwrap();
    }
    let names = disk.list(Path::new(FOLDER)).unwrap();
    let name = names.iter().find(|name| name.ends_with(".journal")).unwrap();
    let mut bytes = disk.contents(&Path::new(FOLDER).join(name)).unwrap();
    let length = bytes.len();
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1);
    json!([{ "file": name, "length": length, "bytes": hex(bytes) }])
}

fn evidence() -> Vec<(&'static str, Evidence)> {
    let proposal = |block| match signed(PRIMARY, Unsigned::Proposal(EPOCH, VIEW, block)) {
        Message::Proposal(proposal) => proposal.signed_claim(PRIMARY),
        other => panic!("{other:?}"),
    };
    let mut other = Block::clone(block().block());
    other.header.timestamp_ms.0 += 1;
    let other = SealedBlock::new(other).unwrap();
    let prepare = |view, block| Signed {
        payload: PrepareVote { epoch: EPOCH, view, height: HEIGHT, block },
        signer: ValidatorIndex(1),
        signature: consensus_key(1).sign(
            Domain::Prepare,
            CHAIN,
            &PrepareVote { epoch: EPOCH, view, height: HEIGHT, block },
        ),
    };
    let commit = |result| {
        let payload = CommitVote { epoch: EPOCH, view: VIEW, height: HEIGHT, block: block().hash(), result };
        let signature = consensus_key(2).sign(Domain::Commit, CHAIN, &payload);
        Signed { payload, signer: ValidatorIndex(2), signature }
    };
    let changes = Box::new((signed_claims(1, claims()), signed_claims(1, bare_claims())));
    let mut unlike = new_view();
    unlike.committed = Some(committed());
    let (one, two) = (prepare(VIEW, BlockHash([1; 32])), prepare(VIEW, BlockHash([2; 32])));
    let mut forged = two.clone();
    forged.signature.0[7] ^= 1;
    vec![
        ("two proposals", Evidence::Proposals(proposal(block()), proposal(other))),
        ("two prepares", Evidence::Prepares(one.clone(), two)),
        ("two commits", Evidence::Commits(commit(RESULT), commit(ResultHash([0xc3; 32])))),
        ("two view changes", Evidence::ViewChanges(changes)),
        ("two new views", Evidence::NewViews(NEXT, entered(new_view()), entered(unlike))),
        ("one payload", Evidence::Prepares(one.clone(), one.clone())),
        ("two slots", Evidence::Prepares(one.clone(), prepare(VIEW.next(), BlockHash([2; 32])))),
        ("a signature does not hold", Evidence::Prepares(one, forged)),
    ]
}

#[test]
fn votes_and_evidence() {
    let (records, set) = (records(), validator_set(4));
    let keys: Vec<_> = set.validators().iter().map(|seat| json!({ "consensus": seat.consensus })).collect();
    let context = EpochContext {
        chain: CHAIN,
        epoch: EPOCH,
        set: Arc::new(set),
        start_height: Height(4),
        start_block: BlockHash([0xb0; 32]),
        start_result: ResultHash([0xc1; 32]),
    };
    let evidence = evidence().into_iter().map(|(name, evidence)| {
        let accused = evidence.verify(&context).ok();
        // Why it shows nothing, if that is so.
        let nothing = accused.is_none().then_some(name);
        json!({ "name": name, "accused": accused, "nothing": nothing, "epoch": EPOCH, "bytes": hex(encode(&evidence)) })
    });
    let made = json!({
        "chain": CHAIN,
        "validators": keys,
        "record": hex(RECORD.to_vec()),
        "kinds": records.iter().map(kind).collect::<Vec<_>>(),
        "journal": journal(&records),
        "evidence": evidence.collect::<Vec<_>>(),
    });
    file::check("records", &made);
}
