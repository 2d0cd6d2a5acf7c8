//! Runs: starting, listing and steering them.

use domain::{
    ApplyInto, BackendKind, HunkName, NanoUsd, Preset, ReviewId, RunId, RunState, WorkspaceMode,
};
use serde::{Deserialize, Serialize};

use crate::events::LogEntry;
use crate::moment::Moment;

/// What the user asks for, as given. The daemon fills in defaults and says what is
/// wrong with it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
#[serde(default)]
pub struct RunRequest {
    /// The whole prompt.
    pub prompt: String,
    /// Absolute path of the project folder.
    pub project: String,
    /// The backend's name; the only one if absent.
    pub backend: Option<String>,
    /// The model, where the backend has models.
    pub model: Option<String>,
    /// Shell command that must succeed before the run is completed.
    pub verify: Option<String>,
    /// How the project's files are isolated; a clone of a git project and a copy of
    /// another folder if absent.
    pub workspace: Option<WorkspaceMode>,
    /// Which operations are reviewed; balanced if absent.
    pub policy: Option<Preset>,
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
    /// Starts only after this run (id or unique prefix) is completed.
    pub after: Option<String>,
    /// Backends that may answer instead, in order.
    pub fallback: Vec<String>,
    /// Higher starts first. 0 is normal.
    pub priority: i32,
}

/// What this project's earlier runs took.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Estimate {
    /// How many runs it is made of.
    pub runs: u32,
    /// The median cost.
    pub cost_usd: NanoUsd,
    /// The median active time, in seconds.
    #[specta(type = u32)]
    pub duration_s: u64,
}

/// The run exists, durably.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RunStarted {
    /// Its id.
    pub id: RunId,
    /// What to expect, where this project has a history.
    pub estimate: Option<Estimate>,
    /// What the user should know beforehand, a line each.
    pub notes: Vec<String>,
}

/// Asks for the runs, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
#[serde(default)]
pub struct RunsRequest {
    /// Only those in this state.
    pub state: Option<RunState>,
    /// Only those of this project (absolute path).
    pub project: Option<String>,
    /// Only those on this backend.
    pub backend: Option<String>,
    /// Only those with these words in title, project or prompt, or in what was said.
    pub text: Option<String>,
    /// Only those with an event after this cursor (of an earlier [`RunList`]), whatever
    /// state they are in: what left `state` must be seen to have left it.
    pub since: Option<String>,
    /// At most so many; all if absent.
    pub limit: Option<u32>,
}

/// The runs, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RunList {
    /// The runs.
    pub runs: Vec<RunSummary>,
    /// The list is complete up to this cursor: ask with it as `since` for what changed.
    pub cursor: String,
    /// Whether the search for words ended before everything was looked through.
    pub partial: bool,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RunSummary {
    /// Its id.
    pub id: RunId,
    /// Its state.
    pub state: RunState,
    /// Why it waits, failed or was interrupted.
    pub cause: Option<String>,
    /// All causes of waiting.
    pub causes: Vec<String>,
    /// The prompt's first line, shortened.
    pub title: String,
    /// Absolute path of the project.
    pub project: String,
    /// The backend that works on it.
    pub backend: String,
    /// That backend's kind.
    pub kind: BackendKind,
    /// The model asked for.
    pub model: Option<String>,
    /// When what it waits for ends, where known.
    pub until: Option<Moment>,
    /// Why it waits, failed or was interrupted, in words.
    pub detail: Option<String>,
    /// What goes on in it now, in one line.
    pub now: Option<String>,
    /// The models that really answered, in order of first answer.
    pub answered_by: Vec<String>,
    /// The cap in dollars in force.
    pub max_cost_usd: Option<NanoUsd>,
    /// The cap in seconds of running and verifying in force.
    #[specta(type = Option<u32>)]
    pub max_duration_s: Option<u64>,
    /// Seconds of running and verifying used.
    #[specta(type = u32)]
    pub used_duration_s: u64,
    /// Tool calls begun.
    #[specta(type = u32)]
    pub tool_calls: u64,
    /// Steps so far.
    pub steps: u32,
    /// Open reviews.
    pub open_reviews: u32,
    /// Known cost.
    pub cost_usd: NanoUsd,
    /// What may have been billed besides.
    pub unsettled_cost_usd: NanoUsd,
    /// When it was made.
    pub created_at: Moment,
    /// When its last event was recorded.
    pub updated_at: Moment,
    /// Its last sign of life: its last event, or what was heard since.
    pub heard_at: Moment,
    /// When it was over.
    pub ended_at: Option<Moment>,
    /// Whether its answers are scripted and not a model's.
    pub simulated: bool,
}

macro_rules! run_request {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
        pub struct $name {
            /// The run (id or unique prefix).
            pub run: String,
        }
    };
}

/// Which of a run's operations come with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum OpsWanted {
    /// All (of a very long run the newest 2,000).
    #[default]
    All,
    /// None, and no checkpoints: for runs that are read page by page.
    None,
}

/// Asks for everything about one run.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct ShowRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// Whether its operations and checkpoints come with it.
    #[serde(default)]
    pub ops: OpsWanted,
}

run_request!(
    /// Ends a run by the user's wish. Its files stay until it is discarded.
    CancelRequest
);
run_request!(
    /// Asks for what a run changed.
    DiffRequest
);
run_request!(
    /// Deletes a run's files.
    DiscardRequest
);

/// Asks for a page of a run's journal.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct LogsRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// Only events after this position.
    #[serde(default)]
    #[specta(type = u32)]
    pub after: u64,
    /// At most so many; the daemon's own maximum (500) if absent or larger.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// A page of a run's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct LogPage {
    /// The run.
    pub run: RunId,
    /// The events, oldest first.
    pub entries: Vec<LogEntry>,
    /// Where the next page starts, if there is one now.
    #[specta(type = Option<u32>)]
    pub next: Option<u64>,
}

/// Which runs are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum RunSelector {
    /// This one (id or unique prefix).
    One(String),
    /// All to which it applies.
    All,
}

/// Lets runs go on that are paused, interrupted or failed.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct ResumeRequest {
    /// Which.
    pub runs: RunSelector,
}

/// Stops runs at the next operation boundary until they are resumed.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct PauseRequest {
    /// Which.
    pub runs: RunSelector,
}

/// Says something to the agent.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct MessageRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// What to say.
    pub text: String,
}

/// A run after it was steered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RunAck {
    /// The run.
    pub id: RunId,
    /// Its state now.
    pub state: RunState,
}

/// Runs after they were steered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct RunAcks {
    /// The runs to which it applied.
    pub runs: Vec<RunAck>,
}

/// What a run changed, as a unified diff against where it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct DiffView {
    /// The run.
    pub run: RunId,
    /// The diff.
    pub diff: String,
    /// Paths of the changed files, as the diff has them.
    pub files: Vec<String>,
    /// Its hunks, in its order.
    #[serde(default)]
    pub hunks: Vec<HunkName>,
}

/// Puts a run's result into the user's project.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct ApplyRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// Into what.
    #[serde(default = "as_branch", rename = "as")]
    pub into: ApplyInto,
    /// The name of the branch, if it becomes one; one is made up otherwise.
    #[serde(default)]
    pub branch: Option<String>,
    /// Only these files and folders, relative to the project; all when there are no hunks
    /// either.
    #[serde(default)]
    pub paths: Vec<String>,
    /// And these hunks of other files, as the diff names them. Where it has become another
    /// one meanwhile, nothing is applied.
    #[serde(default)]
    pub hunks: Vec<HunkName>,
    /// Who asks; the command line when absent.
    #[serde(default)]
    pub by: Option<String>,
}

/// What touches nothing of the user's is what happens unasked.
fn as_branch() -> ApplyInto {
    ApplyInto::Branch
}

/// It is there, or a person has to decide first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Applied {
    /// The run.
    pub run: RunId,
    /// The branch or folder it was put into; empty while a review is open.
    pub target: String,
    /// The commit, where there is one.
    pub commit: Option<String>,
    /// Each path of the result, and what became of it.
    #[serde(default)]
    pub paths: Vec<AppliedPath>,
    /// Where the user's files are as they were before, if any was replaced or removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<KeptFiles>,
    /// The review somebody has to answer first: nothing has been changed yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<ReviewId>,
}

/// What became of one path of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct AppliedPath {
    /// Relative to the top of the project's repository.
    pub path: String,
    /// What.
    pub what: AppliedWhat,
    /// Why somebody has to decide about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What became of one path of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum AppliedWhat {
    /// It is as the run made it.
    Written,
    /// It is gone, as in the run.
    Deleted,
    /// It has the run's changes and the user's.
    Merged,
    /// The user had the same already.
    Same,
    /// It is as the run made it; the user's version is kept aside.
    ReplacedYours,
    /// It is as the user has it.
    KeptYours,
    /// It is inside a submodule, which is not the project's to change.
    LeftOut,
    /// Somebody has to decide first.
    Conflict,
}

/// The user's files as they were before an apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct KeptFiles {
    /// A git store of Longhaul's; it goes when the run is discarded.
    pub store: String,
    /// The commit in it that has the files.
    pub commit: String,
}
