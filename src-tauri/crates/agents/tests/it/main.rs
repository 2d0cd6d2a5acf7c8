//! Drivers against scripted counterparts, over real processes.
#![allow(clippy::unwrap_used, reason = "tests")]
#![allow(clippy::result_large_err)] // a turn fails once, not in a loop

mod claude_code;
mod claude_fixture;
