//! Export and import: nothing is lost, nothing forged gets in, and what was stopped goes on.

use super::*;
use crate::ledger::tools::{
    ARCHIVE_RECORD_BYTES_MAX, ArchiveFault, ArchiveReader, ArchiveWriter, ArchivedBlock, Range, Stage,
    ToolError, export, import, resume_export,
};
use crate::validator::SetChange;
use std::io::{Read, Seek};
use std::ops::ControlFlow;

/// The validators change here, and the epoch with them.
const CHANGE: Height = Height(4);

fn go_on(_: Stage, _: u64, _: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// A change that nobody joins by.
fn change() -> SetChange {
    let mut seats = validator_set(4).validators().to_vec();
    seats[0].recovering = true;
    SetChange { set: ValidatorSet::new(seats).unwrap(), ready: List::default() }
}

/// An empty ledger that knows of the change.
fn empty(seed: u64) -> Opened {
    let mut opened = memory(&MemDisk::new(seed), &MemoryStore::default()).unwrap();
    opened.ledger.schedule_set_change(CHANGE, change());
    opened
}

/// Eight blocks, two epochs; the second block is proven by its child's certificate (R22).
pub(super) fn chain(ledger: &mut Ledger) {
    ledger.schedule_set_change(CHANGE, change());
    commit_next(ledger).unwrap();
    let tip = ledger.tip().clone();
    let second = block(2, tip.block, &tip.result);
    let second_result = ledger.execute(&second).unwrap().result;
    let third = block(3, second.hash(), &second_result);
    let third_result = ledger.execute(&third).unwrap().result;
    let path = List::new(vec![third.header.clone()]).unwrap();
    ledger.commit(second.hash(), path, certify(&third, &third_result)).unwrap();
    ledger.commit(third.hash(), List::default(), certify(&third, &third_result)).unwrap();
    for _ in 4..=8 {
        commit_next(ledger).unwrap();
    }
    assert_eq!((ledger.tip().height, ledger.tip().epoch), (Height(8), Epoch(1)));
}

fn source() -> Opened {
    let mut opened = empty(60);
    chain(&mut opened.ledger);
    opened
}

fn exported(opened: &Opened, range: Range) -> Vec<u8> {
    let mut bytes = Vec::new();
    let done = export(&opened.reader, &genesis(), &mut bytes, range, &mut go_on).unwrap();
    assert_eq!(done.bytes, bytes.len() as u64);
    bytes
}

fn heights(from: u64, to: u64) -> Range {
    Range { from: Some(Height(from)), to: Some(Height(to)) }
}

fn blocks(archive: &[u8]) -> Vec<ArchivedBlock> {
    let mut reader = ArchiveReader::open(archive).unwrap();
    std::iter::from_fn(|| reader.next_block().unwrap()).collect()
}

fn written(first: u64, blocks: &[ArchivedBlock]) -> Vec<u8> {
    let mut writer = ArchiveWriter::begin(Vec::new(), CHAIN, Height(first)).unwrap();
    blocks.iter().for_each(|block| writer.block(block).unwrap());
    writer.end().unwrap()
}

#[test]
fn an_imported_ledger_is_the_exported_one() {
    let source = source();
    let archive = exported(&source, Range::default());
    assert_eq!(written(1, &blocks(&archive)), archive);
    let mut copy = empty(61);
    let done = import(&mut copy.ledger, archive.as_slice(), 0, &mut go_on).unwrap();
    assert_eq!((done.committed, done.skipped, done.transactions, done.tip), (8, 0, 24, Height(8)));
    assert_eq!(summary(&copy), summary(&source));
    let again = import(&mut copy.ledger, archive.as_slice(), 0, &mut go_on).unwrap();
    assert_eq!((again.committed, again.skipped), (0, 8));
    assert_eq!(exported(&copy, Range::default()), archive);
}

#[test]
fn a_part_fits_where_it_belongs_and_nowhere_else() {
    let source = source();
    let [first, second, last] = [(1, 3), (3, 6), (7, 8)].map(|(f, t)| exported(&source, heights(f, t)));
    let mut copy = empty(62);
    let early = import(&mut copy.ledger, second.as_slice(), 0, &mut go_on);
    assert!(matches!(early, Err(ToolError::Gap { first: Height(3), next: Height(1) })));
    for (part, skipped, tip) in [(&first, 0, 3), (&second, 1, 6), (&last, 0, 8)] {
        let done = import(&mut copy.ledger, part.as_slice(), 0, &mut go_on).unwrap();
        assert_eq!((done.skipped, done.tip), (skipped, Height(tip)));
    }
    assert_eq!(summary(&copy), summary(&source));
    for (from, to) in [(0, 3), (3, 9), (7, 5), (10, 10)] {
        let refused = export(&source.reader, &genesis(), Vec::new(), heights(from, to), &mut go_on);
        assert!(matches!(refused, Err(ToolError::Heights { .. })), "{from} to {to}");
    }
    let nothing = exported(&empty(63), Range::default());
    assert_eq!(import(&mut copy.ledger, nothing.as_slice(), 0, &mut go_on).unwrap().skipped, 0);
}

#[test]
fn what_is_cut_short_or_stopped_goes_on() {
    let source = source();
    let archive = exported(&source, Range::default());
    let mut copy = empty(64);
    let mut seen = Height(0);
    for length in (0..archive.len()).step_by(211).chain([archive.len() - 1]) {
        let cut = import(&mut copy.ledger, &archive[..length], 0, &mut go_on);
        let fault = match cut {
            Err(ToolError::Archive(error)) => error.fault,
            other => panic!("{length}: {other:?}"),
        };
        assert!(matches!(fault, ArchiveFault::Cut), "{length}: {fault:?}");
        assert!(copy.ledger.tip().height >= seen, "what was committed stays");
        seen = copy.ledger.tip().height;

        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &archive[..length]).unwrap();
        let done =
            resume_export(&source.reader, &genesis(), &mut file, Range::default(), &mut go_on).unwrap();
        assert_eq!(done.kept + done.written, 8);
        file.rewind().unwrap();
        let mut resumed = Vec::new();
        file.read_to_end(&mut resumed).unwrap();
        assert_eq!(resumed, archive, "cut at {length}");
    }
    assert_eq!(seen, Height(8));
    assert_eq!(summary(&copy), summary(&source));
}

#[test]
fn a_stop_leaves_whole_blocks() {
    let source = source();
    let archive = exported(&source, Range::default());
    let mut file = tempfile::tempfile().unwrap();
    let mut copy = empty(65);
    for steps in [2, 3, 4, 5, 6, 7, 9, 20] {
        let mut left = steps;
        let mut stop = |_: Stage, _: u64, _: u64| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let done = resume_export(&source.reader, &genesis(), &mut file, Range::default(), &mut stop);
        assert!(matches!(done, Ok(_) | Err(ToolError::Interrupted)), "{done:?}");
        let mut left = steps;
        let mut stop = |_: Stage, _: u64, _: u64| {
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let done = import(&mut copy.ledger, archive.as_slice(), 0, &mut stop);
        assert!(matches!(done, Ok(_) | Err(ToolError::Interrupted)), "{done:?}");
        file.rewind().unwrap();
        let mut written = Vec::new();
        file.read_to_end(&mut written).unwrap();
        assert!(archive.starts_with(&written), "after {steps} steps");
    }
    resume_export(&source.reader, &genesis(), &mut file, Range::default(), &mut go_on).unwrap();
    assert_eq!(file.metadata().unwrap().len(), archive.len() as u64);
    assert_eq!(summary(&copy), summary(&source));
}

#[test]
fn no_changed_bit_gets_in() {
    let source = source();
    let archive = exported(&source, heights(1, 3));
    let whole: Vec<_> = blocks(&archive).iter().map(|one| one.block.hash()).collect();
    for at in (0..archive.len()).step_by(37) {
        let mut damaged = archive.clone();
        damaged[at] ^= 1 << (at % 8);
        let mut copy = empty(66);
        let refused = import(&mut copy.ledger, damaged.as_slice(), 0, &mut go_on);
        assert!(refused.is_err(), "byte {at}");
        let tip = copy.ledger.tip();
        let known = [&[CHAIN.genesis_block()], whole.as_slice()].concat();
        assert_eq!(known[tip.height.0 as usize], tip.block, "byte {at}");
    }
}

/// Every checksum is right, as its writer is the forger.
#[test]
fn no_forged_block_gets_in() {
    let source = source();
    let honest = blocks(&exported(&source, Range::default()));
    let forge = |change: fn(&mut ArchivedBlock)| {
        let mut blocks = honest.clone();
        change(&mut blocks[5]);
        blocks
    };
    let forgeries: [(&str, Vec<ArchivedBlock>); 7] = [
        (
            "a vote too few",
            forge(|one| {
                let signatures = one.certificate.signatures.to_vec();
                one.certificate.signatures = List::new(signatures[..2].to_vec()).unwrap();
            }),
        ),
        (
            "another signature",
            forge(|one| {
                let mut signatures = one.certificate.signatures.to_vec();
                signatures[1].signature.0[0] ^= 1;
                one.certificate.signatures = List::new(signatures).unwrap();
            }),
        ),
        (
            "another transaction",
            forge(|one| {
                let mut transactions = one.block.transactions.to_vec();
                transactions[0] = transfer(7, 0, 8);
                one.block.transactions = List::new(transactions).unwrap();
            }),
        ),
        ("another block", forge(|one| one.block.header.timestamp_ms.0 += 1)),
        ("another result", forge(|one| one.result.state_root = StateRoot([9; 32]))),
        (
            "another epoch",
            forge(|one| {
                one.block.header.epoch = Epoch(0);
                one.certificate = certify(&one.block, &one.result);
            }),
        ),
        (
            "a certified lie about the state",
            forge(|one| {
                one.result.state_root = StateRoot([9; 32]);
                one.certificate = certify(&one.block, &one.result);
            }),
        ),
    ];
    for (what, forged) in &forgeries {
        let mut copy = empty(67);
        let refused = import(&mut copy.ledger, written(1, forged).as_slice(), 0, &mut go_on).unwrap_err();
        let at = match &refused {
            ToolError::Refused { record, height, .. } => (*record, *height),
            ToolError::Import { record, height, source: LedgerError::Diverged { .. }, .. } => {
                assert!(what.contains("lie"), "{what}: {refused}");
                (*record, *height)
            }
            other => panic!("{what}: {other}"),
        };
        assert_eq!((at, copy.ledger.tip().height), ((5, Height(6)), Height(5)), "{what}");
        // The refusal left nothing behind: the honest one is taken.
        import(&mut copy.ledger, written(1, &honest).as_slice(), 0, &mut go_on).unwrap();
        assert_eq!(summary(&copy), summary(&source), "{what}");
    }
}

#[test]
fn another_chain_or_branch_is_refused() {
    let mut source = source();
    let honest = blocks(&exported(&source, Range::default()));
    let foreign = ArchiveWriter::begin(Vec::new(), ChainId([8; 32]), Height(1)).unwrap().end().unwrap();
    let refused = import(&mut source.ledger, foreign.as_slice(), 0, &mut go_on);
    assert!(matches!(refused, Err(ToolError::OtherChain { .. })));
    let mut branch = honest.clone();
    branch[7].block.header.timestamp_ms.0 += 1;
    for forged in [written(1, &branch), written(1, &branch)[..written(1, &branch).len() - 32].to_vec()] {
        let refused = import(&mut source.ledger, forged.as_slice(), 0, &mut go_on);
        assert!(matches!(refused, Err(ToolError::Fork { height: Height(8), .. })), "{refused:?}");
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &forged).unwrap();
        let refused = resume_export(&source.reader, &genesis(), &mut file, Range::default(), &mut go_on);
        assert!(matches!(refused, Err(ToolError::Fork { height: Height(8), .. })), "{refused:?}");
        assert_eq!(file.metadata().unwrap().len(), forged.len() as u64, "it was left as it is");
    }
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, b"a letter to my aunt").unwrap();
    let refused = resume_export(&source.reader, &genesis(), &mut file, Range::default(), &mut go_on);
    assert!(matches!(refused, Err(ToolError::Archive(error)) if matches!(error.fault, ArchiveFault::Magic)));
    assert_eq!(file.metadata().unwrap().len(), 19);
}

#[test]
fn a_record_is_as_long_as_may_be_and_no_longer() {
    let begin = || ArchiveWriter::begin(Vec::new(), CHAIN, Height(1)).unwrap().end().unwrap()[..72].to_vec();
    let record = |length: u32, payload: &[u8]| {
        let start = [&length.to_le_bytes()[..], &[1, 0, 0, 0]].concat();
        [begin().as_slice(), &start, &[0; 16], payload].concat()
    };
    let fault = |archive: &[u8]| {
        let error = ArchiveReader::open(archive).unwrap().next_block().unwrap_err();
        assert_eq!((error.record, error.offset), (0, 72));
        error.fault
    };
    let max = ARCHIVE_RECORD_BYTES_MAX as u32;
    assert!(matches!(fault(&record(max, &vec![0; max as usize])), ArchiveFault::Checksum));
    assert!(matches!(fault(&record(max + 1, &[])), ArchiveFault::TooLong(_)));
    assert!(matches!(fault(&record(u32::MAX, &[])), ArchiveFault::TooLong(_)));
    assert!(matches!(fault(&record(max, &[1, 2, 3])), ArchiveFault::Cut));
    let whole = written(1, &[]);
    assert!(matches!(fault(&[&whole[..], &[0]].concat()), ArchiveFault::Trailing));
}

#[test]
fn golden_archive_bytes() {
    let archive = written(5, &[]);
    let header = [&b"QUORARCH"[..], &[1, 0, 0, 0, 0, 0, 0, 0], &[7; 32], &5u64.to_le_bytes()].concat();
    let header = [&header[..], &blake3::hash(&header).as_bytes()[..16]].concat();
    let key = blake3::derive_key("quorate archive record key 1", &header);
    let start = [8, 0, 0, 0, 2, 0, 0, 0];
    let sum = blake3::keyed_hash(&key, &[&[0; 8][..], &start, &[0; 8]].concat());
    assert_eq!(archive, [&header[..], &start, &sum.as_bytes()[..16], &[0; 8]].concat());
}
