//! On the real file system.

use super::super::{Disk, FsDisk};
use super::*;

fn open_at(dir: &Path) -> Result<(Journal, Recovered), Error> {
    Journal::open(Arc::new(FsDisk), dir, OWNER, SMALL)
}

#[test]
fn round_trip_reopen_and_prune() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("made").join("journal");
    let sizes = [900; 30];
    let (mut journal, _) = open_at(&dir).unwrap();
    for (index, bytes) in sizes.iter().enumerate() {
        append(&mut journal, index as u64, *bytes);
    }
    journal.sync().unwrap();
    let end = journal.end();
    drop(journal);
    assert_eq!(std::fs::metadata(dir.join("0000000001.journal")).unwrap().len(), SMALL.segment_bytes);

    let (mut journal, recovered) = open_at(&dir).unwrap();
    assert_eq!((recovered.records, recovered.end, recovered.torn_tail), (30, end, None));
    assert_eq!(assert_prefix(&journal, &sizes), 30);
    let freed = journal.prune_before(end).unwrap();
    assert_eq!(freed, (end.segment - 1) * SMALL.segment_bytes);
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 2);
}

#[test]
fn a_second_opener_is_refused_until_the_first_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open_at(dir.path()).unwrap();
    let refused = open_at(dir.path()).unwrap_err();
    assert!(matches!(refused, Error::Locked { .. }));
    assert!(refused.to_string().contains("in use by another process"));
    drop(journal);
    open_at(dir.path()).unwrap();
}

#[test]
fn a_leftover_of_a_segment_never_finished_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open_at(dir.path()).unwrap();
    append(&mut journal, 0, 1000);
    drop(journal);
    for leftover in [vec![], vec![0; 4096]] {
        std::fs::write(dir.path().join("0000000002.journal"), leftover).unwrap();
        let (journal, _) = open_at(dir.path()).unwrap();
        assert_eq!(assert_prefix(&journal, &[1000]), 1);
        assert!(!dir.path().join("0000000002.journal").exists());
    }
    // With other content it isn't ours to delete.
    std::fs::write(dir.path().join("0000000002.journal"), b"precious").unwrap();
    assert!(open_at(dir.path()).unwrap_err().is_corruption());
}

#[test]
fn free_bytes_and_identities() {
    let dir = tempfile::tempdir().unwrap();
    assert!(FsDisk.free_bytes(dir.path()).unwrap() > 0);
    assert_ne!(FsDisk.fresh_identity().unwrap(), FsDisk.fresh_identity().unwrap());
}

#[test]
fn many_segments_are_read_with_few_open_files() {
    let dir = tempfile::tempdir().unwrap();
    let (mut journal, _) = open_at(dir.path()).unwrap();
    let count = 3 * super::super::SEGMENTS_OPEN_MAX as u64;
    let positions: Vec<_> = (0..count).map(|index| append(&mut journal, index, 2048)).collect();
    assert_eq!(journal.end().segment, count);
    let descriptors = || {
        let links = std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
        links.filter(|target| target.starts_with(dir.path())).count()
    };
    for (index, position) in positions.iter().enumerate() {
        assert_eq!(journal.read(*position).unwrap().1, payload(index as u64, 2048));
    }
    // Beside the readers' files: the lock and the writer's own.
    assert_eq!(descriptors(), super::super::SEGMENTS_OPEN_MAX + 2);
}
