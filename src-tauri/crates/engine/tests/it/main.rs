//! The engine over real parts (store, keepers, clones, HTTP), without a daemon.

// A test is its own composition root, and stops where it is surprised.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod agent;
mod bench;
mod disk;
mod edits;
mod ends;
mod expiry;
mod grace;
mod limits;
mod long;
mod setup;
mod slice;
mod steering;
