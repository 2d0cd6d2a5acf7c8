//! Decisions of people: durable before they are acknowledged, bound to the exact
//! arguments, used once. One made with time to undo it is durable at once and used only
//! from then on; until then it can be taken back.

use bytes::Bytes;
use domain::{Answer, Event, Review, ReviewId, Run, RunId, Timestamp};
use serde_json::{Map, Value};
use store::AppendError;

use crate::core::Engine;
use crate::edit::EditError;

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
    /// The arguments were edited, and cannot be.
    #[error(transparent)]
    Edit(#[from] EditError),
    /// It cannot be allowed once and for all.
    #[error("this cannot always be allowed: {0}")]
    NotAlways(String),
    /// The rule that was to come with it was not written, so nothing is decided.
    #[error(transparent)]
    Rule(#[from] crate::rule_files::RulesError),
    /// The journal could not be written.
    #[error("{0}")]
    Store(String),
}

impl Engine {
    /// Records a decision and wakes its run, which acts on it from `answer.effective_at` on
    /// (at once when absent). A second decision is refused.
    pub async fn decide(&self, review: ReviewId, answer: Answer) -> Result<RunId, DecideError> {
        let (run, found) = self.find(review).await?;
        offered(&found, &answer)?;
        self.record(run.id, review, answer, Vec::new(), None).await
    }

    /// The same, approving a call with other arguments than it asks for.
    pub async fn decide_edited(
        &self,
        review: ReviewId,
        mut answer: Answer,
        arguments: &Map<String, Value>,
    ) -> Result<RunId, DecideError> {
        let (run, found) = self.find(review).await?;
        offered(&found, &answer)?;
        if answer.choice != "approve" {
            let why = "what is not approved does not run at all".to_owned();
            return Err(EditError::NotEditable(why).into());
        }
        let edit = self.core.edit_of(&run, &found, arguments).await?;
        let blobs = edit.iter().map(|(_, text)| text.clone()).collect();
        answer.edit = edit.map(|(edit, _)| Box::new(edit));
        self.record(run.id, review, answer, blobs, None).await
    }

    /// Records a decision, with what else is to be said of it.
    pub(crate) async fn record(
        &self,
        run: RunId,
        review: ReviewId,
        mut answer: Answer,
        blobs: Vec<Bytes>,
        note: Option<String>,
    ) -> Result<RunId, DecideError> {
        answer.note = answer.note.map(|note| self.core.redact(&note));
        let mut events = vec![Event::ReviewDecided { review, answer }];
        events.extend(note.map(|text| Event::Noted { text }));
        faults::crash_point("engine.before_decision");
        let recorded = self.core.store().append(run, None, events, blobs);
        let decided = match recorded.await {
            Ok(done) => done.run,
            Err(AppendError::Illegal(why)) => return Err(DecideError::Decided(why.to_string())),
            Err(error) => return Err(DecideError::Store(error.to_string())),
        };
        faults::crash_point("engine.decided");
        self.core.poke(run);
        self.core.mind_stalled(&decided);
        Ok(run)
    }

    /// Takes a decision back before it takes effect: the review is open again. With
    /// `effective_at`, only the decision that takes effect then: one that somebody else
    /// made meanwhile stands.
    pub async fn undo(
        &self,
        review: ReviewId,
        effective_at: Option<Timestamp>,
        by: &str,
    ) -> Result<RunId, DecideError> {
        loop {
            let (run, found) = self.find(review).await?;
            if effective_at.is_some() && found.effective_at() != effective_at {
                let why = "that decision is not the one that stands".to_owned();
                return Err(DecideError::Decided(why));
            }
            let event = Event::ReviewReopened {
                review,
                by: by.to_owned(),
            };
            faults::crash_point("engine.before_undo");
            let store = self.core.store();
            // At this head only: what is undone is the decision that was looked at.
            let recorded = store.append(run.id, Some(run.head), vec![event], Vec::new());
            match recorded.await {
                Ok(_) => {}
                Err(AppendError::Conflict { .. }) => continue,
                Err(AppendError::Illegal(why)) => {
                    return Err(DecideError::Decided(why.to_string()));
                }
                Err(error) => return Err(DecideError::Store(error.to_string())),
            }
            faults::crash_point("engine.undone");
            self.core.poke(run.id);
            return Ok(run.id);
        }
    }

    /// "Not now": hides it from the queue until then. Not the same as no.
    pub async fn snooze(&self, review: ReviewId, until: Timestamp) -> Result<(), DecideError> {
        let (run, found) = self.find(review).await?;
        if !found.is_open() {
            let why = "somebody has decided already".to_owned();
            return Err(DecideError::Decided(why));
        }
        let event = Event::ReviewSnoozed { review, until };
        self.core
            .store()
            .append(run.id, None, vec![event], Vec::new())
            .await
            .map(|_| ())
            .map_err(|e| DecideError::Store(e.to_string()))
    }

    pub(crate) async fn find(&self, id: ReviewId) -> Result<(Run, Review), DecideError> {
        let failed = |error: store::ReadError| DecideError::Store(error.to_string());
        let store = self.core.store();
        let run = store.run_of_review(id).await.map_err(failed)?;
        let run = run.ok_or(DecideError::Unknown(id))?;
        let run = store.load(run).await.map_err(failed)?;
        let found = run.and_then(|run| {
            let review = run.reviews.get(&id).cloned()?;
            Some((run, review))
        });
        found.ok_or_else(|| {
            DecideError::Decided("it was decided, withdrawn or expired already".to_owned())
        })
    }
}

fn offered(review: &Review, answer: &Answer) -> Result<(), DecideError> {
    if review.offers(&answer.choice) {
        return Ok(());
    }
    let offered: Vec<&str> = review.choices.iter().map(|c| c.id.as_str()).collect();
    Err(DecideError::NotOffered {
        choice: answer.choice.clone(),
        offered: match offered.is_empty() {
            true => "answer (with your text)".to_owned(),
            false => offered.join(", "),
        },
    })
}
