//! A run step by step, and one operation in full.

use domain::{ReviewId, RunId, Verdict};
use serde::{Deserialize, Serialize};

use crate::events::LogEntry;
use crate::moment::Moment;
use crate::view::OpView;

/// Most steps in one [`StepPage`].
pub const MAX_STEPS: u32 = 200;

/// Most entries shown of one step; a step with more says so.
pub const MAX_STEP_ENTRIES: usize = 400;

/// Most buckets of an [`Activity`].
pub const MAX_BUCKETS: u32 = 120;

/// Asks for a run's steps in order. Step 0 is what was recorded before the first step.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct StepsRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// The first step wanted.
    #[serde(default)]
    pub from: u32,
    /// How many, up to 200.
    pub count: u32,
}

/// Some of a run's steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct StepPage {
    /// The run.
    pub run: RunId,
    /// Steps the run has, step 0 not counted: they are numbered from 0 to this.
    pub total: u32,
    /// The run's last event's position when this was read.
    #[specta(type = u32)]
    pub head_seq: u64,
    /// The steps, oldest first.
    pub steps: Vec<StepView>,
}

/// One step: a model call and the tool calls it asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct StepView {
    /// Its number.
    pub step: u32,
    /// When it began.
    pub at: Moment,
    /// When the next one began, or the run was over; absent while it goes on.
    pub ended_at: Option<Moment>,
    /// Whether a rollback undid it.
    pub undone: bool,
    /// What was recorded in it, in the journal's order.
    pub entries: Vec<LogEntry>,
    /// Its operations, as they are now.
    pub ops: Vec<OpView>,
    /// Whether more was recorded in it than `entries` holds (400).
    pub truncated: bool,
}

/// Asks for one operation in full.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct OpRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// The operation's number within it.
    pub op: u32,
}

/// What a block of a model's answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum BlockKind {
    /// What it said.
    Text,
    /// What it thought.
    Thinking,
    /// A tool call it asks for, with its arguments as JSON.
    ToolUse,
    /// Anything else, as JSON.
    Other,
}

/// One block of a model's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct BlockView {
    /// What it is.
    pub kind: BlockKind,
    /// Its text.
    pub text: String,
}

/// One operation in full.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct OpDetail {
    /// The run.
    pub run: RunId,
    /// The operation.
    pub op: OpView,
    /// Its arguments, indented where they are JSON; to 256 KiB.
    pub arguments: String,
    /// What a person put in their place before approving it, in the same form.
    pub edited: Option<String>,
    /// What it answered, as the model was told; to 256 KiB.
    pub result: Option<String>,
    /// Bytes of its whole output, where `result` is a part of it.
    #[specta(type = Option<u32>)]
    pub full_bytes: Option<u64>,
    /// The blocks of the answer, for a model call.
    pub blocks: Vec<BlockView>,
    /// What the policy said.
    pub verdict: Verdict,
    /// The policy's rule, in words.
    pub rule: String,
    /// Why it failed.
    pub error: Option<String>,
    /// The model's id of the call.
    pub call_id: Option<String>,
    /// The review about it.
    pub review: Option<ReviewId>,
}

/// Asks how much a run did lately, for a sparkline.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct ActivityRequest {
    /// The run (id or unique prefix).
    pub run: String,
    /// Into how many equal parts the time is divided, up to 120.
    pub buckets: u32,
    /// How many seconds back.
    pub seconds: u32,
}

/// How much a run did lately.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct Activity {
    /// When the first bucket begins.
    pub from: Moment,
    /// Length of a bucket in seconds.
    #[specta(type = u32)]
    pub bucket_s: f64,
    /// Events recorded in each.
    pub events: Vec<u32>,
    /// Tokens charged in each, cache reads not counted.
    #[specta(type = Vec<u32>)]
    pub tokens: Vec<u64>,
}
