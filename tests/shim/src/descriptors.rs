//! Which descriptor stands for which tracked file. No locks: a child between fork and exec may come here.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

use libc::c_int;

use crate::tracked::Tracked;

/// Descriptors above this are not followed.
const DESCRIPTORS_MAX: usize = 65_536;

static FILES: [AtomicPtr<Tracked>; DESCRIPTORS_MAX] =
    [const { AtomicPtr::new(ptr::null_mut()) }; DESCRIPTORS_MAX];
static SYNCHRONOUS: [AtomicBool; DESCRIPTORS_MAX] = [const { AtomicBool::new(false) }; DESCRIPTORS_MAX];

pub(crate) fn get(fd: c_int) -> Option<&'static Tracked> {
    let file = FILES.get(usize::try_from(fd).ok()?)?.load(Ordering::Acquire);
    // SAFETY: only `set` stores here, and what it stores lives for ever.
    unsafe { file.cast_const().as_ref() }
}

/// Whether every write through it is durable at once.
pub(crate) fn is_synchronous(fd: c_int) -> bool {
    let index = usize::try_from(fd).unwrap_or(usize::MAX);
    SYNCHRONOUS.get(index).is_some_and(|flag| flag.load(Ordering::Acquire))
}

pub(crate) fn set(fd: c_int, file: Option<&'static Tracked>, synchronous: bool) {
    let Some(index) = usize::try_from(fd).ok().filter(|index| *index < DESCRIPTORS_MAX) else { return };
    SYNCHRONOUS[index].store(synchronous, Ordering::Release);
    let pointer = file.map_or(ptr::null_mut(), |file| ptr::from_ref(file).cast_mut());
    FILES[index].store(pointer, Ordering::Release);
}

/// `to` is a duplicate of `from`.
pub(crate) fn copy(from: c_int, to: c_int) {
    set(to, get(from), is_synchronous(from));
}
