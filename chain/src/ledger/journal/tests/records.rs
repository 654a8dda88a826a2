//! Appending, reading, scanning, pruning, with nothing going wrong.

use super::super::{Journal, RECORD_BYTES_MAX};
use super::*;

#[test]
fn records_come_back_in_order_across_segments_and_openings() {
    let disk = MemDisk::new(1);
    let sizes: Vec<usize> = (0..60).map(|index| [0, 1, 7, 8, 100, 700, 2048][index % 7]).collect();
    let (mut journal, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.records, recovered.torn_tail), (0, None));
    assert_eq!(recovered.first, recovered.end);
    let mut positions = Vec::new();
    for (index, bytes) in sizes.iter().enumerate() {
        positions.push(append(&mut journal, index as u64, *bytes));
        if index % 20 == 0 {
            journal.sync().unwrap();
            drop(journal);
            let (again, recovered) = open(&disk).unwrap();
            assert_eq!((recovered.records, recovered.torn_tail), (index as u64 + 1, None));
            journal = again;
        }
    }
    assert!(positions.is_sorted());
    assert!(positions.last().unwrap().segment > 5);
    assert_eq!(assert_prefix(&journal, &sizes), sizes.len());
    assert_eq!(all(&journal).iter().map(|entry| entry.position).collect::<Vec<_>>(), positions);
    let from_20: Vec<_> = journal.scan(positions[20]).map(|entry| entry.unwrap().position).collect();
    assert_eq!(from_20, positions[20..]);
}

#[test]
fn an_end_is_a_place_to_scan_from_even_after_a_new_segment() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 0, 1000);
    append(&mut journal, 1, 1000);
    let end = journal.end();
    assert_eq!(journal.scan(end).count(), 0);
    let next = append(&mut journal, 2, 2000);
    assert!(next.segment > end.segment);
    let after: Vec<_> = journal.scan(end).map(|entry| entry.unwrap().position).collect();
    assert_eq!(after, [next]);
}

#[test]
fn a_scan_ends_where_the_journal_ended_when_it_began() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 0, 10);
    let scan = journal.scan(journal.first());
    append(&mut journal, 1, 10);
    assert_eq!(scan.count(), 1);
}

#[test]
fn pruning_deletes_whole_segments_only() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    let positions: Vec<_> = (0..12).map(|index| append(&mut journal, index, 1000)).collect();
    assert_eq!(positions[11].segment, 4);
    let reader = journal.reader();
    let mut scan = reader.scan(positions[0]);
    scan.next().unwrap().unwrap();

    assert_eq!(journal.prune_before(positions[2]).unwrap(), 0);
    assert_eq!(journal.prune_before(positions[7]).unwrap(), 2 * 4096);
    assert_eq!(journal.disk_bytes(), 2 * 4096);
    assert_eq!(journal.first(), Position::start_of(3));
    assert!(
        matches!(reader.read(positions[0]), Err(Error::Pruned { first, .. }) if first == journal.first())
    );
    assert!(matches!(journal.scan(positions[0]).next(), Some(Err(Error::Pruned { .. }))));
    assert_eq!(reader.read(positions[6]).unwrap().1, payload(6, 1000));
    // The scan goes on with what it has and then says what is missing.
    assert!(scan.any(|entry| matches!(entry, Err(Error::Pruned { .. }))));

    drop(journal);
    let (mut journal, recovered) = open(&disk).unwrap();
    assert_eq!((recovered.first, recovered.records), (Position::start_of(3), 12));
    assert_eq!(all(&journal).len(), 6);
    // The last segment stays, however far the position.
    let far = Position { segment: u64::MAX, offset: 0 };
    journal.prune_before(far).unwrap();
    assert_eq!(all(&journal).len(), 3);
    append(&mut journal, 12, 10);
    assert_eq!(all(&journal).last().unwrap().sequence, 13);
}

#[test]
fn readers_on_other_threads_see_what_was_appended() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    let reader = journal.reader();
    let (send, receive) = std::sync::mpsc::channel::<(u64, Position)>();
    let thread = std::thread::spawn(move || {
        let mut seen = 0;
        for (index, position) in receive {
            assert_eq!(reader.read(position).unwrap(), (index as u8, payload(index, 300)));
            seen += 1;
        }
        seen
    });
    for index in 0..200 {
        let position = append(&mut journal, index, 300);
        send.send((index, position)).unwrap();
    }
    drop(send);
    assert_eq!(thread.join().unwrap(), 200);
}

#[test]
fn positions_without_a_record_are_refused() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    let position = append(&mut journal, 0, 100);
    append(&mut journal, 1, 100);
    for offset in [0, 8, 511, 513, journal.end().offset, 4096, u64::MAX] {
        let wrong = Position { offset, ..position };
        assert!(matches!(journal.read(wrong), Err(Error::OutOfRange { .. })), "{offset}");
    }
    let inside = Position { offset: position.offset + 8, ..position };
    assert!(journal.read(inside).unwrap_err().is_corruption());
    let no_segment = Position { segment: 0, ..position };
    assert!(matches!(journal.read(no_segment), Err(Error::Pruned { .. })));
}

#[test]
fn payloads_over_the_bound_and_impossible_options_are_refused() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    let longest = SMALL.record_bytes_max as usize;
    append(&mut journal, 0, longest);
    let refused = journal.append(1, &payload(1, longest + 1));
    assert!(matches!(refused, Err(Error::TooLarge { bytes: 2049, max: 2048 })));
    append(&mut journal, 1, 1);
    assert_eq!(assert_prefix(&journal, &[longest, 1]), 2);
    for (segment_bytes, record_bytes_max) in [(4096, 4000), (4000, 10), (0, 0), (1 << 31, 10)] {
        let options = Options { segment_bytes, record_bytes_max };
        assert!(matches!(open_with(&disk, options), Err(Error::Options(_))));
    }
    const { assert!(Options::votes().segment_bytes > RECORD_BYTES_MAX) };
    // The bound itself fits into a segment.
    let tight = Options { segment_bytes: 1024, record_bytes_max: 1024 - 512 - 48 - 8 };
    let other = MemDisk::new(2);
    let (mut journal, _) = open_with(&other, tight).unwrap();
    append(&mut journal, 0, tight.record_bytes_max as usize);
    append(&mut journal, 1, tight.record_bytes_max as usize);
    assert_eq!(journal.end().segment, 2);
}

#[test]
fn segments_keep_their_size_when_the_options_change() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 0, 1000);
    drop(journal);
    let larger = Options { segment_bytes: 16 * 1024, record_bytes_max: 8 * 1024 };
    let (mut journal, _) = open_with(&disk, larger).unwrap();
    append(&mut journal, 1, 8000);
    append(&mut journal, 2, 100);
    drop(journal);
    let (journal, _): (Journal, _) = open(&disk).unwrap();
    assert_eq!(assert_prefix(&journal, &[1000, 8000, 100]), 3);
    assert_eq!(journal.disk_bytes(), 4096 + 16 * 1024);
}
