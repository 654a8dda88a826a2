//! Full disks and failing syncs.

use super::*;

#[test]
fn a_failed_sync_poisons_everything() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    let position = append(&mut journal, 0, 100);
    journal.sync().unwrap();
    append(&mut journal, 1, 100);
    disk.fail_syncs_after(Some(0));
    assert!(matches!(journal.sync(), Err(Error::Io { operation: "sync", .. })));
    disk.fail_syncs_after(None);
    assert!(matches!(journal.sync(), Err(Error::Poisoned)));
    assert!(matches!(journal.append(2, b"x"), Err(Error::Poisoned)));
    assert!(matches!(journal.prune_before(position), Err(Error::Poisoned)));
    assert!(matches!(journal.read(position), Err(Error::Poisoned)));
    assert!(matches!(journal.reader().read(position), Err(Error::Poisoned)));
    assert!(matches!(journal.scan(position).next(), Some(Err(Error::Poisoned))));
    drop(journal);
    disk.power_loss(super::super::PowerLoss::Drop);
    let (journal, _) = open(&disk).unwrap();
    assert_eq!(assert_prefix(&journal, &[100, 100]), 1);
}

#[test]
fn a_sync_without_new_records_does_not_touch_the_disk() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 0, 100);
    journal.sync().unwrap();
    let before = disk.operations();
    journal.sync().unwrap();
    assert_eq!(disk.operations(), before);
    append(&mut journal, 1, 100);
    append(&mut journal, 2, 100);
    journal.sync().unwrap();
    // Group commit: two writes, one sync.
    assert_eq!(disk.operations(), before + 3);
    assert_eq!((journal.synced_sequence(), journal.next_sequence()), (3, 4));
}

#[test]
fn a_full_disk_leaves_the_journal_as_it_was() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 0, 1500);
    append(&mut journal, 1, 1500);
    disk.set_capacity(4096);
    for _ in 0..3 {
        let refused = journal.append(9, &payload(9, 1500)).unwrap_err();
        assert!(refused.is_transient(), "{refused}");
    }
    // What still fits into the segment goes on, and is recovered.
    append(&mut journal, 2, 100);
    journal.sync().unwrap();
    assert_eq!(assert_prefix(&journal, &[1500, 1500, 100]), 3);
    disk.power_loss(super::super::PowerLoss::Drop);
    disk.set_capacity(u64::MAX);
    let (mut journal, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.torn_tail, None);
    append(&mut journal, 3, 1500);
    assert_eq!(assert_prefix(&journal, &[1500, 1500, 100, 1500]), 4);
}

#[test]
fn a_short_write_is_undone() {
    for written in [0, 100, 512, 1024, 1500] {
        let disk = MemDisk::new(1);
        let (mut journal, _) = open(&disk).unwrap();
        append(&mut journal, 0, 300);
        let before = disk.contents(&segment(1)).unwrap();
        disk.fail_writes_after(Some(written));
        let refused = journal.append(9, &payload(9, 2000)).unwrap_err();
        assert!(refused.is_transient(), "{refused}");
        let undone = journal.append(9, b"x");
        disk.fail_writes_after(None);
        if written < 512 {
            // Nothing of it reached a sector, so there was nothing to undo.
            assert!(matches!(undone, Err(Error::Io { .. })));
            assert_eq!(disk.contents(&segment(1)).unwrap(), before);
        } else {
            // Not even zeros can be written: the tail is unknown.
            assert!(matches!(undone, Err(Error::Poisoned)));
        }
    }
}

#[test]
fn a_short_write_is_erased_when_space_comes_back() {
    #[derive(Debug)]
    struct Once(MemDisk);
    #[derive(Debug)]
    struct OnceFile(MemDisk, Arc<dyn super::super::DiskFile>);
    impl super::super::Disk for Once {
        fn create_dir_all(&self, dir: &Path) -> std::io::Result<()> {
            self.0.create_dir_all(dir)
        }
        fn list(&self, dir: &Path) -> std::io::Result<Vec<String>> {
            self.0.list(dir)
        }
        fn create(&self, path: &Path, bytes: u64) -> std::io::Result<Arc<dyn super::super::DiskFile>> {
            self.0.create(path, bytes)
        }
        fn open(&self, path: &Path) -> std::io::Result<Arc<dyn super::super::DiskFile>> {
            Ok(Arc::new(OnceFile(self.0.clone(), self.0.open(path)?)))
        }
        fn remove(&self, path: &Path) -> std::io::Result<()> {
            self.0.remove(path)
        }
        fn sync_dir(&self, dir: &Path) -> std::io::Result<()> {
            self.0.sync_dir(dir)
        }
        fn lock(&self, path: &Path) -> std::io::Result<super::super::DiskLock> {
            self.0.lock(path)
        }
        fn free_bytes(&self, dir: &Path) -> std::io::Result<u64> {
            self.0.free_bytes(dir)
        }
        fn fresh_identity(&self) -> std::io::Result<[u8; 16]> {
            self.0.fresh_identity()
        }
    }
    impl super::super::DiskFile for OnceFile {
        fn len(&self) -> std::io::Result<u64> {
            self.1.len()
        }
        fn read_at(&self, offset: u64, into: &mut [u8]) -> std::io::Result<usize> {
            self.1.read_at(offset, into)
        }
        fn write_at(&self, offset: u64, bytes: &[u8]) -> std::io::Result<usize> {
            let written = self.1.write_at(offset, bytes);
            if written.is_err() {
                self.0.fail_writes_after(None);
            }
            written
        }
        fn sync_data(&self) -> std::io::Result<()> {
            self.1.sync_data()
        }
        fn sync_all(&self) -> std::io::Result<()> {
            self.1.sync_all()
        }
    }

    let disk = MemDisk::new(1);
    drop(open(&disk).unwrap());
    let once = Arc::new(Once(disk.clone()));
    let (mut journal, _) = Journal::open(once, Path::new(DIR), OWNER, SMALL).unwrap();
    append(&mut journal, 0, 300);
    let before = disk.contents(&segment(1)).unwrap();
    disk.fail_writes_after(Some(1500));
    assert!(journal.append(9, &payload(9, 2000)).unwrap_err().is_transient());
    assert_eq!(disk.contents(&segment(1)).unwrap(), before);
    append(&mut journal, 1, 300);
    journal.sync().unwrap();
    disk.power_loss(super::super::PowerLoss::Drop);
    let (journal, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.torn_tail, None);
    assert_eq!(assert_prefix(&journal, &[300, 300]), 2);
}

#[test]
fn a_segment_that_cannot_be_made_durable_poisons() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 0, 2000);
    append(&mut journal, 1, 1000);
    journal.sync().unwrap();
    // The new file's sync works, its directory's doesn't.
    disk.fail_syncs_after(Some(1));
    assert!(matches!(journal.append(2, &payload(2, 2000)), Err(Error::Io { .. })));
    assert!(matches!(journal.append(2, b"x"), Err(Error::Poisoned)));
}

/// After a failed sync the page cache holds, and shows as clean, what the disk does not have.
#[test]
fn what_a_failed_sync_left_in_the_cache_is_made_durable_when_recovered() {
    let disk = MemDisk::new(1);
    let (mut journal, _) = open(&disk).unwrap();
    append(&mut journal, 0, 100);
    journal.sync().unwrap();
    append(&mut journal, 1, 900);
    append(&mut journal, 2, 900);
    disk.fail_syncs_after(Some(0));
    assert!(journal.sync().is_err());
    drop(journal);
    disk.power_loss(super::super::PowerLoss::Keep);
    let (journal, recovered) = open(&disk).unwrap();
    assert_eq!(recovered.records, 3);
    drop(journal);
    disk.power_loss(super::super::PowerLoss::Drop);
    let (journal, _) = open(&disk).unwrap();
    assert_eq!(assert_prefix(&journal, &[100, 900, 900]), 3);
}
