//! A run, as its journal says it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::causes::{FailCause, InterruptCause, WaitCause};
use crate::event::{Event, MessageOrigin, PlanItem};
use crate::ids::{BlobRef, CheckpointId, OpId, ReviewId, RunId};
use crate::judged::TestChange;
use crate::lineage::Rollback;
use crate::money::NanoUsd;
use crate::op::{Op, OpKind, OpMode, OpOutcome, OpState, Settlement};
use crate::review::Review;
use crate::task::{ApplyInto, Budget, BudgetLimit, HunkName, Task, WorkspaceMode, word_enum};
use crate::time::Timestamp;
use crate::usage::{Charge, Figure, OpenCall, Tokens};

word_enum! {
    /// The states a user sees.
    RunState {
        /// Waits for a slot.
        Queued = "queued",
        /// An operation is going on, or the next one is being prepared.
        Running = "running",
        /// No operation can proceed; the causes say why.
        Waiting = "waiting",
        /// Paused by the user.
        Paused = "paused",
        /// Stopped without the user's wish; resumable.
        Interrupted = "interrupted",
        /// The verify command runs.
        Verifying = "verifying",
        /// Done.
        Completed = "completed",
        /// Not done; the cause says why.
        Failed = "failed",
        /// Ended by the user.
        Cancelled = "cancelled",
    }
}

impl RunState {
    /// Nothing goes on and nothing will without somebody or some event outside.
    pub const fn at_rest(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::Verifying)
    }

    /// Completed, failed or cancelled.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// What the events say directly; the state is derived from it and from what is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Waits for a slot.
    Queued,
    /// Has a slot (or waits in the middle of its work).
    Active,
    /// The verify command runs.
    Verifying,
    /// Paused by the user.
    Paused,
    /// Stopped without the user's wish.
    Interrupted,
    /// Done.
    Completed,
    /// Not done.
    Failed,
    /// Ended by the user.
    Cancelled,
}

/// Why and until when no operation can proceed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// The cause.
    pub cause: WaitCause,
    /// When it ends, where known.
    pub until: Option<Timestamp>,
    /// In words.
    pub detail: String,
    /// Since when.
    pub since: Timestamp,
}

impl Wait {
    /// Whether it is one for the provider or the network.
    pub fn is_limit(&self) -> bool {
        matches!(self.cause, WaitCause::RateLimit | WaitCause::Offline)
    }
}

/// What a run has used, by kind of figure. Totals are sums of charges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// All tokens.
    pub tokens: Tokens,
    /// Model requests.
    pub requests: u64,
    /// Priced, reported and estimated cost.
    pub settled: NanoUsd,
    /// Cost of calls that may have been billed, at their worst case.
    pub unsettled: NanoUsd,
    /// Requests whose model has no known price.
    pub unpriced_requests: u64,
    /// Tool calls begun.
    pub tool_calls: u64,
    /// Milliseconds of running and verifying.
    pub active_ms: i64,
}

impl Spent {
    pub(crate) fn add(&mut self, charge: &Charge) {
        self.tokens = self.tokens.plus(&charge.tokens);
        self.requests += charge.requests;
        let cost = charge.cost.unwrap_or_default();
        match charge.figure {
            Figure::Priced | Figure::Reported | Figure::Estimated => self.settled += cost,
            Figure::Unsettled => self.unsettled += cost,
            Figure::Unpriced => self.unpriced_requests += charge.requests,
        }
    }
}

/// Where a run's files are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceFacts {
    /// Clone, copy or in place.
    pub mode: WorkspaceMode,
    /// Absolute path.
    pub path: String,
    /// The branch checked out, in a clone.
    pub branch: Option<String>,
    /// The user's commit it started from.
    pub base: Option<String>,
    /// Uncommitted changes of the user that are not in the workspace.
    pub left_out: u32,
}

/// A point to resume, fork or roll back to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number within the run.
    pub id: CheckpointId,
    /// After which step.
    pub step: u32,
    /// When.
    pub at: Timestamp,
    /// The workspace snapshot's commit.
    pub snapshot: String,
    /// How many messages the conversation had.
    pub messages: u32,
    /// Its position in the journal; 0 where an older version kept the record.
    #[serde(default)]
    pub seq: u64,
}

/// A result that is being put into the user's project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applying {
    /// As what.
    pub into: ApplyInto,
    /// The name of the branch, where it becomes one.
    pub branch: Option<String>,
    /// The snapshot that is applied.
    pub snapshot: String,
    /// Only these paths; all when there are no hunks either.
    pub paths: Vec<String>,
    /// And these hunks of other files.
    #[serde(default)]
    pub hunks: Vec<HunkName>,
    /// Since when.
    pub since: Timestamp,
    /// Who asked for it.
    pub by: String,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The cause, for programs.
    pub cause: FailCause,
    /// In words, naming the runner.
    pub message: String,
}

/// Why and when a run was stopped without the user's wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interruption {
    /// The cause.
    pub cause: InterruptCause,
    /// In words.
    pub detail: String,
    /// When it was recorded.
    pub at: Timestamp,
    /// The last moment the run is known to have worked.
    pub last_alive: Timestamp,
}

/// An agent's own session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The driver that knows how to come back to it.
    pub driver: String,
    /// The agent's id of it.
    pub session: String,
    /// The keeper of the agent's process, by folder name.
    pub keeper: String,
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The user, or Longhaul on the user's behalf: `text` is plain text.
    User(MessageOrigin),
    /// The model: `text` is its content blocks as received.
    Model,
    /// A tool: `text` is what the model is told.
    Tool(OpOutcome),
}

/// One message an event adds to the conversation. Consecutive messages of users
/// and tools are one turn to the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub speaker: Speaker,
    /// The operation it came from.
    pub op: Option<OpId>,
    /// The model's id of the call it answers.
    pub call_id: Option<String>,
    /// Its content.
    pub text: BlobRef,
}

/// The fold of a run's journal. Its size does not grow with the number of steps:
/// operations and messages that are over live in the store's projections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// What was asked.
    pub task: Task,
    /// What the events say directly. Most readers want [`Run::state`].
    pub phase: Phase,
    /// The last event's position.
    pub head: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last got a slot.
    pub started_at: Option<Timestamp>,
    /// When it was completed, failed or cancelled.
    pub ended_at: Option<Timestamp>,
    /// When the last event was recorded.
    pub last_at: Timestamp,
    /// Times it was given a slot.
    pub attempts: u32,
    /// The current step, from 1; 0 before the first.
    pub step: u32,
    /// Operations recorded so far; the next one is this plus one.
    pub ops_recorded: u32,
    /// Operations that are not over.
    pub open_ops: BTreeMap<OpId, Op>,
    /// Reviews the run has not acted on.
    pub reviews: BTreeMap<ReviewId, Review>,
    /// Explicit causes of waiting, oldest first. Awaited reviews are causes too.
    pub waits: Vec<Wait>,
    /// What was used.
    pub spent: Spent,
    /// The caps in force.
    pub budget: Budget,
    /// The agent was told to wrap up, under these caps.
    pub warned: bool,
    /// Where the files are.
    pub workspace: Option<WorkspaceFacts>,
    /// The newest checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// The agent's own session.
    pub session: Option<Session>,
    /// Messages in the conversation.
    pub messages: u32,
    /// How many of them the backend was last sent: what an agent has heard.
    pub heard: u32,
    /// The first message after the prompt that the last model call was sent
    /// ([`crate::Request::sent_from`]).
    #[serde(default)]
    pub sent_from: u32,
    /// The agent's plan.
    pub plan: Vec<PlanItem>,
    /// Models that really answered, in order of first answer.
    pub answered_by: Vec<String>,
    /// The backend that works on it now: the task's own or a named fallback.
    pub backend: String,
    /// What it said at the end.
    pub result: Option<BlobRef>,
    /// What there was when it ended early.
    pub partial: Option<BlobRef>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Why and when it was last interrupted, until it works again.
    pub interrupted: Option<Interruption>,
    /// When daemon deaths found it active; the last three.
    pub daemon_deaths: Vec<Timestamp>,
    /// The newest recovery briefing.
    pub briefing: Option<BlobRef>,
    /// Failed verifications since the last success.
    pub verify_failures: u32,
    /// What it changed of what judges it, as last looked at.
    #[serde(default)]
    pub tests_changed: Vec<TestChange>,
    /// The workspace is gone by the user's wish.
    pub discarded: bool,
    /// Checkpoints taken so far, also those a rollback undid.
    #[serde(default)]
    pub checkpoints_taken: u32,
    /// The rollbacks, oldest first.
    #[serde(default)]
    pub rollbacks: Vec<Rollback>,
    /// The snapshot the files are still to be taken back to, after a rollback.
    #[serde(default)]
    pub restoring: Option<String>,
    /// What is being put into the user's project.
    #[serde(default)]
    pub applying: Option<Applying>,
    /// How often its result was put into the user's project.
    #[serde(default)]
    pub applied: u32,
    /// Calls of its agent that the gateway let through and that are not over, by number.
    #[serde(default)]
    pub calls: BTreeMap<u32, OpenCall>,
    /// The highest number of such a call.
    #[serde(default)]
    pub calls_sent: u32,
    /// The newest turn whose calls were seen by the gateway: it costs what they cost.
    #[serde(default)]
    pub metered: Option<OpId>,
}

impl Run {
    /// The state a user sees.
    pub fn state(&self) -> RunState {
        let base = match self.phase {
            Phase::Queued => RunState::Queued,
            Phase::Active => RunState::Running,
            Phase::Verifying => RunState::Verifying,
            Phase::Paused => return RunState::Paused,
            Phase::Interrupted => return RunState::Interrupted,
            Phase::Completed => return RunState::Completed,
            Phase::Failed => return RunState::Failed,
            Phase::Cancelled => return RunState::Cancelled,
        };
        let going_on = self.open_ops.values().any(|op| self.goes_on(op));
        if !going_on && !self.causes().is_empty() {
            RunState::Waiting
        } else {
            base
        }
    }

    /// Whether an operation proceeds by itself. An agent's turn does not count
    /// beside an awaited review: the agent waits for the answer, too.
    fn goes_on(&self, op: &Op) -> bool {
        if self.task.kind.is_native() {
            return op.state == OpState::Started;
        }
        match (op.kind, op.state) {
            (OpKind::Model, OpState::Started) => {
                // The gateway holds its calls while its credential may not be used.
                !self.reviews.values().any(Review::is_awaited)
                    && !self.waits.iter().any(Wait::is_limit)
            }
            (_, OpState::Started) => true,
            (_, OpState::Intended) => op.mode == OpMode::Observed && op.review.is_none(),
            _ => false,
        }
    }

    /// All causes of waiting, the first being *the* cause. Only a waiting run
    /// shows them, but they are known while another operation goes on too.
    pub fn causes(&self) -> Vec<WaitCause> {
        let mut causes: Vec<WaitCause> = Vec::new();
        let explicit = self.waits.iter().map(|wait| wait.cause);
        let reviews = self
            .reviews
            .values()
            .filter(|r| r.is_awaited())
            .map(|_| WaitCause::Review);
        for cause in explicit.chain(reviews) {
            if !causes.contains(&cause) {
                causes.push(cause);
            }
        }
        causes
    }

    /// Cost that counts against the cap: settled, unsettled and reserved.
    pub fn committed_cost(&self) -> NanoUsd {
        self.spent.settled + self.spent.unsettled + self.reserved()
    }

    /// Worst case of the operations under way. One that is only intended (again) costs
    /// nothing yet, and what its lost try may have cost is booked already.
    pub fn reserved(&self) -> NanoUsd {
        let under_way = |op: &&Op| op.state == OpState::Started;
        let open = self.open_ops.values().filter(under_way);
        let calls = self.calls.values().map(|call| call.reserve);
        open.map(|op| op.reserve).chain(calls).sum()
    }

    /// The cap that is used up, if any.
    pub fn exhausted(&self) -> Option<BudgetLimit> {
        self.budget.exhausted(
            self.committed_cost(),
            &self.spent.tokens,
            self.spent.tool_calls,
            self.spent.active_ms,
        )
    }

    /// Whether any cap is at least 90 % used.
    pub fn nearly_exhausted(&self) -> bool {
        self.budget.nearly_exhausted(
            self.committed_cost(),
            &self.spent.tokens,
            self.spent.tool_calls,
            self.spent.active_ms,
        )
    }

    /// The number the next operation gets.
    pub fn next_op(&self) -> OpId {
        OpId(self.ops_recorded + 1)
    }

    /// The review about an operation that the run has not acted on.
    pub fn review_of(&self, op: OpId) -> Option<&Review> {
        self.open_ops
            .get(&op)
            .and_then(|op| op.review)
            .and_then(|id| self.reviews.get(&id))
    }

    /// The message `event` adds to the conversation if it follows here. What an
    /// agent only reports belongs to its own conversation, not to this one.
    pub fn message_of(&self, event: &Event) -> Option<Message> {
        if let Event::MessageAdded { origin, text } = event {
            return Some(Message {
                speaker: Speaker::User(*origin),
                op: None,
                call_id: None,
                text: text.clone(),
            });
        }
        let op = self.open_ops.get(&event.op()?)?;
        if op.kind == OpKind::Tool && (op.mode == OpMode::Observed || !self.task.kind.is_native()) {
            return None;
        }
        let (outcome, text) = match event {
            Event::OpFinished {
                outcome, result, ..
            } => (*outcome, result),
            Event::OpFailed {
                result: Some(result),
                ..
            } => (OpOutcome::Error, result),
            Event::OpSettled {
                settlement: Settlement::Happened { result, .. },
                ..
            } => (OpOutcome::Ok, result),
            Event::OpSettled {
                settlement: Settlement::Skipped { result },
                ..
            } => (OpOutcome::Error, result),
            _ => return None,
        };
        let speaker = match op.kind {
            OpKind::Model if outcome == OpOutcome::Ok => Speaker::Model,
            OpKind::Tool if op.call_id.is_some() => Speaker::Tool(outcome),
            _ => return None,
        };
        Some(Message {
            speaker,
            op: Some(op.id),
            call_id: op.call_id.clone(),
            text: text.clone(),
        })
    }
}
