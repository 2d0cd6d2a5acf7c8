//! The files a run works on.
//!
//! A run never works on the user's files unless the user said so. It gets a
//! [`Workspace`]: a local clone with its own `.git`, or a copy, or (opt-in) the
//! project itself. Beside it, in a git store of Longhaul's own, every step
//! leaves a [`Snapshot`] to which the files can be taken back.
//!
//! What this crate promises, and the test that keeps it:
//!
//! - The user's repository stays byte-identical until [`Workspace::apply_branch`] or
//!   [`Workspace::apply`]
//!   (`isolation::the_users_repository_stays_byte_identical`). The times of its
//!   object files may move: their links here share them.
//! - What is brought along beside the commit ([`Along::bring`]) is in no snapshot
//!   (`along::brought_files_are_in_the_workspace_and_in_nothing_that_leaves_it`).
//! - Nothing the user's repository configures is run: no hook, no filter, no
//!   fsmonitor (`isolation::nothing_the_repository_configures_is_run`).
//! - No file of the user's is within reach of an agent in a clone, not even an
//!   object by a hard link
//!   (`isolation::objects_are_linked_not_copied_and_out_of_the_agents_reach`).
//! - A fork is made from the other run's snapshots alone and outlives it
//!   (`forking`).
//! - In an apply each path ends as before or as after, whatever dies when
//!   (`apply_crashes`), and no byte of the user's is lost (`apply_random`).
//! - After an agent had the clone, its `.git` is never used again by Longhaul:
//!   an agent could have written a command into its configuration.
//! - File tools stay inside (`containment`), and a write is found to have
//!   happened or not after a crash (`edits`).
//!
//! What snapshots do not hold: files ignored by `.gitignore`, empty folders,
//! `.git` folders (the files of a repository inside the workspace are held, its
//! history is not), permission bits other than "executable", owners and times.

mod along;
mod apply;
mod blocking;
mod bring;
mod carry;
mod carry_plan;
mod clone;
mod copy;
mod diff;
mod dirty;
mod files;
mod fork;
mod git;
mod landing;
mod marker;
mod merging;
mod objects;
mod part;
mod patch;
mod paths;
mod planning;
mod planning_commit;
mod prepare;
mod prepare_error;
mod removal;
mod repository;
mod restore;
mod sandbox;
mod settling;
mod sides;
mod snapshot;
mod sparse;
mod staging;
mod submodules;
mod survey;
mod texts;
mod upkeep;
mod user_commit;
mod user_files;
mod user_tree;
mod workspace;

pub use along::{Along, BringPath, Uncommitted};
pub use apply::{
    AppliedPath, AppliedWork, Apply, ApplyError, ApplyOutcome, Conflict, Conflicts, Kept,
    PathOutcome, Resolution, TakenSide,
};
pub use diff::{ChangeStatus, ChangedFile};
pub use files::{FileHash, PlannedWrite, ReadFile, World, WriteError};
pub use git::GitError;
pub use landing::{Applied, ApplyBranch};
pub use marker::{ForkedFrom, LeftOut, Mode};
pub use merging::ConflictKind;
pub use part::Part;
pub use patch::{FilePatch, Hunk, Sign, by_file, hunk_names};
pub use paths::PathError;
pub use prepare::{DEFAULT_COPY_LIMIT, Workspaces};
pub use prepare_error::PrepareError;
pub use restore::Restored;
pub use sandbox::{
    Access, Boundary, Network, Sandbox, Surroundings, Unavailable, homes, unguard_git,
};
pub use snapshot::{Changed, Snapshot, SnapshotError};
pub use survey::{Surveyed, Whole};
pub use workspace::Workspace;
