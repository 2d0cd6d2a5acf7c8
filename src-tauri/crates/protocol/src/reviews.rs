//! Reviews: what a person must decide.

use domain::{Answer, Choice, NanoUsd, Review, ReviewId, ReviewKind, ReviewState, RunId};
use serde::{Deserialize, Serialize};

use crate::moment::Moment;

/// Asks for the review queue.
#[derive(Clone, Debug, Default, Serialize, Deserialize, specta::Type)]
pub struct ReviewsRequest {
    /// Only those of this run (id or unique prefix).
    #[serde(default)]
    pub run: Option<String>,
}

/// The open reviews, longest waiting first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ReviewList {
    /// The reviews.
    pub reviews: Vec<ReviewView>,
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
    /// Somebody has answered.
    Decided,
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
    #[specta(type = String)]
    pub at: Moment,
}

impl From<&Answer> for AnswerView {
    fn from(answer: &Answer) -> Self {
        Self {
            choice: answer.choice.clone(),
            note: answer.note.clone(),
            by: answer.by.clone(),
            at: answer.at.into(),
        }
    }
}

/// Something a person must decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct ReviewView {
    /// Its id.
    #[specta(type = String)]
    pub id: ReviewId,
    /// Whose.
    #[specta(type = String)]
    pub run: RunId,
    /// That run's title, where known.
    pub run_title: Option<String>,
    /// About which operation, if about one.
    pub op: Option<u32>,
    /// What kind of thing is asked.
    #[specta(type = String)]
    pub kind: ReviewKind,
    /// Where it is.
    pub state: ReviewStatus,
    /// One line: what is asked.
    pub title: String,
    /// Why it was flagged.
    pub why: String,
    /// The command, diff, question or evidence, in full.
    pub detail: String,
    /// Possible answers. Empty for a free-text question.
    pub choices: Vec<ChoiceView>,
    /// When it was asked.
    #[specta(type = String)]
    pub requested_at: Moment,
    /// Hidden from the queue until then.
    #[specta(type = Option<String>)]
    pub snoozed_until: Option<Moment>,
    /// What was decided.
    pub answer: Option<AnswerView>,
}

impl ReviewView {
    /// The review as shown, with its run's title and its whole detail where that is
    /// too long to stand in the review itself.
    pub fn new(review: &Review, run_title: Option<String>, detail: Option<String>) -> Self {
        let (state, answer) = match &review.state {
            ReviewState::Open => (ReviewStatus::Open, None),
            ReviewState::Decided(answer) => (ReviewStatus::Decided, Some(answer.into())),
        };
        Self {
            id: review.id,
            run: review.run,
            run_title,
            op: review.op.map(|op| op.0),
            kind: review.kind,
            state,
            title: review.title.clone(),
            why: review.why.clone(),
            detail: detail.unwrap_or_else(|| review.detail.clone()),
            choices: review.choices.iter().map(Into::into).collect(),
            requested_at: review.requested_at.into(),
            snoozed_until: review.snoozed_until.map(Into::into),
            answer,
        }
    }
}

/// Answers a review.
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
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
    #[specta(type = Option<String>)]
    pub max_cost_usd: Option<NanoUsd>,
    /// Through what it is given: `cli`, `desktop`, `notification`, `browser`.
    pub by: String,
}

/// The decision is durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, specta::Type)]
pub struct Decided {
    /// The review.
    #[specta(type = String)]
    pub review: ReviewId,
    /// Its run.
    #[specta(type = String)]
    pub run: RunId,
    /// The choice taken.
    pub choice: String,
}

/// "Not now."
#[derive(Clone, Debug, Serialize, Deserialize, specta::Type)]
pub struct SnoozeRequest {
    /// The review (id or unique prefix).
    pub review: String,
    /// For how many seconds.
    #[specta(type = f64)]
    pub seconds: u64,
}
