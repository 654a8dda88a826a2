//! A survey finds all that is whole and all that is damaged, and writes nothing.

use super::*;
use crate::ledger::journal::{Corruption, Found, Survey};

/// Twenty records over several segments.
fn filled(disk: &MemDisk) -> Vec<Entry> {
    let (mut journal, _) = open(disk).unwrap();
    for index in 0..20 {
        append(&mut journal, index, 700);
        if index % 3 == 0 {
            journal.sync().unwrap();
        }
    }
    journal.sync().unwrap();
    all(&journal)
}

fn looked_through(disk: &MemDisk) -> (Vec<Entry>, Vec<Error>) {
    let operations = disk.operations();
    let survey = Survey::open(Arc::new(disk.clone()), Path::new(DIR), OWNER).unwrap();
    let (mut entries, mut damage) = (Vec::new(), Vec::new());
    for found in survey {
        match found {
            Found::Record(entry) => entries.push(entry),
            Found::Damaged(error) => damage.push(error),
            Found::Torn(tail) => panic!("{tail:?}"),
        }
    }
    assert_eq!(disk.operations(), operations, "something was written");
    (entries, damage)
}

fn flip(disk: &MemDisk, number: u64, offset: u64) {
    let byte = disk.contents(&segment(number)).unwrap()[offset as usize];
    disk.damage(&segment(number), offset, &[byte ^ 4]).unwrap();
}

#[test]
fn a_whole_journal_is_read_to_its_end() {
    let disk = MemDisk::new(1);
    let records = filled(&disk);
    let (entries, damage) = looked_through(&disk);
    assert_eq!(entries, records);
    assert!(damage.is_empty(), "{damage:?}");
    let mut survey = Survey::open(Arc::new(disk.clone()), Path::new(DIR), OWNER).unwrap();
    assert_eq!(survey.bytes(), 4096 * survey.segments() as u64);
    assert_eq!(survey.reader().read(records[3].position).unwrap().1, records[3].payload);
    survey.by_ref().for_each(drop);
    assert_eq!(survey.done(), survey.bytes());
}

/// Whatever byte of whatever record is hit, that record is told and all others are given.
#[test]
fn one_damaged_record_costs_that_record_only() {
    let disk = MemDisk::new(2);
    let records = filled(&disk);
    for (hit, record) in records.iter().enumerate() {
        for within in [0, 5, 9, 17, 26, 30, 40, 48, 400, 747] {
            let Position { segment, offset } = record.position;
            flip(&disk, segment, offset + within);
            let (entries, damage) = looked_through(&disk);
            let mut others = records.clone();
            others.remove(hit);
            assert_eq!(entries, others, "record {hit}, byte {within}");
            assert_eq!(damage.len(), 1, "record {hit}, byte {within}: {damage:?}");
            assert!(damage[0].is_corruption());
            flip(&disk, segment, offset + within);
        }
    }
    assert!(looked_through(&disk).1.is_empty());
}

#[test]
fn all_damage_is_told_in_order() {
    let disk = MemDisk::new(3);
    let records = filled(&disk);
    for hit in [1, 7, 8, 19] {
        let Position { segment, offset } = records[hit].position;
        flip(&disk, segment, offset + 100);
    }
    let (entries, damage) = looked_through(&disk);
    assert_eq!((entries.len(), damage.len()), (16, 4), "{damage:?}");
    for (error, hit) in damage.iter().zip([1, 7, 8, 19]) {
        let Error::Corrupt { path, offset, what } = error else { panic!("{error:?}") };
        let place = records[hit].position;
        assert_eq!(
            (path, *offset, *what),
            (&segment(place.segment), place.offset, Corruption::RecordPayload)
        );
    }
}

#[test]
fn records_behind_a_damaged_segment_header_are_found() {
    let disk = MemDisk::new(4);
    let records = filled(&disk);
    for number in [1, 2, records[19].position.segment] {
        for offset in [0, 20, 30, 60] {
            flip(&disk, number, offset);
            let (entries, damage) = looked_through(&disk);
            assert_eq!(entries, records, "segment {number}, byte {offset}");
            assert_eq!(damage.len(), 1, "{damage:?}");
            flip(&disk, number, offset);
        }
    }
}

#[test]
fn missing_segments_and_erased_records_are_told() {
    let disk = MemDisk::new(5);
    let records = filled(&disk);
    let erased = records.iter().find(|record| record.position.segment == 3).unwrap().position;
    disk.damage(&segment(3), erased.offset, &[0; 752]).unwrap();
    crate::ledger::journal::Disk::remove(&disk, &segment(2)).unwrap();
    let (entries, damage) = looked_through(&disk);
    let lost = records.iter().filter(|r| r.position.segment == 2 || r.position == erased).count();
    assert_eq!(entries.len(), records.len() - lost);
    let said: Vec<_> = damage.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("0000000002.journal") && said[0].contains("segment is missing"), "{said:?}");
    assert!(said[1].contains("0000000003.journal") && said[1].contains("record is missing"), "{said:?}");
}

#[test]
fn a_survey_holds_the_lock_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let disk: Arc<dyn crate::ledger::journal::Disk> = Arc::new(crate::ledger::journal::FsDisk);
    let journal = Journal::open(Arc::clone(&disk), folder.path(), OWNER, SMALL).unwrap();
    let locked = Survey::open(Arc::clone(&disk), folder.path(), OWNER).unwrap_err();
    assert!(matches!(locked, Error::Locked { .. }));
    drop(journal);
    let survey = Survey::open(Arc::clone(&disk), folder.path(), OWNER).unwrap();
    assert!(matches!(
        Journal::open(Arc::clone(&disk), folder.path(), OWNER, SMALL),
        Err(Error::Locked { .. })
    ));
    drop(survey);
    assert!(Journal::open(disk, folder.path(), OWNER, SMALL).is_ok());
}
