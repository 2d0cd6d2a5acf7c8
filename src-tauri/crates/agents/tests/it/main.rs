//! Drivers against scripted counterparts, over real processes.
#![allow(clippy::unwrap_used, reason = "tests")]

mod claude_code;
mod claude_fixture;
