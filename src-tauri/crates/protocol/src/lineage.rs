//! Going back to a checkpoint, and forks.

use domain::{RunId, RunState};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Asks what going back to a checkpoint would do. Touches nothing.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct ConsequencesRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// The checkpoint (`cp3`).
    pub to: String,
}

/// A file that going back changes, seen from the checkpoint to now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct FileChange {
    /// Its path, relative to the top of the workspace.
    pub path: String,
    /// `added`, `modified`, `deleted`, `renamed` or `type-changed` since the checkpoint.
    pub change: String,
    /// Lines added since; null for a binary file.
    #[specta(type = Option<u32>)]
    pub added: Option<u64>,
    /// Lines removed since; null for a binary file.
    #[specta(type = Option<u32>)]
    pub removed: Option<u64>,
}

/// Something that happened and is not taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct EffectView {
    /// The operation.
    pub op: u32,
    /// Its step.
    pub step: u32,
    /// The tool.
    pub name: String,
    /// One line: the command, the request.
    pub summary: String,
    /// When it began.
    pub at: Moment,
}

/// What going back to a checkpoint means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ConsequencesView {
    /// The run.
    pub run: RunId,
    /// The checkpoint.
    pub checkpoint: String,
    /// After which step it was taken.
    pub step: u32,
    /// Steps that no longer count.
    pub steps_undone: u32,
    /// Files that change; the first 500.
    pub files: Vec<FileChange>,
    /// How many files change.
    pub files_changed: u32,
    /// What happened since and cannot be taken back, oldest first.
    pub not_undone: Vec<EffectView>,
    /// Titles of the reviews that are withdrawn.
    pub reviews_withdrawn: Vec<String>,
    /// What else will not be exactly as it was, a line each.
    pub remarks: Vec<String>,
}

/// Takes a run at rest back to a checkpoint: conversation and files. It is paused then.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct RollbackRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// The checkpoint (`cp3`).
    pub to: String,
}

/// Takes a run back to a checkpoint and lets it go on from there.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct ResumeFromRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// The checkpoint (`cp3`).
    pub from: String,
}

/// A run that went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RolledBack {
    /// The run.
    pub id: RunId,
    /// Its state now.
    pub state: RunState,
    /// Where it is now.
    pub checkpoint: String,
    /// Rolling back to this checkpoint undoes it.
    pub undo: String,
    /// What it meant.
    pub consequences: ConsequencesView,
}

/// Makes a new run that goes on from a checkpoint of another.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct ForkRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// The checkpoint (`cp3`).
    pub from: String,
    /// Said to the agent before it goes on.
    #[serde(default)]
    pub message: Option<String>,
}

/// The fork exists, durably.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Forked {
    /// The new run.
    pub id: RunId,
    /// Its state now.
    pub state: RunState,
    /// The run it was made from.
    pub parent: RunId,
    /// From which checkpoint.
    pub checkpoint: String,
}

/// Where a fork began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ForkView {
    /// The run it was made from.
    pub run: RunId,
    /// From which checkpoint.
    pub checkpoint: String,
}
