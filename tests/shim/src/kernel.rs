//! System calls made directly: the shim's own file access goes past its hooks, so it can't recurse.

use std::ffi::{CStr, CString};

use libc::{c_int, c_long, c_void, off64_t};

use crate::layout::Key;

/// What `statx` says of a file.
pub(crate) struct Status {
    pub(crate) key: Key,
    pub(crate) bytes: u64,
    pub(crate) regular: bool,
    pub(crate) directory: bool,
}

/// An open file of the shim's own, closed on drop.
pub(crate) struct OwnFile(pub(crate) c_int);

impl Drop for OwnFile {
    fn drop(&mut self) {
        // SAFETY: this descriptor is ours alone.
        unsafe { libc::syscall(libc::SYS_close, self.0) };
    }
}

/// The tool can't do its work: better no test than a wrong one.
pub(crate) fn fatal(what: &str) -> ! {
    let message = format!("quorate-shim: {what}: {}\n", std::io::Error::last_os_error());
    // SAFETY: the buffer is valid for its length.
    unsafe {
        libc::syscall(libc::SYS_write, 2, message.as_ptr(), message.len());
        libc::abort()
    }
}

pub(crate) fn own_path(path: String) -> CString {
    CString::new(path).unwrap_or_else(|_| fatal("zero byte in a path"))
}

pub(crate) fn open(directory: c_int, path: &CStr, flags: c_int) -> Option<OwnFile> {
    let flags = flags | libc::O_CLOEXEC;
    // SAFETY: the path is a C string.
    let fd = unsafe { libc::syscall(libc::SYS_openat, directory, path.as_ptr(), flags, 0o644) };
    (fd >= 0).then_some(OwnFile(fd as c_int))
}

/// Opens what a descriptor stands for once more, for reading.
pub(crate) fn reopen(fd: c_int) -> Option<OwnFile> {
    open(libc::AT_FDCWD, &own_path(format!("/proc/self/fd/{fd}")), libc::O_RDONLY)
}

/// Status of `name` in `directory`, or of `directory` itself when the name is empty. Does not follow links.
pub(crate) fn status(directory: c_int, name: &CStr) -> Option<Status> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW;
    let mask = libc::STATX_TYPE | libc::STATX_INO | libc::STATX_SIZE | libc::STATX_BTIME;
    // SAFETY: `statx` is plain data.
    let mut out: libc::statx = unsafe { std::mem::zeroed() };
    let pointer = &raw mut out;
    // SAFETY: name is a C string, the result has room for a `statx`.
    let done = unsafe { libc::syscall(libc::SYS_statx, directory, name.as_ptr(), flags, mask, pointer) };
    if done != 0 {
        return None;
    }
    let born = out.stx_mask & libc::STATX_BTIME != 0;
    let key = Key {
        inode: out.stx_ino,
        born_seconds: if born { out.stx_btime.tv_sec as u64 } else { 0 },
        born_nanoseconds: if born { out.stx_btime.tv_nsec } else { 0 },
    };
    let kind = u32::from(out.stx_mode) & libc::S_IFMT;
    let (regular, directory) = (kind == libc::S_IFREG, kind == libc::S_IFDIR);
    Some(Status { key, bytes: out.stx_size, regular, directory })
}

/// Absolute path of an open file, as the kernel tells it.
pub(crate) fn path_of(fd: c_int, into: &mut [u8]) -> Option<usize> {
    let link = own_path(format!("/proc/self/fd/{fd}"));
    // SAFETY: link is a C string, the buffer is valid for its length.
    let count = unsafe {
        libc::syscall(libc::SYS_readlinkat, libc::AT_FDCWD, link.as_ptr(), into.as_mut_ptr(), into.len())
    };
    usize::try_from(count).ok().filter(|count| *count < into.len())
}

/// Bytes read; 0 at the end.
pub(crate) fn read_at(file: &OwnFile, into: &mut [u8], offset: u64) -> usize {
    loop {
        // SAFETY: the buffer is valid for its length.
        let count = unsafe {
            libc::syscall(libc::SYS_pread64, file.0, into.as_mut_ptr(), into.len(), offset as off64_t)
        };
        match usize::try_from(count) {
            Ok(count) => return count,
            Err(_) if interrupted() => {}
            Err(_) => fatal("read"),
        }
    }
}

pub(crate) fn write_all_at(file: &OwnFile, mut bytes: &[u8], mut offset: u64) {
    while !bytes.is_empty() {
        // SAFETY: the buffer is valid for its length.
        let count = unsafe {
            libc::syscall(libc::SYS_pwrite64, file.0, bytes.as_ptr(), bytes.len(), offset as off64_t)
        };
        match usize::try_from(count) {
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(_) if interrupted() => {}
            Err(_) => fatal("write of the shadow"),
        }
    }
}

pub(crate) fn set_length(file: &OwnFile, bytes: u64) {
    // SAFETY: no memory is passed.
    if unsafe { libc::syscall(libc::SYS_ftruncate, file.0, bytes as off64_t) } != 0 {
        fatal("truncation of the shadow");
    }
}

pub(crate) fn rename(from: &CStr, to: &CStr) {
    let here = libc::AT_FDCWD;
    // SAFETY: both are C strings.
    if unsafe { libc::syscall(libc::SYS_renameat2, here, from.as_ptr(), here, to.as_ptr(), 0) } != 0 {
        fatal("rename in the shadow");
    }
}

/// Calls `each` with the names in a directory, without `.` and `..`.
pub(crate) fn list(directory: c_int, mut each: impl FnMut(&CStr)) {
    let Some(file) = open(directory, c".", libc::O_RDONLY | libc::O_DIRECTORY) else {
        fatal("opening a directory")
    };
    let mut buffer = vec![0_u64; 4096];
    loop {
        let bytes = buffer.len() * 8;
        // SAFETY: the buffer is valid for its length, and aligned as the entries want.
        let filled =
            unsafe { libc::syscall(libc::SYS_getdents64, file.0, buffer.as_mut_ptr(), bytes as c_long) };
        let Ok(filled) = usize::try_from(filled) else { fatal("reading a directory") };
        if filled == 0 {
            return;
        }
        let mut at = 0;
        while at < filled {
            // SAFETY: the kernel wrote whole entries up to `filled`; names end with a zero byte.
            let name = unsafe {
                let entry = buffer.as_ptr().cast::<u8>().add(at).cast::<libc::dirent64>();
                at += usize::from((&raw const (*entry).d_reclen).read());
                CStr::from_ptr((&raw const (*entry).d_name).cast())
            };
            if name != c"." && name != c".." {
                each(name);
            }
        }
    }
}

/// Where the next `write` of a descriptor goes; `None` if it has no position.
pub(crate) fn position(fd: c_int) -> Option<u64> {
    // SAFETY: no memory is passed.
    let at = unsafe { libc::syscall(libc::SYS_lseek, fd, 0, libc::SEEK_CUR) };
    u64::try_from(at).ok()
}

fn interrupted() -> bool {
    std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted
}

/// A pointer argument of a system call.
pub(crate) type Pointer = *const c_void;
