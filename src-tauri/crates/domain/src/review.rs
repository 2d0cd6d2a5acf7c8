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
    }
}

/// One possible answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// Where a review is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReviewState {
    /// Nobody has answered.
    Open,
    /// Answered; the run has not acted on it yet.
    Decided(Answer),
}

/// Something a person must decide, as long as the run has not acted on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Hidden from the queue until then ("not now").
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snoozed_until: Option<Timestamp>,
    /// Where it is.
    #[serde(flatten)]
    pub state: ReviewState,
}

impl Review {
    /// Whether `choice` is one of the possible answers (any text answers a question).
    pub fn offers(&self, choice: &str) -> bool {
        self.kind == ReviewKind::Question && self.choices.is_empty()
            || self.choices.iter().any(|c| c.id == choice)
    }

    /// Whether somebody still has to answer.
    pub fn is_open(&self) -> bool {
        self.state == ReviewState::Open
    }
}
