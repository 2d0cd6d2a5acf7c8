//! A run that went silent is stopped, and a person is asked what to do with it. No worker is
//! left to act on the answer, so the answer itself starts what follows; a daemon that died in
//! between does so at its next start.

use std::sync::Arc;

use domain::{
    Answer, Choice, Event, FailCause, InterruptCause, Phase, QueueReason, Review, ReviewId,
    ReviewKind, Run, RunId, Timestamp,
};

use crate::asks;
use crate::conversation::Conversation;
use crate::core::Core;
use crate::journal::{Batch, Halt};
use crate::worker::{Worker, close_reviews};

/// How much of what the agent said last is shown.
const SAID: usize = 400;

/// Nothing was heard for too long.
fn ask(run: &Run, problem: &str, said: Option<&str>, now: Timestamp) -> Review {
    let doing = run.open_ops.values().map(|op| op.summary.as_str());
    let doing: Vec<&str> = doing.collect();
    let mut detail = format!("{problem}\n\nIt was in step {}", run.step);
    if !doing.is_empty() {
        detail.push_str(&format!(", in the middle of: {}", doing.join("; ")));
    }
    if let Some(said) = said {
        detail.push_str(&format!(
            ".\nIt had said last: {}",
            asks::first_line(said, SAID)
        ));
    }
    detail.push_str("\n\nNothing of it runs now, and nothing is lost.");
    let mut review = asks::ask(
        run,
        ReviewKind::Stalled,
        "The run went silent and was stopped".to_owned(),
        "nothing was heard for longer than is allowed (silence_s)".to_owned(),
        detail,
        now,
    );
    review.choices = vec![
        Choice::new(
            "resume",
            "Resume",
            "It goes on where it stopped; the call that went silent is made again.",
        ),
        Choice::new(
            "end",
            "End",
            "The run ends here; what there is so far is kept.",
        ),
    ];
    review
}

impl Worker {
    /// Stops the run and asks, in one commit.
    pub(crate) async fn stalled(&self, problem: &str) -> Result<Run, Halt> {
        let run = self.journal.load().await?;
        let problem = self.core.redact(problem);
        let said = self.last_words(&run).await?;
        let review = ask(&run, &problem, said.as_deref(), self.core.now());
        let mut batch = Batch::of(Event::Interrupted {
            cause: InterruptCause::Stalled,
            detail: problem,
            last_alive: self.core.now(),
        });
        if asks::pending(&run, ReviewKind::Stalled).is_none() {
            let review = Box::new(review);
            batch.push(Event::ReviewRequested { review });
        }
        self.journal.append(batch).await
    }
}

/// Somebody resumed the run without answering: that is the answer.
pub(crate) fn answered_by_resuming(run: &Run) -> Batch {
    let mut batch = Batch::default();
    if let Some((review, _)) = asks::pending(run, ReviewKind::Stalled) {
        let why = "the run was resumed".to_owned();
        batch.push(Event::ReviewWithdrawn { review, why });
    }
    batch
}

impl Core {
    /// Acts on what was decided about a run that went silent, as soon as it holds.
    pub(crate) fn mind_stalled(self: &Arc<Self>, run: &Run) {
        let decided = asks::pending(run, ReviewKind::Stalled).and_then(|(_, r)| r.answer());
        if decided.is_none() {
            return;
        }
        let (core, id) = (self.clone(), run.id);
        self.tasks.spawn(async move {
            if let Err(error) = core.act_on_stalled(id).await {
                tracing::warn!(run = %id, %error, "what was decided about a silent run is not done yet");
            }
        });
    }

    async fn act_on_stalled(self: &Arc<Self>, id: RunId) -> Result<(), crate::CommandError> {
        loop {
            let run = self.load(id).await?;
            // Undone, resumed or cancelled meanwhile.
            let Some((review, asked)) = asks::pending(&run, ReviewKind::Stalled) else {
                return Ok(());
            };
            let Some(answer) = asked.answer() else {
                return Ok(());
            };
            if let Some(at) = answer.effective_at.filter(|_| !answer.holds_at(self.now())) {
                tokio::select! {
                    () = tokio::time::sleep(self.until(at)) => continue,
                    () = self.leaving.cancelled() => return Ok(()),
                }
            }
            faults::crash_point("engine.stalled_decided");
            let batch = self.stalled_outcome(&run, review, answer).await?;
            let Some(run) = self.append_if_at(&run, batch).await? else {
                continue;
            };
            if run.phase == Phase::Queued {
                self.spawn_worker(id);
            }
            return Ok(());
        }
    }

    async fn stalled_outcome(
        &self,
        run: &Run,
        review: ReviewId,
        answer: &Answer,
    ) -> Result<Batch, crate::CommandError> {
        let mut batch = Batch::default();
        if answer.choice == "resume" {
            batch.push(Event::ReviewUsed { review });
            batch.events.extend(crate::expiry::asked_again(run));
            let reason = QueueReason::Resumed;
            batch.push(Event::Queued { reason });
            return Ok(batch);
        }
        let journal = self.journal(run.id);
        let mut conversation = Conversation::default();
        let failed = |halt: Halt| crate::CommandError::Store(halt.to_string());
        conversation.catch_up(&journal, run).await.map_err(failed)?;
        let partial = conversation.last_model_text(&journal).await;
        let partial = partial.map_err(failed)?.map(|text| batch.blob(text));
        close_reviews(run, Some(review), &mut batch);
        for op in run.open_ops.values() {
            crate::ops::cancel(op, &mut batch);
        }
        batch.push(Event::Failed {
            cause: FailCause::Review,
            message: "it went silent, and was ended by your decision".to_owned(),
            partial,
        });
        Ok(batch)
    }
}
