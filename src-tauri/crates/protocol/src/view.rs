//! Everything about one run.

use domain::{
    BackendKind, NanoUsd, OpClass, OpKind, OpMode, OpState, PlanState, RunId, RunState, TestChange,
    WorkspaceMode,
};
use serde::{Deserialize, Serialize};

use crate::figures::Usage;
use crate::lineage::ForkView;
use crate::moment::Moment;
use crate::reviews::ReviewView;

/// Where a run's files are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct WorkspaceView {
    /// Clone, copy or in place.
    pub kind: WorkspaceMode,
    /// Absolute path, once they are there.
    pub path: Option<String>,
    /// The branch checked out, in a clone.
    pub branch: Option<String>,
    /// The user's commit it started from.
    pub base: Option<String>,
    /// Uncommitted changes of the user that are not in it.
    pub left_out: u32,
    /// Whether they were deleted by the user's wish.
    pub discarded: bool,
    /// Bytes on disk of the files and their snapshots, when that was last measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[specta(type = Option<u32>)]
    pub bytes: Option<u64>,
    /// Whether commands that work on them are kept from everything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxView>,
}

/// Whether what a run starts is kept from everything but its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct SandboxView {
    /// What begins now is.
    pub used: bool,
    /// Why not.
    pub why: Option<String>,
}

/// One item of the agent's plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct PlanItemView {
    /// What is to be done.
    pub text: String,
    /// How far it is.
    pub state: PlanState,
}

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Progress {
    /// Items of the plan that are done.
    pub done: u32,
    /// Items of the plan.
    pub total: u32,
    /// What is going on now, in one line.
    pub now: Option<String>,
    /// The agent's plan.
    pub plan: Vec<PlanItemView>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct OpView {
    /// Its number within the run.
    pub id: u32,
    /// The step it belongs to.
    pub step: u32,
    /// Model call, tool call or verification.
    pub kind: OpKind,
    /// Tool name, model id or `verify`.
    pub name: String,
    /// One line: the command, the path, the model.
    pub summary: String,
    /// What may be done when its outcome is unknown.
    pub class: OpClass,
    /// Gated or observed.
    pub mode: OpMode,
    /// Where it is.
    pub state: OpState,
    /// `ok` or `error`, once it has answered.
    pub outcome: Option<String>,
    /// When its effect could first begin.
    pub started_at: Option<Moment>,
    /// When it was over.
    pub ended_at: Option<Moment>,
    /// What it used, for a model call.
    pub tokens: Option<Usage>,
    /// What it cost, where that is known.
    pub cost_usd: Option<NanoUsd>,
}

/// The caps in force and what counts against them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BudgetView {
    /// Dollars.
    pub max_cost_usd: Option<NanoUsd>,
    /// Tokens, cache reads not counted.
    #[specta(type = Option<u32>)]
    pub max_tokens: Option<u64>,
    /// Tool calls.
    #[specta(type = Option<u32>)]
    pub max_tool_calls: Option<u64>,
    /// Seconds of running and verifying.
    #[specta(type = Option<u32>)]
    pub max_duration_s: Option<u64>,
    /// Dollars used, unsettled and reserved ones at their worst case.
    pub used_cost_usd: NanoUsd,
    /// Tokens used.
    #[specta(type = u32)]
    pub used_tokens: u64,
    /// Tool calls begun.
    #[specta(type = u32)]
    pub used_tool_calls: u64,
    /// Seconds used.
    #[specta(type = u32)]
    pub used_duration_s: u64,
}

/// A point to come back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct CheckpointView {
    /// Its name within the run (`cp3`).
    pub id: String,
    /// After which step.
    pub step: u32,
    /// When.
    pub at: Moment,
    /// Whether a rollback undid it; going back to it brings it again.
    pub undone: bool,
}

/// What is known about a run's interruption.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Recovery {
    /// Why it was interrupted, while it has not worked again.
    pub cause: Option<String>,
    /// In words.
    pub detail: Option<String>,
    /// When it was interrupted.
    pub at: Option<Moment>,
    /// The newest briefing: what was in flight, what is known, what changed on disk.
    pub briefing: Option<String>,
}

/// Everything about one run. Every field is always there; what is not known is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RunView {
    /// Its id.
    pub id: RunId,
    /// Its state.
    pub state: RunState,
    /// Why it waits, failed or was interrupted: the first cause.
    pub cause: Option<String>,
    /// All causes.
    pub causes: Vec<String>,
    /// The same in words.
    pub detail: Option<String>,
    /// When what it waits for ends, where known.
    pub until: Option<Moment>,
    /// The backend that works on it.
    pub backend: String,
    /// That backend's kind.
    pub kind: BackendKind,
    /// The model asked for.
    pub model: Option<String>,
    /// The models that really answered, in order of first answer.
    pub answered_by: Vec<String>,
    /// Absolute path of the project.
    pub project: String,
    /// The prompt's first line, shortened.
    pub title: String,
    /// The prompt, shortened to 16 KiB.
    pub prompt: String,
    /// The verify command.
    pub verify: Option<String>,
    /// Which operations are reviewed.
    pub policy: String,
    /// Backends that may answer instead.
    pub fallback: Vec<String>,
    /// The run it starts after.
    pub after: Option<String>,
    /// Where it began, if it is a fork.
    pub fork: Option<ForkView>,
    /// Higher starts first.
    pub priority: i32,
    /// Where its files are.
    pub workspace: WorkspaceView,
    /// How far it is.
    pub progress: Progress,
    /// Steps so far.
    pub steps: u32,
    /// Times it was given a slot.
    pub attempts: u32,
    /// What it changed of what judges it, each with what may have weakened it.
    #[serde(default)]
    pub tests_changed: Vec<TestChange>,
    /// Its operations, oldest first.
    pub ops: Vec<OpView>,
    /// What it used.
    pub usage: Usage,
    /// Known cost.
    pub cost_usd: NanoUsd,
    /// What may have been billed besides, at its worst case.
    pub unsettled_cost_usd: NanoUsd,
    /// Requests whose model has no known price: their cost is in no sum.
    #[specta(type = u32)]
    pub unpriced_requests: u64,
    /// The caps and what counts against them.
    pub budget: BudgetView,
    /// Points to come back to, oldest first.
    pub checkpoints: Vec<CheckpointView>,
    /// Its open and undone reviews, oldest first.
    pub reviews: Vec<ReviewView>,
    /// What it said at the end.
    pub result: Option<String>,
    /// What there was when it ended early.
    pub partial_result: Option<String>,
    /// What is known about its interruption.
    pub recovery: Option<Recovery>,
    /// When it was made.
    pub created_at: Moment,
    /// When it last got a slot.
    pub started_at: Option<Moment>,
    /// When it was over.
    pub ended_at: Option<Moment>,
    /// When its last event was recorded.
    pub updated_at: Moment,
    /// Whether its answers are scripted and not a model's.
    pub simulated: bool,
}
