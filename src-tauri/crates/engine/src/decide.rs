//! Decisions of people: durable before they are acknowledged, bound to the exact
//! arguments, used once.

use domain::{Answer, Event, Review, ReviewId, RunId, Timestamp};
use store::AppendError;

use crate::core::Engine;

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// No open review has that id.
    #[error("there is no review {0}")]
    Unknown(ReviewId),
    /// Somebody was faster, or the review was withdrawn.
    #[error("{0}")]
    Decided(String),
    /// The review does not offer that choice.
    #[error("'{choice}' is not a choice here; choose one of: {offered}")]
    NotOffered {
        /// What was chosen.
        choice: String,
        /// What can be chosen.
        offered: String,
    },
    /// The journal could not be written.
    #[error("{0}")]
    Store(String),
}

impl Engine {
    /// Records a decision and wakes its run. A second decision is refused.
    pub async fn decide(&self, review: ReviewId, mut answer: Answer) -> Result<RunId, DecideError> {
        let found = self.find(review).await?;
        if !found.offers(&answer.choice) {
            let offered: Vec<&str> = found.choices.iter().map(|c| c.id.as_str()).collect();
            let offered = if offered.is_empty() {
                "answer (with your text)".to_owned()
            } else {
                offered.join(", ")
            };
            return Err(DecideError::NotOffered {
                choice: answer.choice,
                offered,
            });
        }
        let run = found.run;
        answer.note = answer.note.map(|note| self.core.redact(&note));
        let event = Event::ReviewDecided { review, answer };
        faults::crash_point("engine.before_decision");
        match self
            .core
            .store()
            .append(run, None, vec![event], Vec::new())
            .await
        {
            Ok(_) => {}
            Err(AppendError::Illegal(why)) => return Err(DecideError::Decided(why.to_string())),
            Err(error) => return Err(DecideError::Store(error.to_string())),
        }
        faults::crash_point("engine.decided");
        self.core.poke(run);
        Ok(run)
    }

    /// "Not now": hides it from the queue until then. Not the same as no.
    pub async fn snooze(&self, review: ReviewId, until: Timestamp) -> Result<(), DecideError> {
        let found = self.find(review).await?;
        let event = Event::ReviewSnoozed { review, until };
        self.core
            .store()
            .append(found.run, None, vec![event], Vec::new())
            .await
            .map(|_| ())
            .map_err(|e| DecideError::Store(e.to_string()))
    }

    async fn find(&self, id: ReviewId) -> Result<Review, DecideError> {
        let store = self.core.store();
        let run = store
            .run_of_review(id)
            .await
            .map_err(|e| DecideError::Store(e.to_string()))?;
        let run = run.ok_or(DecideError::Unknown(id))?;
        let run = store
            .load(run)
            .await
            .map_err(|e| DecideError::Store(e.to_string()))?;
        let review = run.and_then(|run| run.reviews.get(&id).cloned());
        review.ok_or_else(|| DecideError::Decided("it was decided or withdrawn already".to_owned()))
    }
}
