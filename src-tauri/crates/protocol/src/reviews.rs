//! Reviews: what a person must decide.

use domain::{Answer, Choice, NanoUsd, Review, ReviewId, ReviewKind, ReviewState, RunId, RunState};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::events::LogEntry;
use crate::moment::Moment;
use crate::runs::RunSummary;
use crate::steps::OpDetail;

/// Which reviews are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum ReviewsStatus {
    /// What the Inbox shows: the open ones that are not snoozed, and those whose
    /// decision can still be undone. Longest waiting first.
    #[default]
    Queue,
    /// Those somebody has to answer now; snoozed ones are left out. Longest waiting first.
    Open,
    /// Open ones put off until later, longest waiting first.
    Snoozed,
    /// Those decided, used or not. Newest first.
    Decided,
    /// Every review there ever was, withdrawn ones too. Newest first.
    All,
}

/// Asks for the review queue, or for its history.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct ReviewsRequest {
    /// Only those of this run (id or unique prefix).
    #[serde(default)]
    pub run: Option<String>,
    /// Which; the queue when absent.
    #[serde(default)]
    pub status: ReviewsStatus,
    /// Only those asked for before this moment: the last one's `requested_at`, for the
    /// next page of a history.
    #[serde(default)]
    pub before: Option<Moment>,
    /// At most so many, and those asked for in the same millisecond as the last of them;
    /// all of a queue and 100 of a history when absent.
    #[serde(default)]
    pub limit: Option<u32>,
}

/// Reviews, in the order that [`ReviewsStatus`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ReviewList {
    /// The reviews.
    pub reviews: Vec<ReviewView>,
    /// How many open reviews (of the run asked about, or of all) are snoozed.
    #[serde(default)]
    pub snoozed: u32,
    /// When the queue changes by itself: a snoozed review comes back, or a decision can
    /// no longer be undone. No event tells of it, so look again then.
    #[serde(default)]
    pub next_at: Option<Moment>,
}

/// One possible answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ChoiceView {
    /// The word to answer with.
    pub id: String,
    /// For a button.
    pub label: String,
    /// What happens then.
    pub effect: String,
}

impl From<&Choice> for ChoiceView {
    fn from(choice: &Choice) -> Self {
        Self {
            id: choice.id.clone(),
            label: choice.label.clone(),
            effect: choice.effect.clone(),
        }
    }
}

/// Where a review is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
#[serde(rename_all = "snake_case")]
pub enum ReviewStatus {
    /// Somebody has to answer.
    Open,
    /// Somebody has answered; the run has not acted on it yet.
    Decided,
    /// The run acted on the answer.
    Used,
    /// It no longer needed deciding.
    Withdrawn,
    /// Nobody answered in time: neither yes nor no. It is asked again when its run is resumed.
    Expired,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct AnswerView {
    /// One of the choices, or `answer`.
    pub choice: String,
    /// A remark for the agent, or the answer to its question.
    pub note: Option<String>,
    /// Through what it was given.
    pub by: String,
    /// When.
    pub at: Moment,
    /// New cost cap in dollars, with a budget's `more`.
    #[serde(default)]
    pub max_cost_usd: Option<NanoUsd>,
    /// What was changed in the call before it was approved, in the words the model is told.
    #[serde(default)]
    pub edited: Option<String>,
}

impl From<&Answer> for AnswerView {
    fn from(answer: &Answer) -> Self {
        Self {
            choice: answer.choice.clone(),
            note: answer.note.clone(),
            by: answer.by.clone(),
            at: answer.at.into(),
            max_cost_usd: answer.max_cost,
            edited: answer.edit.as_ref().map(|edit| edit.told.clone()),
        }
    }
}

/// What a review's view says of its run.
#[derive(Clone, Debug)]
pub struct ReviewRun {
    /// The run's title.
    pub title: String,
    /// Absolute path of its project.
    pub project: String,
    /// Where it is.
    pub state: RunState,
    /// What it has cost so far, as far as that is known.
    pub cost: NanoUsd,
}

/// What a review's view says of the call it is about.
#[derive(Clone, Debug, Default)]
pub struct ReviewCall {
    /// The arguments the answer holds for, as JSON laid out for reading.
    pub arguments: Option<String>,
    /// Whether they may be changed before they are approved.
    pub editable: bool,
    /// Whether approving takes no more than a glance.
    pub low_risk: bool,
}

/// Something a person must decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ReviewView {
    /// Its id.
    pub id: ReviewId,
    /// Whose.
    pub run: RunId,
    /// That run's title, where known.
    pub run_title: Option<String>,
    /// Absolute path of that run's project.
    pub run_project: String,
    /// Where that run is.
    pub run_state: RunState,
    /// What that run has cost so far, as far as that is known.
    pub run_cost_usd: NanoUsd,
    /// About which operation, if about one.
    pub op: Option<u32>,
    /// What kind of thing is asked.
    pub kind: ReviewKind,
    /// Where it is.
    pub state: ReviewStatus,
    /// One line: what is asked.
    pub title: String,
    /// Why it was flagged.
    pub why: String,
    /// The whole id of the rule that asked, such as `balanced:beyond`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
    /// Whether `rule_preview` has a rule to offer that always allows this.
    #[serde(default)]
    pub always: bool,
    /// The command, diff, question or evidence, in full.
    pub detail: String,
    /// Possible answers. Empty for a free-text question.
    pub choices: Vec<ChoiceView>,
    /// The same for all that ask for the very same call: an answer to one may be meant for
    /// all of them. Absent where nothing else can ask the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same: Option<String>,
    /// When it was asked.
    pub requested_at: Moment,
    /// Hidden from the queue until then.
    pub snoozed_until: Option<Moment>,
    /// When it expires if nobody answers; absent where the user has set no such time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Moment>,
    /// What was decided.
    pub answer: Option<AnswerView>,
    /// The decision can be undone until then; the run acts on it from then on. Null when
    /// it took effect at once.
    pub effective_at: Option<Moment>,
    /// When the run acted on it, it was withdrawn, or it expired.
    pub ended_at: Option<Moment>,
    /// Why it was withdrawn.
    pub withdrawn: Option<String>,
    /// May be approved from a notification: a call that only reads, flagged because the
    /// policy asks about every one. Never what changes files, reaches the network, spends
    /// money, asks a question or clears up a doubt: for those more than a title must be read.
    pub low_risk: bool,
    /// Whether `decide` takes `arguments`: a call that waits for approval and whose
    /// arguments a person can change (a command, a write, an edit; any call an agent asks
    /// permission for).
    pub editable: bool,
    /// The exact arguments as JSON laid out for reading; editable ones only.
    pub arguments: Option<String>,
}

impl ReviewView {
    /// The review as shown, with its run, the call it is about, and its whole detail where
    /// that is too long to stand in the review itself.
    pub fn new(review: &Review, run: &ReviewRun, call: ReviewCall, detail: Option<String>) -> Self {
        let (state, answer) = match &review.state {
            ReviewState::Open => (ReviewStatus::Open, None),
            ReviewState::Expired => (ReviewStatus::Expired, None),
            ReviewState::Decided(answer) => (ReviewStatus::Decided, Some(answer)),
        };
        Self {
            id: review.id,
            run: review.run,
            run_title: Some(run.title.clone()),
            run_project: run.project.clone(),
            run_state: run.state,
            run_cost_usd: run.cost,
            op: review.op.map(|op| op.0),
            kind: review.kind,
            state,
            title: review.title.clone(),
            why: review.why.clone(),
            rule_id: review.rule_id.clone(),
            always: review.always,
            detail: detail.unwrap_or_else(|| review.detail.clone()),
            choices: review.choices.iter().map(Into::into).collect(),
            same: same(review),
            requested_at: review.requested_at.into(),
            snoozed_until: review.snoozed_until.map(Into::into),
            expires_at: None,
            answer: answer.map(Into::into),
            effective_at: answer.and_then(|a| a.effective_at).map(Into::into),
            ended_at: None,
            withdrawn: None,
            low_risk: call.low_risk,
            editable: call.editable,
            arguments: call.arguments,
        }
    }
}

/// What tells reviews that ask for the very same call: tool, arguments and answers.
fn same(review: &Review) -> Option<String> {
    let alike = matches!(
        review.kind,
        ReviewKind::ToolCall | ReviewKind::SensitiveChange | ReviewKind::Loop
    );
    let digest = review
        .digest
        .as_ref()
        .filter(|_| alike && review.op.is_some())?;
    Some(format!("{}:{}", review.kind, digest.0))
}

/// Asks for everything one needs to decide.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct ReviewRequest {
    /// The review (id or unique prefix), open or over.
    pub review: String,
}

/// A review with what stands around it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, specta::Type)]
pub struct ReviewDetail {
    /// The review.
    pub review: ReviewView,
    /// Its run.
    pub run: RunSummary,
    /// What happened just before it was asked: at most 8 entries, newest last.
    pub before: Vec<LogEntry>,
    /// The operation it is about, with its arguments in full.
    pub op: Option<OpDetail>,
}

/// Answers a review.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct DecideRequest {
    /// The review (id or unique prefix).
    pub review: String,
    /// One of its choices; any text for a question without choices.
    pub choice: String,
    /// A remark for the agent.
    #[serde(default)]
    pub note: Option<String>,
    /// New cost cap in dollars, with a budget's `more`.
    #[serde(default)]
    pub max_cost_usd: Option<NanoUsd>,
    /// Through what it is given: `cli`, `desktop`, `notification`, `browser`.
    pub by: String,
    /// The decision is durable at once and takes effect after so many milliseconds, until
    /// when `undo` takes it back. 0 (or absent): at once. At most 60000.
    #[serde(default)]
    pub grace_ms: u32,
    /// With `approve` of an editable review: the arguments to use instead, whole.
    #[serde(default)]
    #[specta(type = Option<std::collections::BTreeMap<String, domain::typescript::Json>>)]
    pub arguments: Option<Map<String, Value>>,
    /// With `approve`: the rule as `rule_preview` has shown it, which is written to the
    /// user's rules for the project. Takes effect at once.
    #[serde(default)]
    pub rule: Option<String>,
}

/// The decision is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Decided {
    /// The review.
    pub review: ReviewId,
    /// Its run.
    pub run: RunId,
    /// The choice taken.
    pub choice: String,
    /// When it takes effect, where not at once.
    #[serde(default)]
    pub effective_at: Option<Moment>,
}

/// Takes back a decision that has not taken effect yet.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct UndoRequest {
    /// The review (id or unique prefix).
    pub review: String,
    /// Only the decision that takes effect then (as `decide` answered): another one, made
    /// elsewhere meanwhile, stands.
    #[serde(default)]
    pub effective_at: Option<Moment>,
    /// Through what it is taken back: `cli`, `desktop`, `notification`, `browser`.
    #[serde(default)]
    pub by: Option<String>,
}

/// The review is open again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Undone {
    /// The review.
    pub review: ReviewId,
    /// Its run.
    pub run: RunId,
}

/// "Not now."
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct SnoozeRequest {
    /// The review (id or unique prefix).
    pub review: String,
    /// For how many seconds.
    #[specta(type = u32)]
    pub seconds: u64,
}
