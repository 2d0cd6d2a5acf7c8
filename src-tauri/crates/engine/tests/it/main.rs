//! The engine over real parts (store, keepers, clones, HTTP), without a daemon.

// A test is its own composition root, and stops where it is surprised.
#![allow(clippy::disallowed_methods, clippy::unwrap_used)]

mod bench;
mod slice;
mod steering;
