//! Descriptors that were handed over an exec by their number.
//!
//! `unsafe`, because only the one who calls can know that a number is a descriptor of
//! this process that nobody else uses.
#![allow(unsafe_code)]

use std::ffi::OsStr;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::{FdFlags, fcntl_setfd};

/// Takes the descriptor with this number, and keeps it from going further.
///
/// Only for the first lines of a process, which then owns all descriptors it was
/// given and has opened none.
pub(super) fn take(number: &OsStr) -> io::Result<OwnedFd> {
    let number = number.to_str().and_then(|n| n.parse::<RawFd>().ok());
    let number = number
        .filter(|n| *n > 2)
        .ok_or_else(|| io::Error::other("not the number of a descriptor"))?;
    // SAFETY: the keeper's stage opened it, cleared its close-on-exec flag and wrote its
    // number into our arguments; nothing in this process has used that number yet. If it
    // is not open, the call below says so and the drop of the value does nothing.
    let fd = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
    Ok(fd)
}
