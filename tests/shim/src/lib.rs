//! `LD_PRELOAD` library that remembers what a process made durable, so that a test can take the rest away.
//!
//! It follows regular files and directories below `QUORATE_SHIM_ROOT`. Written ranges are noted in memory; a sync
//! that works copies them into `QUORATE_SHIM_SHADOW`, which at any moment holds what a power loss would leave:
//!
//! - `fsync`, `fdatasync` of a file make its content and length durable, its name not.
//! - `fsync` of a directory makes durable which names it has and which files these stand for: creations, renames
//!   and removals up to then. Strict: some file systems keep more, none promises it.
//! - writes through an `O_SYNC` or `O_DSYNC` descriptor are durable at once.
//! - `sync_file_range` and `close` make nothing durable. They, and `rename`, `unlink` and `mkdir`, need no hook:
//!   a directory is compared as a whole when it is synced.
//! - `sync` and `syncfs` are not followed and so make nothing durable.
//!
//! A file that a process finds already there counts as unsynced until that process syncs it, and what an earlier
//! process synced stays in the shadow: a node may be killed and restarted many times before the power goes.
//!
//! Hooked are the entries of the C library. Writes by direct system calls or through `mmap` are not seen: they are
//! lost with the power even when synced. The Rust standard library and sled use the C library; `rustix` does not,
//! unless built with its `use-libc` feature, and must not be used to write file content.
//!
//! The shim ends the process when it can't do its work.

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!("the shim passes 64-bit Linux system calls on");

mod descriptors;
mod hooks;
mod kernel;
mod layout;
mod tracked;
