//! The journal's vocabulary. An event says what happened; it is never changed
//! and never removed, and a run's state is nothing but the fold of its events.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::causes::{CallEnd, FailCause, InterruptCause, QueueReason, WaitCause};
use crate::ids::{BlobRef, CheckpointId, Digest, OpId, ReviewId, RunId};
use crate::judged::TestChange;
use crate::money::NanoUsd;
use crate::op::{Decision, OpClass, OpError, OpKind, OpMode, OpOutcome, Request, Settlement};
use crate::review::{Answer, Review};
use crate::task::{ApplyInto, Budget, HunkName, Task, WorkspaceMode, word_enum};
use crate::time::Timestamp;
use crate::usage::Charge;

word_enum! {
    /// Who put a message into the conversation.
    MessageOrigin {
        /// The task's prompt.
        Prompt = "prompt",
        /// The user, while the run was going.
        User = "user",
        /// Longhaul, after an interruption.
        Briefing = "briefing",
        /// Longhaul, when a budget is nearly used up.
        WrapUp = "wrap_up",
        /// Longhaul, when the verify command failed.
        Verify = "verify",
        /// Longhaul, to have a cut-off answer continued.
        Continue = "continue",
    }
}

word_enum! {
    /// Where a plan's item is.
    PlanState {
        /// Not begun.
        Pending = "pending",
        /// Being worked on.
        Active = "active",
        /// Done.
        Done = "done",
    }
}

/// One item of the agent's own plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct PlanItem {
    /// What is to be done.
    pub text: String,
    /// How far it is.
    pub state: PlanState,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The run exists. Always the first event, and only the first.
    RunCreated { run: RunId, task: Box<Task> },
    /// It waits for a slot.
    Queued { reason: QueueReason },
    /// It has a slot and works, with this backend and model.
    Started {
        backend: String,
        model: Option<String>,
    },
    /// Another backend answers from here on, because the task names it as a fallback.
    BackendSwitched {
        backend: String,
        model: Option<String>,
        why: String,
    },
    /// Its files are ready.
    WorkspaceReady {
        mode: WorkspaceMode,
        path: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base: Option<String>,
        /// Uncommitted changes of the user that are not in the workspace.
        #[serde(default)]
        left_out: u32,
    },
    /// A step begins: one model call and the tool calls it asks for.
    StepStarted { step: u32 },
    /// A message joins the conversation.
    MessageAdded {
        origin: MessageOrigin,
        text: BlobRef,
    },
    /// An operation is about to happen. Durable before anything does.
    OpIntended {
        op: OpId,
        step: u32,
        op_kind: OpKind,
        name: String,
        class: OpClass,
        mode: OpMode,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call_id: Option<String>,
        args: BlobRef,
        digest: Digest,
        summary: String,
        decision: Decision,
        #[serde(default)]
        reserve: NanoUsd,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request: Option<Request>,
    },
    /// Its effect may begin now.
    OpStarted {
        op: OpId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keeper: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        plan: Option<String>,
    },
    /// A try failed and another will be made.
    OpRetried {
        op: OpId,
        error: OpError,
        /// When the next try is due.
        next_at: Timestamp,
        /// What the failed try may have cost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        charge: Option<Box<Charge>>,
    },
    /// It answered.
    OpFinished {
        op: OpId,
        outcome: OpOutcome,
        /// What the model is told; for a model call, its content blocks as received.
        result: BlobRef,
        /// The whole output where `result` is a shortened one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        full: Option<BlobRef>,
        /// One line for people.
        summary: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        charge: Option<Box<Charge>>,
        /// Why the model stopped, or a command's exit status.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop: Option<String>,
    },
    /// It is over without an answer.
    OpFailed {
        op: OpId,
        error: OpError,
        /// What the model is told, where it asked for the call.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<BlobRef>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        charge: Option<Box<Charge>>,
    },
    /// A crash left it open; this is what became of it.
    OpSettled {
        op: OpId,
        settlement: Settlement,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        charge: Option<Box<Charge>>,
    },
    /// A remark for the timeline (an agent's own retry, a session that could not be resumed).
    Noted { text: String },
    /// Usage that belongs to no operation of ours (an agent's own report).
    Charged { charge: Box<Charge> },
    /// An agent's call to its model was let through by Longhaul's gateway.
    CallSent {
        /// The agent's turn.
        op: OpId,
        /// Number within the run, from 1. Calls that go beside each other may be
        /// recorded in another order.
        call: u32,
        /// The kind of request, as the gateway calls it.
        api: String,
        /// The model asked for.
        model: String,
        /// Its worst case.
        #[serde(default)]
        reserve: NanoUsd,
    },
    /// It is over.
    CallEnded {
        op: OpId,
        call: u32,
        end: CallEnd,
        /// The status it was answered with, where it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// What went wrong, in words; empty where nothing did.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
        /// What it cost, or may have.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        charge: Option<Box<Charge>>,
    },
    /// A person must decide.
    ReviewRequested { review: Box<Review> },
    /// A person decided. Durable before the answer is acknowledged.
    ReviewDecided { review: ReviewId, answer: Answer },
    /// The run acted on the decision. At most once.
    ReviewUsed { review: ReviewId },
    /// The decision was undone before it took effect: somebody has to decide again.
    ReviewReopened { review: ReviewId, by: String },
    /// Nobody answered for so long: neither yes nor no.
    ReviewExpired {
        review: ReviewId,
        /// How long it had waited for an answer when it expired.
        #[cfg_attr(feature = "specta", specta(type = u32))]
        after_ms: i64,
    },
    /// One that had expired is open again, because its run goes on.
    ReviewAskedAgain { review: ReviewId },
    /// "Not now."
    ReviewSnoozed { review: ReviewId, until: Timestamp },
    /// It no longer needs deciding.
    ReviewWithdrawn { review: ReviewId, why: String },
    /// No operation can proceed for this cause (reviews are causes by themselves).
    WaitBegan {
        cause: WaitCause,
        /// When it ends, where known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
        detail: String,
    },
    /// That cause is over.
    WaitEnded { cause: WaitCause },
    /// A point to resume, fork or roll back to.
    CheckpointTaken {
        checkpoint: CheckpointId,
        step: u32,
        /// The workspace snapshot's commit.
        snapshot: String,
        /// How many messages the conversation had.
        messages: u32,
    },
    /// The agent was told to wrap up.
    BudgetWarned,
    /// The caps changed.
    BudgetChanged { budget: Budget },
    /// The agent's plan, whole.
    PlanChanged { items: Vec<PlanItem> },
    /// The agent's own session, needed to come back to it.
    SessionBound {
        driver: String,
        session: String,
        keeper: String,
    },
    /// The verify command runs.
    VerifyStarted,
    /// It is done; the run works on, or is about to end.
    VerifyEnded { passed: OpOutcome },
    /// It passed; these are the tests and the like that it changed, and may have weakened.
    TestsJudged {
        /// The snapshot that was looked at.
        snapshot: String,
        changed: Vec<TestChange>,
    },
    /// The user paused it.
    Paused { by: String },
    /// It was stopped without the user's wish.
    Interrupted {
        cause: InterruptCause,
        detail: String,
        /// The last moment it is known to have worked; time after it counts for nothing.
        last_alive: Timestamp,
    },
    /// What was in flight, what is known, what changed on disk: for user and agent.
    Briefed { text: BlobRef },
    /// The machine slept or the clock jumped: these milliseconds count for nothing.
    Suspended {
        #[cfg_attr(feature = "specta", specta(type = u32))]
        ms: i64,
    },
    /// Done, verified where asked.
    Completed { result: BlobRef },
    /// Not done.
    Failed {
        cause: FailCause,
        message: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        partial: Option<BlobRef>,
    },
    /// Ended by the user.
    Cancelled { by: String },
    /// The run went back to a checkpoint. What came after it no longer counts, and stays
    /// in the journal. The files follow ([`Event::FilesRestored`]).
    RolledBack {
        to: CheckpointId,
        /// The checkpoint's position in the journal.
        #[cfg_attr(feature = "specta", specta(type = u32))]
        seq: u64,
        snapshot: String,
        /// How many messages the conversation had there.
        messages: u32,
        by: String,
    },
    /// The files are as the snapshot has them.
    FilesRestored { snapshot: String },
    /// The result is about to be put into the user's project.
    ApplyBegan {
        into: ApplyInto,
        /// The name of the branch, where it becomes one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        /// The snapshot that is applied.
        snapshot: String,
        /// Only these paths, relative to the top of the workspace; all when there are no
        /// hunks either.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        paths: Vec<String>,
        /// And these hunks of other files.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        hunks: Vec<HunkName>,
        by: String,
    },
    /// It was not put there; the user's project is as it was.
    ApplyEnded { why: String },
    /// The result was put into the user's project.
    Applied {
        /// The branch, or the folder whose files changed.
        target: String,
        /// The commit; empty for uncommitted changes.
        #[serde(default)]
        commit: String,
    },
    /// The workspace is gone by the user's wish.
    Discarded,
}

/// An event in its place in a run's journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Position in the run, from 1 without gaps.
    pub seq: u64,
    /// When it was recorded.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// Why stored text is not an event.
#[derive(Debug, thiserror::Error)]
#[error("journal entry of kind '{kind}' cannot be read: {source}")]
pub struct ParseEventError {
    kind: String,
    #[source]
    source: serde_json::Error,
}

impl Event {
    /// The event's kind and its other fields as a JSON object, as the journal stores them.
    pub fn to_parts(&self) -> (String, String) {
        let mut value = serde_json::to_value(self).expect("events have string keys only");
        let object = value.as_object_mut().expect("events serialize as objects");
        let Some(Value::String(kind)) = object.shift_remove("kind") else {
            unreachable!("every event carries its kind")
        };
        (kind, value.to_string())
    }

    /// Reads back what [`Event::to_parts`] gave.
    pub fn from_parts(kind: &str, payload: &str) -> Result<Self, ParseEventError> {
        let error = |source| ParseEventError {
            kind: kind.to_owned(),
            source,
        };
        let mut value: Value = serde_json::from_str(payload).map_err(error)?;
        if let Some(object) = value.as_object_mut() {
            object.insert("kind".to_owned(), Value::String(kind.to_owned()));
        }
        serde_json::from_value(value).map_err(error)
    }

    /// The operation it is about, if about one.
    pub fn op(&self) -> Option<OpId> {
        match self {
            Self::OpIntended { op, .. }
            | Self::OpStarted { op, .. }
            | Self::OpRetried { op, .. }
            | Self::OpFinished { op, .. }
            | Self::OpFailed { op, .. }
            | Self::OpSettled { op, .. }
            | Self::CallSent { op, .. }
            | Self::CallEnded { op, .. } => Some(*op),
            Self::ReviewRequested { review } => review.op,
            _ => None,
        }
    }

    /// Every blob it refers to: what must exist as long as it does.
    pub fn blobs(&self) -> Vec<&BlobRef> {
        match self {
            Self::RunCreated { task, .. } => vec![&task.prompt],
            Self::MessageAdded { text, .. } | Self::Briefed { text } => vec![text],
            Self::OpIntended { args, request, .. } => {
                let mut blobs = vec![args];
                blobs.extend(request.as_ref().map(|r| &r.frame));
                blobs
            }
            Self::OpFinished { result, full, .. } => {
                let mut blobs = vec![result];
                blobs.extend(full);
                blobs
            }
            Self::OpFailed {
                result: Some(result),
                ..
            }
            | Self::Completed { result } => vec![result],
            Self::OpSettled {
                settlement: Settlement::Happened { result, .. } | Settlement::Skipped { result },
                ..
            } => {
                vec![result]
            }
            Self::ReviewRequested { review } => review.detail_blob.iter().collect(),
            Self::ReviewDecided { answer, .. } => {
                answer.edit.iter().map(|edit| &edit.args).collect()
            }
            Self::Failed {
                partial: Some(partial),
                ..
            } => vec![partial],
            _ => Vec::new(),
        }
    }

    /// What it cost, if anything.
    pub fn charge(&self) -> Option<&Charge> {
        match self {
            Self::Charged { charge } => Some(charge),
            Self::OpRetried { charge, .. }
            | Self::OpFinished { charge, .. }
            | Self::OpFailed { charge, .. }
            | Self::OpSettled { charge, .. }
            | Self::CallEnded { charge, .. } => charge.as_deref(),
            _ => None,
        }
    }
}
