//! Bit rot: what was synced is read as written, or reported.

use super::super::{Corruption, Found, PowerLoss, Survey};
use super::*;
use crate::ids::ChainId;

/// Three records, each synced, and the bytes of the segment.
fn three_synced(disk: &MemDisk, bytes: usize) -> (Vec<Position>, Position, Vec<u8>) {
    let (mut journal, _) = open(disk).unwrap();
    let mut positions = Vec::new();
    for index in 0..3 {
        positions.push(append(&mut journal, index, bytes));
        journal.sync().unwrap();
    }
    (positions, journal.end(), disk.contents(&segment(1)).unwrap())
}

#[test]
fn every_flipped_bit_of_synced_records_is_detected() {
    let disk = MemDisk::new(1);
    let (_, end, intact) = three_synced(&disk, 200);
    for at in 0..end.offset {
        for bit in 0..8 {
            disk.damage(&segment(1), at, &[intact[at as usize] ^ (1 << bit)]).unwrap();
            let refused = open(&disk).unwrap_err();
            let named = match refused {
                Error::Corrupt { path, .. } => path == segment(1),
                Error::Version { .. } => (8..10).contains(&at),
                _ => false,
            };
            assert!(named, "bit {bit} of byte {at}");
            // It repaired nothing and destroyed nothing.
            disk.damage(&segment(1), at, &intact[at as usize..=at as usize]).unwrap();
            assert_eq!(disk.contents(&segment(1)).unwrap(), intact);
        }
    }
    open(&disk).unwrap();
}

#[test]
fn a_lost_sector_under_a_later_synced_record_is_corruption() {
    let disk = MemDisk::new(1);
    let (positions, end, intact) = three_synced(&disk, 700);
    let sectors = 1..positions[2].offset / 512;
    for sector in sectors {
        let at = sector * 512;
        disk.damage(&segment(1), at, &[0; 512]).unwrap();
        assert!(open(&disk).unwrap_err().is_corruption(), "sector {sector}");
        disk.damage(&segment(1), at, &intact[at as usize..at as usize + 512]).unwrap();
    }
    let (journal, _) = open(&disk).unwrap();
    assert_eq!(journal.end(), end);
}

#[test]
fn damage_in_an_older_segment_is_found_when_read() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    let positions: Vec<_> = (0..9).map(|index| append(&mut journal, index, 1000)).collect();
    let wrong = positions[1].offset + 100;
    disk.damage(&segment(1), wrong, &[0]).unwrap();
    let (journal, _) = {
        drop(journal);
        open(&disk).unwrap()
    };
    let found = journal.read(positions[1]).unwrap_err();
    assert!(matches!(&found, Error::Corrupt { path, offset, what: Corruption::RecordPayload }
        if *path == segment(1) && *offset == positions[1].offset));
    let scanned: Vec<_> = journal.scan(journal.first()).collect();
    assert_eq!(scanned.len(), 2, "a scan ends at the first error");
    assert!(scanned[0].is_ok() && scanned[1].as_ref().is_err_and(Error::is_corruption));
    // The others are still there.
    assert_eq!(journal.scan(positions[2]).filter_map(Result::ok).count(), 7);
}

#[test]
fn records_missing_at_the_end_of_an_older_segment_are_found() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    let positions: Vec<_> = (0..6).map(|index| append(&mut journal, index, 1000)).collect();
    assert_eq!((positions[2].segment, positions[3].segment), (1, 2));
    let rest = (4096 - positions[2].offset) as usize;
    disk.damage(&segment(1), positions[2].offset, &vec![0; rest]).unwrap();
    for from in [positions[0], positions[2]] {
        let last = journal.scan(from).last().unwrap().unwrap_err();
        assert!(matches!(last, Error::Corrupt { what: Corruption::MissingRecord, .. }), "{last}");
    }
}

#[test]
fn missing_foreign_and_shortened_segments_are_refused() {
    let filled = |seed| {
        let disk = MemDisk::new(seed);
        let (mut journal, _) = open(&disk).unwrap();
        for index in 0..9 {
            append(&mut journal, index, 1000);
        }
        journal.sync().unwrap();
        disk
    };
    let refusal = |disk: &MemDisk| match open(disk).unwrap_err() {
        Error::Corrupt { path, what, .. } => (path, what),
        other => panic!("{other}"),
    };
    use super::super::Disk;
    let disk = filled(1);
    disk.remove(&segment(2)).unwrap();
    assert_eq!(refusal(&disk), (segment(2), Corruption::MissingSegment));

    let disk = filled(1);
    let other = filled(2).contents(&segment(2)).unwrap();
    disk.damage(&segment(2), 0, &other).unwrap();
    assert_eq!(refusal(&disk), (segment(2), Corruption::ForeignSegment));

    let disk = filled(1);
    let second = disk.contents(&segment(2)).unwrap();
    disk.damage(&segment(3), 0, &second).unwrap();
    assert_eq!(refusal(&disk), (segment(3), Corruption::ForeignSegment));

    let disk = filled(1);
    disk.damage(&segment(3), 4096, &[0; 512]).unwrap();
    assert_eq!(refusal(&disk), (segment(3), Corruption::SegmentLength));

    let disk = filled(1);
    disk.damage(&segment(3), 0, &[0; 512]).unwrap();
    assert_eq!(refusal(&disk), (segment(3), Corruption::SegmentHeader));
}

/// A vote record that is another node's, or files that were exchanged: before a payload is used.
#[test]
fn a_journal_of_another_owner_is_refused_and_left_as_it_is() {
    let chain = |byte| Owner::Chain(ChainId([byte; 32]));
    for other in [chain(7), Owner::Votes([7; 16]), Owner::Votes([0; 16])] {
        let disk = MemDisk::new(1);
        let (mut journal, _) = open(&disk).unwrap();
        append(&mut journal, 0, 1000);
        journal.sync().unwrap();
        append(&mut journal, 1, 1000);
        drop(journal);
        // A torn tail that the right owner's opening would erase.
        disk.damage(&segment(1), 2048, &[0; 512]).unwrap();
        let (before, operations) = (disk.contents(&segment(1)).unwrap(), disk.operations());
        let refused = Journal::open(Arc::new(disk.clone()), Path::new(DIR), other, SMALL).unwrap_err();
        assert!(
            matches!(&refused, Error::Foreign { path, found, expected }
                if *path == segment(1) && (*found, *expected) == (OWNER, other)),
            "{refused}"
        );
        let found: Vec<_> = Survey::open(Arc::new(disk.clone()), Path::new(DIR), other).unwrap().collect();
        assert!(matches!(&found[0], Found::Damaged(Error::Foreign { .. })), "{found:?}");
        assert!(found.iter().all(|found| matches!(found, Found::Damaged(_))), "{found:?}");
        // Nothing of it reads even where the header is damaged too.
        disk.damage(&segment(1), 57, &[before[57] ^ 1]).unwrap();
        let found: Vec<_> = Survey::open(Arc::new(disk.clone()), Path::new(DIR), other).unwrap().collect();
        assert!(found.iter().all(|found| matches!(found, Found::Damaged(_))), "{found:?}");
        disk.damage(&segment(1), 57, &before[57..58]).unwrap();
        assert_eq!((disk.contents(&segment(1)).unwrap(), disk.operations()), (before, operations));
        assert_eq!(open(&disk).unwrap().1.records, 1);
    }
}

#[test]
fn a_length_beyond_the_segment_allocates_nothing() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    let position = append(&mut journal, 0, 100);
    disk.damage(&segment(1), position.offset + 4, &u32::MAX.to_le_bytes()).unwrap();
    assert!(journal.read(position).unwrap_err().is_corruption());
    assert!(open(&disk).unwrap_err().is_corruption());
}

/// The record `index` alone is lost, the one behind it survived.
fn reordered(synced_between: bool) -> Result<(Journal, Recovered), Error> {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 0, 512 - 48);
    journal.sync().unwrap();
    let lost = append(&mut journal, 1, 512 - 48);
    if synced_between {
        journal.sync().unwrap();
    }
    append(&mut journal, 2, 512 - 48);
    drop(journal);
    disk.power_loss(PowerLoss::Keep);
    disk.damage(&segment(1), lost.offset, &[0; 512]).unwrap();
    open(&disk)
}

#[test]
fn an_unsynced_record_lost_before_a_later_unsynced_one_is_no_corruption() {
    let (mut journal, recovered) = reordered(false).unwrap();
    let torn = recovered.torn_tail.unwrap();
    assert_eq!((recovered.records, torn.position, torn.bytes), (1, journal.end(), 1024));
    // The record that survived must not come back behind a new one of the same length.
    append(&mut journal, 1, 512 - 48);
    assert_eq!(assert_prefix(&journal, &[464, 464, 464]), 2);
}

#[test]
fn a_synced_record_lost_before_a_later_one_is_corruption() {
    assert!(reordered(true).unwrap_err().is_corruption());
}

#[test]
fn a_discarded_record_does_not_come_back_after_reopening() {
    let (mut journal, _) = reordered(false).unwrap();
    append(&mut journal, 1, 512 - 48);
    journal.sync().unwrap();
    // The same disk, opened again.
    let end = journal.end();
    assert_eq!(journal.scan(journal.first()).count(), 2);
    assert_eq!(end.offset, 512 * 3);
}

#[test]
fn a_tail_torn_at_any_byte_never_invents_or_loses_a_record() {
    let disk = MemDisk::new(1);
    let (positions, end, intact) = three_synced(&disk, 700);
    let start = positions[2].offset;
    for cut in (start..end.offset).rev() {
        disk.damage(&segment(1), cut, &[0]).unwrap();
        // Storage tears at sectors; then the record is discarded. Elsewhere it may also be called corrupt.
        match open(&disk) {
            Ok((journal, recovered)) => {
                let expected = 2 + usize::from(cut >= positions[2].offset + 48 + 700);
                assert_eq!(assert_prefix(&journal, &[700; 3]), expected, "cut at {cut}");
                if expected == 2 && cut > start {
                    assert_eq!(recovered.torn_tail.unwrap().position, positions[2]);
                }
            }
            Err(error) => {
                assert!(error.is_corruption() && !cut.is_multiple_of(512), "cut at {cut}: {error}");
            }
        }
        let kept = &intact[start as usize..cut as usize];
        disk.damage(&segment(1), start, kept).unwrap();
    }
}

#[test]
fn a_tail_that_lost_any_of_its_sectors_is_discarded() {
    let disk = MemDisk::new(1);
    let (positions, end, intact) = three_synced(&disk, 900);
    let start = positions[2].offset;
    let first = start / 512;
    let count = end.offset.div_ceil(512) - first;
    assert!(count >= 2);
    for lost in 1..1_u64 << count {
        for sector in (0..count).filter(|sector| lost >> sector & 1 == 1) {
            let from = ((first + sector) * 512).max(start);
            let to = ((first + sector + 1) * 512).min(end.offset);
            disk.damage(&segment(1), from, &vec![0; (to - from) as usize]).unwrap();
        }
        let (mut journal, recovered) = open(&disk).unwrap();
        assert_eq!(recovered.records, 2);
        let all_lost = lost + 1 == 1 << count;
        assert_eq!(recovered.torn_tail.is_none(), all_lost);
        append(&mut journal, 2, 10);
        assert_eq!(assert_prefix(&journal, &[900, 900, 10]), 3);
        drop(journal);
        disk.damage(&segment(1), 0, &intact).unwrap();
    }
}
