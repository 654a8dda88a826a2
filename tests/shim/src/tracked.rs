//! Which files are followed, what of them is not durable yet, and what a sync does.

use std::collections::{BTreeMap, HashMap};
use std::ffi::CStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use libc::c_int;

use crate::kernel::{self, fatal, own_path};
use crate::layout::{Entry, INODES, Key, NAMES, encode};

/// Dirty ranges are rounded to pages: storage never keeps half a sector.
const PAGE_BYTES: u64 = 4096;
/// A file with more ranges than this counts as dirty as a whole.
const RANGES_MAX: usize = 65_536;
const COPY_BYTES: usize = 64 * 1024;
const PATH_BYTES_MAX: usize = 4096;

struct Config {
    /// Absolute, links resolved, no slash at the end.
    root: Vec<u8>,
    shadow: String,
}

/// A file or directory below the root. Never freed: a closed file can still be dirty.
pub(crate) struct Tracked {
    key: Key,
    directory: bool,
    /// Held while a sync copies, so that another sync doesn't return before it is done.
    syncing: Mutex<()>,
    /// Start to end.
    dirty: Mutex<BTreeMap<u64, u64>>,
}

static FILES: OnceLock<Mutex<HashMap<Key, &'static Tracked>>> = OnceLock::new();

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn config() -> Option<&'static Config> {
    static CONFIG: OnceLock<Option<Config>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let root = std::env::var_os("QUORATE_SHIM_ROOT")?;
        let shadow = std::env::var("QUORATE_SHIM_SHADOW").ok()?;
        let path = std::ffi::CString::new(root.as_bytes()).ok()?;
        let Some(open) = kernel::open(libc::AT_FDCWD, &path, libc::O_RDONLY | libc::O_DIRECTORY) else {
            fatal("QUORATE_SHIM_ROOT")
        };
        let mut buffer = [0; PATH_BYTES_MAX];
        let Some(count) = kernel::path_of(open.0, &mut buffer) else { fatal("QUORATE_SHIM_ROOT") };
        for part in [INODES, NAMES] {
            let path = own_path(format!("{shadow}/{part}"));
            if kernel::open(libc::AT_FDCWD, &path, libc::O_RDONLY | libc::O_DIRECTORY).is_none() {
                fatal("QUORATE_SHIM_SHADOW");
            }
        }
        Some(Config { root: buffer[..count].to_vec(), shadow })
    });
    config.as_ref()
}

/// The file behind a new descriptor, if it is below the root.
pub(crate) fn find(fd: c_int) -> Option<&'static Tracked> {
    let config = config()?;
    let mut buffer = [0; PATH_BYTES_MAX];
    let count = kernel::path_of(fd, &mut buffer)?;
    let below = buffer[..count].strip_prefix(config.root.as_slice())?;
    if !below.is_empty() && below[0] != b'/' {
        return None;
    }
    let status = kernel::status(fd, c"")?;
    if !status.regular && !status.directory {
        return None;
    }
    let mut files = lock(FILES.get_or_init(Mutex::default));
    let tracked = files.entry(status.key).or_insert_with(|| {
        let mut dirty = BTreeMap::new();
        if status.regular && status.bytes > 0 {
            // Written before this process looked: who knows what of it was synced.
            dirty.insert(0, status.bytes.next_multiple_of(PAGE_BYTES));
        }
        Box::leak(Box::new(Tracked {
            key: status.key,
            directory: status.directory,
            syncing: Mutex::new(()),
            dirty: Mutex::new(dirty),
        }))
    });
    Some(*tracked)
}

impl Tracked {
    /// Remembers that bytes from `start` to `end` were written and not synced.
    pub(crate) fn wrote(&self, start: u64, end: u64) {
        let mut start = start / PAGE_BYTES * PAGE_BYTES;
        let mut end = end.saturating_add(PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
        if start >= end {
            return;
        }
        let mut dirty = lock(&self.dirty);
        // Nearly every write lies in or behind the range before it.
        while let Some((&before, &reach)) = dirty.range(..=end).next_back()
            && reach >= start
        {
            if before <= start && reach >= end {
                return;
            }
            dirty.remove(&before);
            start = start.min(before);
            end = end.max(reach);
        }
        if dirty.len() >= RANGES_MAX {
            start = 0;
            end = dirty.values().copied().fold(end, u64::max);
            dirty.clear();
        }
        dirty.insert(start, end);
    }

    /// After a write of `count` bytes that ended at `end`: through an `O_DSYNC` descriptor they are durable at once.
    pub(crate) fn wrote_through(&self, fd: c_int, start: u64, end: u64) {
        let _syncing = lock(&self.syncing);
        let start = start / PAGE_BYTES * PAGE_BYTES;
        self.copy(fd, &BTreeMap::from([(start, end.next_multiple_of(PAGE_BYTES))]));
    }

    /// Runs the real sync, and if it works makes content or names durable in the shadow.
    pub(crate) fn sync(&self, fd: c_int, real: impl FnOnce() -> c_int) -> c_int {
        let _syncing = lock(&self.syncing);
        if self.directory {
            let result = real();
            if result == 0 {
                self.record_names(fd);
            }
            return result;
        }
        let dirty = std::mem::take(&mut *lock(&self.dirty));
        let result = real();
        if result == 0 {
            self.copy(fd, &dirty);
        } else {
            for (start, end) in dirty {
                self.wrote(start, end);
            }
        }
        result
    }

    fn copy(&self, fd: c_int, ranges: &BTreeMap<u64, u64>) {
        let Some(config) = config() else { return };
        let path = own_path(format!("{}/{INODES}/{}", config.shadow, self.key));
        let Some(source) = kernel::reopen(fd) else { fatal("opening a file again") };
        let flags = libc::O_RDWR | libc::O_CREAT;
        let Some(shadow) = kernel::open(libc::AT_FDCWD, &path, flags) else { fatal("opening the shadow") };
        let (Some(live), Some(durable)) = (kernel::status(source.0, c""), kernel::status(shadow.0, c""))
        else {
            fatal("status of the shadow")
        };
        let mut buffer = vec![0; COPY_BYTES];
        for (start, end) in ranges {
            let end = (*end).min(live.bytes);
            let mut at = *start;
            while at < end {
                let want = (end - at).min(COPY_BYTES as u64) as usize;
                let count = kernel::read_at(&source, &mut buffer[..want], at);
                if count == 0 {
                    break;
                }
                // Zeros behind the end come with the new length.
                if at < durable.bytes || buffer[..count].iter().any(|byte| *byte != 0) {
                    kernel::write_all_at(&shadow, &buffer[..count], at);
                }
                at += count as u64;
            }
        }
        kernel::set_length(&shadow, live.bytes);
    }

    fn record_names(&self, fd: c_int) {
        let Some(config) = config() else { return };
        let mut entries = Vec::new();
        kernel::list(fd, |name: &CStr| {
            // Gone since: it isn't durable then.
            let Some(status) = kernel::status(fd, name) else { return };
            if status.regular || status.directory {
                let (directory, key) = (status.directory, status.key);
                entries.push(Entry { directory, key, name: name.to_bytes().to_vec() });
            }
        });
        let path = format!("{}/{NAMES}/{}", config.shadow, self.key);
        let unfinished = own_path(format!("{path}.{}", std::process::id()));
        let flags = libc::O_WRONLY | libc::O_CREAT | libc::O_TRUNC;
        let Some(file) = kernel::open(libc::AT_FDCWD, &unfinished, flags) else {
            fatal("opening the shadow")
        };
        kernel::write_all_at(&file, &encode(&entries), 0);
        kernel::rename(&unfinished, &own_path(path));
    }
}
