//! The entries of the C library that stand before the real ones.

use libc::{c_char, c_int, c_uint, c_void, iovec, mode_t, off64_t, size_t, ssize_t};

use crate::descriptors;
use crate::kernel::{self, Pointer};
use crate::tracked::{self, Tracked};

/// Follows a new descriptor.
fn opened(fd: c_int, flags: c_int) -> c_int {
    if fd >= 0 {
        let synchronous = flags & (libc::O_SYNC | libc::O_DSYNC) != 0;
        let file = tracked::find(fd);
        if let Some(file) = file.filter(|_| flags & libc::O_TRUNC != 0) {
            file.wrote(0, i64::MAX as u64);
        }
        descriptors::set(fd, file, synchronous);
    }
    fd
}

/// Notes a write at a known offset.
fn wrote_at(fd: c_int, count: ssize_t, offset: off64_t) -> ssize_t {
    if let (Some(file), Ok(count), Ok(start)) =
        (descriptors::get(fd), u64::try_from(count), u64::try_from(offset))
    {
        wrote(file, fd, start, start + count);
    }
    count
}

/// Notes a write that moved the descriptor's position.
fn wrote_here(fd: c_int, count: ssize_t) -> ssize_t {
    if let (Some(file), Ok(bytes)) = (descriptors::get(fd), u64::try_from(count))
        && let Some(end) = kernel::position(fd)
    {
        wrote(file, fd, end.saturating_sub(bytes), end);
    }
    count
}

fn wrote(file: &Tracked, fd: c_int, start: u64, end: u64) {
    if descriptors::is_synchronous(fd) {
        file.wrote_through(fd, start, end);
    } else {
        file.wrote(start, end);
    }
}

/// All of a file: for calls that tell too little.
fn wrote_somewhere(fd: c_int) {
    if let (Some(file), Some(status)) = (descriptors::get(fd), kernel::status(fd, c"")) {
        wrote(file, fd, 0, status.bytes);
    }
}

fn synced(fd: c_int, real: impl FnOnce() -> c_int) -> c_int {
    // A descriptor that came in another way, inherited perhaps, is looked up now.
    match descriptors::get(fd).or_else(|| tracked::find(fd)) {
        Some(file) => file.sync(fd, real),
        None => real(),
    }
}

// SAFETY of all hooks: the arguments are passed to the kernel as the caller gave them, as the C library would; none is
// looked at before the kernel has accepted it. Variadic ones take their last argument like a fixed one, which is how
// 64-bit Linux ABIs pass it; it is garbage when not given, and then the kernel doesn't look at it.

/// See open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// See open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    unsafe { openat(libc::AT_FDCWD, path, flags, mode) }
}

/// See open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat64(
    directory: c_int,
    path: *const c_char,
    flags: c_int,
    mode: mode_t,
) -> c_int {
    unsafe { openat(directory, path, flags, mode) }
}

/// See open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openat(directory: c_int, path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    let fd = unsafe { libc::syscall(libc::SYS_openat, directory, path, flags, mode) };
    opened(fd as c_int, flags)
}

/// See open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn creat(path: *const c_char, mode: mode_t) -> c_int {
    unsafe { openat(libc::AT_FDCWD, path, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC, mode) }
}

/// See open(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn creat64(path: *const c_char, mode: mode_t) -> c_int {
    unsafe { creat(path, mode) }
}

/// See close(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn close(fd: c_int) -> c_int {
    descriptors::set(fd, None, false);
    (unsafe { libc::syscall(libc::SYS_close, fd) }) as c_int
}

/// See dup(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup(fd: c_int) -> c_int {
    let new = unsafe { libc::syscall(libc::SYS_dup, fd) } as c_int;
    descriptors::copy(fd, new);
    new
}

/// See dup(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup2(fd: c_int, to: c_int) -> c_int {
    if fd == to {
        // Nothing to do but to check that it is open.
        let flags = unsafe { libc::syscall(libc::SYS_fcntl, fd, libc::F_GETFD) };
        return if flags < 0 { -1 } else { to };
    }
    unsafe { dup3(fd, to, 0) }
}

/// See dup(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn dup3(fd: c_int, to: c_int, flags: c_int) -> c_int {
    let new = unsafe { libc::syscall(libc::SYS_dup3, fd, to, flags) } as c_int;
    descriptors::copy(fd, new);
    new
}

/// See fcntl(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl(fd: c_int, command: c_int, argument: Pointer) -> c_int {
    let result = unsafe { libc::syscall(libc::SYS_fcntl, fd, command, argument) } as c_int;
    if command == libc::F_DUPFD || command == libc::F_DUPFD_CLOEXEC {
        descriptors::copy(fd, result);
    }
    result
}

/// See fcntl(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fcntl64(fd: c_int, command: c_int, argument: Pointer) -> c_int {
    unsafe { fcntl(fd, command, argument) }
}

/// See write(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, bytes: *const c_void, count: size_t) -> ssize_t {
    let count = unsafe { libc::syscall(libc::SYS_write, fd, bytes, count) };
    wrote_here(fd, count as ssize_t)
}

/// See write(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    let count = unsafe { libc::syscall(libc::SYS_writev, fd, parts, count) };
    wrote_here(fd, count as ssize_t)
}

/// See pwrite(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite(fd: c_int, bytes: *const c_void, count: size_t, offset: off64_t) -> ssize_t {
    let count = unsafe { libc::syscall(libc::SYS_pwrite64, fd, bytes, count, offset) };
    wrote_at(fd, count as ssize_t, offset)
}

/// See pwrite(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(
    fd: c_int,
    bytes: *const c_void,
    count: size_t,
    offset: off64_t,
) -> ssize_t {
    unsafe { pwrite(fd, bytes, count, offset) }
}

/// See pwritev(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwritev(fd: c_int, parts: *const iovec, count: c_int, offset: off64_t) -> ssize_t {
    let count = unsafe { libc::syscall(libc::SYS_pwritev, fd, parts, count, offset, 0) };
    wrote_at(fd, count as ssize_t, offset)
}

/// See pwritev(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwritev64(fd: c_int, parts: *const iovec, count: c_int, offset: off64_t) -> ssize_t {
    unsafe { pwritev(fd, parts, count, offset) }
}

/// See copy_file_range(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn copy_file_range(
    from: c_int,
    from_offset: *mut off64_t,
    to: c_int,
    to_offset: *mut off64_t,
    count: size_t,
    flags: c_uint,
) -> ssize_t {
    let number = libc::SYS_copy_file_range;
    let count = unsafe { libc::syscall(number, from, from_offset, to, to_offset, count, flags) };
    wrote_somewhere(to);
    count as ssize_t
}

/// See sendfile(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile64(to: c_int, from: c_int, offset: *mut off64_t, count: size_t) -> ssize_t {
    let count = unsafe { libc::syscall(libc::SYS_sendfile, to, from, offset, count) };
    wrote_somewhere(to);
    count as ssize_t
}

/// See sendfile(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sendfile(to: c_int, from: c_int, offset: *mut off64_t, count: size_t) -> ssize_t {
    unsafe { sendfile64(to, from, offset, count) }
}

/// See ftruncate(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate(fd: c_int, bytes: off64_t) -> c_int {
    let before = descriptors::get(fd).and_then(|_| kernel::status(fd, c""));
    let result = unsafe { libc::syscall(libc::SYS_ftruncate, fd, bytes) } as c_int;
    if let (0, Some(file), Some(before)) = (result, descriptors::get(fd), before) {
        // What is cut off reads as zeros when the file grows again. The length itself is taken at the sync.
        file.wrote(bytes as u64, before.bytes.max(bytes as u64));
    }
    result
}

/// See ftruncate(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, bytes: off64_t) -> c_int {
    unsafe { ftruncate(fd, bytes) }
}

/// See fallocate(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallocate(fd: c_int, mode: c_int, offset: off64_t, count: off64_t) -> c_int {
    let result = unsafe { libc::syscall(libc::SYS_fallocate, fd, mode, offset, count) } as c_int;
    if result == 0 && mode & !libc::FALLOC_FL_KEEP_SIZE != 0 {
        wrote_somewhere(fd);
    }
    result
}

/// See fallocate(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fallocate64(fd: c_int, mode: c_int, offset: off64_t, count: off64_t) -> c_int {
    unsafe { fallocate(fd, mode, offset, count) }
}

/// See fsync(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    synced(fd, || unsafe { libc::syscall(libc::SYS_fsync, fd) } as c_int)
}

/// See fdatasync(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    synced(fd, || unsafe { libc::syscall(libc::SYS_fdatasync, fd) } as c_int)
}
