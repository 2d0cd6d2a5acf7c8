//! Workspaces as the engine uses them, over real repositories and a real git.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod along;
mod apply_conflicts;
mod apply_crashes;
mod apply_random;
mod applying;
mod committing;
mod containment;
mod crashes;
mod edits;
mod flushing;
mod forking;
mod isolation;
mod killed;
mod landing;
mod odd;
mod parts;
mod preparing;
mod random;
mod restoring;
mod snapshots;
mod support;
mod timing;
