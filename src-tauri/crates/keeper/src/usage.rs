//! What the tree consumed, from `getrusage(2)`.
//!
//! `unsafe`, because rustix has no safe call for it, and the peak resident set of a
//! process that is gone is nowhere in `/proc`.
#![allow(unsafe_code)]

use std::mem::MaybeUninit;

/// The sums over all descendants that were waited for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) user_ms: u64,
    pub(crate) system_ms: u64,
    /// Of the largest single process, KiB.
    pub(crate) max_rss_kib: u64,
}

/// What this process's reaped descendants consumed.
pub(crate) fn of_children() -> Usage {
    let mut raw = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: the pointer is valid for a write of one `rusage`, which is what
    // getrusage(2) stores; all-zero is a valid `rusage` should it store nothing.
    let raw = unsafe {
        libc::getrusage(libc::RUSAGE_CHILDREN, raw.as_mut_ptr());
        raw.assume_init()
    };
    let ms = |t: libc::timeval| {
        u64::try_from(t.tv_sec).unwrap_or(0) * 1000 + u64::try_from(t.tv_usec).unwrap_or(0) / 1000
    };
    Usage {
        user_ms: ms(raw.ru_utime),
        system_ms: ms(raw.ru_stime),
        max_rss_kib: u64::try_from(raw.ru_maxrss).unwrap_or(0),
    }
}
