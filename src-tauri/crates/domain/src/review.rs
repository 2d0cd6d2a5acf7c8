//! Reviews: what a person must decide.

use serde::{Deserialize, Serialize};

use crate::ids::{BlobRef, Digest, OpId, ReviewId, RunId};
use crate::money::NanoUsd;
use crate::task::word_enum;
use crate::time::Timestamp;

word_enum! {
    /// What kind of thing is asked.
    ReviewKind {
        /// May this tool call run?
        ToolCall = "tool_call",
        /// May this change to something sensitive be made?
        SensitiveChange = "sensitive_change",
        /// The agent doubts its own plan.
        Doubt = "doubt",
        /// The agent asks something.
        Question = "question",
        /// A crash left an operation whose outcome is unknown.
        InDoubt = "in_doubt",
        /// The verify command fails and the agent did not mend it.
        VerifyFailed = "verify_failed",
        /// A cap is reached, or the model has no known price.
        Budget = "budget",
        /// The same call fails or repeats.
        Loop = "loop",
        /// The backend's credential does not work.
        Auth = "auth",
        /// The run this one waits for did not complete.
        Dependency = "dependency",
        /// What the user changed meanwhile stands against what is to be applied.
        Conflict = "conflict",
        /// Nothing was heard for too long; the run was stopped.
        Stalled = "stalled",
        /// A limit ends so late that going on waiting should be somebody's wish.
        LimitWait = "limit_wait",
    }
}

impl ReviewKind {
    /// Whether its run cannot go on without an answer: it stops when this expires, and asks
    /// again when it is resumed. The other kinds are not asked any more then.
    pub const fn holds_up_its_run(self) -> bool {
        !matches!(self, Self::LimitWait | Self::Stalled | Self::Conflict)
    }
}

/// One possible answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Choice {
    /// The word to answer with (`approve`, `reject`, `happened`, …).
    pub id: String,
    /// For a button.
    pub label: String,
    /// What happens then.
    pub effect: String,
}

impl Choice {
    /// A choice from its three texts.
    pub fn new(id: &str, label: &str, effect: &str) -> Self {
        Self {
            id: id.to_owned(),
            label: label.to_owned(),
            effect: effect.to_owned(),
        }
    }
}

/// What was decided, by whom, when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Answer {
    /// One of the review's choices; for a question, the answer itself is in `note`
    /// and this is `answer`.
    pub choice: String,
    /// A remark for the agent, or the answer to its question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// `cli`, `desktop`, `notification`, `browser`, `policy`.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// New cost cap, with a budget's `more`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<NanoUsd>,
    /// From when on the run may act on it, and until when it can be undone. Absent: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_at: Option<Timestamp>,
    /// With an approval: arguments to use in the place of those asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edit: Option<Box<Edit>>,
}

impl Answer {
    /// Whether the run may act on it at `now`; until then it can be undone.
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.effective_at.is_none_or(|from| from <= now)
    }
}

/// Arguments a person put in the place of those an operation was asked with. Both
/// versions are kept: the operation's intent has the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Edit {
    /// The digest of the arguments that were replaced: the edit holds for no others.
    pub of: Digest,
    /// The arguments to use instead: a JSON object.
    pub args: BlobRef,
    /// Their digest.
    pub digest: Digest,
    /// One line for people: the command, the path.
    pub summary: String,
    /// What was changed, as the model is told with the result.
    pub told: String,
}

/// Where a review is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReviewState {
    /// Nobody has answered.
    Open,
    /// Answered; the run has not acted on it yet.
    Decided(Answer),
    /// Nobody answered in time. Nothing was approved or refused: it is asked again when the
    /// run is resumed.
    Expired,
}

/// Something a person must decide, as long as the run has not acted on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "specta", derive(specta::Type))]
pub struct Review {
    /// Its id.
    pub id: ReviewId,
    /// Whose.
    pub run: RunId,
    /// About which operation, if about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<OpId>,
    /// What kind of thing is asked.
    pub kind: ReviewKind,
    /// One line: what is asked.
    pub title: String,
    /// Why it was flagged: the rule, or the model's own words.
    pub why: String,
    /// The whole id of the rule that asked (`balanced:beyond`), where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule_id: Option<String>,
    /// Whether "always allow this here" is offered with an approval.
    #[serde(default, skip_serializing_if = "is_no")]
    pub always: bool,
    /// The command, diff or question in full, or the evidence.
    pub detail: String,
    /// The detail's whole text when it was too long to stand in `detail`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail_blob: Option<BlobRef>,
    /// Possible answers. Empty for a free-text question.
    pub choices: Vec<Choice>,
    /// The exact arguments the answer holds for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What several runs may share one review about (a credential's name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// When it was asked.
    pub requested_at: Timestamp,
    /// When it was last asked again: its decision was undone, or it had expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_again_at: Option<Timestamp>,
    /// Hidden from the queue until then ("not now").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Timestamp>,
    /// Where it is.
    #[serde(flatten)]
    pub state: ReviewState,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_no(flag: &bool) -> bool {
    !flag
}

impl Review {
    /// Since when it waits for an answer: what was put off waits from when it comes back.
    pub fn waits_since(&self) -> Timestamp {
        let again = self.asked_again_at.into_iter();
        let times = again.chain(self.snoozed_until);
        times.fold(self.requested_at, Timestamp::max)
    }

    /// Whether `choice` is one of the possible answers (any text answers a question).
    pub fn offers(&self, choice: &str) -> bool {
        self.kind == ReviewKind::Question && self.choices.is_empty()
            || self.choices.iter().any(|c| c.id == choice)
    }

    /// Whether somebody still has to answer.
    pub fn is_open(&self) -> bool {
        self.state == ReviewState::Open
    }

    /// The answer, as soon as the run may act on it.
    pub fn decision(&self, now: Timestamp) -> Option<&Answer> {
        self.answer().filter(|answer| answer.holds_at(now))
    }

    /// The answer, whether or not it can still be undone.
    pub fn answer(&self) -> Option<&Answer> {
        match &self.state {
            ReviewState::Open | ReviewState::Expired => None,
            ReviewState::Decided(answer) => Some(answer),
        }
    }

    /// When its decision takes effect, if it was made with time to undo it.
    pub fn effective_at(&self) -> Option<Timestamp> {
        self.answer().and_then(|answer| answer.effective_at)
    }

    /// Whether the run waits for it: nobody has answered (in time), or the answer was given
    /// time to be undone. A fold knows no clock; what takes effect is used up a moment later.
    pub fn is_awaited(&self) -> bool {
        let expired = self.state == ReviewState::Expired;
        self.is_open() || expired || self.effective_at().is_some()
    }
}
