//! The engine over real parts (store, keepers, clones, HTTP), without a daemon.

#![allow(clippy::disallowed_methods)] // a test is its own composition root

mod bench;
mod slice;
