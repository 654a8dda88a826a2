//! The disk's watermark: below it the node stops taking part before the disk is full, and goes on by itself
//! once there is space again. To the others it is meanwhile like a validator that is paused.

use quorate_chain::ledger::journal::{Disk, FsDisk};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::watch;

/// How often the free space is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// Why the node does not take part, if so.
pub(super) type DiskLow = Option<String>;

/// Tells the free bytes of a disk.
pub(super) trait FreeSpace: Send + 'static {
    /// Bytes that can still be written.
    ///
    /// # Errors
    /// Those of the file system.
    fn free_bytes(&self) -> io::Result<u64>;
}

/// The disk of a folder.
#[derive(Debug)]
pub(super) struct FolderDisk(pub(super) PathBuf);

impl FreeSpace for FolderDisk {
    fn free_bytes(&self) -> io::Result<u64> {
        FsDisk.free_bytes(&self.0)
    }
}

/// Watches the free space; a reserve of 0 never looks.
pub(super) fn watch_disk(source: impl FreeSpace, reserve_bytes: u64) -> watch::Receiver<DiskLow> {
    let (low, seen) = watch::channel(None);
    if reserve_bytes > 0 {
        look(&source, reserve_bytes, &low);
        tokio::spawn(async move {
            let mut every = tokio::time::interval(EVERY);
            while !low.is_closed() {
                every.tick().await;
                look(&source, reserve_bytes, &low);
            }
        });
    }
    seen
}

/// It takes an eighth more than the reserve to go on, so that a disk at the edge does not make the node come
/// and go.
fn look(source: &impl FreeSpace, reserve_bytes: u64, low: &watch::Sender<DiskLow>) {
    let free = match source.free_bytes() {
        Ok(free) => free,
        // Not knowing is no reason to stop: a disk that is really full fails the next sync, which is.
        Err(error) => return tracing::warn!(%error, "cannot tell the free space of the disk"),
    };
    low.send_if_modified(|low| {
        let enough = match low {
            None => reserve_bytes,
            Some(_) => reserve_bytes.saturating_add(reserve_bytes / 8),
        };
        let now = (free < enough).then(|| {
            format!(
                "the disk has less than {} MiB free (disk_reserve_bytes), so this node does not vote and takes \
                 no transactions; make space, it then goes on by itself",
                reserve_bytes / 1024 / 1024
            )
        });
        let modified = now.is_some() != low.is_some();
        if modified {
            match &now {
                Some(why) => tracing::error!(free_bytes = free, "{why}"),
                None => tracing::info!(free_bytes = free, "there is space again: this node takes part"),
            }
            *low = now;
        }
        modified
    });
}

#[cfg(test)]
mod tests {
    use super::super::fixture::until;
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    struct Fake(Arc<AtomicU64>);

    impl FreeSpace for Fake {
        fn free_bytes(&self) -> io::Result<u64> {
            match self.0.load(Ordering::SeqCst) {
                u64::MAX => Err(io::Error::other("no such disk")),
                free => Ok(free),
            }
        }
    }

    #[test]
    fn the_node_steps_back_below_the_reserve_and_returns_well_above_it() {
        let free = Arc::new(AtomicU64::new(800));
        let (low, seen) = watch::channel(None);
        let steps = [(800, false), (799, true), (800, true), (899, true), (u64::MAX, true), (900, false)];
        for (bytes, expected) in steps.into_iter().chain([(800, false), (u64::MAX, false), (0, true)]) {
            free.store(bytes, Ordering::SeqCst);
            look(&Fake(Arc::clone(&free)), 800, &low);
            assert_eq!(seen.borrow().is_some(), expected, "{bytes} bytes free");
        }
    }

    #[tokio::test]
    async fn the_disk_is_watched_unless_nothing_is_reserved() {
        let free = Arc::new(AtomicU64::new(0));
        assert!(watch_disk(Fake(Arc::clone(&free)), 0).borrow().is_none());
        let low = watch_disk(Fake(Arc::clone(&free)), 800);
        assert!(low.borrow().as_ref().is_some_and(|why| why.contains("disk_reserve_bytes")));
        free.store(5_000, Ordering::SeqCst);
        until("it is seen that there is space", || low.borrow().is_none()).await;
    }

    #[test]
    fn the_disk_of_a_folder_has_some_space() {
        assert!(FolderDisk(std::env::temp_dir()).free_bytes().is_ok_and(|free| free > 0));
    }
}
