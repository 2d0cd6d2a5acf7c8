//! The keeper as a process, from outside.
#![allow(clippy::unwrap_used)] // In a test, to panic is to fail.

mod bench;
mod death;
mod life;
mod limits;
mod sandboxed;
mod strangers;
