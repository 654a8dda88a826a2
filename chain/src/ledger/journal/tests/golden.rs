//! The bytes on disk. A change of these is a new format version.

use super::super::format::{RecordHeader, SegmentHeader, is_zero, segment_number};
use super::super::{RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES, VERSION};
use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn header() -> SegmentHeader {
    SegmentHeader { number: 3, bytes: 4096, first_sequence: 17, identity: *b"0123456789abcdef", owner: OWNER }
}

#[test]
fn segment_header() {
    assert_eq!((VERSION, SEGMENT_HEADER_BYTES), (2, 512));
    let sector = header().encode();
    let expected = concat!(
        "51554f524a524e4c", // magic
        "0200",             // version
        "000000000000",
        "0300000000000000",                 // number
        "0010000000000000",                 // bytes
        "1100000000000000",                 // first sequence
        "30313233343536373839616263646566", // identity
        "02",                               // owner: votes
        "77686f736520766f7465732074686973", // of the record with this id
        "00000000000000000000000000000000",
        "b51fea5a5fe42c8b3fc247c7411cad01", // checksum
    );
    assert_eq!(hex(&sector[..105]), expected);
    assert!(is_zero(&sector[105..]));
    assert_eq!(SegmentHeader::decode(Path::new("x"), &sector).unwrap(), header());
}

#[test]
fn record() {
    assert_eq!(RECORD_HEADER_BYTES, 48);
    let record = RecordHeader { length: 5, sequence: 18, synced: 16, kind: 9 };
    let mut bytes = Vec::new();
    record.encode(&header().key(), b"hello", &mut bytes);
    let expected = concat!(
        "51524543",                         // marker
        "05000000",                         // length
        "1200000000000000",                 // sequence
        "1000000000000000",                 // synced sequence
        "09000000",                         // kind
        "44076812",                         // header check
        "f61048b6bc950e83da68673c95c60a09", // checksum
        "68656c6c6f",                       // payload
        "000000",                           // padding
    );
    assert_eq!(hex(&bytes), expected);
    assert_eq!(RecordHeader::decode(&header().key(), &bytes), Some(record));
    assert!(record.verifies(&header().key(), &bytes));
}

#[test]
fn a_record_verifies_in_its_own_segment_only() {
    let record = RecordHeader { length: 5, sequence: 18, synced: 16, kind: 9 };
    let mut bytes = Vec::new();
    record.encode(&header().key(), b"hello", &mut bytes);
    let other_number = SegmentHeader { number: 4, ..header() };
    let other_journal = SegmentHeader { identity: [7; 16], ..header() };
    let other_owner = SegmentHeader { owner: Owner::Votes([7; 16]), ..header() };
    for other in [other_number, other_journal, other_owner] {
        assert_eq!(RecordHeader::decode(&other.key(), &bytes), None);
        assert!(!record.verifies(&other.key(), &bytes));
    }
}

#[test]
fn a_later_version_is_named() {
    let mut sector = header().encode();
    sector[8] = 3;
    let refused = SegmentHeader::decode(Path::new("x"), &sector);
    assert!(matches!(refused, Err(Error::Version { found: 3, .. })));
}

#[test]
fn position_and_file_names() {
    let position = Position { segment: 3, offset: 512 };
    assert_eq!(hex(&borsh::to_vec(&position).unwrap()), "03000000000000000002000000000000");
    assert_eq!(segment(3), Path::new("/journal/0000000003.journal"));
    assert_eq!(segment_number("0000000003.journal"), Some(3));
    for other in ["3.journal", "0000000000.journal", "000000000x.journal", "0000000003.journal.bak", "lock"] {
        assert_eq!(segment_number(other), None);
    }
}
